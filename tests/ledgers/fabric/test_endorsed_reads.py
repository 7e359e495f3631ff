"""What organisations sign of commitments, on a real network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from eth_abi.abi import decode
from fabric_site import CHAINCODE, FabricSite, fabric_site

from caimi.errors.fabric import (
    EndorsedReadInvalid,
    FabricAnswerInvalid,
    FabricEndorsersDisagree,
    FabricIdentityInvalid,
    FabricRefused,
    FabricSignatureInvalid,
)
from caimi.errors.messaging import InvalidProof
from caimi.ibc.path import Path as IbcPath
from caimi.ledgers.fabric.msp.signing import ORDER
from caimi.ledgers.fabric.protos.peer.proposal_response_pb2 import Endorsement, ProposalResponse
from caimi.ledgers.fabric.reads import RECEIVED, read_path
from caimi.ledgers.fabric.rpc.connection import CallPatience
from caimi.ledgers.fabric.rpc.endorsed_reads import (
    EndorsedReader,
    ReadSource,
    check_endorsement,
    check_payload,
)

RECORDED = json.loads(
    (Path(__file__).parents[3] / "contracts" / "vectors" / "fabric_reads.json").read_text()
)
SOURCE = ReadSource(RECORDED["ledger"], RECORDED["channel"], RECORDED["chaincode"])
ENCODING = "(bytes,(bytes32,bytes32,bytes32,bytes32,bytes)[],uint16[])"
ANOTHER_CLOCK = """
import sys
from caimi.ledgers.fabric.chaincode import contract, program
contract._time = lambda stub: 5
sys.exit(program.run(sys.argv[1:]))
"""
PATHS = (IbcPath.commitment("fabric-0", 1), IbcPath.receipt("fabric-0", 1))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FabricSite]:
    with fabric_site(tmp_path_factory.mktemp("reads"), with_asset=False) as made:
        yield made


def reader(site: FabricSite, **other: str) -> EndorsedReader:
    layout = site.network.layout
    source = replace(ReadSource(site.id, layout.channel, CHAINCODE), **other)
    patience = CallPatience(agree=0.2)
    peers = [site.network.connection(each, patience) for each in layout.organisations]
    return EndorsedReader(source, peers, layout.organisations[0].user.signer())


async def test_both_organisations_sign_one_payload_each_with_its_identity(site):
    there, ledger = reader(site), site.open()
    found, clock = await there.read(PATHS), (await ledger.head()).time
    assert (found.values, found.time) == ((None, None), clock)
    assert found.keys == tuple(path.key for path in PATHS)
    assert len({each.key for each in found.endorsements}) == 2
    ((payload, endorsements, places),) = decode([ENCODING], found.prove(found.keys[::-1]))
    assert (payload, places) == (found.payload, (1, 0))
    assert [each[4] for each in endorsements] == [each.endorser for each in found.endorsements]
    with pytest.raises(InvalidProof):
        found.prove([bytes(32)])
    await there.aclose()
    await ledger.aclose()


@pytest.mark.parametrize(
    ("other", "error"),
    [
        ({"ledger": "fabric:other"}, EndorsedReadInvalid),
        ({"chaincode": "other"}, FabricRefused),
        ({"channel": "other"}, FabricRefused),
    ],
)
async def test_another_ledger_chaincode_or_channel_is_named(site, other, error):
    there = reader(site, **other)
    with pytest.raises(error):
        await there.read(PATHS)
    await there.aclose()


async def test_organisations_that_read_differently_prove_nothing(site):
    """The second one's chaincode tells another time."""
    second = site.network.layout.organisations[1]
    program = ["-c", ANOTHER_CLOCK, *site.chaincode.program[2:]]
    site.run_instead(replace(site.chaincode, program=program), second)
    there = reader(site)
    with pytest.raises(FabricEndorsersDisagree):
        await there.read(PATHS)
    site.run_instead(site.chaincode, second)
    assert (await there.read(PATHS)).values == (None, None)
    await there.aclose()


# What was recorded


def paths_of(what: str) -> tuple[IbcPath, ...]:
    return tuple(read_path(bytes.fromhex(path[2:])) for path in RECORDED[what]["paths"])


def recorded(what: str) -> tuple[bytes, list[tuple[bytes, ...]]]:
    ((payload, endorsements, _),) = decode([ENCODING], bytes.fromhex(RECORDED[what]["proof"][2:]))
    return payload, endorsements


def answer(payload: bytes, endorser: bytes, signature: bytes) -> ProposalResponse:
    return ProposalResponse(
        payload=payload, endorsement=Endorsement(endorser=endorser, signature=signature)
    )


def test_a_recorded_endorsement_is_its_peers_and_nobody_elses():
    payload, ((x, y, r, s, endorser), (*_, other)) = recorded("sent")
    numbers = int.from_bytes(r), int.from_bytes(s)
    signed = answer(payload, endorser, encode_dss_signature(*numbers))
    found, endorsement = check_endorsement(signed, "peer")
    assert found.msp == "Org1MSP"
    assert (endorsement.key, endorsement.signature) == ((x, y), (r, s))
    high = encode_dss_signature(numbers[0], ORDER - numbers[1])
    for changed, error in (
        (answer(payload + b"\0", endorser, signed.endorsement.signature), FabricSignatureInvalid),
        (answer(payload, other, signed.endorsement.signature), FabricSignatureInvalid),
        (answer(payload, endorser, high), FabricSignatureInvalid),
        (answer(payload, endorser, b""), FabricSignatureInvalid),
        (answer(payload, b"nobody", high), FabricIdentityInvalid),
        (answer(payload, b"", high), FabricAnswerInvalid),
        (answer(b"", endorser, high), FabricAnswerInvalid),
    ):
        with pytest.raises(error):
            check_endorsement(changed, "peer")


def test_recorded_payloads_say_what_was_read_and_which_block_wrote_it():
    for what in ("sent", "missing", "arrived"):
        said, height = check_payload(recorded(what)[0], SOURCE, paths_of(what))
        values = [bytes.fromhex(value[2:]) for value in RECORDED[what]["values"]]
        assert [value or bytes(32) for value in said.values] == values
        assert (height, said.clock) == (RECORDED[what]["height"], RECORDED[what]["time"])
        assert [path.key.hex() for path in said.paths] == [
            key[2:] for key in RECORDED[what]["keys"]
        ]
    assert said.values[0] == RECEIVED


@pytest.mark.parametrize("part", ["ledger", "channel", "chaincode"])
def test_a_recorded_payload_is_of_its_source_alone(part):
    other = replace(SOURCE, **{part: getattr(SOURCE, part)[:-1]})
    with pytest.raises(EndorsedReadInvalid):
        check_payload(recorded("sent")[0], other, paths_of("sent"))
    with pytest.raises(EndorsedReadInvalid):
        check_payload(recorded("sent")[0], SOURCE, paths_of("missing"))
