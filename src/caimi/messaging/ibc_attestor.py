"""The attestor's role: sign what one ledger shows, for light clients that speak ibc-go's format."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from caimi.errors.messaging import NothingToAttest, RangeTooLarge, ReceivedAfterAll
from caimi.ibc.path import Path, PathKind
from caimi.ibc.statements import Kind
from caimi.ledgers.port import AttestationKey, Block
from caimi.messaging.checkpoint import LedgerStatement
from caimi.messaging.ibc_attestations import (
    MAX_PATHS,
    IbcAttestation,
    IbcStatement,
    PacketAttestation,
    StateAttestation,
)
from caimi.messaging.pinning import Pinning
from caimi.messaging.signed_store import SignedStore
from caimi.messaging.witnesses import Witnesses

_ABSENT: Final = bytes(32)
# What an EVM gateway keeps while the acknowledgement of a received packet is not written.
_PENDING: Final = bytes(31) + b"\x01"


class IbcAttestor:
    """Signs for one ledger, `source`, with a key that signs for no other.

    The format names no ledger: a key that served two could be made to speak for the wrong one.
    Anyone may ask: statements are about public facts.
    """

    def __init__(self, signer: AttestationKey, source: Witnesses, signed: SignedStore) -> None:
        self._signer = signer
        self._source = source
        self._signed = signed
        self._pinning = Pinning(source, signed)

    @property
    def name(self) -> str:
        """Its account."""
        return f"0x{self._signer.account.hex()}"

    @property
    def account(self) -> bytes:
        """The account it signs with."""
        return self._signer.account

    async def attest_state(self, height: int) -> IbcAttestation:
        """Attest when block `height` was.

        Raises:
            NotFinal: `height` is not final in this attestor's view.
            EndpointsDisagree, TooFewEndpoints: its nodes contradict each other, or too few answer.
            LedgerReorganised, SigningStopped, AlreadySignedOtherwise: as `Validator.attest`.
        """
        pin = await self._pinning.newest(height)
        seen = await self._source.read_paths(height, (), None if pin is None else pin.height)
        await self._pinning.check(pin, seen.pinned)
        block, _ = seen.what
        return await self._sign(block, StateAttestation(block.height, block.time))

    async def attest_packets(self, height: int, paths: Sequence[Path]) -> IbcAttestation:
        """Attest the commitments and acknowledgements at `paths`, and that receipts are absent.

        Raises:
            RangeTooLarge: no paths, more than `MAX_PATHS`, or one twice.
            NothingToAttest: there is no commitment, or no acknowledgement yet, at one of them.
            ReceivedAfterAll: a packet whose absence is asked for was received.
            NotFinal…: as `attest_state`.
        """
        if not 0 < len(set(paths)) == len(paths) <= MAX_PATHS:
            raise RangeTooLarge(f"{len(paths)} paths are not 1 to {MAX_PATHS} different ones.")
        pin = await self._pinning.newest(height)
        seen = await self._source.read_paths(height, paths, None if pin is None else pin.height)
        await self._pinning.check(pin, seen.pinned)
        block, values = seen.what
        for path, value in zip(paths, values, strict=True):
            where = f"{path.kind.name.lower()} {path.sequence} of {path.client}"
            if path.kind is PathKind.RECEIPT:
                if value != _ABSENT:
                    raise ReceivedAfterAll(f"There is {where} at block {height}.")
            elif value in (_ABSENT, _PENDING):
                raise NothingToAttest(f"There is no {where} at block {height}.")
        facts = tuple((path.key, value) for path, value in zip(paths, values, strict=True))
        return await self._sign(block, PacketAttestation(block.height, facts))

    async def _sign(self, block: Block, statement: IbcStatement) -> IbcAttestation:
        # What binds an attestor is a height's time and hash: the rest is that block's state.
        said = LedgerStatement(
            Kind.ABSENCE,
            self._source.origin,
            bytes(32),
            block.height,
            block.height,
            block.time,
            statement.digest,
            1,
        )
        await asyncio.to_thread(self._signed.remember, said, block.hash, {})
        signature = await asyncio.to_thread(self._signer.sign_digest, statement.digest)
        return IbcAttestation(statement, signature)
