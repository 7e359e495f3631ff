"""The gateway service of a peer (Fabric 2.4 and later): it finds who endorses, and the orderer.

A transaction is made in halves. `endorse` gives signed bytes with no effect, which can be written
down; `submit` may send them any number of times, and of one id only the first in a block counts.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from caimi.errors.fabric import (
    FabricChaincodeBusy,
    FabricChaincodeMissing,
    FabricEndorsersDisagree,
    FabricPeersMissing,
    FabricPolicyNotMet,
    FabricReadConflict,
    FabricTransactionInvalid,
)
from caimi.ledgers.fabric.msp.identity import MspSigner
from caimi.ledgers.fabric.protos.common.common_pb2 import Envelope
from caimi.ledgers.fabric.protos.gateway.gateway_pb2 import (
    CommitStatusRequest,
    CommitStatusResponse,
    EndorseRequest,
    EndorseResponse,
    EvaluateRequest,
    EvaluateResponse,
    SignedCommitStatusRequest,
    SubmitRequest,
    SubmitResponse,
)
from caimi.ledgers.fabric.protos.peer.transaction_pb2 import TxValidationCode
from caimi.ledgers.fabric.rpc.connection import PeerConnection
from caimi.ledgers.fabric.rpc.proposals import ChaincodeCallArguments, propose
from caimi.ledgers.fabric.verification.envelopes import (
    EndorsedOutcome,
    read_envelope,
    read_outcome,
)

_SERVICE: Final = "/gateway.Gateway/"
COMMIT_SECONDS: Final = 60.0
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 0.5
_CONFLICTS: Final = frozenset({"MVCC_READ_CONFLICT", "PHANTOM_READ_CONFLICT"})


@dataclass(frozen=True, slots=True)
class EndorsedTransaction:
    """A transaction that organisations endorsed and its creator signed; it has no effect yet."""

    id: str
    envelope: bytes
    outcome: EndorsedOutcome

    @classmethod
    def read(cls, envelope: bytes) -> EndorsedTransaction:
        """Read one that was written down.

        Raises:
            FabricAnswerInvalid: it is none.
        """
        signed = read_envelope(envelope)
        return cls(signed.transaction, envelope, read_outcome(signed))


@dataclass(frozen=True, slots=True)
class CommittedTransaction:
    """Where a transaction took effect."""

    id: str
    block: int
    result: bytes


class GatewayClient:
    """Calls chaincode on one channel through one peer, for one identity."""

    def __init__(self, connection: PeerConnection, signer: MspSigner, channel: str) -> None:
        self.connection = connection
        self.signer = signer
        self.channel = channel

    async def evaluate(
        self, chaincode: str, *arguments: bytes, organisations: Sequence[str] = ()
    ) -> bytes:
        """Ask one peer, of `organisations` if any are named, what a call would give.

        Raises:
            FabricUnavailable: no peer was reached.
            FabricRefused: it refuses, or the chaincode does (`FabricChaincodeRefused`).
        """
        call = propose(self.signer, ChaincodeCallArguments(self.channel, chaincode, arguments))
        request = EvaluateRequest(
            transaction_id=call.transaction,
            channel_id=self.channel,
            proposed_transaction=call.proposal,
            target_organizations=organisations,
        )
        answer = await self.connection.ask(f"{_SERVICE}Evaluate", request, EvaluateResponse)
        return answer.result.payload

    async def endorse(
        self,
        chaincode: str,
        *arguments: bytes,
        organisations: Sequence[str] = (),
        transient: Mapping[str, bytes] | None = None,
    ) -> EndorsedTransaction:
        """Have a call endorsed, by `organisations` or by whom the policy asks for, and sign it.

        Peers that are not known to each other yet, or lag, and chaincode that is started again, are
        asked again for as long as the connection's patience is.

        Raises:
            FabricUnavailable: no peer was reached.
            FabricPeersMissing: too few peers of the organisations are there.
            FabricChaincodeMissing: the chaincode is not there, or takes nothing on for too long.
            FabricEndorsersDisagree: organisations gave different answers.
            FabricRefused: a peer refuses, or the chaincode does.
            FabricAnswerInvalid: what came back is not what was proposed.
        """
        call = ChaincodeCallArguments(self.channel, chaincode, arguments, transient or {})
        began, pause, ending = time.monotonic(), _FIRST_PAUSE, False
        while True:
            try:
                return await self._endorse(call, organisations)
            except (FabricPeersMissing, FabricChaincodeMissing) as error:
                ending = ending or isinstance(error, FabricChaincodeBusy)
                passes = ending or isinstance(error, FabricPeersMissing)
                patience = self.connection.patience.reach
                if not passes or time.monotonic() + pause - began > patience:
                    raise
            except FabricEndorsersDisagree:
                if time.monotonic() + pause - began > self.connection.patience.agree:
                    raise
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE, 2 * pause)

    async def _endorse(
        self, arguments: ChaincodeCallArguments, organisations: Sequence[str]
    ) -> EndorsedTransaction:
        call = propose(self.signer, arguments)
        request = EndorseRequest(
            transaction_id=call.transaction,
            channel_id=self.channel,
            proposed_transaction=call.proposal,
            endorsing_organizations=organisations,
        )
        answer = await self.connection.ask(f"{_SERVICE}Endorse", request, EndorseResponse)
        prepared = answer.prepared_transaction
        call.check(prepared.payload, self.connection.endpoint.address)
        signature = self.signer.sign(prepared.payload)
        envelope = Envelope(payload=prepared.payload, signature=signature).SerializeToString()
        return EndorsedTransaction.read(envelope)

    async def submit(self, endorsed: EndorsedTransaction) -> None:
        """Hand a transaction to the orderer. It may be handed in again: it counts once.

        Raises:
            FabricUnavailable: the peer, or an orderer, was not reached.
            FabricRefused: it is refused.
        """
        request = SubmitRequest(
            transaction_id=endorsed.id,
            channel_id=self.channel,
            prepared_transaction=Envelope.FromString(endorsed.envelope),
        )
        await self.connection.ask(f"{_SERVICE}Submit", request, SubmitResponse)

    async def committed(
        self, endorsed: EndorsedTransaction, seconds: float = COMMIT_SECONDS
    ) -> CommittedTransaction:
        """Wait until a transaction is in a block, and give where.

        Raises:
            FabricUnavailable: the peer was not reached, or it is in no block in time.
            FabricReadConflict, FabricPolicyNotMet, FabricTransactionInvalid: it had no effect.
        """
        asked = CommitStatusRequest(
            transaction_id=endorsed.id, channel_id=self.channel, identity=self.signer.encoded
        ).SerializeToString()
        request = SignedCommitStatusRequest(request=asked, signature=self.signer.sign(asked))
        answer = await self.connection.ask(
            f"{_SERVICE}CommitStatus", request, CommitStatusResponse, seconds
        )
        check_code(answer.result, endorsed.id, answer.block_number)
        return CommittedTransaction(endorsed.id, answer.block_number, endorsed.outcome.result)

    async def invoke(
        self, chaincode: str, *arguments: bytes, organisations: Sequence[str] = ()
    ) -> CommittedTransaction:
        """Endorse a call, hand it in and wait for its block.

        Raises:
            FabricError: as `endorse`, `submit` and `committed`.
        """
        endorsed = await self.endorse(chaincode, *arguments, organisations=organisations)
        await self.submit(endorsed)
        return await self.committed(endorsed)


def check_code(code: int, transaction: str, block: int) -> None:
    """See that a transaction took effect.

    Raises:
        FabricReadConflict, FabricPolicyNotMet, FabricTransactionInvalid: it did not.
    """
    if code == TxValidationCode.Value("VALID"):
        return
    known = code in TxValidationCode.values()
    name = TxValidationCode.Name(code) if known else str(code)
    what = f"Transaction {transaction} in block {block} had no effect: {name}."
    if name in _CONFLICTS:
        raise FabricReadConflict(what)
    if name == "ENDORSEMENT_POLICY_FAILURE":
        raise FabricPolicyNotMet(what)
    raise FabricTransactionInvalid(what)
