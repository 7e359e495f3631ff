"""Another process on a store: run with what to do, and the words for a place."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from caimi.errors.messaging import AlreadySignedOtherwise
from caimi.ibc.statements import Kind
from caimi.journal import Journal
from caimi.messaging.checkpoint import LedgerStatement
from caimi.persistence.journal_store import SqlJournalStore
from caimi.persistence.place import Place, PostgresSchema, SqliteFile
from caimi.persistence.receipt_store import SqlReceiptStore
from caimi.persistence.signed_store import SqlSignedStore

ORIGIN = b"\x01" * 32
STORES = {"journal": SqlJournalStore, "signed": SqlSignedStore, "receipts": SqlReceiptStore}


def named(where: str, url: str) -> Place:
    return PostgresSchema(url, where) if url else SqliteFile(Path(where))


async def die_in_an_operation(place: Place) -> None:
    journal = Journal(SqlJournalStore(place), Path("journal"))
    async with journal.operation("buy", "x") as operation:
        await operation.note(paid=True)
        os._exit(9)


def sign_what_is_not_contradicted(place: Place, me: int, heights: int) -> None:
    """Try to sign each height with contents, a time and a hash of this process's own."""
    store = SqlSignedStore(place)
    print("ready", flush=True)
    sys.stdin.readline()
    for height in range(1, heights + 1):
        contents = {height: bytes([me]) * 32}
        said = LedgerStatement(
            Kind.CHECKPOINT, ORIGIN, b"\x05" * 32, height - 1, height, height, b"\x02" * 32, 1
        )
        try:
            store.remember(said, b"\x0a" * 32, contents)
        except AlreadySignedOtherwise:
            continue
        print(height, flush=True)


def main(what: str, where: str, url: str, *more: str) -> None:
    place = named(where, url)
    if what == "die-in-an-operation":
        asyncio.run(die_in_an_operation(place))
    elif what == "sign":
        sign_what_is_not_contradicted(place, *map(int, more))
    else:
        print("ready", flush=True)
        sys.stdin.readline()
        STORES[what](place).close()


if __name__ == "__main__":
    main(*sys.argv[1:])
