"""The family: how people's keys and accounts are, and how ledgers are made of their sections."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel

from caimi.config import LedgerSection, PlaceSection
from caimi.ledgers.machine.ed25519_accounts import Ed25519Accounts
from caimi.ledgers.machine.ed25519_keys import ED25519_KEYS
from caimi.ledgers.machine.ledger import MachineLedger
from caimi.ledgers.port import Administration, KeyFiles, Ledger, LedgerId, LedgerPlace
from sqlite_ledger.administration import SqliteAdministration
from sqlite_ledger.settings import SqliteSettings, machine_of


class SqliteFamily:
    """Opens ledgers in files (port `Family`)."""

    settings: type[BaseModel] = SqliteSettings
    places: type[BaseModel] | None = SqliteSettings
    keys: KeyFiles = ED25519_KEYS
    administration: Administration | None = SqliteAdministration(machine_of)

    def accounts(self, section: LedgerSection | PlaceSection | LedgerPlace) -> Ed25519Accounts:
        """Tell how a ledger writes its accounts."""
        return Ed25519Accounts(LedgerId(section.id))

    def prepare(self, section: LedgerSection, *, price_cap: int | None = None) -> MachineLedger:
        """Make a ledger ready to be asked; its work costs nothing."""
        return MachineLedger(machine_of(section))

    def views(self, section: LedgerSection) -> dict[str, Ledger]:
        """Make one connection: there is one file."""
        return {"file": self.prepare(section)}

    def quorum(self, section: LedgerSection) -> int | None:
        """Every view."""
        return None


SQLITE: Final = SqliteFamily()
