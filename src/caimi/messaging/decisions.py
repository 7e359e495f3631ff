"""What a relayer wants done: from a route's open packets and its operator's policy to actions.

Pure: nothing here asks a ledger or looks at a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from caimi.ledgers.port import SentPacket
from caimi.messaging.actions import Acknowledge, Collect, Deliver, TimeOut, Way
from caimi.messaging.entries import AnsweredPacket, EarnedFee, Sorted, packet_name
from caimi.messaging.policy import RoutePolicy

# What collecting fees takes: their proof, and each of them.
COLLECT_WORK: Final = 150_000
COLLECT_ONE_WORK: Final = 50_000
P = TypeVar("P", SentPacket, AnsweredPacket)


def decide(
    way: Way,
    found: Sorted,
    policy: RoutePolicy,
    paid: Callable[[tuple[str, int]], int],
    work_price: int,
) -> tuple[Deliver, Acknowledge, TimeOut, Collect]:
    """Give what is worth doing about the packets `found` on a route, each as one whole action.

    `paid` tells what is escrowed for this relayer under a packet's name, and `work_price` what a
    unit of work costs at the sending ledger, both in its smallest coin; the price counts only where
    there are fees to collect.
    """

    def worth(entries: Sequence[P]) -> tuple[P, ...]:
        least = policy.minimum_fee
        return tuple(each for each in entries if least == 0 or paid(packet_name(each)) >= least)

    return (
        Deliver(way, worth(found.deliver)),
        Acknowledge(way, worth(found.acknowledge)),
        TimeOut(way, worth(found.time_out)),
        Collect(way, worth_collecting(found.collect, work_price)),
    )


def worth_collecting(fees: Sequence[EarnedFee], work_price: int) -> tuple[EarnedFee, ...]:
    """Leave the fees that are more than collecting them costs; all wait until enough are."""
    worth = tuple(each for each in fees if each.fee.amount.units > COLLECT_ONE_WORK * work_price)
    total = sum(each.fee.amount.units for each in worth)
    costs = (COLLECT_WORK + len(worth) * COLLECT_ONE_WORK) * work_price
    return worth if total > costs else ()
