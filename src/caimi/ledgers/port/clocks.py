"""The time of ledgers on which it stands still between blocks that somebody asks for."""

from __future__ import annotations

from typing import Protocol


class StandingClock(Protocol):
    """A clock that anyone who may use the ledger moves, never past the present."""

    @property
    def present(self) -> int:
        """What time it is as this program believes, in seconds."""
        ...

    async def move(self) -> None:
        """Move it to the present, where it is behind; whoever keeps the ledger may refuse to.

        Raises:
            LedgerUnavailable: the ledger does not answer.
        """
        ...
