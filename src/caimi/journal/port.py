"""What a journal is kept in (port): operations, and the transactions they signed."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from caimi.ledgers.port import SignedCall


@dataclass(frozen=True, slots=True)
class OperationRecord:
    """One line of the journal."""

    key: str
    kind: str
    facts: dict[str, object]
    finished: bool


class JournalStore(Protocol):
    """Keeps operations and signed transactions; each write is durable when it returns.

    Its methods block, and may be called from any thread. Each raises `JournalBusy`,
    `JournalUnwritable`, `JournalDamaged` or `DatabaseUnreachable` when it cannot be done.
    """

    def exclusive(self, key: str, what: str) -> AbstractContextManager[None]:
        """Hold an operation, one holder of all processes at a time; let go when this one dies.

        Raises:
            JournalBusy: somebody else holds it; `what` names it in the error.
        """
        ...

    def take_up(self, key: str, kind: str) -> OperationRecord:
        """Give the operation of `key`, after writing down a new one if there is none."""
        ...

    def find(self, key: str) -> OperationRecord | None:
        """Read one operation."""
        ...

    def operations(self) -> list[OperationRecord]:
        """List all operations, oldest first."""
        ...

    def save(self, record: OperationRecord) -> None:
        """Put a record's facts and end in place of what was written of its operation."""

    def reset(self, key: str) -> None:
        """Forget, all at once, an operation's facts and the transactions under ``key/…``."""

    def sent(self, key: str) -> SignedCall | None:
        """Give the transaction recorded under `key`."""
        ...

    def record(self, key: str, call: SignedCall) -> None:
        """Write a signed transaction down under `key`, in place of an earlier one."""

    def forget(self, key: str) -> None:
        """Forget the transactions under `key` and ``key#…``."""

    def close(self) -> None:
        """Close it."""
