"""What a relayer carries, and when: each operator's own choice, which nothing else depends on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from caimi.ledgers.port import LedgerId, Route
from caimi.messaging.turns import RelayerSchedule


@dataclass(frozen=True, slots=True)
class RoutePolicy:
    """How one route's packets are carried.

    `minimum_fee`, in the sending ledger's smallest coin, is what must be escrowed for this relayer
    before it carries a packet. A batch goes once it has `packets`, or takes `work` (gas on EVM
    ledgers), or its oldest packet has waited `wait_seconds`; None leaves what the relayer does by
    itself. With `propose` it makes claims at optimistic clients, and binds its coins in them.
    """

    carry: bool = True
    minimum_fee: int = 0
    packets: int | None = None
    work: int | None = None
    wait_seconds: float = 0.0
    propose: bool = False


def carry_everything(source: LedgerId, route: Route) -> RoutePolicy:
    """Give the policy of who carries every route at once, paid or not."""
    return RoutePolicy()


@dataclass(frozen=True, slots=True)
class Policy:
    """One relayer's policy: `route` by the ledger that sends and the route at it.

    Nothing is sent to a ledger while a unit of work costs more there than its cap in `price_caps`.
    In `turns` with others it carries what the ledgers there send; the rest at once.
    """

    route: Callable[[LedgerId, Route], RoutePolicy] = carry_everything
    price_caps: Mapping[LedgerId, int] = field(default_factory=dict)
    turns: Mapping[LedgerId, RelayerSchedule] = field(default_factory=dict)
