"""Signed transactions by their key, for the stores that keep some."""

from __future__ import annotations

from typing import Final

from sqlalchemy import bindparam, select

from caimi.ledgers.port import LedgerId, SignedCall
from caimi.persistence.driver import Connection
from caimi.persistence.prepared import Preparer
from caimi.persistence.tables.outbox import OUTBOX

_COLUMNS: Final = ("key", "ledger", "what", "tx", "raw")


class OutboxTable:
    """The table of a store's transactions."""

    def __init__(self, prepare: Preparer) -> None:
        row = OUTBOX.c
        self._find = prepare(
            select(row.ledger, row.what, row.tx, row.raw).where(row.key == bindparam("key"))
        )
        insert = prepare.insert(OUTBOX).values({name: bindparam(name) for name in _COLUMNS})
        self._add = prepare(insert)
        self._put = prepare(
            insert.on_conflict_do_update(
                index_elements=["key"],
                set_={name: insert.excluded[name] for name in _COLUMNS[1:]},
            )
        )

    def sent(self, db: Connection, key: str) -> SignedCall | None:
        """Give the transaction under `key`."""
        found = self._find.on(db, key=key).fetchone()
        return None if found is None else SignedCall(LedgerId(found[0]), *found[1:])

    def add(self, db: Connection, key: str, call: SignedCall) -> None:
        """Write a transaction down under a key that has none."""
        self._add.on(db, key=key, ledger=call.ledger, what=call.what, tx=call.tx, raw=call.raw)

    def put(self, db: Connection, key: str, call: SignedCall) -> None:
        """Write a transaction down in place of what is under its key."""
        self._put.on(db, key=key, ledger=call.ledger, what=call.what, tx=call.tx, raw=call.raw)
