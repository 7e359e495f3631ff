"""Which requests a custodian has answered, in bounded memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from caimi.errors.custody import CustodianBusy, ReplayedRequest


@dataclass(slots=True)
class ReplayGuard:
    """Remembers answered requests until they are too old to be accepted anyway.

    Holds at most `capacity` requests, `per_account` of one account; when full it refuses rather
    than forget. Only licensed consumers get this far, so strangers cannot fill it.
    """

    capacity: int = 65_536
    per_account: int = 64
    _expiry: dict[tuple[bytes, bytes], float] = field(default_factory=dict, init=False)
    _held: Counter[bytes] = field(default_factory=Counter, init=False)

    def check(self, account: bytes, nonce: bytes) -> None:
        """Raise `ReplayedRequest` when this account's `nonce` was answered."""
        if (account, nonce) in self._expiry:
            raise ReplayedRequest(f"The request with nonce 0x{nonce.hex()} was answered already.")

    def remember(self, account: bytes, nonce: bytes, *, until: float, now: float) -> None:
        """Record a request as answered, or raise `ReplayedRequest` or `CustodianBusy`."""
        self.check(account, nonce)
        if self._is_full(account):
            self._forget_expired(now)
        if self._is_full(account):
            raise CustodianBusy(
                f"{len(self._expiry)} requests, {self._held[account]} of this account, "
                "are being remembered."
            )
        self._expiry[account, nonce] = until
        self._held[account] += 1

    def _is_full(self, account: bytes) -> bool:
        return len(self._expiry) >= self.capacity or self._held[account] >= self.per_account

    def _forget_expired(self, now: float) -> None:
        self._expiry = {key: until for key, until in self._expiry.items() if until >= now}
        self._held = Counter(account for account, _ in self._expiry)
