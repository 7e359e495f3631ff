"""What blocks tell (the port's `Ledger.feed` and `Ledger.recent`), and models' histories."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import groupby

from caimi.ledgers.fact_ids import link, subject
from caimi.ledgers.machine.facts import fact_of
from caimi.ledgers.machine.machine import Machine, ToldEffect
from caimi.ledgers.port import BlockFacts, FactKind, HistoryEntry, ModelFact, ToldFact


def blocks_after(
    chain: Machine, after: int, last: int, kinds: Collection[FactKind]
) -> Iterator[BlockFacts]:
    """Give every block of (after, last], with what it told."""
    by_height = groupby(chain.told(after, last), key=lambda told: told.height)
    following = next(by_height, None)
    for height in range(max(after + 1, 0), last + 1):
        facts: tuple[ToldFact, ...] = ()
        if following is not None and following[0] == height:
            facts = tuple(_facts(chain, following[1], kinds))
            following = next(by_height, None)
        yield BlockFacts(height, chain.block(height).time, facts)


def history_of(chain: Machine, model_id: bytes) -> list[HistoryEntry]:
    """List what happened to a model, oldest first; what names its licence only is its, too."""
    found, ids = [], {model_id}
    for told in chain.told(-1, chain.head.height):
        fact = fact_of(chain.id, told.effect, told.tx, told.height)
        if isinstance(fact, ModelFact) and subject(fact) in ids:
            ids |= {begun} if (begun := link(fact)) is not None else set()
            found.append(HistoryEntry(fact, told.tx, told.height))
    return found


def _facts(
    chain: Machine, told: Iterable[ToldEffect], kinds: Collection[FactKind]
) -> Iterator[ToldFact]:
    for each in told:
        fact = fact_of(chain.id, each.effect, each.tx, each.height)
        if fact is not None and type(fact) in kinds:
            yield ToldFact(each.tx, fact)
