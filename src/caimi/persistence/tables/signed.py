"""What a validator signed, by origin: a ledger's gateway, hashed."""

from typing import Any

from sqlalchemy import Column, LargeBinary, Table, Text

from caimi.persistence.tables.metadata import METADATA, NUMBER


def _by_origin(name: str, *columns: Column[Any]) -> Table:
    origin: Column[Any] = Column("origin", LargeBinary, primary_key=True)
    return Table(name, METADATA, origin, *columns, sqlite_strict=True, sqlite_with_rowid=False)


def _number(name: str, *, key: bool = False) -> Column[Any]:
    return Column(name, NUMBER, primary_key=key, nullable=False, autoincrement=False)


BLOCKS = _by_origin(
    "blocks",
    _number("height", key=True),
    _number("time"),
    Column("hash", LargeBinary, nullable=False),
)
"""Each height that was signed."""

COVERED = _by_origin("covered", _number("start", key=True), _number("stop"))
"""The ranges (start, stop] that were signed, merged where they touch."""

CONTENTS = _by_origin(
    "contents", _number("height", key=True), Column("digest", LargeBinary, nullable=False)
)
"""What happened in each block of a signed range in which anything did."""

STOPS = _by_origin("stops", Column("why", Text, nullable=False))
"""Origins of which nothing more is signed."""

CLEARED = _by_origin("cleared", _number("height"))
"""The newest height that was signed when the operator last cleared."""

SPOILED = _by_origin("spoiled", _number("height", key=True), _number("block"))
"""Heights up to which ranges were signed with other contents of `block`."""
