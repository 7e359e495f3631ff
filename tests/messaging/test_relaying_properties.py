"""Every packet ends, and takes effect at most once, whatever happens in between."""

import asyncio
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from chains import sequence_of
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from world import World

from caimi.ibc.path import Path as IbcPath
from caimi.ledgers.port import FINAL

CHAIN = st.integers(0, 1)
RELAYER = st.integers(0, 1)


class Relaying(RuleBasedStateMachine):
    """Two ledgers, two relayers, three validators of whom one may be down."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._loop = asyncio.new_event_loop()
        self.world = World(Path(self._folder.name))
        for chain in self.world.chains:
            chain.most_packets = 2  # less than a relayer's batch
        self.views = [self.world.views() for _ in range(2)]
        self.relayers = [self.world.relayer(views=views, batch=3) for views in self.views]

    def teardown(self) -> None:
        try:
            self._everything_ends_once_the_world_is_calm()
        finally:
            self.world.close()
            self._loop.close()
            self._folder.cleanup()

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._loop.run_until_complete(work)

    @rule(
        chain=CHAIN,
        lasts=st.integers(2, 600),
        value=st.sampled_from([b"ok", b"fail"]),
        count=st.integers(1, 5),
    )
    def send(self, chain: int, lasts: int, value: bytes, count: int) -> None:
        for _ in range(count):
            self.world.chains[chain].send(self.world.chains[1 - chain], value=value, lasts=lasts)

    @rule(which=RELAYER)
    def step(self, which: int) -> None:
        self._run(self.relayers[which].step())

    @rule(which=RELAYER)
    def what_is_there_becomes_final_and_is_carried(self, which: int) -> None:
        self._run(self.world.settle(self.relayers[which], steps=1))

    @rule(which=RELAYER, chain=CHAIN)
    def an_ending_is_undone(self, which: int, chain: int) -> None:
        self.send(chain, 600, b"ok", 1)
        self._run(self.world.settle(self.relayers[which], steps=2))
        self._run(self.relayers[which].step())
        self.world.chains[chain].reorg(2)

    @rule()
    def both_step_at_once(self) -> None:
        async def both() -> None:
            await asyncio.gather(*(relayer.step() for relayer in self.relayers))

        self._run(both())

    @rule(which=RELAYER)
    def restart(self, which: int) -> None:
        self.relayers[which] = self.world.relayer(views=self.views[which], batch=3)

    @rule(which=RELAYER, chain=CHAIN, calls=st.integers(1, 6))
    def calls_fail(self, which: int, chain: int, calls: int) -> None:
        self.views[which][self.world.chains[chain].id].fails_next = calls

    @rule(which=RELAYER, chain=CHAIN, blocks=st.integers(0, 8))
    def a_relayers_node_lags(self, which: int, chain: int, blocks: int) -> None:
        self.views[which][self.world.chains[chain].id].behind = blocks

    @rule(which=RELAYER, chain=CHAIN, left_out=st.sets(st.integers(1, 12)))
    def a_relayers_node_leaves_out_events(self, which: int, chain: int, left_out: set[int]) -> None:
        node = self.views[which][self.world.chains[chain].id]
        node.omits = lambda entry: sequence_of(entry) in left_out

    @rule(place=st.integers(0, 2), chain=CHAIN, blocks=st.integers(0, 8))
    def a_validators_node_lags(self, place: int, chain: int, blocks: int) -> None:
        self.world.nodes[place][self.world.chains[chain].id].behind = blocks

    @rule(place=st.integers(-1, 2))
    def one_validator_is_down(self, place: int) -> None:
        for index, door in enumerate(self.world.doors):
            door.down = index == place

    @rule(chain=CHAIN, blocks=st.integers(1, 12))
    def blocks_come(self, chain: int, blocks: int) -> None:
        self.world.chains[chain].mine(blocks)

    @rule(seconds=st.integers(1, 900))
    def time_passes(self, seconds: int) -> None:
        self.world.pass_time(seconds)

    @rule(chain=CHAIN, depth=st.integers(1, 2))
    def the_newest_blocks_are_undone(self, chain: int, depth: int) -> None:
        self.world.chains[chain].reorg(depth)

    @invariant()
    def no_packet_takes_effect_twice_or_after_a_refund(self) -> None:
        for source, dest in (self.world.chains, self.world.chains[::-1]):
            assert all(count == 1 for count in dest.state.effects.values())
            route = source.client_to(dest)
            for (client, sequence), how in source.state.ended.items():
                assert client == route.client_id
                happened = (route.counterparty_client_id, sequence) in dest.state.effects
                assert not (happened and how == "timed out")

    def _everything_ends_once_the_world_is_calm(self) -> None:
        for views in (*self.views, *self.world.nodes):
            for node in views.values():
                node.behind = node.fails_next = 0
                node.omits = lambda entry: False
        for door in self.world.doors:
            door.down = False
        for chain in range(2):  # what a node left out at the end shows by what comes after it
            self.send(chain, 600, b"ok", 1)
        for _ in range(6):
            self.world.pass_time(1_200)
            self._run(self.world.settle(self.relayers[0], steps=3))
        for chain in self.world.chains:
            final = chain.final_state
            names = {(e.packet.source_client, e.packet.sequence) for e in chain.state.sent}
            assert set(final.ended) == names
            paths = [IbcPath.commitment(*name) for name in names]
            (kept,) = {*self._run(chain.ledger.gateway.commitments(paths, FINAL)), bytes(32)}
            assert kept == bytes(32)
        for known in self.relayers[0]._open.values():
            assert (known.sent, known.written) == ({}, {})
        assert len(self.relayers[0]._backlog.retries) == 0
        self.no_packet_takes_effect_twice_or_after_a_refund()


Relaying.TestCase.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
TestRelaying = Relaying.TestCase
