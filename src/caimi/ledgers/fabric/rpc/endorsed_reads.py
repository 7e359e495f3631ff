"""Reads that organisations sign: what `EndorsedReadsClient.sol` believes.

Each organisation's peer is asked by itself, with one and the same proposal, so that what they sign
is equal to the last byte. Nothing of it is ordered: it stands in no block and has no effect.

How many organisations are enough is the light client's to say, which refuses fewer. So what some
of them sign is given where the rest is down, refuses or says something else.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from caimi.errors.base import CaimiError
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
from caimi.ledgers.fabric.rpc.proposals import ChaincodeCallArguments, ProposedCall, propose
from caimi.ledgers.fabric.verification.envelopes import read_sets
from caimi.ledgers.fabric.wire import read_message
from caimi.logs import logger

READ: Final = b"read"
LEAST_ORGANISATIONS: Final = 2
"""No light client believes fewer."""
_DONE: Final = 200
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 0.5
_log = logger(__name__)


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
        """Have what is at `paths` read, and signed by as many organisations as say the same.

        A peer that lags behind the others is waited for, up to the first one's patience. Then those
        count that are more than say anything else, and at least two.

        Raises:
            FabricEndorsersDisagree: no two say the same, or as many say something else.
            EndorsedReadInvalid: what they say is not of these paths, there.
            EndorsersNotApart: all that answer are of one organisation.
            FabricSignatureInvalid, FabricIdentityInvalid, FabricAnswerInvalid: a peer's answer is
                not what it has to be, and the others are too few.
            FabricRefused, LedgerUnavailable: a peer refuses, or does not answer, and the others are
                too few.
        """
        began, pause = time.monotonic(), _FIRST_PAUSE
        while True:
            answers = await self._ask(paths)
            if len(answers.said) < 2 or time.monotonic() + pause - began > self._agree:
                return self._agreed(answers, paths)
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE, 2 * pause)

    async def aclose(self) -> None:
        """Let go of the connections."""
        await asyncio.gather(*(peer.aclose() for peer in self._peers))

    @property
    def _agree(self) -> float:
        return self._peers[0].patience.agree

    async def _ask(self, paths: Sequence[Path]) -> _Answers:
        source = self._source
        arguments = (READ, *(path.raw for path in paths))
        proposed = propose(
            self._signer, ChaincodeCallArguments(source.channel, source.chaincode, arguments)
        )
        asked = (_endorsed(peer, proposed) for peer in self._peers)
        answers = _Answers()
        for found in await asyncio.gather(*asked, return_exceptions=True):
            if isinstance(found, CaimiError):
                answers.failures.append(found)
            elif isinstance(found, BaseException):
                raise found
            else:
                payload, endorser, endorsement = found
                answers.said[payload].setdefault(endorser.msp, endorsement)
        return answers

    def _agreed(self, answers: _Answers, paths: Sequence[Path]) -> EndorsedReads:
        """Give what most organisations say; raises as `read`."""
        said = sorted(answers.said.items(), key=lambda each: -len(each[1]))
        most, next_most, *_ = *(len(each) for _, each in said), 0, 0
        if most < LEAST_ORGANISATIONS or most == next_most:
            if len(said) > 1:
                where = self._source.channel
                raise FabricEndorsersDisagree(f"Organisations on {where} read differently.")
            if answers.failures:
                raise answers.failures[0]
            raise EndorsersNotApart(f"Peers are of {', '.join(said[0][1])} alone.")
        for failure in answers.failures:
            _log.warning("%s", failure)
        if len(said) > 1:
            _log.warning("some organisations on %s read differently", self._source.channel)
        payload, endorsements = said[0]
        read, height = check_payload(payload, self._source, paths)
        return EndorsedReads(
            payload,
            tuple(endorsements.values()),
            height,
            read.clock,
            tuple(path.key for path in read.paths),
            read.values,
        )


@dataclass
class _Answers:
    """What was said by whom, payload by payload and by organisation; and who did not say."""

    said: dict[bytes, dict[str, Endorsement]] = field(default_factory=lambda: defaultdict(dict))
    failures: list[CaimiError] = field(default_factory=list)


async def _endorsed(
    peer: PeerConnection, proposed: ProposedCall
) -> tuple[bytes, MspIdentity, Endorsement]:
    answer = await answer_of(peer, proposed)
    return (answer.payload, *check_endorsement(answer, peer.endpoint.address))


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
