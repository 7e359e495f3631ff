"""How much of value a route carries: what no application of ours asks of its limits yet."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from caimi.contracts.authority import Authority
from caimi.contracts.buckets import DAY, Bucket, LaneLimits, Weights
from caimi.contracts.execution import Execution
from caimi.contracts.identifiers import Account
from caimi.contracts.limits import BreakerOpened, RouteLimits
from caimi.contracts.state import MemoryState
from caimi.errors.ledgers import CallRefused

ADMIN, ALICE = Account(b"admin"), Account(b"alice")
LANE = "a-route-1"
TEN = LaneLimits(100, 100, 5, 10, 24)


@dataclass
class Limited:
    """A route whose value is limited in both directions."""

    limits: RouteLimits = field(default_factory=lambda: RouteLimits("test", Authority()))
    state: MemoryState = field(default_factory=MemoryState)
    time: int = 1_000_000

    def __post_init__(self) -> None:
        Authority().found(self.call(), ADMIN, ADMIN)
        for receiving in (False, True):
            self.limits.set_limits(self.call(), LANE, TEN, receiving=receiving)

    def call(self) -> Execution:
        return Execution(self.state, 1, self.time, ADMIN)

    def receive(self, amount: int) -> bool:
        """Take a delivery; tells whether it opened the breaker."""
        call = self.call()
        self.limits.receive(call, LANE, amount)
        return any(isinstance(effect, BreakerOpened) for effect in call.effects)

    def left(self, receiving: bool) -> int:
        return self.limits.available(self.state, LANE, self.time, receiving=receiving)[1]


def test_the_delivery_that_uses_the_last_opens_the_breaker() -> None:
    route = Limited()
    assert not route.receive(5)
    assert route.left(True) == 5
    assert route.receive(5)


def test_a_delivery_may_overdraw_once() -> None:
    route = Limited()
    assert not route.receive(5)
    assert not route.receive(4)
    assert route.receive(5)


def test_nothing_of_value_is_taken_out_of_an_empty_bucket_and_the_rest_is() -> None:
    route = Limited()
    route.receive(5)
    route.receive(5)
    route.limits._breakers.delete(route.state, (LANE,))
    before = dict(route.state.items())
    with pytest.raises(CallRefused, match="RateExceeded"), route.call().frame() as frame:
        route.limits.receive(frame, LANE, 1)
    assert route.state.items() == before
    assert route.receive(0)


def test_a_bucket_refills_by_the_second() -> None:
    route = Limited()
    route.receive(5)
    route.time += 3_600
    assert route.left(True) == 6
    route.time += DAY
    assert route.left(True) == 10


def test_what_was_refunded_is_given_back_and_what_was_not_refills() -> None:
    route = Limited()
    route.limits.send(route.call(), LANE, ALICE, 5)
    assert route.left(False) == 5
    route.limits.end(route.call(), LANE, ALICE, 5, refunded=True)
    assert route.left(False) == 10
    route.limits.send(route.call(), LANE, ALICE, 5)
    route.limits.end(route.call(), LANE, ALICE, 5, refunded=False)
    assert route.left(False) == 5


def test_a_share_leaves_room_for_one_packet_of_the_largest_amount() -> None:
    assert Weights.of_share(TEN, 20) == Weights(20, 2)
    assert Weights.of_share(LaneLimits(3, 3, 0, 10, 1), 20) == Weights(3, 20)
    assert Weights.of_share(LaneLimits(3, 3, 1, 1_000, 1), 20) == Weights(3, 20)
    route = Limited()
    route.limits.send(route.call(), LANE, ALICE, 5)
    with pytest.raises(CallRefused, match="ShareExceeded"):
        route.limits.send(route.call(), LANE, ALICE, 1)


def test_what_is_in_flight_and_what_is_used_fill_a_bucket_together() -> None:
    used = Bucket(flying=1, amount_flying=4, count=DAY, amount=6 * DAY)
    assert used.fits(LaneLimits(2, 0, 10, 10), Weights(), 4)
    assert not used.fits(LaneLimits(1, 0, 10, 10), Weights(), 4)
    assert not used.fits(LaneLimits(2, 0, 9, 9), Weights(), 4)
    assert used.fits(LaneLimits(2, 0, 9, 9), Weights(), 0)


def test_a_dead_route_dies_once_and_stays_dead() -> None:
    route = Limited()
    effects = []
    for _ in range(2):
        call = route.call()
        route.limits.kill(call, LANE)
        effects += call.effects
    assert effects == [BreakerOpened(LANE)]
    with pytest.raises(CallRefused, match="RouteDead"):
        route.limits.close_breaker(route.call(), LANE)
