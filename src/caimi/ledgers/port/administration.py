"""Putting CAIMI on a ledger, and joining it to others: for whoever administers it there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from caimi.config import LedgerSection
from caimi.ledgers.port.blocks import LedgerId
from caimi.ledgers.port.calls import Outbox
from caimi.ledgers.port.gateway import Committee
from caimi.ledgers.port.keys import Signer
from caimi.ledgers.port.ledger import Ledger


@dataclass(frozen=True, slots=True)
class LedgerPlace:
    """A ledger before CAIMI is on it: its id, its name here, and what its family is told of it.

    `told` is what its section will say to the family, but for where CAIMI is. `family` is needed as
    in a section.
    """

    id: LedgerId
    name: str
    told: Mapping[str, object] = field(default_factory=dict)
    family: str | None = None


class Administered(Protocol):
    """A ledger with CAIMI on it, and a key that administers it there."""

    @property
    def ledger(self) -> Ledger: ...
    @property
    def admin(self) -> Signer: ...

    async def add_client(
        self, of: Ledger, committee: Committee, *, outbox: Outbox | None = None, key: str = "route"
    ) -> str:
        """Add a route to a ledger of any family, by a committee client; gives the client's id.

        With an `outbox`, what was killed goes on where it stopped; its entries begin with `key`.
        """
        ...


class Administration(Protocol):
    """What a family offers to whoever administers its ledgers."""

    async def deploy(
        self,
        place: LedgerPlace,
        signer: Signer,
        *,
        guardian: bytes | None = None,
        outbox: Outbox | None = None,
        key: str = "deploy",
    ) -> LedgerSection:
        """Put CAIMI on a ledger, administered by `signer`; gives its section.

        `guardian` is the native account that may stop things, `signer`'s unless given. With an
        `outbox`, what was killed goes on where it stopped; its entries begin with `key`.

        Raises:
            ConfigInvalid: the place is not told as the family asks.
            LedgerUnavailable, WrongLedger…: the ledger is not there.
        """
        ...

    def administered(self, ledger: Ledger, signer: Signer) -> Administered:
        """Join one of the family's ledgers and a key that administers it."""
        ...
