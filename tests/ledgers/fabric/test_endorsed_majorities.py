"""What some organisations sign of a read is given where others are down, or say something else."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from eth_abi.abi import decode

from caimi.errors.fabric import (
    EndorsersNotApart,
    FabricEndorsersDisagree,
    FabricSignatureInvalid,
    FabricUnavailable,
)
from caimi.ledgers.client_proofs import EndorsedReads
from caimi.ledgers.fabric.local.authorities import LocalAuthority
from caimi.ledgers.fabric.msp.identity import MspIdentity, MspSigner
from caimi.ledgers.fabric.msp.membership import MspRole
from caimi.ledgers.fabric.protos.peer.proposal_response_pb2 import (
    Endorsement,
    ProposalResponse,
    Response,
)
from caimi.ledgers.fabric.reads import read_path
from caimi.ledgers.fabric.rpc.connection import CallPatience
from caimi.ledgers.fabric.rpc.endorsed_reads import EndorsedReader, ReadSource

RECORDED = json.loads(
    (Path(__file__).parents[3] / "contracts" / "vectors" / "fabric_reads.json").read_text()
)
SOURCE = ReadSource(RECORDED["ledger"], RECORDED["channel"], RECORDED["chaincode"])
ENCODING = "(bytes,(bytes32,bytes32,bytes32,bytes32,bytes)[],uint16[])"
PATHS = [read_path(bytes.fromhex(path[2:])) for path in RECORDED["sent"]["paths"]]


def payload_of(what: str) -> bytes:
    ((payload, _, _),) = decode([ENCODING], bytes.fromhex(RECORDED[what]["proof"][2:]))
    return bytes(payload)


TRUE, OTHER = payload_of("sent"), payload_of("missing")


def signer_of(msp: str) -> MspSigner:
    keyed = LocalAuthority.create(msp, "ca").member("peer", MspRole.PEER)
    return MspSigner(MspIdentity.of(msp, keyed.pem), keyed.key)


@dataclass
class PaperEndorser:
    """A connection to a peer that signs what it is set to say, in turn; None is no answer."""

    msp: str
    says: list[bytes | None]
    spoils: bool = False
    patience: CallPatience = field(default_factory=lambda: CallPatience(agree=0.2))
    endpoint: Any = field(default_factory=lambda: SimpleNamespace(address="127.0.0.1:7051"))

    def __post_init__(self) -> None:
        self.signer = signer_of(self.msp)

    async def ask(self, *_: object) -> ProposalResponse:
        said = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        if said is None:
            raise FabricUnavailable(f"The peer of {self.msp} is down.")
        endorser = self.signer.encoded
        signature = self.signer.sign(said + endorser + b"more" * self.spoils)
        return ProposalResponse(
            payload=said,
            endorsement=Endorsement(endorser=endorser, signature=signature),
            response=Response(status=200),
        )


async def read(*peers: PaperEndorser) -> EndorsedReads:
    return await EndorsedReader(SOURCE, peers, signer_of("Org1MSP")).read(PATHS)  # type: ignore[arg-type]


def signed_by(reads: EndorsedReads) -> list[str]:
    assert reads.payload == TRUE
    return [MspIdentity.read(each.endorser).msp for each in reads.endorsements]


@pytest.mark.parametrize("third", [[None], [OTHER]])
@pytest.mark.parametrize("place", [0, 1, 2])
async def test_what_most_organisations_say_is_given_without_the_others(
    third: list[bytes | None], place: int
):
    peers = [PaperEndorser("A", [TRUE]), PaperEndorser("B", [TRUE])]
    peers.insert(place, PaperEndorser("C", third))
    assert signed_by(await read(*peers)) == ["A", "B"]


async def test_who_signs_wrongly_is_left_out():
    peers = PaperEndorser("A", [TRUE]), PaperEndorser("B", [TRUE], spoils=True)
    assert signed_by(await read(*peers, PaperEndorser("C", [TRUE]))) == ["A", "C"]
    with pytest.raises(FabricSignatureInvalid):
        await read(*peers)


async def test_who_lags_is_waited_for():
    lagging = PaperEndorser("C", [OTHER, TRUE])
    found = await read(PaperEndorser("A", [TRUE]), PaperEndorser("B", [TRUE]), lagging)
    assert signed_by(found) == ["A", "B", "C"]


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"A": TRUE, "B": None}, FabricUnavailable),
        ({"A": None, "B": None, "C": None}, FabricUnavailable),
        ({"A": TRUE, "B": OTHER}, FabricEndorsersDisagree),
        ({"A": TRUE, "B": OTHER, "C": None}, FabricEndorsersDisagree),
        ({"A": TRUE, "B": TRUE, "C": OTHER, "D": OTHER}, FabricEndorsersDisagree),
    ],
)
async def test_fewer_than_two_or_as_many_as_say_otherwise_prove_nothing(
    said: dict[str, bytes | None], error: type[Exception]
):
    with pytest.raises(error):
        await read(*(PaperEndorser(msp, [what]) for msp, what in said.items()))


async def test_two_peers_of_one_organisation_are_one():
    with pytest.raises(EndorsersNotApart):
        await read(PaperEndorser("A", [TRUE]), PaperEndorser("A", [TRUE]))
    three = [PaperEndorser(msp, [TRUE]) for msp in ("A", "A", "B")]
    assert signed_by(await read(*three)) == ["A", "B"]
