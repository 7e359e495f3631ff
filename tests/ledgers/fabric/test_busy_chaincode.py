"""Chaincode that takes nothing on now is asked again, with pauses, and not told to be wrong."""

from __future__ import annotations

from collections.abc import Sequence

import grpc
import pytest

from caimi.errors.base import CaimiError
from caimi.errors.fabric import (
    FabricAccessDenied,
    FabricChaincodeBusy,
    FabricChaincodeMissing,
    FabricChaincodeRefused,
    FabricRefused,
)
from caimi.ledgers.fabric.local.network import lay_out
from caimi.ledgers.fabric.msp.identity import MspSigner
from caimi.ledgers.fabric.protos.peer.proposal_response_pb2 import ProposalResponse, Response
from caimi.ledgers.fabric.rpc.connection import CallPatience, PeerEndpoint
from caimi.ledgers.fabric.rpc.endorser import ask_peer
from caimi.ledgers.fabric.rpc.gateway import GatewayClient
from caimi.ledgers.fabric.rpc.proposals import ChaincodeCallArguments
from caimi.ledgers.fabric.rpc.refusals import PeerDetail, RefusedCall, named_error

BUSY = FabricChaincodeBusy("The chaincode is ending.")
MISSING = FabricChaincodeMissing("Its stream has ended.")
DONE = FabricAccessDenied("What is told at last.")


class PaperConnection:
    """A connection that tells one thing after the other, and the last for ever."""

    endpoint = PeerEndpoint("peer:1", b"")

    def __init__(self, *told: CaimiError | ProposalResponse, reach: float = 10.0) -> None:
        self.patience = CallPatience(reach=reach)
        self.told = list(told)
        self.asked = 0

    async def ask(self, *_: object) -> ProposalResponse:
        told = self.told[min(self.asked, len(self.told) - 1)]
        self.asked += 1
        if isinstance(told, CaimiError):
            raise told
        return told


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> MspSigner:
    layout = lay_out(tmp_path_factory.mktemp("busy"), first_port=21_300)
    return layout.organisations[0].user.signer()


async def endorsing(signer: MspSigner, connection: PaperConnection) -> type[CaimiError]:
    with pytest.raises(FabricRefused) as refused:
        await GatewayClient(connection, signer, "caimi").endorse("caimi", b"acts")  # type: ignore[arg-type]
    return refused.type


@pytest.mark.parametrize("told", [(BUSY, BUSY, DONE), (BUSY, MISSING, MISSING, DONE)])
async def test_a_process_that_is_started_again_is_waited_for(
    signer: MspSigner, told: Sequence[CaimiError]
) -> None:
    connection = PaperConnection(*told)
    assert await endorsing(signer, connection) is FabricAccessDenied
    assert connection.asked == len(told)


async def test_it_is_waited_for_no_longer_than_the_patience_is(signer: MspSigner) -> None:
    connection = PaperConnection(BUSY, reach=0.4)
    assert await endorsing(signer, connection) is FabricChaincodeBusy
    assert 2 <= connection.asked <= 5


async def test_chaincode_that_was_never_there_is_not_waited_for(signer: MspSigner) -> None:
    connection = PaperConnection(MISSING)
    assert await endorsing(signer, connection) is FabricChaincodeMissing
    assert connection.asked == 1


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("chaincode response 503, The chaincode is ending", FabricChaincodeBusy),
        ("chaincode response 500, No", FabricChaincodeRefused),
        ("chaincode response 500, No: chaincode response 503, Later", FabricChaincodeRefused),
    ],
)
def test_a_chaincode_says_by_its_status_whether_a_refusal_passes(
    said: str, error: type[CaimiError]
) -> None:
    """What it says in words may be anybody's."""
    refused = RefusedCall("peer:1", grpc.StatusCode.ABORTED, "see attached details")
    detailed = RefusedCall(refused.address, refused.code, refused.said, (PeerDetail("", "", said),))
    assert type(named_error(detailed)) is error


async def test_one_peer_asked_alone_tells_it_too(signer: MspSigner) -> None:
    busy = ProposalResponse(response=Response(status=503, message="The chaincode is ending"))
    with pytest.raises(FabricChaincodeBusy, match="ending"):
        await ask_peer(PaperConnection(busy), signer, ChaincodeCallArguments("caimi", "caimi", ()))  # type: ignore[arg-type]
