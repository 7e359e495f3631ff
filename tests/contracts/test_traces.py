"""The contracts in Python do what the Solidity contracts do, whatever is asked of both.

Random sequences of calls, on three ledgers joined by routes whose committee signs whatever a trace
wants: each step is accepted on both or refused on both for the same reason, with the same facts,
and all that is read afterwards is the same. A failure shrinks to the shortest beginning of a trace.
"""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.ledgers import ledgers
from contracts.trace import play


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 300))
def test_random_traces_are_the_same_on_both(seed: int, steps: int) -> None:
    play(ledgers(), Random(seed), steps)
