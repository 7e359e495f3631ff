"""What an operator's policy makes of relaying: routes, fees, prices, batches and turns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from chains import Chain
from hypothesis import given
from hypothesis import strategies as st
from world import RELAYER, World

from caimi.errors.ledgers import FeeAboveCap
from caimi.errors.messaging import InvalidTurns
from caimi.ibc.commitments import acknowledgement_commitment
from caimi.ibc.path import Path
from caimi.ledgers.port import Account, LedgerId, RelayFee
from caimi.messaging.policy import Policy, RoutePolicy
from caimi.messaging.proof import SignedStatement
from caimi.messaging.provers.choice import prover_for
from caimi.messaging.turns import RelayerSchedule
from caimi.messaging.validator import read_tree
from memory_ledger import Wallet

ME, OTHER = RELAYER, Wallet(b"other")
HERE = LedgerId("local:here")


def every_route(policy: RoutePolicy) -> Policy:
    return Policy(route=lambda source, route: policy)


def effects(chain: Chain) -> int:
    return sum(chain.state.effects.values())


# --- routes and fees ----------------------------------------------------------------------------


async def test_a_denied_route_is_left_to_others_and_the_rest_is_carried(world: World) -> None:
    a, b = world.chains
    a.send(b)
    b.send(a)
    policy = Policy(route=lambda source, route: RoutePolicy(carry=source != a.id))
    await world.settle(world.relayer(policy=policy))
    assert (effects(a), effects(b)) == (1, 0)
    await world.settle(world.relayer())
    assert (effects(a), effects(b)) == (1, 1)


async def test_only_what_pays_this_relayer_enough_is_carried(world: World) -> None:
    a, b = world.chains
    cheap, paid, others, free = (a.send(b) for _ in range(4))
    a.escrow(cheap, ME.account, 999)
    a.escrow(paid, ME.account, 500)
    a.escrow(paid, ME.account, 500, payer=b"another")
    a.escrow(others, OTHER.account, 5_000)
    await world.settle(world.relayer(policy=every_route(RoutePolicy(minimum_fee=1_000))))
    assert b.state.effects == {(paid.dest_client, paid.sequence): 1}
    assert a.state.ended == {(paid.source_client, paid.sequence): "acknowledged"}
    a.escrow(free, ME.account, 1_000)
    await world.settle(world.relayer(policy=every_route(RoutePolicy(minimum_fee=1_000))))
    assert effects(b) == 2


async def test_fees_are_collected_once_the_packets_ended_acknowledged(world: World) -> None:
    a, b = world.chains
    packets = [a.send(b, value=value) for value in (b"ok", b"fail", b"ok")]
    for packet in packets:
        a.escrow(packet, ME.account, 10**6)
    a.escrow(packets[0], ME.account, 10**6, payer=b"another")
    relayer = world.relayer()
    done = await world.settle(relayer, steps=12)
    assert done.failures == []
    assert a.state.earned == {ME.account: 4 * 10**6}
    assert sum(each.income for each in done.carried) == 4 * 10**6
    assert [each.packets for each in done.carried if each.what == "collect"] == [3, 1]
    assert not relayer._open[a.id].fees
    assert not relayer._open[b.id].written


async def test_a_fee_of_a_packet_that_timed_out_is_not_collected_and_forgotten(
    world: World,
) -> None:
    a, b = world.chains
    packet = a.send(b, lasts=60)
    a.escrow(packet, ME.account, 10**6)
    world.pass_time(61)
    relayer = world.relayer()
    done = await world.settle(relayer, steps=8)
    assert a.state.ended == {(packet.source_client, 1): "timed out"}
    assert "collect" not in {each.what for each in done.carried}
    assert not relayer._open[a.id].fees


async def test_a_ledger_without_fees_is_relayed_for_nothing(world: World) -> None:
    a, b = world.chains
    packet = a.send(b)
    a.escrow(packet, ME.account, 10**6)
    views = world.views()
    for view in views.values():
        view.fees = None
    relayer = world.relayer(views=views)
    done = await world.settle(relayer, steps=8)
    assert done.failures == []
    assert {each.what for each in done.carried} == {"deliver", "acknowledge"}


async def test_fees_that_are_less_than_collecting_costs_wait_for_more(world: World) -> None:
    a, b = world.chains
    a.work_price = 100
    for _ in range(2):
        a.escrow(a.send(b), ME.account, 100 * 100_000)
    relayer = world.relayer()
    await world.settle(relayer, steps=8)
    assert not a.state.earned
    for _ in range(3):
        a.escrow(a.send(b), ME.account, 100 * 100_000)
    await world.settle(relayer, steps=8)
    assert a.state.earned == {ME.account: 5 * 100 * 100_000}


@pytest.mark.parametrize("count", [1, 4, 7])
@pytest.mark.parametrize("more", [0, 1])
async def test_fees_are_collected_when_they_are_more_than_all_of_it_costs(
    world: World, count: int, more: int
) -> None:
    a, b = world.chains
    a.work_price = 1
    each, costs = 50_000 + 150_000 // count + 1, 150_000 + count * 50_000
    last = costs - (count - 1) * each + more
    for amount in [*[each] * (count - 1), last]:
        a.escrow(a.send(b), ME.account, amount)
    await world.settle(world.relayer(), steps=8)
    assert a.state.earned == ({ME.account: costs + 1} if more else {})


@pytest.mark.parametrize("propose", [True, False])
async def test_claims_are_made_only_where_the_policy_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch, propose: bool
) -> None:
    a, b = world.chains
    seen = []

    class Looking:
        def __init__(self, client) -> None:
            self._prover = prover_for(client)

        async def membership(self, case, *rest):
            seen.append(case.proposer)
            return await self._prover.membership(case, *rest)

        def __getattr__(self, name):
            return getattr(self._prover, name)

    monkeypatch.setattr("caimi.messaging.execution.prover_for", Looking)
    a.send(b)
    await world.settle(world.relayer(policy=every_route(RoutePolicy(propose=propose))))
    assert seen
    assert all((proposer is not None) is propose for proposer in seen)


async def test_a_restarted_relayer_collects_what_it_earned_before(world: World) -> None:
    a, b = world.chains
    packet = a.send(b)
    await world.settle(world.relayer(), steps=1)
    a.escrow(packet, ME.account, 10**6)
    a.work_price = 1_000  # nothing is worth collecting yet
    await world.settle(world.relayer(), steps=8)
    assert a.state.ended
    assert not a.state.earned
    a.work_price = 1
    await world.settle(world.relayer())
    assert a.state.earned == {ME.account: 10**6}


async def test_a_fee_whose_event_a_node_left_out_is_noticed_later(world: World) -> None:
    a, b = world.chains
    a.escrow(a.send(b), ME.account, 1_000)
    views = world.views()
    relayer = world.relayer(views=views, policy=every_route(RoutePolicy(minimum_fee=1_000)))
    views[a.id].omits = lambda entry: isinstance(entry, RelayFee)
    await world.settle(relayer)
    assert effects(b) == 0
    views[a.id].omits = lambda entry: False
    await world.settle(relayer)
    assert effects(b) == 1


async def test_who_collects_for_a_relayer_early_does_not_keep_it_from_finishing(
    world: World,
) -> None:
    a, b = world.chains
    a.escrow(a.send(b), ME.account, 1_000)
    relayer = world.relayer(policy=every_route(RoutePolicy(minimum_fee=1_000)))
    await world.settle(relayer, steps=1)
    assert effects(b) == 1
    await collect_for(ME.account, world)  # anyone may claim for anyone
    assert a.state.earned == {ME.account: 1_000}
    done = await world.settle(relayer)
    assert len(a.state.ended) == 1
    assert not done.failures
    assert "collect" not in {each.what for each in done.carried}


async def collect_for(relayer: bytes, world: World) -> None:
    """Claim the first fee set aside for a relayer, as anybody else."""
    a, b = world.chains
    world.finalize()
    escrowed = await a.ledger.fees.escrowed(Account(a.id, relayer), 0, a.height)
    (fee, *_), (answer,) = escrowed, b.state.written
    said = [await door.validator.attest(b.id, 0, b.final_height) for door in world.doors[:2]]
    places = {world.committee.members.index(each.signer()): each.signature for each in said}
    tree = await read_tree(b.ledger.gateway, 0, await b.ledger.block(b.final_height))
    key = Path.acknowledgement(answer.dest_client, answer.sequence).key
    proof = SignedStatement(said[0].statement, places).prove(tree, [key])
    value = acknowledgement_commitment(answer.acknowledgements)
    call = a.ledger.fees.claim(fee.client_id, [fee], [value], proof.data)
    await a.ledger.submit(call, a.enrol(Wallet(b"stranger")))


# --- prices and batches -------------------------------------------------------------------------


async def test_nothing_is_sent_while_work_costs_more_than_the_cap(world: World) -> None:
    a, b = world.chains
    a.send(b)
    b.send(a)
    b.work_price = 101
    relayer = world.relayer(policy=Policy(price_caps={b.id: 100}))
    await world.settle(relayer)
    assert (effects(a), effects(b)) == (1, 0)
    world.finalize()
    assert (await relayer.step()).capped == {b.id}
    b.work_price = 100
    await world.settle(relayer, steps=1)
    assert effects(b) == 1


async def test_a_price_that_rises_while_sending_is_looked_at_again_soon(world: World) -> None:
    a, b = world.chains
    a.send(b)
    views = world.views()

    async def dear() -> None:
        raise FeeAboveCap("101 wei a gas; the cap is 100.")

    relayer = world.relayer(views=views)
    world.finalize()
    for _ in range(3):  # waits do not grow
        views[b.id].before_submit = dear
        done = await relayer.step()
        assert (done.capped, done.failures) == ({b.id}, [])
        world.pass_time(15)
    views[b.id].before_submit = dear
    assert (await relayer.step()).capped
    for seconds, delivered in ((0, 0), (15, 1)):
        world.pass_time(seconds)
        await relayer.step()
        assert effects(b) == delivered


async def test_a_partial_batch_waits_for_its_time_and_a_full_one_does_not(world: World) -> None:
    a, b = world.chains
    relayer = world.relayer(policy=every_route(RoutePolicy(packets=3, wait_seconds=100)))
    for _ in range(4):
        a.send(b)
    await world.settle(relayer, steps=1)
    assert (effects(b), b.transactions) == (3, 1)
    world.pass_time(90)
    await world.settle(relayer, steps=1)
    assert effects(b) == 3
    world.pass_time(10)
    await world.settle(relayer, steps=1)
    assert effects(b) == 4


async def test_a_packet_that_is_about_to_expire_waits_for_no_others(world: World) -> None:
    a, b = world.chains
    a.send(b, lasts=500)
    policy = every_route(RoutePolicy(packets=3, wait_seconds=300))
    await world.settle(world.relayer(policy=policy), steps=1)
    assert effects(b) == 1


async def test_a_batch_is_kept_within_the_work_it_may_take(world: World) -> None:
    a, b = world.chains
    relayer = world.relayer(policy=every_route(RoutePolicy(work=2)))
    a.send(b)
    await world.settle(relayer, steps=1)  # a packet takes 1 here, as a transaction of it showed
    for _ in range(6):
        a.send(b)
    await world.settle(relayer, steps=1)
    assert (effects(b), b.transactions) == (7, 4)


# --- turns --------------------------------------------------------------------------------------


class Crowd:
    """Several relayers of one world that see the same and act at the same time."""

    def __init__(self, world: World, count: int, *, turns: bool) -> None:
        self.world = world
        signers = [Wallet(b"relayer" + bytes([97 + place])) for place in range(count)]
        now: Callable[[], float] = lambda: float(world.now)  # noqa: E731 - a clock

        def turn(me: Wallet, ledger: LedgerId) -> RelayerSchedule:
            accounts = [Account(ledger, signer.account) for signer in signers]
            mine = Account(ledger, me.account)
            return RelayerSchedule(mine, accounts, slot_seconds=30, guard_seconds=10, clock=now)

        self.relayers = [
            world.relayer(
                signer,
                policy=Policy(
                    turns={chain.id: turn(signer, chain.id) for chain in world.chains if turns}
                ),
            )
            for signer in signers
        ]

    async def work(self, seconds: int) -> None:
        for _ in range(0, seconds, 5):
            self.world.pass_time(5)
            await asyncio.gather(*(relayer.step() for relayer in self.relayers))


async def wasted(world: World, *, turns: bool) -> int:
    """How many times two relayers carried what was carried already, of 40 packets both ways."""
    a, b = world.chains
    crowd = Crowd(world, 2, turns=turns)
    for _ in range(10):
        a.send(b)
        b.send(a)
        await crowd.work(5)
    await crowd.work(120)
    assert (effects(a), effects(b)) == (10, 10)
    assert len(a.state.ended) == len(b.state.ended) == 10
    return a.state.skipped + b.state.skipped


async def test_relayers_that_take_turns_waste_nothing(world: World) -> None:
    assert await wasted(world, turns=True) == 0


async def test_relayers_that_do_not_take_turns_pay_twice(world: World) -> None:
    assert await wasted(world, turns=False) >= 20


@pytest.mark.parametrize("alive", [0, 1, 2])
async def test_a_dead_relayers_packets_are_taken_over_within_its_slots(
    world: World, alive: int
) -> None:
    a, b = world.chains
    crowd = Crowd(world, 3, turns=True)
    crowd.relayers = crowd.relayers[alive : alive + 1]
    for _ in range(12):
        a.send(b)
    await crowd.work(2 * 30 + 10 + 10)
    assert effects(b) == 12


async def test_where_a_ledger_has_no_turns_its_packets_go_at_once(world: World) -> None:
    a, b = world.chains
    accounts = [Account(a.id, each.account) for each in (ME, OTHER)]
    schedule = RelayerSchedule(accounts[0], accounts, guard_seconds=0, clock=lambda: 0.0)
    for _ in range(8):
        a.send(b)
        b.send(a)
    await world.settle(world.relayer(policy=Policy(turns={a.id: schedule})))
    assert effects(a) == 8
    assert 0 < effects(b) < 8


@given(
    st.integers(1, 9),
    st.binary(min_size=32, max_size=32),
    st.floats(0, 4e9),
    st.floats(0, 1e6),
)
def test_a_packet_is_never_two_relayers_turn_and_always_somebodys_soon(
    count: int, name: bytes, now: float, age: float
) -> None:
    accounts = [Account(HERE, bytes([place]) * 20) for place in range(count)]
    at = [now]
    turns = [RelayerSchedule(me, reversed(accounts), clock=lambda: at[0]) for me in accounts]
    assert sum(turn.mine(name, age) for turn in turns) <= 1
    at[0] += 20
    assert any(turn.mine(name, age) for turn in turns) or now % 60 > 39


def test_in_the_guard_nobody_takes_over_what_was_anothers_before() -> None:
    at = [600.0]  # where a slot begins

    accounts = [Account(HERE, each.account) for each in (ME, OTHER)]
    turns = [RelayerSchedule(me, accounts, clock=lambda: at[0]) for me in accounts]
    name = bytes(32)
    first = next(each for each in turns if each.mine(name, age=0))
    at[0] += 59
    assert first.mine(name, age=59)  # it may send now, and be included later
    (second,) = (each for each in turns if each is not first)
    at[0] += 2
    assert not second.mine(name, age=61)
    assert second.mine(name, age=1)  # what came in this slot was never another's
    at[0] += 18
    assert not second.mine(name, age=79)
    at[0] += 1
    assert second.mine(name, age=80)


def test_turns_that_cannot_be_followed_are_refused() -> None:
    me, other = (Account(HERE, each.account) for each in (ME, OTHER))
    for accounts, slot, guard in (
        ([other], 60.0, 20.0),
        ([me, me, other], 60.0, 20.0),
        ([], 60.0, 20.0),
        ([me, other], 20.0, 20.0),
        ([me, other], 20.0, -1.0),
    ):
        with pytest.raises(InvalidTurns):
            RelayerSchedule(me, accounts, slot_seconds=slot, guard_seconds=guard)
