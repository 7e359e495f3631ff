"""Ledgers for trying things out, of any family: with this program, or in processes beside it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol, runtime_checkable

from caimi.ledgers.port.administration import Administered, LedgerPlace
from caimi.ledgers.port.keys import Signer


class Sandbox(Administered, Protocol):
    """One such ledger with CAIMI on it; whoever started it administers it."""

    def key_of(self, person: Signer) -> Signer:
        """Give the key by which one of its people acts there: their own, where it takes such."""
        ...

    async def pass_time(self, seconds: int) -> None:
        """Let so much time pass on this ledger alone."""
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


class LedgerService(Protocol):
    """An empty ledger in a process of its own, which outlives whoever starts it."""

    @property
    def name(self) -> str:
        """What it is called here."""
        ...

    @property
    def place(self) -> LedgerPlace:
        """Where it is; some tell only once `wait_ready` has ended."""
        ...

    @property
    def said(self) -> str:
        """What it is, in a few words."""
        ...

    @property
    def command(self) -> Sequence[str]:
        """The command line that runs it until it is ended."""
        ...

    @property
    def url(self) -> str | None:
        """Where it answers over HTTP, if it does."""
        ...

    async def wait_ready(self) -> None:
        """Wait until it answers; raises as the ledgers of its family do when it does not."""
        ...

    async def fund(self, accounts: Sequence[bytes]) -> None:
        """See to it that accounts (native bytes) can pay for whatever calls cost.

        It is asked before CAIMI is on the ledger, and once more when it is.
        """
        ...

    def outgrown(self) -> str | None:
        """Say long before what it keeps gets too large, and what to do about it."""
        ...


@runtime_checkable
class LastingKind(Protocol):
    """A kind of sandbox whose ledgers can outlive whoever starts them."""

    def check(self) -> None:
        """Check that what it needs is installed; raises what says how to install it."""
        ...

    def service(self, place: int, name: str, *, port: int, folder: Path) -> LedgerService:
        """Make ready to run one, called `name`; `place` is as in `SandboxKind.start`.

        It answers on `port` of loopback, if it does at all. All of it that lasts is in `folder`,
        which its program makes: however that is ended, run again it goes on where it was.
        """
        ...
