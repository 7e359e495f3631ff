"""Following a ledger: what its final blocks tell, in order, each thing once, from any height on.

Whoever follows keeps one number, the height of the last item it has dealt with, and resumes from
there. A feed is what one node shows: nothing in it is not final, and nothing comes twice or out of
order; but a node can leave something out without a word, and who signs or acts on what did not
happen reads `Gateway.whole_traffic` and `Watching.arrivals`, which find that out.
"""

from __future__ import annotations

from dataclasses import dataclass

from caimi.ledgers.port.facts import Fact


@dataclass(frozen=True, slots=True)
class ToldFact:
    """A fact, and the transaction that it came about in."""

    tx: str
    fact: Fact


@dataclass(frozen=True, slots=True)
class BlockFacts:
    """What the block at `height` tells, in the ledger's order, and `time` as `Block` has it.

    With it, everything up to `height` has been told. A block that tells nothing may be left out,
    or come with no facts, so that whoever follows gets on over an empty stretch as well.
    """

    height: int
    time: int
    facts: tuple[ToldFact, ...]
