"""A `JournalStore` in a database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import bindparam, delete, func, or_, select, update

from caimi.errors.base import CaimiError
from caimi.errors.operations import JournalBusy, JournalDamaged, JournalUnwritable
from caimi.journal import OperationRecord
from caimi.ledgers.port import SignedCall
from caimi.persistence.database import Database
from caimi.persistence.kinds import StoreKind
from caimi.persistence.outbox import OutboxTable
from caimi.persistence.place import Place
from caimi.persistence.prepared import Preparer
from caimi.persistence.tables.journal import OPERATIONS
from caimi.persistence.tables.outbox import OUTBOX
from caimi.persistence.troubles import Trouble


def _refuse(trouble: Trouble, what: str) -> CaimiError:
    if trouble is Trouble.BUSY:
        return JournalBusy(f"Another process holds the journal {what}.")
    if trouble is Trouble.UNWRITABLE:
        return JournalUnwritable(f"The journal cannot be written. {what}.")
    return JournalDamaged(f"The journal cannot be read. {what}.")


JOURNAL: Final = StoreKind(
    name="journal",
    revision="journal_1",
    tables=frozenset({"operations", "outbox"}),
    file_versions=frozenset({1}),
    refuse=_refuse,
    private=True,
)


class JournalStatements:
    """Every statement about operations, compiled."""

    def __init__(self, prepare: Preparer) -> None:
        row = OPERATIONS.c
        this = row.key == bindparam("key")
        facts: dict[str, object] = {
            "facts": bindparam("new_facts"),
            "finished": bindparam("new_finished"),
        }
        self.add = prepare.insert_new(OPERATIONS, ("key", "kind", "facts"))
        self.find = prepare(select(row.kind, row.facts, row.finished).where(this))
        self.all = prepare(select(row.key, row.kind, row.facts, row.finished).order_by(row.rowid))
        self.save = prepare(update(OPERATIONS).where(this).values(facts))
        prefix = func.substr(OUTBOX.c.key, 1, bindparam("length"))
        below = prefix == bindparam("prefix")
        self.forget_below = prepare(delete(OUTBOX).where(below))
        self.forget = prepare(delete(OUTBOX).where(or_(OUTBOX.c.key == bindparam("key"), below)))


class SqlJournalStore:
    """Operations and signed transactions of one user."""

    def __init__(self, place: Place) -> None:
        self._database = Database(place, JOURNAL)
        self._do = self._database.prepared(JournalStatements)
        self._outbox = self._database.prepared(OutboxTable)

    @contextmanager
    def exclusive(self, key: str, what: str) -> Iterator[None]:
        """See `JournalStore.exclusive`."""
        with self._database.exclusive(key) as held:
            if not held:
                raise JournalBusy(f"Another process is already at this {what}.")
            yield

    def take_up(self, key: str, kind: str) -> OperationRecord:
        """See `JournalStore.take_up`."""
        with self._database.session() as db:
            self._do.add.on(db, key=key, kind=kind, facts="{}")
            row = self._do.find.on(db, key=key).fetchone()
        if row is None:
            raise JournalDamaged(f"The journal does not keep {key}.")
        _, facts, finished = row
        return OperationRecord(key, kind, _facts(key, facts), bool(finished))

    def find(self, key: str) -> OperationRecord | None:
        """See `JournalStore.find`."""
        with self._database.session() as db:
            row = self._do.find.on(db, key=key).fetchone()
        if row is None:
            return None
        kind, facts, finished = row
        return OperationRecord(key, kind, _facts(key, facts), bool(finished))

    def operations(self) -> list[OperationRecord]:
        """See `JournalStore.operations`."""
        with self._database.session() as db:
            rows = self._do.all.on(db).fetchall()
        return [
            OperationRecord(key, kind, _facts(key, facts), bool(finished))
            for key, kind, facts, finished in rows
        ]

    def save(self, record: OperationRecord) -> None:
        """See `JournalStore.save`."""
        facts, finished = json.dumps(record.facts), int(record.finished)
        with self._database.session() as db:
            self._do.save.on(db, key=record.key, new_facts=facts, new_finished=finished)

    def reset(self, key: str) -> None:
        """See `JournalStore.reset`."""
        with self._database.transaction() as db:
            self._do.forget_below.on(db, length=len(key) + 1, prefix=f"{key}/")
            self._do.save.on(db, key=key, new_facts="{}", new_finished=0)

    def sent(self, key: str) -> SignedCall | None:
        """See `JournalStore.sent`."""
        with self._database.session() as db:
            return self._outbox.sent(db, key)

    def record(self, key: str, call: SignedCall) -> None:
        """See `JournalStore.record`."""
        with self._database.session() as db:
            self._outbox.put(db, key, call)

    def forget(self, key: str) -> None:
        """See `JournalStore.forget`."""
        with self._database.session() as db:
            self._do.forget.on(db, key=key, length=len(key) + 1, prefix=f"{key}#")

    def close(self) -> None:
        """See `JournalStore.close`."""
        self._database.close()


def _facts(key: str, text: str) -> dict[str, object]:
    try:
        facts = json.loads(text)
    except ValueError:
        facts = None
    if not isinstance(facts, dict):
        raise JournalDamaged(f"What the journal says of {key} is no JSON object.")
    return facts
