"""Packets that must lie deep go in batches that one statement can still cover."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from caimi.ibc.packet import Packet
from caimi.ledgers.port import LedgerId, SentPacket
from caimi.messaging.backlog import Backlog, Name
from caimi.messaging.entries import last_block
from caimi.messaging.policy import RoutePolicy
from caimi.messaging.validator import MAX_BLOCKS

MAX_DEPTH = 9_000


@st.composite
def entries(draw: st.DrawFn) -> list[tuple[Name, SentPacket]]:
    waiting = []
    for sequence in range(1, draw(st.integers(1, 12)) + 1):
        height = draw(st.integers(1, 30_000))
        depth = draw(st.sampled_from([0, 1, 500, MAX_DEPTH]))
        packet = Packet(sequence, "caimi-1-0", "caimi-2-0", 10**9, ())
        name = ("deliver", LedgerId("eip155:1"), "caimi-1-0", sequence)
        waiting.append((name, SentPacket(packet, "0x", height, height + depth if depth else 0)))
    return waiting


@given(entries(), st.integers(1, 12))
def test_every_packet_goes_once_and_one_statement_covers_its_batch(
    waiting: list[tuple[Name, SentPacket]], most: int
) -> None:
    batches = Backlog(lambda: 0.0, {}).batches(waiting, RoutePolicy(), most, now=0)
    gone = [entry for batch in batches for entry in batch]
    assert sorted(e.packet.sequence for e in gone) == [e.packet.sequence for _, e in waiting]
    for batch in batches:
        assert len(batch) <= most
        first = min(entry.height for entry in batch) - 1
        assert max(map(last_block, batch)) - first <= MAX_BLOCKS
