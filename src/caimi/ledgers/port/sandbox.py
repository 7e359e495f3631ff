"""Ledgers for trying things out: started by a program, and gone with it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Protocol, runtime_checkable

from caimi.ledgers.port.gateway import Committee
from caimi.ledgers.port.keys import Signer
from caimi.ledgers.port.ledger import Ledger


class Sandbox(Protocol):
    """One such ledger with CAIMI on it; whoever started it administers it."""

    @property
    def ledger(self) -> Ledger: ...

    def key_of(self, person: Signer) -> Signer:
        """Give the key by which one of its people acts there: their own, where it takes such."""
        ...

    async def pass_time(self, seconds: int) -> None:
        """Let so much time pass on this ledger alone."""
        ...

    async def add_client(self, of: Ledger, committee: Committee) -> str:
        """Add a route to a ledger of any family, by a committee client; gives the client's id."""
        ...

    async def join(self, client_id: str, counterparty: str) -> None:
        """Tell a route which client the other ledger has of this one."""
        ...


@runtime_checkable
class SandboxKind(Protocol):
    """Starts ledgers of one kind.

    Offered by entry point: see `caimi.families`.
    """

    async def start(self, stack: AsyncExitStack, place: int, people: Sequence[Signer]) -> Sandbox:
        """Start one on which `people` can pay for whatever calls cost; `stack` ends it.

        `place` tells it from the other ledgers that are started beside it.
        """
        ...
