"""Token buckets that count what is used rather than what is left.

So a bucket never touched is a full one. What is used is kept times the seconds of a day: refilling
rounds nothing away, however often packets come.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

DAY: Final = 24 * 3600


@dataclass(frozen=True, slots=True)
class LaneLimits:
    """Of one direction: what the buckets hold, what a day refills, and the most of one packet."""

    count: int
    count_per_day: int
    max_amount: int = 0
    amount: int = 0
    amount_per_day: int = 0


@dataclass(frozen=True, slots=True)
class Weights:
    """How many times a packet weighs, by count and by amount."""

    count: int = 1
    amount: int = 1

    @classmethod
    def of_share(cls, limits: LaneLimits, shares: int) -> Weights:
        """Give how many times more a packet weighs in an account's share than in the bucket.

        `shares`, or as many as leave room for one packet, and for one of the largest amount.
        """
        amount = limits.amount // limits.max_amount if limits.max_amount else shares
        return cls(min(limits.count, shares), min(amount, shares))


@dataclass(frozen=True, slots=True)
class Bucket:
    """What is used at `time`, times `DAY`, and what is in flight beside it, each one."""

    flying: int = 0
    amount_flying: int = 0
    count: int = 0
    amount: int = 0
    time: int = 0

    def refilled(self, limits: LaneLimits, time: int) -> Bucket:
        """Give the bucket as it is after what time has refilled."""
        elapsed = time - self.time
        return replace(
            self,
            count=max(0, self.count - elapsed * limits.count_per_day),
            amount=max(0, self.amount - elapsed * limits.amount_per_day),
            time=time,
        )

    def flown(self, amount: int) -> Bucket:
        """Give it with one more packet in flight."""
        return replace(self, flying=self.flying + 1, amount_flying=self.amount_flying + amount)

    def landed(self, amount: int, used: Weights | None) -> Bucket:
        """Give it with one packet less in flight, and so much more used."""
        weights = used or Weights(0, 0)
        return replace(
            self,
            flying=self.flying - 1,
            amount_flying=self.amount_flying - amount,
            count=self.count + weights.count * DAY,
            amount=self.amount + amount * weights.amount * DAY,
        )

    def fits(self, limits: LaneLimits, weights: Weights, amount: int) -> bool:
        """Whether it holds what is in it; `amount` is that of the packet that went in last."""
        counts = self.flying * weights.count * DAY + self.count <= limits.count * DAY
        if amount == 0:
            return counts
        used = self.amount_flying * weights.amount * DAY + self.amount
        return counts and used <= limits.amount * DAY

    def left(self, limits: LaneLimits) -> tuple[int, int]:
        """Give how many packets, and how much value, it has room for."""
        counts = limits.count * DAY - self.count - self.flying * DAY
        amounts = limits.amount * DAY - self.amount - self.amount_flying * DAY
        return max(0, counts) // DAY, max(0, amounts) // DAY
