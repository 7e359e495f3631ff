"""What ails a database, told from its driver's error: the same few kinds for every driver."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from caimi.errors.base import CaimiError


class Trouble(Enum):
    """Why a database did not do what it was told."""

    BUSY = auto()
    UNWRITABLE = auto()
    UNREACHABLE = auto()
    DAMAGED = auto()


Refusal = Callable[[Trouble, str], CaimiError]
"""Names a trouble as the store's own error; the text says what happened and where."""

_SQLITE: Final = (
    (("SQLITE_BUSY", "SQLITE_LOCKED"), Trouble.BUSY),
    (
        ("SQLITE_CANTOPEN", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_PERM"),
        Trouble.UNWRITABLE,
    ),
)
"""How SQLite names what others, the disk and its permissions do; the rest is the file's content."""

_POSTGRESQL: Final = (
    # Locks that were waited for too long, and transactions that could not be put in an order.
    (("55P03", "40001", "40P01"), Trouble.BUSY),
    # A full disk, a failing one, a read-only server, missing rights.
    (("53100", "58", "25006", "42501"), Trouble.UNWRITABLE),
    # Connections that fail, end, or are refused: too many, no such user or database, shutting down.
    (("08", "28", "3D000", "53300", "57P"), Trouble.UNREACHABLE),
)
"""Classes and codes of SQLSTATE (PostgreSQL's manual, appendix A)."""


def sqlite_trouble(error: Exception) -> Trouble:
    """Tell a trouble from an error of Python's sqlite3, or of the system on the way to the file."""
    if isinstance(error, OSError):
        return Trouble.UNWRITABLE
    return _first(_SQLITE, getattr(error, "sqlite_errorname", ""))


def postgresql_trouble(error: Exception, *, lost: bool) -> Trouble:
    """Tell a trouble from an error of psycopg; `lost` says that the connection is no more."""
    state = getattr(error, "sqlstate", None)
    operational = any(kind.__name__ == "OperationalError" for kind in type(error).__mro__)
    if lost or (state is None and operational):
        return Trouble.UNREACHABLE
    return _first(_POSTGRESQL, state or "")


def _first(known: tuple[tuple[tuple[str, ...], Trouble], ...], name: str) -> Trouble:
    return next((trouble for names, trouble in known if name.startswith(names)), Trouble.DAMAGED)


def said(error: Exception | str, secret: str | None = None) -> str:
    """Give a driver's words in one line that ends without a stop, `secret` left out."""
    text = " ".join(str(error).split()).rstrip(".")
    return text.replace(secret, "…") if secret else text
