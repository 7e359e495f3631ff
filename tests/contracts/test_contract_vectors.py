"""The contracts in Python read and write the bytes that contracts/vectors pins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode

from caimi.contracts.authority import Authority
from caimi.contracts.committee_clients import CommitteeClients
from caimi.contracts.committee_proof import CommitteeProof
from caimi.contracts.committees import KnownCommittee
from caimi.contracts.execution import Execution
from caimi.contracts.identifiers import (
    Account,
    Currency,
    InteroperableAccount,
    InteroperableLedger,
    ModelId,
    TokenId,
)
from caimi.contracts.interoperable import is_ledger, ledger_of
from caimi.contracts.licences import licence_id
from caimi.contracts.naming import is_publisher, is_voyage, model_id, token_id, version_id
from caimi.contracts.orders import LicenceAnswer, LicenceOrder
from caimi.contracts.packet_rules import commitment_of
from caimi.contracts.publications import publication_leaf
from caimi.contracts.state import MemoryState
from caimi.contracts.transfers import ModelTransfer
from caimi.contracts.visiting import ModelStatement, VisitingModel
from caimi.ibc.statements import PROOF_TYPE, Kind
from packet_vectors import packet_of

FOLDER = Path(__file__).parents[2] / "contracts" / "vectors"
IBC, PAYLOADS, STATEMENTS, INTEROPERABLE = (
    json.loads((FOLDER / f"{name}.json").read_text())
    for name in ("ibc", "payloads", "statements", "interoperable")
)


def raw(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def model_of(said: dict[str, Any]) -> VisitingModel:
    return VisitingModel(
        InteroperableAccount(raw(said["home"])),
        Account(raw(said["publisher"])),
        said["name"],
        tuple(InteroperableLedger(raw(hop)) for hop in said["path"]),
        ModelStatement(
            said["time"],
            said["versionCount"],
            said["version"],
            raw(said["manifest"]),
            said["licenceCount"],
            raw(said["licenceDigest"])[:24],
        ),
    )


def test_transfers_have_the_published_bytes() -> None:
    said = PAYLOADS["model"]
    transfer = ModelTransfer(
        model_of(said),
        raw(said["sender"]),
        raw(said["recipient"]),
        said["sentAt"],
        said["minDepth"],
    )
    assert transfer.encode() == raw(said["value"])
    assert ModelTransfer.decode(raw(said["value"])) == transfer


def test_orders_have_the_published_bytes() -> None:
    said = PAYLOADS["licence"]
    order = LicenceOrder(
        TokenId(raw(said["modelId"])),
        said["version"],
        raw(said["consumer"]),
        Currency(raw(said["asset"])),
        int(said["amount"], 16),
    )
    assert order.encode() == raw(said["value"])
    assert LicenceOrder.decode(raw(said["value"])) == order


def test_answers_to_orders_have_the_published_bytes() -> None:
    said = PAYLOADS["licence"]
    consumer = InteroperableAccount(raw(said["consumer"]))
    token, version = TokenId(raw(said["modelId"])), version_id(said["version"])
    answer = LicenceAnswer(licence_id(token, version, consumer), raw(said["payee"]))
    assert answer.licence == raw(said["licenceId"])
    assert answer.encode() == raw(said["answer"])
    assert LicenceAnswer.decode(raw(said["answer"])) == answer


def test_models_and_tokens_have_the_published_ids() -> None:
    said = PAYLOADS["tokens"]
    model, home = PAYLOADS["model"], InteroperableAccount(raw(PAYLOADS["model"]["home"]))
    found = model_id(home, Account(raw(model["publisher"])), model["name"])
    assert found == raw(said["modelId"])
    path = tuple(InteroperableLedger(raw(hop)) for hop in said["path"])
    ids = [token_id(ModelId(raw(said["modelId"])), path[: n + 1]) for n in range(len(path))]
    assert ids == [raw(token) for token in said["ids"]]


@pytest.mark.parametrize("vector", PAYLOADS["models"], ids=lambda vector: vector["home"][:12])
def test_models_of_all_families_have_the_published_ids(vector: dict[str, str]) -> None:
    home, publisher = InteroperableAccount(raw(vector["home"])), Account(raw(vector["publisher"]))
    ledger = ledger_of(home)
    assert ledger is not None
    assert is_publisher(ledger, publisher)
    assert model_id(home, publisher, vector["name"]) == raw(vector["modelId"])


def test_publications_have_the_published_leaf() -> None:
    said = PAYLOADS["publication"]
    publisher, model = InteroperableAccount(raw(said["publisher"])), ModelId(raw(said["modelId"]))
    leaf = publication_leaf(publisher, model, said["version"], raw(said["manifest"]))
    assert leaf == raw(said["leaf"])


def test_a_voyage_is_over_three_ledgers_between_its_ends_at_most_and_over_each_once() -> None:
    home, end, *hops = (bytes.fromhex(f"00010000010{n}00") for n in range(1, 8))
    assert is_voyage(home, hops[:3], end)
    assert not is_voyage(home, hops[:4], end)
    assert not is_voyage(home, [], home)
    for path in ([hops[0], hops[0]], [home], [end], [hops[0] + b"\0"]):
        assert not is_voyage(home, path, end)


@pytest.mark.parametrize("vector", IBC["packets"], ids=lambda vector: vector["commitment"][:10])
def test_packets_commit_as_published(vector: dict[str, Any]) -> None:
    assert commitment_of(packet_of(vector)) == raw(vector["commitment"])


@pytest.mark.parametrize("vector", INTEROPERABLE["valid"], ids=lambda vector: vector["caip"])
def test_interoperable_addresses_are_read(vector: dict[str, str]) -> None:
    account = vector["caip"].count(":") == 2
    assert is_ledger(raw(vector["data"])) is not account
    assert (ledger_of(raw(vector["data"])) is not None) is account


@pytest.mark.parametrize("vector", INTEROPERABLE["malformed"], ids=lambda vector: vector["why"])
def test_malformed_interoperable_addresses_are_neither(vector: dict[str, str]) -> None:
    assert not is_ledger(raw(vector["data"]))
    assert ledger_of(raw(vector["data"])) is None


@pytest.mark.parametrize("vector", STATEMENTS["statements"], ids=lambda vector: vector["kind"])
def test_a_client_believes_the_published_statements(vector: dict[str, Any]) -> None:
    said = STATEMENTS["committees"][0]
    members = tuple(raw(member) for member in said["members"])
    committee = KnownCommittee(said["epoch"], said["threshold"], members, raw(said["operators"]))
    assert committee.hash == raw(said["hash"])
    administrator = Account(b"admin")
    call = Execution(MemoryState(), 1, vector["time"], administrator)
    authority = Authority()
    authority.found(call, administrator, administrator)
    clients, gateway = CommitteeClients(authority), raw(STATEMENTS["gateway"])
    client = clients.add(call, Account(b"client"), gateway, committee)
    assert client.head(call.state).origin == raw(vector["origin"])
    value = (
        (
            raw(vector["origin"]),
            raw(vector["committee"]),
            vector["from"],
            vector["height"],
            vector["time"],
            raw(vector["root"]),
            vector["size"],
        ),
        vector["signers"],
        raw(vector["signatures"]),
        (),
        (),
    )
    proof = CommitteeProof.read(encode((PROOF_TYPE,), (value,)))
    assert client._check_signed(call, Kind(vector["kind"]), proof) == raw(vector["digest"])
