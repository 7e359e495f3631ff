"""What blocks tell (the port's `Ledger.feed` and `Ledger.recent`), and models' histories."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from caimi.ledgers.machine.facts import fact_of
from caimi.ledgers.machine.machine import Machine
from caimi.ledgers.port import BlockFacts, FactKind, HistoryEntry, ModelFact, ToldFact
from caimi.ledgers.telling import history_entry, link, subject


def blocks_after(
    chain: Machine, after: int, last: int, kinds: Collection[FactKind]
) -> Iterator[BlockFacts]:
    """Give every block of (after, last], from the chain's own record of what was told."""
    for height in range(max(after + 1, 0), last + 1):
        facts = tuple(
            ToldFact(told.tx, fact)
            for told in chain.told.all
            if told.height == height
            and (fact := fact_of(chain.id, told.effect, told.tx, height)) is not None
            and type(fact) in kinds
        )
        yield BlockFacts(height, chain.block(height).time, facts)


def history_of(chain: Machine, model_id: bytes) -> list[HistoryEntry]:
    """List what happened to a model, oldest first; what names its licence only is its, too."""
    found, ids, accounts = [], {model_id}, chain.accounts
    for told in chain.told.all:
        fact = fact_of(chain.id, told.effect, told.tx, told.height)
        if isinstance(fact, ModelFact) and subject(fact) in ids:
            ids |= {begun} if (begun := link(fact)) is not None else set()
            found.append(history_entry(fact, told.tx, told.height, accounts))
    return found
