"""What one transaction may do, and what carries transactions out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from caimi.ledgers.fabric.msp.identity import MspIdentity


class ChaincodeStub(Protocol):
    """One transaction's view of the state, and the place for what it does.

    What it wrote it reads. Nothing is written if the contract refuses or fails. What it read has to
    be the newest still when the transaction is ordered, or the transaction has no effect.
    """

    @property
    def transaction(self) -> str:
        """Its id: 64 hex digits."""

    @property
    def channel(self) -> str:
        """The channel that it is on."""

    @property
    def arguments(self) -> Sequence[bytes]:
        """What it was called with."""

    @property
    def creator(self) -> MspIdentity:
        """Who signed the proposal; the peer has checked that."""

    @property
    def proposed_at(self) -> int:
        """When the proposal was made, in seconds, by the clock of whoever made it: no fact."""

    def get(self, key: str) -> bytes | None:
        """Give the value of a key, or None."""

    def put(self, key: str, value: bytes) -> None:
        """Write a value, which may not be empty."""

    def delete(self, key: str) -> None:
        """Forget a key."""

    def range(self, start: str, end: str, limit: int) -> list[tuple[str, bytes]]:
        """Give at most `limit` keys from `start` on and before `end`, in order, with values.

        That no other appears among them is checked when the transaction is ordered.
        """

    def raise_event(self, name: str, payload: bytes) -> None:
        """Tell something; a transaction has one event, the last one."""


class ChaincodeContract(Protocol):
    """Carries transactions out: the same call over the same state does the same, anywhere."""

    def invoke(self, stub: ChaincodeStub) -> bytes:
        """Carry one out, and give its result. It runs in a thread, beside others.

        Raises:
            ChaincodeRefusal: it is refused, with a reason that the caller gets.
        """
