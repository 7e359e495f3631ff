"""A family of ledgers: all that putting a program together knows of one."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

from pydantic import BaseModel

from caimi.config import LedgerSection, PlaceSection
from caimi.ledgers.port.accounts import AccountCodec
from caimi.ledgers.port.administration import Administration, LedgerPlace
from caimi.ledgers.port.key_files import KeyFiles
from caimi.ledgers.port.ledger import Ledger


@runtime_checkable
class Family(Protocol):
    """Makes ledgers of one kind from sections of a configuration.

    Offered by entry point: see `caimi.families`.
    """

    @property
    def settings(self) -> type[BaseModel]:
        """What a ledger's section says beside its id, names and family; strict."""

    @property
    def places(self) -> type[BaseModel] | None:
        """What it says before CAIMI is on the ledger, strict; None where that is never so.

        Where it is less than `settings`, a section without what is left out is a place still.
        """

    @property
    def keys(self) -> KeyFiles:
        """Files of people's keys on its ledgers."""

    @property
    def administration(self) -> Administration | None:
        """Putting CAIMI on its ledgers; None where that is not done from here."""

    def accounts(self, section: LedgerSection | PlaceSection | LedgerPlace) -> AccountCodec:
        """Tell how a ledger writes its accounts and whose signatures are, without asking it."""

    def prepare(self, section: LedgerSection, *, price_cap: int | None = None) -> Ledger:
        """Make a ledger ready to be asked, without asking it anything yet.

        Nothing is sent that offers more than `price_cap` for a unit of work; ledgers that count
        none ignore it.
        """

    def views(self, section: LedgerSection) -> dict[str, Ledger]:
        """Make one connection for each endpoint, as `prepare` does, the ledger's own first.

        Their names are safe to tell anyone.
        """

    def quorum(self, section: LedgerSection) -> int | None:
        """Tell how many of the views must agree; None for every one."""


@runtime_checkable
class Locating(Protocol):
    """A family whose ledgers answer at URLs: it can tell which one does."""

    async def locate(self, url: str, name: str = "a") -> LedgerPlace:
        """Ask at a URL, and give the ledger that answers there, called `name`.

        Raises:
            LedgerUnavailable, LedgerAnswerInvalid: nobody answers, or no ledger of this family.
        """
        ...


@runtime_checkable
class Certified(Protocol):
    """A family whose ledgers are asked with certificates, which end."""

    def certificates(self, section: LedgerSection) -> list[Path]:
        """Name the files of all that a section shows and believes."""
        ...
