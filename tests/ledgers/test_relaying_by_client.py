"""The relayer makes the proof that each route's client reads: two anvils, real validators."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from client_routes import Joined
from ledger_site import COIN
from subprocess_anvil import anvil_process
from test_ledger_crossing import A, B, Pair

from caimi.client.fees import escrow, refund
from caimi.errors.ledgers import TransactionReverted
from caimi.errors.messaging import TooFewProofs, UnknownPacket, UnprovableClient
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.abi.calls import contract_creation
from caimi.ledgers.evm.artifacts import artifact
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.local.anvil import AnvilOptions
from caimi.ledgers.evm.rpc.connect import http_chain
from caimi.ledgers.evm.rpc.contract import Contract
from caimi.ledgers.evm.rpc.finality import Depth
from caimi.ledgers.evm.rpc.logs import EventReader
from caimi.ledgers.port import Account, Asset, LedgerId, PurchaseState, Route
from caimi.ledgers.port.clients import COMMITTEE, COMPOSITE, STORAGE_PROOF, Claim
from caimi.loopback import free_port
from caimi.messaging.policy import Policy, RoutePolicy
from caimi.messaging.progress import Carried, Progress
from caimi.messaging.quote import DELIVERY_WORK, ENDING_WORK
from caimi.messaging.turns import RelayerSchedule

pytestmark = pytest.mark.anvil

ANSWERS_THE_EMPTY_STRING = bytes.fromhex("67" + "60205f5260405ff3" + "5f5260086018f3")


@pytest.fixture(scope="module")
def nodes() -> Iterator[tuple[Pair, list[bool]]]:
    rich = LocalSigner.generate()
    coins = {rich.account: 1_000_000 * COIN}
    options = {number: AnvilOptions(number, free_port()) for number in (A, B)}
    with anvil_process(options[A], coins), anvil_process(options[B], coins):
        made = Pair(
            lambda number: http_chain(f"eip155:{number}", options[number].url, Depth(0)), rich
        )
        yield made, []


@pytest.fixture
async def joined(nodes, tmp_path) -> AsyncIterator[Joined]:
    pair, built = nodes
    if not built:
        await pair.build()
        built.append(True)
    made = Joined(pair, tmp_path)
    await made.prepare()
    yield made
    await made.aclose()


async def two_of_two(joined: Joined) -> tuple[str, str]:
    """A route whose ends believe what the committee and the storage proof both say."""
    clients = [
        await joined.composite(
            here, 2, [await joined.storage_client(here, there), await joined.committee_client(here)]
        )
        for here, there in ((joined.a, joined.b), (joined.b, joined.a))
    ]
    return await joined.join(*clients)


async def test_a_relayer_sees_what_a_routes_client_is_made_of(joined: Joined) -> None:
    on_a, _ = await two_of_two(joined)
    client = await joined.a.clients.of(on_a)
    assert (client.kind, client.threshold) == (COMPOSITE, 2)
    storage, committee = client.inner
    assert (storage.kind, committee.kind) == (STORAGE_PROOF, COMMITTEE)
    assert storage.inner == (committee,)


async def test_packets_are_delivered_and_acknowledged_over_committee_and_state(
    joined: Joined,
) -> None:
    _, on_b = await two_of_two(joined)
    sent = [await joined.buy(on_b, version) for version in ("1.0.0", "1.1.0", "1.2.0")]
    done = await joined.settle(joined.relayer())
    assert done.failures == []
    assert [(each.what, each.packets) for each in done.carried] == [
        ("deliver", 3),
        ("acknowledge", 3),
    ]
    for each in sent:
        purchase = await joined.b.market.purchase(each.purchase)
        assert purchase.state is PurchaseState.COMPLETED


async def test_a_timeout_is_proved_by_absence_over_committee_and_state(joined: Joined) -> None:
    _, on_b = await two_of_two(joined)
    sent = [await joined.buy(on_b, version, 60) for version in ("1.0.0", "1.1.0")]
    await joined.pass_time(120)
    done = await joined.settle(joined.relayer())
    assert done.failures == []
    assert [(each.what, each.packets) for each in done.carried] == [("time out", 2)]
    for each in sent:
        purchase = await joined.b.market.purchase(each.purchase)
        assert purchase.state is PurchaseState.REFUNDED


async def test_a_frozen_member_is_replaced_by_another(joined: Joined) -> None:
    clients = []
    for here, there in ((joined.a, joined.b), (joined.b, joined.a)):
        own = await fresh_committee_client(joined, here, there)
        members = [own, await joined.committee_client(here)]
        clients.append(await joined.composite(here, 1, members))
        guarded = Contract(here.chain, own, artifact("CommitteeClient").interface)
        await here.submit(guarded.call("Freezing", "freeze"), joined.pair.rich)
    _, on_b = await joined.join(*clients)
    sent = await joined.buy(on_b)
    assert (await joined.settle(joined.relayer())).failures == []
    purchase = await joined.b.market.purchase(sent.purchase)
    assert purchase.state is PurchaseState.COMPLETED


async def test_with_too_few_members_left_each_ones_trouble_is_named(joined: Joined) -> None:
    _, on_b = await two_of_two(joined)
    await joined.buy(on_b)
    relayer = joined.relayer()
    joined.validators[:] = joined.validators[:2]
    progress = await relayer.step()
    (failure,) = progress.failures
    assert isinstance(failure, TooFewProofs)
    assert "CAIMI-M012" in failure.what
    assert not progress.carried


async def test_a_client_of_unknown_type_stops_its_own_route_only(joined: Joined) -> None:
    creation = contract_creation(joined.a.id, "Deploying a stranger", ANSWERS_THE_EMPTY_STRING)
    strange = (await joined.a.submit(creation, joined.pair.rich)).effect
    _, bad = await joined.join(strange, await joined.committee_client(joined.b))
    _, good = await two_of_two(joined)
    await joined.buy(bad, "1.0.0")
    sent = await joined.buy(good, "1.1.0")
    done = await joined.settle(joined.relayer())
    assert {type(failure) for failure in done.failures} == {UnprovableClient}
    purchase = await joined.b.market.purchase(sent.purchase)
    assert purchase.state is PurchaseState.COMPLETED


async def fresh_committee_client(joined: Joined, here, there) -> bytes:
    members = [member.account for member in joined.pair.members]
    return await joined.create(
        here,
        "CommitteeClient",
        ["bytes", "uint64", "uint16", "address[]", "bytes", "address"],
        there.gateway.address,
        1,
        3,
        members,
        bytes(range(len(members))),
        here.deployment.contracts["authority"],
    )


async def test_a_fee_is_escrowed_earned_and_withdrawn(joined: Joined) -> None:
    on_b = joined.pair.routes[1]
    b, carrier = joined.b, joined.carrier
    paid, refused, free = [await joined.buy(on_b, f"1.{minor}.0") for minor in (5, 6, 7)]
    fee = 10**16
    await b.submit(
        b.fees.escrow(paid.packet, Account(b.id, carrier.account), Asset(b.id, b"").of(fee)),
        joined.bob,
    )
    await b.submit(
        b.fees.escrow(paid.packet, Account(b.id, carrier.account), Asset(b.id, b"").of(fee)),
        joined.bob,
    )
    await b.submit(
        b.fees.escrow(free.packet, Account(b.id, joined.alice.account), Asset(b.id, b"").of(fee)),
        joined.bob,
    )
    final = (await b.finalized()).height
    (first, second) = await b.fees.escrowed(Account(b.id, carrier.account), 0, final)
    assert (first.client_id, first.sequence, first.payer) == (
        on_b,
        paid.packet.sequence,
        Account(b.id, joined.bob.account),
    )
    assert (first.timeout, first.amount) == (paid.packet.timeout, b.coins.asset.of(fee))
    assert await b.fees.held([first, second]) == [b.coins.asset.of(2 * fee)] * 2
    policy = Policy(route=lambda source, route: RoutePolicy(minimum_fee=2 * fee))
    done = await joined.settle(joined.relayer(policy=policy), steps=6)
    assert done.failures == []
    assert [(each.what, each.packets, each.income) for each in done.carried] == [
        ("deliver", 1, 0),
        ("acknowledge", 1, 0),
        ("collect", 1, 2 * fee),
    ]
    work = {each.what: each.receipt.work for each in done.carried}
    assert work["deliver"] < DELIVERY_WORK
    assert work["acknowledge"] + work["collect"] < ENDING_WORK
    assert (await b.fees.owed(Account(b.id, carrier.account))).units == 2 * fee
    before = (await b.coins.balance(Account(b.id, carrier.account))).units
    receipt = await b.submit(b.fees.withdraw(Account(b.id, carrier.account)), carrier)
    assert (
        await b.coins.balance(Account(b.id, carrier.account))
    ).units == before + 2 * fee - receipt.fee.units
    assert (await b.market.purchase(refused.purchase)).state is PurchaseState.PENDING
    with pytest.raises(TransactionReverted) as refusal:
        await b.submit(
            b.fees.escrow(paid.packet, Account(b.id, carrier.account), Asset(b.id, b"").of(fee)),
            joined.bob,
        )
    assert refusal.value.error == "NotOpen"


async def test_a_fee_goes_back_by_proof_that_its_packet_was_not_received(joined: Joined) -> None:
    _, on_b = await two_of_two(joined)
    a, b = joined.a, joined.b
    sent = await joined.buy(on_b, seconds=60)
    sequence = sent.packet.sequence
    call = await escrow(
        b, on_b, sequence, Account(b.id, joined.carrier.account), b.coins.asset.of(10**15)
    )
    await b.submit(call, joined.bob)
    parties = (Account(b.id, joined.carrier.account), Account(b.id, joined.bob.account))
    too_early = await refund(b, a, on_b, sequence, parties, joined.validators)
    with pytest.raises(TransactionReverted) as refusal:
        await b.submit(too_early, joined.alice)
    assert refusal.value.error == "TimeoutNotReached"
    await joined.pass_time(120)
    await joined.settle(joined.relayer())
    assert (await b.market.purchase(sent.purchase)).state is PurchaseState.REFUNDED
    given_back = await refund(b, a, on_b, sequence, parties, joined.validators)
    await b.submit(given_back, joined.alice)
    assert (await b.fees.owed(Account(b.id, joined.bob.account))).units == 10**15
    with pytest.raises(UnknownPacket):
        await escrow(b, on_b, sequence + 1, parties[0], b.coins.asset.of(1))


# --- optimistic clients -------------------------------------------------------------------------

WINDOW, BOND = 1_200, 10**16


async def optimistic_client(joined: Joined, at: EvmLedger) -> bytes:
    """One at which the carrier may propose, settled by the pair's committee client."""
    authority = at.deployment.contracts["authority"]
    client = await joined.create(
        at,
        "OptimisticClient",
        ["address", "uint256", "uint64", "uint64", "address"],
        await joined.committee_client(at),
        BOND,
        WINDOW,
        WINDOW,
        authority,
    )
    manager = Contract(at.chain, authority, artifact("AccessManager").interface)
    propose = artifact("OptimisticClient").interface["propose"].selector
    for call in (
        manager.call("Naming", "setTargetFunctionRole", client, [propose], 7),
        manager.call("Granting", "grantRole", 7, joined.carrier.account, 0),
    ):
        await at.submit(call, joined.pair.rich)
    return client


