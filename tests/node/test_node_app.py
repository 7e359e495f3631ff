"""A node's HTTP API refuses what it must, by name, and gives away nothing."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator
from pathlib import Path as FilePath

import httpx
import pytest
import pytest_asyncio

from caimi.custody.dkg import Ceremony
from caimi.demo.world import World, start_world
from caimi.errors.node import NodeRefused, SignerShared
from caimi.keystore import LocalSigner
from caimi.ledgers.port import Ledger, Signer
from caimi.messaging.ibc_attestations import IbcAttestation, StateAttestation, read_path
from caimi.node.app import create_app
from caimi.node.members import HttpMember
from caimi.node.node import Node
from caimi.node.settings import MemberSection, NodeSettings
from caimi.services.endpoint import Endpoint

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with start_world("embedded", tmp_path_factory.mktemp("world")) as started:
        yield started


def client(node: Node) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=create_app(node))
    return httpx.AsyncClient(transport=transport, base_url="http://node")


COORDINATOR = LocalSigner.generate()


def account_text(signer: LocalSigner) -> str:
    return f"0x{signer.account.hex()}"


def ordered(node: Node) -> HttpMember:
    """The node, ordered by the coordinator of `fresh_node`'s settings."""
    transport = httpx.ASGITransport(app=create_app(node))
    return HttpMember(Endpoint("http://node", transport=transport), COORDINATOR)


@pytest.mark.parametrize("body", ["{", "[]", "{}", '{"session": "0x00"}', "[" * 100_000])
async def test_malformed_orders_are_refused_by_name(tmp_path: FilePath, body: str) -> None:
    async with client(fresh_node(tmp_path)) as http:
        assert await code_of(await http.post("/v1/dkg/enrol", content=body)) == "CAIMI-K001"


def member(index: int, signer: LocalSigner) -> MemberSection:
    return MemberSection(
        index=index,
        account=f"0x{signer.account.hex()}",
        public_key=f"0x{signer.private_key.public_key.format().hex()}",
    )


def fresh_node(
    folder: FilePath, ledger: Ledger | None = None, attests: Signer | None = None
) -> Node:
    """A node without a key share that follows at most one ledger, which `attests` attests."""
    signers = sorted((LocalSigner.generate() for _ in range(3)), key=lambda s: s.account)
    settings = NodeSettings(
        index=1,
        port=1,
        threshold=2,
        committee=[member(at, signer) for at, signer in enumerate(signers, start=1)],
        ledgers=[],
        home=folder,
        coordinator=account_text(COORDINATOR),
    )
    ledgers = {ledger.id: ledger} if ledger else {}
    ibc_signers = {ledger.id: attests or signers[0]} if ledger else {}
    return Node(settings, signers[0], ledgers, secrets.token_bytes(16), ibc_signers=ibc_signers)


async def code_of(response: httpx.Response) -> str:
    return response.json()["code"]


async def test_health_and_identity_tell_what_is_public(world: World) -> None:
    async with client(world.nodes[0]) as http:
        health = await http.get("/health")
        assert health.status_code == 200
        assert health.json()["ok"] is True
        identity = (await http.get("/v1/identity")).json()
        assert identity["roles"] == ["validator", "custodian"]
        secret = world.nodes[0].signer.private_key.secret.hex()
        assert secret not in json.dumps(identity)
        assert "caimi_attestations" in (await http.get("/metrics")).text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/checkpoints", "{"),
        ("/v1/checkpoints", "[]"),
        ("/v1/checkpoints", '{"ledger": "eip155:31337"}'),
        ("/v1/checkpoints", '{"ledger": "eip155:31337", "from": -1, "height": 1}'),
        ("/v1/checkpoints", '{"ledger": "eip155:31337", "from": true, "height": 1}'),
        ("/v1/checkpoints", '{"ledger": 5, "from": 0, "height": 1}'),
        ("/v1/checkpoints", '{"ledger": "eip155:31337", "from": 0, "height": 1, "x": 1}'),
        ("/v1/absences", '{"ledger": "eip155:31337", "height": 1, "packets": [["a"]]}'),
        ("/v1/ibc/states", '{"ledger": "eip155:31337"}'),
        ("/v1/absences", '{"ledger": "eip155:31337", "height": 1, "packets": [["a", 0]]}'),
        ("/v1/checkpoints", "[" * 100_000),
        ("/v1/checkpoints", "9" * 5_000),
        ("/v1/absences", '{"ledger": "eip155:31337", "height": 1, "packets": [["a", true]]}'),
        ("/v1/absences", '{"ledger": "eip155:31337", "height": 1, "packets": [["\\ud800", 1]]}'),
    ],
)
async def test_malformed_requests_are_refused_by_name(world: World, path: str, body: str) -> None:
    async with client(world.nodes[0]) as http:
        response = await http.post(path, content=body)
        assert response.status_code == 400
        assert await code_of(response) == "CAIMI-N001"


