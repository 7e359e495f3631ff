"""The family: what a ledger's section of caimi.toml says, and how a ledger is made of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, Field

from caimi.config import LedgerSection, Section
from caimi.ledgers.machine.ledger import MachineLedger
from caimi.ledgers.port import Ledger, LedgerId
from sqlite_ledger.machine import SqliteMachine


class SqliteSettings(Section):
    """Where the file is, and how many blocks must lie on one that is final."""

    file: str
    depth: Annotated[int, Field(ge=0)] = 0


class SqliteFamily:
    """Opens ledgers in files (port `Family`)."""

    settings: type[BaseModel] = SqliteSettings

    def prepare(self, section: LedgerSection, *, price_cap: int | None = None) -> MachineLedger:
        """Make a ledger ready to be asked; its work costs nothing."""
        said = section.settings
        assert isinstance(said, SqliteSettings), "the section is of this family"
        return MachineLedger(SqliteMachine(LedgerId(section.id), Path(said.file), said.depth))

    def views(self, section: LedgerSection) -> dict[str, Ledger]:
        """Make one connection: there is one file."""
        return {"file": self.prepare(section)}

    def quorum(self, section: LedgerSection) -> int | None:
        """Every view."""
        return None


SQLITE: Final = SqliteFamily()
