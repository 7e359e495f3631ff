"""The newest block that was signed of a ledger must still be there before another is."""

from __future__ import annotations

import asyncio

from caimi.errors.messaging import LedgerReorganised, SigningStopped
from caimi.messaging.signed_store import SignedBlock, SignedStore
from caimi.messaging.witnesses import Witnesses


class Pinning:
    """Pins `source` to what `signed` remembers of it."""

    def __init__(self, source: Witnesses, signed: SignedStore) -> None:
        self._source = source
        self._signed = signed

    async def newest(self, upto: int | None = None) -> SignedBlock | None:
        """Give the newest block signed so far, up to a height; it must not have changed since.

        Raises:
            SigningStopped: signing has stopped, and the operator has not cleared it.
        """
        origin = self._source.origin

        def read() -> SignedBlock | None:
            why = self._signed.stopped(origin)
            if why is not None:
                raise SigningStopped(why)
            return self._signed.newest(origin, upto)

        return await asyncio.to_thread(read)

    async def check(self, pin: SignedBlock | None, now: bytes | None) -> None:
        """Compare the hash that the pinned block has now; stop signing when it is another.

        Raises:
            LedgerReorganised: it is.
        """
        if pin is None or now is None or now == pin.hash:
            return
        what = (
            f"Block {pin.height} of {self._source.ledger.id} had hash 0x{pin.hash.hex()} when it "
            f"was signed, now 0x{now.hex()}."
        )
        await asyncio.to_thread(self._signed.stop, self._source.origin, what)
        raise LedgerReorganised(what)
