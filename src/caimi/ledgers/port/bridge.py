"""Ownership over ledgers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from caimi.ledgers.port.accounts import Account
from caimi.ledgers.port.calls import Call
from caimi.ledgers.port.heights import NEWEST, At


@dataclass(frozen=True, slots=True)
class Lock:
    """Where a model that left this ledger went."""

    client_id: str
    sequence: int
    completed: bool


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many models a route may send and receive now; none while its breaker is open.

    `out` of the ledger's models are away over the route; `cap` is how many may be.
    """

    sending: int
    receiving: int
    breaker_open: bool
    out: int
    cap: int


class Bridge(Protocol):
    """Moves ownership between ledgers."""

    @property
    def account(self) -> Account:
        """The bridge's own account, which must be approved for the token before `send`."""
        ...

    def send(
        self, client_id: str, model_id: bytes, recipient: Account, timeout: int, min_depth: int = 0
    ) -> Call[int]:
        """Send the model back the way it came, or on to a ledger that it has not been on.

        `recipient` is an account there. The other side takes it when `min_depth` blocks lie on the
        one that sends. Its effect is the packet's sequence.
        """
        ...

    async def lock(self, model_id: bytes, at: At = NEWEST) -> Lock | None: ...
    async def came_by(self, model_id: bytes, at: At = NEWEST) -> str:
        """Give the client by which a foreign model came and goes back; empty for home models."""
        ...

    async def outcome(self, model_id: bytes, client_id: str, sequence: int) -> str:
        """Give ``pending``, ``completed`` or ``refunded`` for a transfer sent from here.

        ``unknown`` where the ledger shows no such transfer: it was not made, or a node lags.
        """
        ...

    async def allowance(self, client_id: str) -> Allowance:
        """Give what a route may carry now."""
        ...
