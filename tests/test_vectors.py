"""Python computes of our wire what others computed of it (see contracts/vectors/make.py)."""

import json
from pathlib import Path
from typing import Any

import pytest

from caimi.chains import InteroperableAddress
from caimi.errors.ids import InvalidInteroperableAddress
from caimi.ibc import commitments as ibc
from caimi.ibc.packet import Packet, Payload
from caimi.ibc.path import Path as IbcPath
from caimi.ibc.statements import Kind, committee_hash
from caimi.inference.inclusion import Inclusion
from caimi.inference.receipt_json import receipt_from_json
from caimi.ledgers.evm.abi.accounts import EvmAccounts
from caimi.ledgers.evm.facets.voyages import ready_height, token_id
from caimi.ledgers.port import Account, LedgerId, Publication
from caimi.ledgers.publications import publication_leaf, publication_statement
from caimi.ledgers.typed_data import typed_data_digest
from caimi.messaging.checkpoint import LedgerStatement, make_committee, recover, rotation_digest
from packet_vectors import packet_of

FOLDER = Path(__file__).parent.parent / "contracts" / "vectors"
IBC = json.loads((FOLDER / "ibc.json").read_text())
STATEMENTS = json.loads((FOLDER / "statements.json").read_text())
PAYLOADS = json.loads((FOLDER / "payloads.json").read_text())
RECEIPTS = json.loads((FOLDER / "receipts.json").read_text())
INTEROPERABLE = json.loads((FOLDER / "interoperable.json").read_text())


def raw(text: str) -> bytes:
    return bytes.fromhex(text[2:])


@pytest.mark.parametrize("vector", IBC["packets"], ids=lambda vector: vector["commitment"][:10])
def test_packets_commit_as_published(vector: dict[str, Any]) -> None:
    assert ibc.packet_commitment(packet_of(vector)) == raw(vector["commitment"])


def test_acknowledgements_commit_as_published() -> None:
    assert raw(IBC["universalError"]) == ibc.UNIVERSAL_ERROR_ACKNOWLEDGEMENT
    for vector in IBC["acknowledgements"]:
        items = [raw(item) for item in vector["acknowledgements"]]
        assert ibc.acknowledgement_commitment(items) == raw(vector["commitment"])


def test_paths_and_keys_are_as_published() -> None:
    paths = {
        "commitment": IbcPath.commitment,
        "receipt": IbcPath.receipt,
        "acknowledgement": IbcPath.acknowledgement,
    }
    for vector in IBC["paths"]:
        path = paths[vector["kind"]](vector["client"], vector["sequence"])
        assert path.raw == raw(vector["path"])
        assert path.key == raw(vector["key"])


@pytest.mark.parametrize("vector", STATEMENTS["statements"], ids=lambda vector: vector["kind"])
def test_statements_have_the_digests_that_members_signed(vector: dict[str, Any]) -> None:
    statement = LedgerStatement(
        Kind(vector["kind"]),
        raw(vector["origin"]),
        raw(vector["committee"]),
        vector["from"],
        vector["height"],
        vector["time"],
        raw(vector["root"]),
        vector["size"],
    )
    assert statement.digest == raw(vector["digest"])
    members = [raw(member) for member in STATEMENTS["committees"][0]["members"]]
    signed = raw(vector["signatures"])
    signers = [place for place in range(len(members)) if vector["signers"] >> place & 1]
    assert len(signed) == 65 * len(signers)
    for index, place in enumerate(signers):
        signature = signed[65 * index : 65 * (index + 1)]
        assert recover(statement.digest, signature) == members[place]


def test_committees_hash_as_published() -> None:
    for vector in STATEMENTS["committees"]:
        members = [raw(member) for member in vector["members"]]
        operators = raw(vector["operators"])
        found = committee_hash(vector["epoch"], vector["threshold"], members, operators)
        assert found == raw(vector["hash"])


def test_rotations_are_signed_as_published() -> None:
    vector = STATEMENTS["rotation"]
    members = [raw(member) for member in vector["members"]]
    following = make_committee(vector["epoch"], vector["threshold"], members)
    digest = rotation_digest(raw(vector["origin"]), raw(vector["committee"]), following)
    assert digest == raw(vector["digest"])
    first = [raw(member) for member in STATEMENTS["committees"][0]["members"]]
    signed = raw(vector["signatures"])
    for place in range(3):
        assert recover(digest, signed[65 * place : 65 * (place + 1)]) == first[place]


@pytest.mark.parametrize("vector", INTEROPERABLE["valid"], ids=lambda vector: vector["caip"])
def test_interoperable_addresses_have_one_encoding(vector: dict[str, str]) -> None:
    assert InteroperableAddress.from_caip(vector["caip"]).to_bytes() == raw(vector["data"])
    assert InteroperableAddress.from_bytes(raw(vector["data"])).to_bytes() == raw(vector["data"])


@pytest.mark.parametrize("vector", INTEROPERABLE["malformed"], ids=lambda vector: vector["why"])
def test_malformed_interoperable_addresses_are_refused(vector: dict[str, str]) -> None:
    with pytest.raises(InvalidInteroperableAddress):
        InteroperableAddress.from_bytes(raw(vector["data"]))


def test_tokens_of_models_that_came_over_ledgers_have_the_published_ids() -> None:
    tokens = PAYLOADS["tokens"]
    path = [LedgerId(InteroperableAddress.from_bytes(raw(hop)).ledger) for hop in tokens["path"]]
    ids = [token_id(raw(tokens["modelId"]), path[: length + 1]) for length in range(len(path))]
    assert ids == [raw(token) for token in tokens["ids"]]


def test_publications_are_what_is_published_and_signed() -> None:
    said = PAYLOADS["publication"]
    publisher = Account.from_interoperable(raw(said["publisher"]))
    publication = Publication(publisher, said["name"], said["version"], raw(said["manifest"]))
    assert publisher.ledger == said["ledger"]
    assert publication_leaf(publication, raw(said["modelId"])) == raw(said["leaf"])
    statement = publication_statement(publication, raw(said["modelId"]))
    assert typed_data_digest(statement) == raw(said["digest"])


def test_the_depth_that_a_published_transfer_asks_for_is_read() -> None:
    model = PAYLOADS["model"]
    payload = Payload("model", "model", "caimi-model-3", "abi", raw(model["value"]))
    assert ready_height(Packet(1, "a", "b", 1, (payload,))) == model["sentAt"] + model["minDepth"]


@pytest.mark.parametrize("vector", RECEIPTS["receipts"], ids=lambda vector: vector["digest"][:10])
def test_receipts_are_signed_and_stand_in_batches_as_published(vector: dict[str, str]) -> None:
    accounts = EvmAccounts(LedgerId("eip155:31337"))
    signed = receipt_from_json(vector["receipt"])
    signed.verify(accounts)
    assert signed.receipt.digest(accounts) == raw(vector["digest"])
    assert Inclusion(raw(vector["leaf"]), ()).holds(raw(vector["digest"]))
