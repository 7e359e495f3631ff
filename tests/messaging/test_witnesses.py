"""A validator with several nodes of a ledger signs what none of them contradicts."""

import asyncio
from pathlib import Path

import pytest
from world import Chain, NodeView, World, sequence_of

from caimi.errors.base import CaimiError
from caimi.errors.messaging import (
    EndpointsDisagree,
    LedgerReorganised,
    NotFinal,
    RangeTooLarge,
    ReceivedAfterAll,
    SigningStopped,
    TooFewEndpoints,
)
from caimi.ledgers.port import LedgerId
from caimi.messaging.validator import Validator
from caimi.messaging.witnesses import Witnesses


class Watched:
    """A validator whose ledger A is seen through three nodes, and the alarms that it raised."""

    def __init__(self, world: World, quorum: int | None = None) -> None:
        self.chain: Chain = world.chains[0]
        self.nodes = {name: NodeView(self.chain) for name in ("one", "two", "three")}
        self.alarms: list[tuple[LedgerId, CaimiError]] = []
        self.validator = Validator(
            world.signers[0],
            world.committee,
            {self.chain.id: Witnesses(self.nodes, quorum)},
            world.stores[0],
            alarm=lambda ledger, error: self.alarms.append((ledger, error)),
        )

    async def attest(self):
        return await self.validator.attest(self.chain.id, 0, self.chain.final_height)


@pytest.fixture
def watched(world: World) -> Watched:
    a, b = world.chains
    a.send(b)
    a.send(b)
    world.finalize()
    return Watched(world)


async def test_nodes_that_agree_are_believed(watched: Watched) -> None:
    assert (await watched.attest()).statement.size == 3
    assert watched.alarms == []


@pytest.mark.parametrize("lie", ["time", "hash", "left out", "forged"])
async def test_a_contradiction_is_not_signed_and_names_who_said_what(
    watched: Watched, lie: str, world: World
) -> None:
    node = watched.nodes["two"]
    node.covers_up = True
    if lie == "time":
        node.time_shift = 1
    elif lie == "hash":
        fork = Chain(world, watched.chain.number, 2)
        fork.blocks, fork.states = list(watched.chain.blocks), list(watched.chain.states)
        fork.reorg(3)
        node.chain = fork
    elif lie == "left out":
        node.omits = lambda entry: sequence_of(entry) == 2
    else:
        a, b = world.chains
        forked = Chain(world, 12, 2)
        forked.routes = a.routes
        forked.send(b)
        forked.send(b, value=b"forged")
        node.omits = lambda entry: sequence_of(entry) == 2
        node.forged = [forked.state.sent[1]]
    with pytest.raises(EndpointsDisagree, match=r"one: block 0x.*two: block 0x.*three: block"):
        await watched.attest()
    assert [(ledger, error.code) for ledger, error in watched.alarms] == [
        (watched.chain.id, "CAIMI-M022")
    ]


async def test_a_node_that_leaves_something_out_says_nothing_and_raises_no_alarm(
    watched: Watched,
) -> None:
    watched.nodes["two"].omits = lambda entry: sequence_of(entry) == 2
    with pytest.raises(TooFewEndpoints, match=r"2 of the 3 endpoints .* CAIMI-M013"):
        await watched.attest()
    assert watched.alarms == []


