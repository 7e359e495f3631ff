"""What a ledger's section of caimi.toml says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from caimi.config import LedgerSection, Section
from caimi.ledgers.port import LedgerId
from sqlite_ledger.machine import SqliteMachine


class SqliteSettings(Section):
    """Where the file is, and how many blocks must lie on one that is final."""

    file: str
    depth: Annotated[int, Field(ge=0)] = 0


def machine_of(section: LedgerSection) -> SqliteMachine:
    """Make ready to open the ledger of a section."""
    said = section.settings
    assert isinstance(said, SqliteSettings), "the section is of this family"
    return SqliteMachine(LedgerId(section.id), Path(said.file), said.depth)
