"""A `SignedStore` in a database: what it would contradict is found in the transaction that signs.

Two processes on one store take turns: a statement is compared with everything that was remembered
before it, and remembered, or neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from caimi.errors.base import CaimiError
from caimi.errors.messaging import (
    AlreadySignedOtherwise,
    LedgerReorganised,
    SignedStoreDamaged,
    SigningStopped,
)
from caimi.ibc.statements import Kind
from caimi.messaging.checkpoint import LedgerStatement
from caimi.messaging.signed_store import SignedBlock
from caimi.persistence.database import Database
from caimi.persistence.driver import Connection
from caimi.persistence.kinds import StoreKind
from caimi.persistence.place import Place
from caimi.persistence.signed_contents import SignedContents
from caimi.persistence.signed_statements import SignedStatements
from caimi.persistence.troubles import Trouble

_TOP: Final = (1 << 63) - 1
_NEXT_STEPS: Final = {
    Trouble.BUSY: "Ask again: nothing was signed. If it stays so, see what else uses the store.",
    Trouble.UNWRITABLE: "Make room, or let the node's user write there; nothing was signed.",
}


def _refuse(trouble: Trouble, what: str) -> CaimiError:
    return SignedStoreDamaged(
        f"The record of signed statements cannot be used. {what}.",
        next_step=_NEXT_STEPS.get(trouble),
    )


SIGNED: Final = StoreKind(
    name="signed",
    revision="signed_1",
    tables=frozenset({"blocks", "covered", "contents", "stops", "cleared"}),
    file_versions=frozenset({2, 3}),
    refuse=_refuse,
)


class SqlSignedStore:
    """What one validator signed; each statement is durable before `remember` returns."""

    def __init__(self, place: Place) -> None:
        self._database = Database(place, SIGNED)
        self._do = self._database.prepared(SignedStatements)
        self._contents = SignedContents(self._do)

    def remember(
        self, statement: LedgerStatement, block_hash: bytes, contents: Mapping[int, bytes]
    ) -> None:
        """See `SignedStore.remember`."""
        try:
            with self._database.transaction() as db:
                why = self._why_stopped(db, statement.origin)
                if why is not None:
                    raise SigningStopped(why)
                fresh = self._remember_block(db, statement, block_hash)
                if statement.kind is Kind.CHECKPOINT:
                    self._contents.remember(db, statement, contents, fresh=fresh)
        except LedgerReorganised as reorganised:
            self.stop(statement.origin, reorganised.what)
            raise

    def newest(self, origin: bytes, upto: int | None = None) -> SignedBlock | None:
        """See `SignedStore.newest`."""
        top = _TOP if upto is None else upto
        with self._database.transaction() as db:
            above = self._contents.cleared(db, origin)
            row = self._do.newest.on(db, origin=origin, above=above, top=top).fetchone()
        return None if row is None else SignedBlock(*row)

    def stop(self, origin: bytes, why: str) -> None:
        """See `SignedStore.stop`."""
        with self._database.transaction() as db:
            self._do.stop.on(db, origin=origin, why=why)

    def stopped(self, origin: bytes) -> str | None:
        """See `SignedStore.stopped`."""
        with self._database.transaction() as db:
            return self._why_stopped(db, origin)

    def clear(self, origin: bytes) -> None:
        """See `SignedStore.clear`."""
        with self._database.transaction() as db:
            self._do.go_on.on(db, origin=origin)
            self._do.clear.on(db, origin=origin, cleared_origin=origin)

    def close(self) -> None:
        """Close it."""
        self._database.close()

    def _why_stopped(self, db: Connection, origin: bytes) -> str | None:
        row = self._do.why_stopped.on(db, origin=origin).fetchone()
        return None if row is None else str(row[0])

    def _remember_block(self, db: Connection, said: LedgerStatement, block_hash: bytes) -> bool:
        """Note a signed height; give whether it is the first statement of that height."""
        place: dict[str, object] = {"origin": said.origin, "height": said.height}
        fresh = self._do.note_block.on(db, **place, time=said.time, hash=block_hash).rowcount == 1
        row = self._do.block.on(db, **place).fetchone()
        assert row is not None
        time, signed = row
        if signed != block_hash:
            what = (
                f"Block {said.height} had hash 0x{signed.hex()} when it was signed before, now "
                f"0x{block_hash.hex()}."
            )
            cleared = said.height <= self._contents.cleared(db, said.origin)
            raise AlreadySignedOtherwise(what) if cleared else LedgerReorganised(what)
        if time != said.time:
            raise AlreadySignedOtherwise(
                f"Block {said.height} had time {time} when it was signed before, now {said.time}."
            )
        self._check_time_runs_forward(db, said)
        return fresh

    def _check_time_runs_forward(self, db: Connection, said: LedgerStatement) -> None:
        for height, time in self._do.neighbours.on(db, origin=said.origin, height=said.height):
            if (height < said.height and time > said.time) or (
                height > said.height and time < said.time
            ):
                raise AlreadySignedOtherwise(
                    f"Block {said.height} has time {said.time}, but block {height}, which was "
                    f"signed before, has {time}: time ran backwards."
                )