async def test_a_range_with_too_much_in_it_is_told_as_such_by_several_nodes_too(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("caimi.messaging.reading.MAX_FACTS", 1)
    with pytest.raises(RangeTooLarge):
        await watched.attest()
    assert watched.alarms == []


async def test_a_contradiction_about_an_earlier_block_names_what_each_says_of_it(
    watched: Watched, world: World
) -> None:
    await watched.attest()
    signed = watched.chain.final_height
    watched.chain.mine(3)
    fork = Chain(world, watched.chain.number, 2)
    fork.blocks, fork.states = list(watched.chain.blocks), list(watched.chain.states)
    fork.reorg(6)
    fork.mine(len(watched.chain.blocks) - len(fork.blocks))
    watched.nodes["two"].chain = fork
    with pytest.raises(EndpointsDisagree, match=f"one: .*, earlier block {signed} 0x.*two: .*, ea"):
        await watched.validator.attest(watched.chain.id, signed, watched.chain.final_height)


async def test_a_quorum_may_lack_members_but_never_agreement(world: World) -> None:
    world.chains[0].send(world.chains[1])
    world.finalize()
    watched = Watched(world, quorum=2)
    watched.nodes["one"].down = True
    await watched.attest()
    watched.nodes["one"].down = False
    watched.nodes["three"].time_shift = 1
    with pytest.raises(EndpointsDisagree):
        await watched.attest()
    watched.nodes["three"].time_shift = 0
    watched.nodes["one"].down = watched.nodes["two"].down = True
    with pytest.raises(TooFewEndpoints, match="1 of the 2 endpoints"):
        await watched.attest()


async def test_a_node_that_lags_is_waited_for_and_raises_no_alarm(watched: Watched) -> None:
    watched.nodes["three"].behind = 1
    with pytest.raises(NotFinal, match="2 of the 3 endpoints"):
        await watched.attest()
    assert watched.alarms == []
    watched.nodes["three"].behind = 0
    await watched.attest()


async def test_one_of_several_nodes_down_stops_a_validator_that_wants_all(
    watched: Watched,
) -> None:
    watched.nodes["two"].down = True
    with pytest.raises(TooFewEndpoints):
        await watched.attest()
    assert watched.alarms == []


async def test_absences_are_judged_by_every_node(world: World) -> None:
    a, b = world.chains
    packet = b.send(a)
    await world.settle(world.relayer())
    watched = Watched(world)
    name, height = (packet.dest_client, 1), a.final_height
    with pytest.raises(ReceivedAfterAll):
        await watched.validator.attest_absence(a.id, height, [name])
    hiding = watched.nodes["one"]

    async def nothing(packets, at=None):
        return [False for _ in packets]

    hiding.receipts = nothing  # type: ignore[method-assign]
    with pytest.raises(EndpointsDisagree, match=r"0 of 1 received.*1 of 1 received"):
        await watched.validator.attest_absence(a.id, height, [name])
    assert len(watched.alarms) == 1


@pytest.mark.parametrize("quorum", [0, 1, 4])
def test_an_impossible_or_lonely_quorum_is_refused(world: World, quorum: int) -> None:
    with pytest.raises(TooFewEndpoints):
        Watched(world, quorum)


def test_nodes_of_two_ledgers_are_no_witnesses_of_one(world: World) -> None:
    a, b = world.chains
    with pytest.raises(TooFewEndpoints):
        Witnesses({"a": NodeView(a), "b": NodeView(b)})
    with pytest.raises(TooFewEndpoints):
        Witnesses({})


async def test_a_block_that_changes_while_it_is_read_is_not_signed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = world.chains
    a.send(b)
    world.finalize()
    node = world.nodes[0][a.id]
    traffic = node.whole_traffic

    async def reorganising(start: int, end: int):
        found = await traffic(start, end)
        a.reorg(3)
        return found

    monkeypatch.setattr(node, "whole_traffic", reorganising)
    with pytest.raises(NotFinal, match="was replaced while"):
        await world.doors[0].validator.attest(a.id, 0, a.final_height)


async def test_a_reorganisation_of_blocks_nobody_signed_is_harmless(watched: Watched) -> None:
    await watched.attest()
    watched.chain.reorg(2)
    watched.chain.mine(2)
    await watched.validator.look_back()
    await watched.attest()
    assert watched.alarms == []


async def test_a_reorganisation_below_what_was_signed_stops_signing_until_cleared(
    watched: Watched, world: World
) -> None:
    height = watched.chain.final_height
    await watched.attest()
    watched.chain.reorg(4)
    watched.chain.mine(3)
    # Even a range that was never signed is not signed on another fork.
    with pytest.raises(LedgerReorganised, match=f"Block {height} of"):
        await watched.validator.attest(watched.chain.id, height, height + 1)
    for _ in range(2):
        with pytest.raises(SigningStopped):
            await watched.attest()
    assert list(await watched.validator.stopped()) == [watched.chain.id]
    assert [error.code for _, error in watched.alarms] == ["CAIMI-M020"]
    world.stores[0].clear(next(iter(watched.validator._ledgers.values())).origin)
    await watched.validator.attest(watched.chain.id, height, height + 1)


async def test_no_absence_is_signed_on_another_fork_than_what_was_signed(watched: Watched) -> None:
    height = watched.chain.final_height
    await watched.attest()
    watched.chain.reorg(4)
    watched.chain.mine(3)
    with pytest.raises(LedgerReorganised, match=f"Block {height} of"):
        await watched.validator.attest_absence(watched.chain.id, height + 1, [("caimi-10-11", 9)])
    assert [error.code for _, error in watched.alarms] == ["CAIMI-M020"]


async def test_looking_back_finds_a_reorganisation_before_anyone_asks(watched: Watched) -> None:
    await watched.attest()
    watched.chain.reorg(4)
    watched.chain.mine(3)
    await watched.validator.look_back()
    assert [error.code for _, error in watched.alarms] == ["CAIMI-M020"]
    await watched.validator.look_back()
    assert len(watched.alarms) == 1


async def test_looking_back_waits_for_nodes_that_are_down(watched: Watched, tmp_path: Path) -> None:
    await watched.validator.look_back()
    await watched.attest()
    watched.nodes["one"].down = True
    await watched.validator.look_back()
    assert watched.alarms == []
    await asyncio.sleep(0)
