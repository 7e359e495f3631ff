"""Reads that organisations sign: what `EndorsedReadsClient.sol` believes.

Each organisation's peer is asked by itself, with one and the same proposal, so that what they sign
is equal to the last byte. Nothing of it is ordered: it stands in no block and has no effect.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from caimi.errors.fabric import (
    EndorsedReadInvalid,
    EndorsersNotApart,
    FabricAnswerInvalid,
    FabricEndorsersDisagree,
)
from caimi.ibc.path import Path
from caimi.ledgers.client_proofs import EndorsedReads, Endorsement
from caimi.ledgers.fabric.msp.identity import MspIdentity, MspSigner
from caimi.ledgers.fabric.protos.peer.proposal_pb2 import ChaincodeAction
from caimi.ledgers.fabric.protos.peer.proposal_response_pb2 import (
    ProposalResponse,
    ProposalResponsePayload,
)
from caimi.ledgers.fabric.reads import StateReads, check_reads
from caimi.ledgers.fabric.rpc.connection import PeerConnection
from caimi.ledgers.fabric.rpc.endorser import answer_of
from caimi.ledgers.fabric.rpc.proposals import ChaincodeCallArguments, propose
from caimi.ledgers.fabric.verification.envelopes import read_sets
from caimi.ledgers.fabric.wire import read_message

READ: Final = b"read"
_DONE: Final = 200
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 0.5


@dataclass(frozen=True, slots=True)
class ReadSource:
    """What is read: a ledger (CAIP-2), and the channel and chaincode that it lives in."""

    ledger: str
    channel: str
    chaincode: str


class EndorsedReader:
    """Asks one peer of each organisation; `signer` is who proposes, a member of any of them."""

    def __init__(
        self, source: ReadSource, peers: Sequence[PeerConnection], signer: MspSigner
    ) -> None:
        self._source = source
        self._peers = tuple(peers)
        self._signer = signer

    async def read(self, paths: Sequence[Path]) -> EndorsedReads:
        """Have what is at `paths` read and signed by all of the peers.

        A peer that lags behind the others is waited for, up to the first one's patience.

        Raises:
            FabricEndorsersDisagree: they do not say the same.
            EndorsedReadInvalid: what they say is not of these paths, there.
            EndorsersNotApart: two are of one organisation.
            FabricSignatureInvalid, FabricIdentityInvalid, FabricAnswerInvalid: a peer's answer is
                not what it has to be.
            FabricRefused, LedgerUnavailable: a peer refuses, or does not answer.
        """
        began, pause = time.monotonic(), _FIRST_PAUSE
        while True:
            try:
                return await self._once(paths)
            except FabricEndorsersDisagree:
                if time.monotonic() + pause - began > self._peers[0].patience.agree:
                    raise
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE, 2 * pause)

    async def aclose(self) -> None:
        """Let go of the connections."""
        await asyncio.gather(*(peer.aclose() for peer in self._peers))

    async def _once(self, paths: Sequence[Path]) -> EndorsedReads:
        source = self._source
        arguments = (READ, *(path.raw for path in paths))
        proposed = propose(
            self._signer, ChaincodeCallArguments(source.channel, source.chaincode, arguments)
        )
        answers = await asyncio.gather(*(answer_of(peer, proposed) for peer in self._peers))
        checked = [
            check_endorsement(answer, peer.endpoint.address)
            for answer, peer in zip(answers, self._peers, strict=True)
        ]
        if len({endorser.msp for endorser, _ in checked}) != len(checked):
            raise EndorsersNotApart(
                f"Peers are of {', '.join(endorser.msp for endorser, _ in checked)}."
            )
        payloads = {answer.payload for answer in answers}
        if len(payloads) != 1:
            raise FabricEndorsersDisagree(f"Organisations on {source.channel} read differently.")
        payload = payloads.pop()
        said, height = check_payload(payload, source, paths)
        return EndorsedReads(
            payload,
            tuple(endorsement for _, endorsement in checked),
            height,
            said.clock,
            tuple(path.key for path in said.paths),
            said.values,
        )


def check_endorsement(answer: ProposalResponse, peer: str) -> tuple[MspIdentity, Endorsement]:
    """Check a peer's signature of its answer; give who signed it, and what a contract checks.

    Raises:
        FabricAnswerInvalid: nobody signed it.
        FabricIdentityInvalid: the endorser is no identity.
        FabricSignatureInvalid: the signature is not the endorser's over this, in its one form.
    """
    if not answer.payload or not answer.endorsement.endorser:
        raise FabricAnswerInvalid(f"{peer} did not sign its answer.")
    encoded, signature = answer.endorsement.endorser, answer.endorsement.signature
    endorser = MspIdentity.read(encoded)
    endorser.check(signature, answer.payload + encoded)
    r, s = decode_dss_signature(signature)
    numbers = endorser.key.public_numbers()
    key = (numbers.x.to_bytes(32), numbers.y.to_bytes(32))
    return endorser, Endorsement(encoded, key, (r.to_bytes(32), s.to_bytes(32)))


def check_payload(
    payload: bytes, source: ReadSource, paths: Sequence[Path]
) -> tuple[StateReads, int]:
    """Read what a signed payload says of `paths`, and which block wrote the newest of it.

    Raises:
        EndorsedReadInvalid: it is of something else.
        FabricAnswerInvalid: it is no payload.
    """
    response = read_message(ProposalResponsePayload, payload, FabricAnswerInvalid)
    action = read_message(ChaincodeAction, response.extension, FabricAnswerInvalid)
    if action.chaincode_id.name != source.chaincode or action.response.status != _DONE:
        raise EndorsedReadInvalid(f"{action.chaincode_id.name[:60]!r} was asked, or refused.")
    try:
        said = check_reads(action.response.payload, source.ledger, source.channel, paths)
    except ValueError as error:
        raise EndorsedReadInvalid(
            f"A read of {len(paths)} keys cannot be used: {error}."
        ) from error
    reads, _ = read_sets(action.results)
    own = [each.version[0] for each in reads if each.version and each.namespace == source.chaincode]
    return said, max(own, default=0)