async def test_a_body_that_is_too_large_or_of_unknown_length_is_not_read(world: World) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"x"

    async with client(world.nodes[0]) as http:
        for content in (b" " * (5 << 20), endless()):
            assert await code_of(await http.post("/v1/shares", content=content)) == "CAIMI-N001"


async def test_a_ledger_that_is_not_followed_is_not_attested(world: World) -> None:
    async with client(world.nodes[0]) as http:
        body = {"ledger": "eip155:5", "from": 0, "height": 1}
        assert await code_of(await http.post("/v1/checkpoints", json=body)) == "CAIMI-M008"


async def test_a_height_that_is_not_final_is_not_attested(world: World) -> None:
    async with client(world.nodes[0]) as http:
        body = {"ledger": world.a.id, "from": 9_000, "height": 9_001}
        assert await code_of(await http.post("/v1/checkpoints", json=body)) == "CAIMI-M005"


async def test_a_ledger_is_attested_in_ibc_go_s_format_by_a_key_of_its_own(
    world: World, tmp_path: FilePath
) -> None:
    key = LocalSigner.generate()
    node = fresh_node(tmp_path, world.a, key)
    final = await world.a.finalized()
    path = [2, "caimi-1-0", 9]
    async with client(node) as http:
        body = {"ledger": world.a.id, "height": final.height}
        state = IbcAttestation.from_document((await http.post("/v1/ibc/states", json=body)).json())
        assert state.statement == StateAttestation(final.height, final.time)
        assert state.signer() == key.account
        answer = await http.post("/v1/ibc/packets", json={**body, "paths": [path]})
        said = IbcAttestation.from_document(answer.json())
        assert said.statement.packets == ((read_path(path).key, bytes(32)),)
        answer = await http.post("/v1/ibc/states", json={**body, "ledger": world.b.id})
        assert await code_of(answer) == "CAIMI-N002"
        for paths in ([], [path, path], [[1, "caimi-1-0", 9]], [[9, "caimi-1-0", 9]]):
            answer = await http.post("/v1/ibc/packets", json={**body, "paths": paths})
            assert answer.status_code in (400, 409, 422)


async def test_a_key_that_attests_in_ibc_go_s_format_attests_nothing_else(
    world: World, tmp_path: FilePath
) -> None:
    with pytest.raises(SignerShared):
        fresh_node(tmp_path, world.a)


async def test_a_node_with_a_share_takes_part_in_no_second_key_generation(world: World) -> None:
    deployer = world.nodes[0].settings.coordinator
    assert deployer is not None
    refusing = Node(
        world.nodes[0].settings.model_copy(update={"coordinator": account_text(COORDINATOR)}),
        world.nodes[0].signer,
        {},
        world.nodes[0]._passphrase,
    )
    await refusing.open()
    with pytest.raises(NodeRefused, match="CAIMI-N003"):
        await ordered(refusing).enrol(b"\xab" * 32)


async def test_a_node_without_a_share_gives_none(tmp_path: FilePath, world: World) -> None:
    (tmp_path / "fresh").mkdir()
    async with client(fresh_node(tmp_path / "fresh")) as http:
        identity = (await http.get("/v1/identity")).json()
        assert identity["roles"] == ["validator"]
        assert identity["group_key"] is None


async def test_a_ceremony_with_other_members_is_refused(tmp_path: FilePath) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    ours, stranger = fresh_node(tmp_path / "one"), fresh_node(tmp_path / "two")
    session = b"\xab" * 32
    member = ordered(ours)
    enrolments = (await member.enrol(session), await ordered(stranger).enrol(session))
    with pytest.raises(NodeRefused, match="settings"):
        await member.start(Ceremony(session, 2, enrolments))


async def test_a_step_of_an_unknown_ceremony_is_refused(tmp_path: FilePath) -> None:
    with pytest.raises(NodeRefused, match="CAIMI-N004"):
        await ordered(fresh_node(tmp_path)).advance(bytes(32), [])


async def test_a_restarted_node_is_a_custodian_again(world: World) -> None:
    before = world.nodes[0]
    again = Node(before.settings, before.signer, {}, before._passphrase)
    await again.open()
    assert again.custodian().key_share == before.custodian().key_share
