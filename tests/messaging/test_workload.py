"""What a batch's transaction may take is learned from those before it, and never too little."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from caimi.messaging.workload import RESERVE, Workload


def test_nothing_is_known_before_the_first_transaction() -> None:
    assert Workload().limit("deliver", 10) == 0


@given(st.integers(1, 100), st.integers(21_000, 30_000_000), st.integers(1, 100))
def test_a_limit_covers_as_many_packets_of_the_dearest_kind_seen(
    packets: int, work: int, next_packets: int
) -> None:
    workload = Workload()
    workload.took("deliver", packets, work)
    workload.took("deliver", packets, 1)
    assert workload.limit("deliver", next_packets) >= work * next_packets // packets + RESERVE
    assert workload.limit("acknowledge", next_packets) == 0


def test_a_dear_packet_is_forgotten_in_time() -> None:
    workload = Workload()
    workload.took("deliver", 1, 10_000_000)
    for _ in range(500):
        workload.took("deliver", 1, 100_000)
    assert workload.limit("deliver", 1) < 200_000 + RESERVE
