"""One peer's own answer to a proposal, for what its gateway does not do: joining, installing, and
signing what it reads.
"""

from __future__ import annotations

from typing import Final

from caimi.errors.fabric import FabricChaincodeBusy, FabricRefused
from caimi.ledgers.fabric.msp.identity import MspSigner
from caimi.ledgers.fabric.protos.peer.proposal_response_pb2 import ProposalResponse
from caimi.ledgers.fabric.rpc.connection import PeerConnection
from caimi.ledgers.fabric.rpc.proposals import ChaincodeCallArguments, ProposedCall, propose
from caimi.ledgers.fabric.wire import NOT_NOW
from caimi.line_text import one_line

_PROCESS: Final = "/protos.Endorser/ProcessProposal"
_DONE: Final = range(200, 400)
_MAX_SHOWN: Final = 600


async def ask_peer(
    connection: PeerConnection, signer: MspSigner, call: ChaincodeCallArguments
) -> bytes:
    """Have a peer answer a call by itself; give the answer's payload.

    Raises:
        FabricRefused: it refuses, or the chaincode does.
        FabricError: as `PeerConnection.ask`.
    """
    answer = await answer_of(connection, propose(signer, call))
    return answer.response.payload


async def answer_of(connection: PeerConnection, proposed: ProposedCall) -> ProposalResponse:
    """Have a peer answer a proposal by itself; give all of its answer.

    Raises:
        FabricRefused, FabricError: as `ask_peer`.
    """
    answer = await connection.ask(_PROCESS, proposed.proposal, ProposalResponse)
    if answer.response.status not in _DONE:
        said = one_line(answer.response.message)[:_MAX_SHOWN]
        error = FabricChaincodeBusy if answer.response.status == NOT_NOW else FabricRefused
        raise error(f"{connection.endpoint.address} ({answer.response.status}): {said}")
    return answer