class Patient:
    """A relayer of one of B's routes, whose clock follows the ledgers'."""

    def __init__(
        self, joined: Joined, client_id: str, *, propose: bool, signer: LocalSigner | None = None
    ) -> None:
        self.joined = joined
        self.now = 0.0

        def only(source: LedgerId, route: Route) -> RoutePolicy:
            mine = (source, route.client_id) == (joined.b.id, client_id)
            return RoutePolicy(carry=mine, propose=propose)

        self.relayer = joined.relayer(
            policy=Policy(route=only), clock=lambda: self.now, signer=signer or joined.carrier
        )

    async def settle(self) -> Progress:
        return await self.joined.settle(self.relayer, steps=2)

    async def wait(self, seconds: int) -> None:
        await self.joined.pass_time(seconds)
        self.now += seconds


class Looks:
    """Counts how often a ledger's claims are read."""

    def __init__(self, at: EvmLedger, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        claims = at.clients.claims

        async def counted(account: bytes, most: int) -> list[Claim]:
            self.count += 1
            return await claims(account, most)

        monkeypatch.setattr(at.clients, "claims", counted)


async def test_packets_wait_for_a_claim_that_the_relayer_made_to_stand(
    joined: Joined, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = joined.a, joined.b
    clients = [await optimistic_client(joined, here) for here in (a, b)]
    _, on_b = await joined.join(*clients)
    before = (await a.coins.balance(Account(a.id, joined.carrier.account))).units
    patient = Patient(joined, on_b, propose=True)
    sent = await joined.buy(on_b)
    done = await patient.settle()
    assert (done.carried, done.failures) == ([], [])
    (claim,) = await a.clients.claims(Account(a.id, clients[0]), 8)
    assert (claim.open, claim.proposer) == (True, Account(a.id, joined.carrier.account))
    await patient.wait(WINDOW // 2)
    looked = Looks(a, monkeypatch)
    done = await patient.settle()
    assert (done.carried, done.failures, looked.count) == ([], [], 1)
    patient.now += 29
    assert ((await patient.settle()).failures, looked.count) == ([], 1)
    await patient.wait(WINDOW // 2)
    assert [each.what for each in (await patient.settle()).carried] == ["deliver"]
    # Another relayer, which makes no claims, waits for the claims of this one.
    await patient.wait(60)
    await patient.settle()
    await patient.wait(WINDOW)
    another = Patient(joined, on_b, propose=False, signer=joined.alice)
    assert [each.what for each in (await another.settle()).carried] == ["acknowledge"]
    assert (await b.market.purchase(sent.purchase)).state is PurchaseState.COMPLETED
    # With its next claim it gets the bond of the first back.
    await joined.buy(on_b, "1.1.0")
    await patient.settle()
    assert [each.open for each in await a.clients.claims(Account(a.id, clients[0]), 8)] == [
        False,
        True,
    ]
    assert (
        before - 2 * BOND
        < (await a.coins.balance(Account(a.id, joined.carrier.account))).units
        < before - BOND
    )


async def test_a_timeout_waits_for_a_claim_of_absence(joined: Joined) -> None:
    clients = [await optimistic_client(joined, here) for here in (joined.a, joined.b)]
    _, on_b = await joined.join(*clients)
    patient = Patient(joined, on_b, propose=True)
    sent = [await joined.buy(on_b, version, 60) for version in ("1.0.0", "1.1.0")]
    await patient.wait(120)
    assert [each.what for each in (await patient.settle()).carried] == []
    await patient.wait(WINDOW)
    assert [(e.what, e.packets) for e in (await patient.settle()).carried] == [("time out", 2)]
    for each in sent:
        purchase = await joined.b.market.purchase(each.purchase)
        assert purchase.state is PurchaseState.REFUNDED


async def test_a_claim_that_is_not_what_the_source_shows_is_not_used(joined: Joined) -> None:
    a = joined.a
    clients = [await optimistic_client(joined, here) for here in (a, joined.b)]
    _, on_b = await joined.join(*clients)
    await joined.buy(on_b)
    final = await joined.b.finalized()
    forged = Claim(0, final.height - 1, final.height, final.time, 1, b"\7" * 32, 0, True, False)
    await a.submit(await a.clients.propose(Account(a.id, clients[0]), forged), joined.carrier)
    patient = Patient(joined, on_b, propose=False)
    await patient.wait(WINDOW)
    assert [each.what for each in (await patient.settle()).carried] == []
    honest = Patient(joined, on_b, propose=True)
    await honest.settle()
    await honest.wait(WINDOW)
    assert [each.what for each in (await honest.settle()).carried] == ["deliver"]


async def test_a_composite_waits_for_its_optimistic_member(joined: Joined) -> None:
    clients = []
    for here in (joined.a, joined.b):
        members = [await optimistic_client(joined, here), await joined.committee_client(here)]
        clients.append(await joined.composite(here, 2, members))
    _, on_b = await joined.join(*clients)
    patient = Patient(joined, on_b, propose=True)
    await joined.buy(on_b)
    done = await patient.settle()
    assert (done.carried, done.failures) == ([], [])
    await patient.wait(WINDOW)
    assert [each.what for each in (await patient.settle()).carried] == ["deliver"]


# --- several relayers ---------------------------------------------------------------------------


class Competitors:
    """Two relayers of one route that always look at the same moment."""

    def __init__(self, joined: Joined, client_id: str, *, turns: bool) -> None:
        self.now = 0.0
        signers = [joined.carrier, joined.alice]
        accounts = [Account(joined.b.id, signer.account) for signer in signers]

        def only(source: LedgerId, route: Route) -> RoutePolicy:
            return RoutePolicy(carry=(source, route.client_id) == (joined.b.id, client_id))

        self.relayers = [
            joined.relayer(
                signer=signer,
                clock=lambda: self.now,
                policy=Policy(
                    route=only,
                    turns={joined.b.id: RelayerSchedule(me, accounts, clock=lambda: self.now)}
                    if turns
                    else {},
                ),
            )
            for signer, me in zip(signers, accounts, strict=True)
        ]
        self.ledgers = [joined.a, joined.b]
        self.carried: list[Carried] = []
        self.reverted = 0

    async def carry(self, seconds: int) -> None:
        for _ in range(0, seconds, 10):
            self.now += 10
            for done in await asyncio.gather(*(each.step() for each in self.relayers)):
                self.carried += done.carried
                self.reverted += len(done.failures)

    async def wasted(self) -> int:
        """How often a packet was carried that had been carried already."""
        return sum([await _skipped(each) for each in self.ledgers], self.reverted)


async def _skipped(ledger: EvmLedger) -> int:
    gateway = ledger.deployment.contracts["gateway"]
    interface = artifact("Gateway").interface
    events = EventReader(ledger.chain, {gateway: interface})
    topic = interface.events["PacketSkipped"].topic
    head = await ledger.chain.head_height()
    return len(await events.events([gateway], [topic], ledger.deployed_at, head))


@pytest.mark.parametrize("turns", [True, False])
async def test_two_relayers_of_one_route_waste_gas_unless_they_take_turns(
    joined: Joined, turns: bool
) -> None:
    clients = [await joined.committee_client(here) for here in (joined.a, joined.b)]
    _, on_b = await joined.join(*clients)
    both = Competitors(joined, on_b, turns=turns)
    sent = []
    for minor in range(6):
        sent.append(await joined.buy(on_b, f"1.{minor}.0"))
        await both.carry(20)
    await both.carry(180)
    for each in sent:
        purchase = await joined.b.market.purchase(each.purchase)
        assert purchase.state is PurchaseState.COMPLETED
    wasted = await both.wasted()
    assert wasted == 0 if turns else wasted >= 6
