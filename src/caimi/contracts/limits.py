"""How much may pass over one route, per direction: buckets, shares, and a breaker.

- Routes share nothing: no packet of one route changes what another may carry.
- What is in flight takes its place until it ends; what was refunded gives it back whole, and what
  was not gives it back as time refills the bucket. So of what was sent over a route in any time t,
  at most capacity + rate * t was delivered.
- No account uses more than one part in `SHARES` of what may be sent, or one packet of the largest
  amount where that is more.
- What is delivered in any time t is at most capacity + rate * t packets, and of value at most
  `max_amount` more: the delivery that empties the bucket is still taken, since a refusal is undone
  and could not open the breaker.
- An open breaker is closed by governance alone, never by time, and that of a dead route by nobody.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from caimi.contracts.authority import Authority, AuthorityRole
from caimi.contracts.bounds import number
from caimi.contracts.buckets import DAY, Bucket, LaneLimits, Weights
from caimi.contracts.execution import Effect, Execution, require
from caimi.contracts.identifiers import Account
from caimi.contracts.records import Table
from caimi.contracts.state import State

DEFAULT_SENDING: Final = LaneLimits(1000, 10_000)
DEFAULT_RECEIVING: Final = LaneLimits(12_000, 12_000)
"""Of a route that governance has set no limits for; value is not limited there. All that an honest
other side can have sent in the day that a packet lasts fits into the bucket of what arrives."""
SHARES: Final = 20
"""Of what may be sent over a route, one account uses one part in so many."""


@dataclass(frozen=True, slots=True)
class LimitsSet(Effect):
    """Governance limits a direction of a route anew."""

    lane: str
    receiving: bool
    limits: LaneLimits


@dataclass(frozen=True, slots=True)
class BreakerOpened(Effect):
    """A route carries nothing any more."""

    lane: str


@dataclass(frozen=True, slots=True)
class BreakerClosed(Effect):
    """A route carries packets again."""

    lane: str


@dataclass(frozen=True, slots=True)
class LaneDirection:
    """One direction: its limits (the defaults unless `configured`), and what is used of them."""

    limits: LaneLimits
    bucket: Bucket = field(default_factory=Bucket)
    configured: bool = False


@dataclass(frozen=True, slots=True)
class LaneBreaker:
    """Whether a route is stopped, and whether for good."""

    open: bool = False
    dead: bool = False


class RouteLimits:
    """The limits of one application, for each lane: a route, or one currency over it."""

    def __init__(self, name: str, authority: Authority) -> None:
        self._authority = authority
        self._breakers: Table[tuple[str], LaneBreaker] = Table(f"{name}/breakers", LaneBreaker)
        self._directions: Table[tuple[str, int], LaneDirection] = Table(
            f"{name}/directions", LaneDirection
        )
        self._shares: Table[tuple[str, Account], Bucket] = Table(f"{name}/shares", Bucket)

    # --- administration -------------------------------------------------------------------------

    def set_limits(
        self, call: Execution, lane: str, limits: LaneLimits, *, receiving: bool
    ) -> None:
        """Set what may pass in one direction. What was used stays used. Administrators only."""
        self._authority.check(call, AuthorityRole.ADMINISTRATOR)
        for name, bits in (("count", 32), ("count_per_day", 32)):
            number(getattr(limits, name), bits, name)
        for name in ("max_amount", "amount", "amount_per_day"):
            number(getattr(limits, name), 104, name)
        require(limits.count != 0 and limits.max_amount <= limits.amount, "InvalidLimits")
        direction = self._direction(call.state, lane, receiving)
        # Used under the old rates until now, under the new ones from here.
        bucket = direction.bucket.refilled(direction.limits, call.time)
        self._put(call, lane, receiving, LaneDirection(limits, bucket, True))
        call.emit(LimitsSet(lane, receiving, limits))

    def open_breaker(self, call: Execution, lane: str) -> None:
        """Stop a route in both directions; what is in flight still ends. Guardians only."""
        self._authority.check(call, AuthorityRole.GUARDIAN)
        self._open(call, lane)

    def close_breaker(self, call: Execution, lane: str) -> None:
        """Let a route carry packets again, with full buckets. Administrators only.

        But for what is in flight, and for the accounts' shares.
        """
        self._authority.check(call, AuthorityRole.ADMINISTRATOR)
        breaker = self._breaker(call.state, lane)
        require(not breaker.dead, "RouteDead", lane=lane)
        self._breakers.put(call.state, (lane,), replace(breaker, open=False))
        for receiving in (False, True):
            direction = self._direction(call.state, lane, receiving)
            full = replace(direction.bucket, count=0, amount=0, time=call.time)
            if receiving:
                full = replace(full, flying=0)
            self._put(call, lane, receiving, replace(direction, bucket=full))
        call.emit(BreakerClosed(lane))

    # --- reading --------------------------------------------------------------------------------

    def breaker_open(self, state: State, lane: str) -> bool:
        """Whether a route is stopped."""
        return self._breaker(state, lane).open

    def available(self, state: State, lane: str, time: int, *, receiving: bool) -> tuple[int, int]:
        """Give how many packets, and how much value, a direction may carry now.

        A delivery may overdraw the value once.
        """
        direction = self._direction(state, lane, receiving)
        return direction.bucket.refilled(direction.limits, time).left(direction.limits)

    # --- for the application --------------------------------------------------------------------

    def check_closed(self, state: State, lane: str) -> None:
        """Let a route pass that is not stopped; refuses ``BreakerOpen``."""
        require(not self._breaker(state, lane).open, "BreakerOpen", lane=lane)

    def send(self, call: Execution, lane: str, account: Account, amount: int) -> int:
        """Count a packet that `account` sends; refused when there is no room for it.

        Gives what `end` must be told: `amount`, or 0 where value is not limited.
        """
        self.check_closed(call.state, lane)
        sending = self._direction(call.state, lane, False)
        limits = sending.limits
        counted = 0
        if sending.configured:
            _check_amount(lane, amount, limits)
            counted = amount
        bucket = sending.bucket.refilled(limits, call.time).flown(counted)
        require(bucket.fits(limits, Weights(), counted), "RateExceeded", lane=lane, receiving=False)
        self._put(call, lane, False, replace(sending, bucket=bucket))
        share = self._share(call.state, lane, account).refilled(limits, call.time).flown(counted)
        fits = share.fits(limits, Weights.of_share(limits, SHARES), counted)
        require(fits, "ShareExceeded", lane=lane, account=account)
        self._shares.put(call.state, (lane, account), share)
        return counted

    def end(
        self, call: Execution, lane: str, account: Account, counted: int, *, refunded: bool
    ) -> None:
        """Note that a packet which `send` counted has ended.

        What it used is given back at once if it was refunded.
        """
        sending = self._direction(call.state, lane, False)
        limits = sending.limits
        bucket = sending.bucket.refilled(limits, call.time)
        bucket = bucket.landed(counted, None if refunded else Weights())
        self._put(call, lane, False, replace(sending, bucket=bucket))
        share = self._share(call.state, lane, account).refilled(limits, call.time)
        weights = None if refunded else Weights.of_share(limits, SHARES)
        self._shares.put(call.state, (lane, account), share.landed(counted, weights))

    def receive(self, call: Execution, lane: str, amount: int) -> None:
        """Count a packet that arrived; the one that empties a bucket opens the route's breaker."""
        self.check_closed(call.state, lane)
        receiving = self._direction(call.state, lane, True)
        limits = receiving.limits
        bucket = receiving.bucket.refilled(limits, call.time)
        if receiving.configured:
            _check_amount(lane, amount, limits)
            used = bucket.amount + amount * DAY
        else:
            used = 0
        count = bucket.count + DAY
        bucket = replace(bucket, flying=0, count=count, amount=used)
        self._put(call, lane, True, replace(receiving, bucket=bucket))
        held = used == 0 or amount == 0 or used - amount * DAY < limits.amount * DAY
        fits = count <= limits.count * DAY and held
        require(fits, "RateExceeded", lane=lane, receiving=True)
        emptied = used != 0 and used >= limits.amount * DAY
        if emptied or count + DAY > limits.count * DAY:
            self._open(call, lane)

    def kill(self, call: Execution, lane: str) -> None:
        """Open the breaker for good: what was locked for the other side is given back."""
        if self._breaker(call.state, lane).dead:
            return
        self._breakers.put(call.state, (lane,), LaneBreaker(False, True))
        self._open(call, lane)

    # --- parts ----------------------------------------------------------------------------------

    def _open(self, call: Execution, lane: str) -> None:
        breaker = self._breaker(call.state, lane)
        self._breakers.put(call.state, (lane,), replace(breaker, open=True))
        call.emit(BreakerOpened(lane))

    def _breaker(self, state: State, lane: str) -> LaneBreaker:
        return self._breakers.get(state, (lane,)) or LaneBreaker()

    def _direction(self, state: State, lane: str, receiving: bool) -> LaneDirection:
        default = DEFAULT_RECEIVING if receiving else DEFAULT_SENDING
        return self._directions.get(state, (lane, receiving)) or LaneDirection(default)

    def _put(self, call: Execution, lane: str, receiving: bool, direction: LaneDirection) -> None:
        self._directions.put(call.state, (lane, receiving), direction)

    def _share(self, state: State, lane: str, account: Account) -> Bucket:
        return self._shares.get(state, (lane, account)) or Bucket()


def _check_amount(lane: str, amount: int, limits: LaneLimits) -> None:
    within = amount <= limits.max_amount
    require(within, "AmountOverCap", lane=lane, amount=amount, cap=limits.max_amount)
