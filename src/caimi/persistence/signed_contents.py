"""What blocks of signed ranges held: each block once, however many ranges cover it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping

from caimi.errors.messaging import AlreadySignedOtherwise
from caimi.messaging.checkpoint import LedgerStatement
from caimi.persistence.driver import Connection
from caimi.persistence.signed_statements import SignedStatements


class SignedContents:
    """The half of a validator's memory that is about ranges, within a transaction of it."""

    def __init__(self, statements: SignedStatements) -> None:
        self._do = statements

    def cleared(self, db: Connection, origin: bytes) -> int:
        """Give the newest height that was signed when the operator last cleared, or -1."""
        row = self._do.cleared.on(db, origin=origin).fetchone()
        return -1 if row is None else int(row[0])

    def remember(
        self, db: Connection, said: LedgerStatement, contents: Mapping[int, bytes], *, fresh: bool
    ) -> None:
        """Note what a range holds; `fresh` says that nothing of its height was signed before.

        Raises:
            AlreadySignedOtherwise: something else was signed of a block.
        """
        start, stop = said.from_height, said.height
        self._check_not_spoiled(db, said)
        span: dict[str, object] = {"origin": said.origin, "start": start, "stop": stop}
        near = self._do.covered_near.on(db, **span).fetchall()
        known: dict[int, bytes] = dict(self._do.contents.on(db, **span).fetchall())
        stops = [each for _, each in near]
        for height in sorted({*known, *contents}):
            place = bisect_left(stops, height)
            seen_before = place < len(near) and near[place][0] < height
            if seen_before and known.get(height) != contents.get(height):
                self._replace(db, said, height, fresh=fresh)
        self._do.hold.on_each(
            db,
            (
                {"origin": said.origin, "height": height, "digest": digest}
                for height, digest in contents.items()
            ),
        )
        self._do.uncover.on_each(db, ({"origin": said.origin, "start": each} for each, _ in near))
        self._do.cover.on(
            db,
            origin=said.origin,
            start=min([start, *(each for each, _ in near)]),
            stop=max([stop, *stops]),
        )

    def _replace(self, db: Connection, said: LedgerStatement, block: int, *, fresh: bool) -> None:
        """Forget what a block held by what was signed before, if the operator has cleared that.

        Whatever range may have been signed with it, and so reaches to a height that was signed, is
        spoiled from now on.
        """
        if block > self.cleared(db, said.origin):
            raise AlreadySignedOtherwise(
                f"In block {block}, which was signed before, something else happened then."
            )
        if not fresh:
            raise AlreadySignedOtherwise(
                f"In block {block} something else happened when blocks up to {said.height} were "
                "signed before; what is true of it can be signed up to another height."
            )
        self._do.drop.on(db, origin=said.origin, height=block)
        self._do.spoil.on(db, origin=said.origin, block=block, height=said.height)

    def _check_not_spoiled(self, db: Connection, said: LedgerStatement) -> None:
        row = self._do.spoiled.on(db, origin=said.origin, height=said.height).fetchone()
        if row is not None and said.from_height < row[0]:
            raise AlreadySignedOtherwise(
                f"Blocks up to {said.height} were signed before the contents of block {row[0]} "
                "were found to be others; they can be signed up to another height."
            )
