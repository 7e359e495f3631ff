"""A validator's memory of what it signed (port), so that it never contradicts itself.

For every height it signed it keeps the block's time and hash, and for every block that a signed
range covered what happened in it. What is kept so grows with the ledger and not with the questions:
however many overlapping ranges are asked for, each block is remembered once.

What was remembered can be false: a node had left something out. Once the operator has cleared the
origin the truth replaces it, and only where no contradiction can come of it: two statements
contradict each other by their times, or when they are of one range, so no range that reaches to a
height signed before is signed again with the block whose contents were replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from caimi.messaging.checkpoint import LedgerStatement


@dataclass(frozen=True, slots=True)
class SignedBlock:
    """A block that was signed."""

    height: int
    hash: bytes


class SignedStore(Protocol):
    """Remembers statements before they are signed; an origin is a ledger's gateway, hashed.

    Every method raises `SignedStoreDamaged` when what it is kept in cannot be used, and
    `DatabaseUnreachable` when its server does not answer: then nothing was remembered, nor may be
    signed.
    """

    def remember(
        self, statement: LedgerStatement, block_hash: bytes, contents: Mapping[int, bytes]
    ) -> None:
        """Write down durably that `statement` is about to be signed.

        `block_hash` is that of its height, `contents` a digest for each block of its range in which
        anything happened (none for an absence).

        Raises:
            LedgerReorganised: it gives a height another hash than an earlier one did. Signing is
                stopped.
            SigningStopped: signing was stopped for this origin.
            AlreadySignedOtherwise: it gives a height another time, or a block other contents, than
                an earlier one did, or time runs backwards between the two.
        """

    def newest(self, origin: bytes, upto: int | None = None) -> SignedBlock | None:
        """Give the highest signed block at or below `upto`, since the operator last cleared."""
        ...

    def stop(self, origin: bytes, why: str) -> None:
        """Sign nothing more of `origin` until `clear`."""

    def stopped(self, origin: bytes) -> str | None:
        """Say why nothing more is signed of `origin`, or None when signing goes on."""
        ...

    def clear(self, origin: bytes) -> None:
        """Sign again, and let what blocks held until now be replaced by what is read next.

        Contradictions of what was signed stay refused.
        """
