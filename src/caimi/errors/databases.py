"""Errors of the databases that stores are kept in, where no store's own error fits (letter X)."""

from __future__ import annotations

from caimi.errors.base import CaimiError


class DatabaseUnreachable(CaimiError):
    """The database server that keeps a store does not answer, or does not let this user in."""

    code = "CAIMI-X010"
    why = "It is down, the network is, or [database] names another server, database or user."
    next_step = (
        "Look at the server's log and at url under [database]; then run the same again: what was "
        "not written down was not done."
    )


class DatabaseDriverMissing(CaimiError):
    """A PostgreSQL database is configured, and its driver is not installed."""

    code = "CAIMI-X011"
    why = "The driver is an extra of the package: SQLite, which needs none, is the default."
    next_step = 'Run `pip install "caimi[postgresql]"`, or leave [database] out.'


class StoreTooNew(CaimiError):
    """A store was written by a newer CAIMI, whose tables this one does not know."""

    code = "CAIMI-X012"
    why = "A program that does not know all tables could overlook what must not be overlooked."
    next_step = "Upgrade CAIMI to the version that wrote it, or a later one."
