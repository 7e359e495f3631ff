"""A key generation over nodes: who orders it, what a kill leaves, and when a share is of use."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
import pytest

from caimi.custody.dkg import Order, Round, SignedMessage, Step
from caimi.custody.keyshare_file import save_key_share
from caimi.errors.base import CaimiError
from caimi.errors.custody import CeremonyRecordDamaged, CeremonyStuck
from caimi.errors.node import NodeRefused, NodeUnreachable, RoleMissing
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.administration.deploying import deploy
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.local.in_process import new_embedded_chain
from caimi.ledgers.port import Account, Ledger
from caimi.node import ceremony_records
from caimi.node.app import create_app
from caimi.node.coordinator import LedgerBroadcast, abandon, generate_group_key
from caimi.node.members import HttpMember
from caimi.node.node import Node
from caimi.node.settings import MemberSection, NodeSettings
from caimi.services.endpoint import Endpoint

COINS = 10**18


class Killed(Exception):
    """The coordinator's end."""


@pytest.fixture(autouse=True)
def _cheap_passphrases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Key share files at scrypt's least cost: here they are written a hundred times."""
    monkeypatch.setattr(ceremony_records, "save_key_share", partial(save_key_share, cost=14))


@dataclass
class Site:
    """Nodes that can be killed, each reached over HTTP; `strike` may stop any order."""

    folder: Path
    total: int
    threshold: int = 2
    ledgers: dict[str, Ledger] = field(default_factory=dict)
    coordinator: LocalSigner = field(default_factory=LocalSigner.generate)
    strike: Callable[[int, int, bool], None] = lambda *_: None
    orders: list[tuple[int, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        made = (LocalSigner.generate() for _ in range(self.total))
        self.signers = sorted(made, key=lambda s: s.account)
        self.nodes = [self.node(at) for at in range(self.total)]
        self.members = [self.member(at) for at in range(self.total)]

    def node(self, at: int, coordinator: str | None = "") -> Node:
        members = [
            MemberSection(
                index=index,
                account=f"0x{signer.account.hex()}",
                public_key=f"0x{signer.private_key.public_key.format().hex()}",
            )
            for index, signer in enumerate(self.signers, start=1)
        ]
        home = self.folder / f"node-{at}"
        home.mkdir(exist_ok=True)
        settings = NodeSettings(
            index=at + 1,
            port=1,
            threshold=self.threshold,
            committee=members,
            ledgers=[],
            home=home,
            coordinator=f"0x{self.coordinator.account.hex()}" if coordinator == "" else coordinator,
        )
        return Node(settings, self.signers[at], self.ledgers, b"passphrase")

    async def restart(self, at: int) -> None:
        self.nodes[at] = self.node(at)
        await self.nodes[at].open()

    def member(self, at: int, signer: LocalSigner | None = None) -> HttpMember:
        return HttpMember(self.endpoint(at), signer or self.coordinator)

    def endpoint(self, at: int) -> Endpoint:
        site = self

        class Wire(httpx.AsyncBaseTransport):
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                if request.method == "POST":
                    site.orders.append((at, request.content.decode()))
                    await site.struck(at, before=True)
                app = httpx.ASGITransport(app=create_app(site.nodes[at]))
                answer = await app.handle_async_request(request)
                body = await answer.aread()
                if request.method == "POST":
                    await site.struck(at, before=False)
                return httpx.Response(answer.status_code, content=body)

        return Endpoint(f"http://node-{at}", transport=Wire())

    async def struck(self, at: int, *, before: bool) -> None:
        try:
            self.strike(len(self.orders), at, before)
        except NodeUnreachable:
            await self.restart(at)
            raise httpx.ConnectError("the node was killed") from None

    async def generate(self, broadcast: LedgerBroadcast | None = None) -> object:
        return await generate_group_key(self.members, self.threshold, broadcast)

    def groups(self) -> list[object]:
        """The group keys whose shares are of use, one a node that has one."""
        found = []
        for node in self.nodes:
            try:
                found.append(node.custodian().key_share.group)
            except RoleMissing:
                continue
        return found


async def test_the_nodes_make_one_key_and_each_becomes_a_custodian(tmp_path: Path) -> None:
    site = Site(tmp_path, 3)
    group = await site.generate()
    assert site.groups() == [group] * 3
    for at in range(3):
        await site.restart(at)
    assert site.groups() == [group] * 3
    assert await site.generate() == group


async def refused(code: str, work: object) -> None:
    with pytest.raises(NodeRefused, match=code):
        await work  # type: ignore[misc]


async def test_a_stranger_moves_no_node_and_disturbs_no_ceremony(tmp_path: Path) -> None:
    site = Site(tmp_path, 3)
    stranger = LocalSigner.generate()
    wanted = iter(range(1, 1000))

    def interfere(count: int, at: int, before: bool) -> None:
        if before and next(wanted) % 3 == 0:
            session = bytes([count]) * 32
            for step in Step:
                order = Order(session, step, node_key(site, at), int(time.time() * 1000), "{}")
                tasks.append(loop.create_task(post(site, at, order.sign(stranger), said)))

    said: list[str] = []
    tasks: list[asyncio.Task[None]] = []
    loop = asyncio.get_running_loop()
    site.strike = interfere
    group = await site.generate()
    assert site.groups() == [group] * 3
    for each in range(3):
        member = site.member(each, stranger)
        for work in (
            member.status(),
            member.enrol(bytes(32)),
            member.advance(bytes(32), []),
            member.finish(bytes(32), []),
            member.abort(bytes(32)),
        ):
            await refused("CAIMI-K032", work)
    await asyncio.gather(*tasks)
    assert said
    assert set(said) == {"CAIMI-K032"}


def node_key(site: Site, at: int) -> bytes:
    return site.signers[at].private_key.public_key.format()


async def post(site: Site, at: int, order: Order, said: list[str]) -> None:
    transport = httpx.ASGITransport(app=create_app(site.nodes[at]))
    async with httpx.AsyncClient(transport=transport, base_url="http://node") as http:
        answer = await http.post(f"/v1/dkg/{order.step}", content=order.to_json())
        said.append(answer.json()["code"])


async def test_no_captured_order_counts_again_or_elsewhere(tmp_path: Path) -> None:
    site = Site(tmp_path, 3)
    await site.generate()
    captured = list(site.orders)
    for restarted in (False, True):
        for at, text in captured[::5]:
            if restarted:
                await site.restart(at)
            for where in (at, (at + 1) % 3):
                said: list[str] = []
                await post(site, where, Order.from_json(text), said)
                assert said == ["CAIMI-K032"]


async def test_an_order_to_do_something_else_than_its_path_is_refused(tmp_path: Path) -> None:
    site = Site(tmp_path, 3)
    number = int(time.time() * 1000)
    order = Order(bytes(32), Step.ABORT, node_key(site, 0), number, "{}").sign(site.coordinator)
    transport = httpx.ASGITransport(app=create_app(site.nodes[0]))
    async with httpx.AsyncClient(transport=transport, base_url="http://node") as http:
        answer = await http.post("/v1/dkg/enrol", content=order.to_json())
    assert answer.json()["code"] == "CAIMI-N001"


async def test_a_node_whose_settings_name_no_coordinator_obeys_nobody(tmp_path: Path) -> None:
    site = Site(tmp_path, 3)
    site.nodes[0] = site.node(0, coordinator=None)
    await refused("CAIMI-K032.*no coordinator", site.members[0].status())


async def confirmations(site: Site) -> tuple[bytes, list[SignedMessage]]:
    """Stop the coordinator after the last node has confirmed."""

    def stop(count: int, at: int, before: bool) -> None:
        if before and '"finish"' in site.orders[-1][1]:
            raise Killed

    site.strike = stop
    with pytest.raises(Killed):
        await site.generate()
    site.strike = lambda *_: None
    states = [await member.status() for member in site.members]
    (record,) = states[0].records
    return record.ceremony.session, [state.records[0].confirmation for state in states]


async def test_a_share_is_of_no_use_before_all_have_confirmed(tmp_path: Path) -> None:
    site = Site(tmp_path, 3)
    session, messages = await confirmations(site)
    assert {message.round for message in messages} == {Round.CONFIRMATION}
    assert site.groups() == []
    for at in range(3):
        await site.restart(at)
        others = [message for message in messages if message.sender != (at + 1) % 3 + 1]
        await refused("CAIMI-K031", site.members[at].finish(session, others))
        await refused("CAIMI-K034", site.members[at].enrol(bytes(32)))
    assert site.groups() == []
    group = await site.generate()
    assert site.groups() == [group] * 3


async def test_what_one_node_uses_is_finished_at_the_others_whatever_was_put_aside(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path, 3)
    session, messages = await confirmations(site)
    used = await site.members[0].finish(session, messages)
    for at in (1, 2):
        await site.members[at].abort(session)
        await site.restart(at)
    with pytest.raises(CeremonyStuck):
        await abandon(site.members, [await member.status() for member in site.members])
    assert await site.generate() == used
    assert site.groups() == [used] * 3


async def test_what_nobody_uses_is_put_aside_and_another_key_made(tmp_path: Path) -> None:
    site = Site(tmp_path, 3)
    session, messages = await confirmations(site)
    await abandon(site.members, [await member.status() for member in site.members])
    group = await site.generate()
    assert site.groups() == [group] * 3
    await refused("CAIMI-N003", site.members[0].finish(session, messages))


async def test_a_node_that_lost_its_part_of_a_key_in_use_is_named(tmp_path: Path) -> None:
    site = Site(tmp_path, 3)
    group = await site.generate()
    home = tmp_path / "node-1"
    (home / "key-share.bin").unlink()
    for file in (home / "key-generation").glob("*.json"):
        file.unlink()
    await site.restart(1)
    with pytest.raises(CeremonyStuck, match=r"Nodes \[2\]"):
        await site.generate()
    assert site.groups() == [group] * 2


async def test_a_damaged_record_is_named_when_the_node_starts(tmp_path: Path) -> None:
    site = Site(tmp_path, 3)
    await confirmations(site)
    (record,) = (tmp_path / "node-1" / "key-generation").glob("*.json")
    record.write_bytes(record.read_bytes()[:-10])
    with pytest.raises(CeremonyRecordDamaged):
        await site.node(1).open()


@pytest.mark.parametrize("victim", ["coordinator", "node"])
@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("count", [5, 26, 29])
async def test_a_kill_at_any_step_leaves_one_key_or_none_and_is_mended_by_running_it_again(
    tmp_path: Path, victim: str, before: bool, count: int
) -> None:
    """Of 30 orders 25 to 27 have the nodes save and confirm, and 28 to 30 finish."""
    site = Site(tmp_path, 3)

    def kill(now: int, at: int, is_before: bool) -> None:
        if now == count and is_before is before:
            raise NodeUnreachable("killed") if victim == "node" else Killed

    site.strike = kill
    with pytest.raises((Killed, CaimiError)):
        await site.generate()
    site.strike = lambda *_: None
    left = site.groups()
    assert len({group.to_bytes() for group in left}) <= 1
    site.members = [site.member(at) for at in range(3)]
    group = await site.generate()
    assert site.groups() == [group] * 3
    assert not left or left[0] == group


# --- a ledger that broadcasts --------------------------------------------------------------------


@pytest.fixture
async def broadcasting(tmp_path: Path) -> tuple[Site, LedgerBroadcast]:
    coordinator = LocalSigner.generate()
    chain = new_embedded_chain(31337, {coordinator.account: 1_000 * COINS})
    ledger = EvmLedger(chain, await deploy(chain, coordinator))
    site = Site(tmp_path, 3, ledgers={ledger.id: ledger}, coordinator=coordinator)
    return site, LedgerBroadcast(ledger, coordinator)


async def test_rounds_that_a_ledger_broadcasts_make_a_key(
    broadcasting: tuple[Site, LedgerBroadcast],
) -> None:
    site, broadcast = broadcasting
    group = await site.generate(broadcast)
    assert site.groups() == [group] * 3


async def test_a_round_that_is_not_the_broadcast_one_is_not_taken(
    broadcasting: tuple[Site, LedgerBroadcast],
) -> None:
    site, broadcast = broadcasting
    members = site.members

    class Partial(HttpMember):
        """A coordinator that withholds a member's message from one node."""

        async def advance(self, session: bytes, messages: list[SignedMessage]) -> SignedMessage:
            return await super().advance(session, messages[:2])

    site.members = [*members[:2], Partial(site.endpoint(2), site.coordinator)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("caimi.node.coordinator._LOOKS", 0)
        await refused("CAIMI-K033.*something else", site.generate(broadcast))
    assert site.groups() == []


async def test_a_round_that_was_not_written_down_is_not_taken(
    broadcasting: tuple[Site, LedgerBroadcast],
) -> None:
    site, broadcast = broadcasting

    class Silent(LedgerBroadcast):
        async def say(self, root: bytes) -> None:
            """Write nothing."""

    silent = Silent(broadcast._ledger, site.coordinator)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("caimi.node.coordinator._LOOKS", 0)
        await refused("CAIMI-K033.*nothing yet", site.generate(silent))


async def test_a_broadcast_on_a_ledger_or_by_an_account_not_in_the_settings_is_refused(
    broadcasting: tuple[Site, LedgerBroadcast],
) -> None:
    site, broadcast = broadcasting
    other = LocalSigner.generate()
    await broadcast._ledger.submit(
        broadcast._ledger.coins.transfer(
            Account(broadcast._ledger.id, other.account), broadcast._ledger.coins.asset.of(COINS)
        ),
        site.coordinator,
    )
    await refused("CAIMI-K016", site.generate(LedgerBroadcast(broadcast._ledger, other)))
    site.ledgers.clear()
    await refused("CAIMI-K016", site.generate(broadcast))
