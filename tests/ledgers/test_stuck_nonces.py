"""Whoever sends after a process that died, gave up or was undone is not held up for ever.

A simulated ledger whose mempool loses transactions, whose blocks are replaced and whose fees rise,
senders that are killed between any two requests, and the production sender. At the end, when all
is calm, a fresh process gets its transaction through, and nothing took effect twice.
"""

from __future__ import annotations

import asyncio
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_site import MemoryOutbox

from caimi.errors.base import CaimiError
from caimi.ledgers.evm.abi.calls import EvmCall, nothing
from caimi.ledgers.evm.rpc.logs import EventReader
from caimi.ledgers.evm.transactions.fees import GWEI, FeePolicy
from caimi.ledgers.evm.transactions.nonces import Nonces
from caimi.ledgers.evm.transactions.sender import Patience, Sender
from caimi.ledgers.port import Call, LedgerId
from faults.chain import Chain
from faults.genesis import Key, connect
from faults.node import NodeFaults
from faults.process import Killed, Process
from faults.virtual_time import VirtualLoop, run

PATIENCE = Patience(
    stuck_after=60.0, give_up_after=240.0, displaced_after=30.0, first_look=2.0, longest_look=8.0
)
CAP = FeePolicy().cap
KEY = Key("sender")
steps = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.booleans()),
        st.tuples(st.just("wait"), st.integers(1, 90)),
        st.tuples(st.just("die"), st.integers(1, 12)),
        st.tuples(st.just("reorganise"), st.floats(0, 1)),
        st.tuples(st.just("fee"), st.sampled_from([GWEI, 40 * GWEI, CAP // 3])),
        st.tuples(st.just("lose"), st.none()),
    ),
    max_size=12,
)


class Lives:
    """One account on one ledger, and the processes that send from it, one after another."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.chain = Chain(7, loop.time)
        self.chain.depth = 3
        self.chain.due = self.chain.interval
        self.chain.rng = Random(1)
        for _ in range(8):
            self.chain._make(0.0)
        self.chain.freeze()
        for machine in (self.chain.head_machine, self.chain.past_machine):
            machine.fund(KEY.account, 10**24)
        self.outbox = MemoryOutbox()
        self.written: list[int] = []
        self.sent = 0
        self.running: list[asyncio.Task[None]] = []
        self.begin()

    def begin(self, fuse: int | None = None) -> None:
        """A new process, which knows nothing of the one before but its outbox."""
        process = Process("sender", fuse)
        chain = connect(self.chain, process, NodeFaults(), Random(1))
        self.process = process
        self.sender = Sender(chain, EventReader(chain, {}), patience=PATIENCE, clock=self.chain.now)

    @staticmethod
    def recipient(number: int) -> bytes:
        return b"\xee" * 16 + number.to_bytes(4)

    def effects(self, number: int) -> int:
        return self.chain.head_machine.balance(self.recipient(number))

    def call(self, number: int) -> Call[None]:
        return EvmCall(
            LedgerId("eip155:7"), f"Sending {number}", self.recipient(number), b"", 1, nothing
        )

    async def send(self, number: int, *, written: bool) -> None:
        outbox = self.outbox if written else None
        await self.sender.submit(self.call(number), KEY, outbox, f"k{number}-")

    async def attempt(self, number: int, *, written: bool) -> None:
        try:
            await self.send(number, written=written)
        except (CaimiError, Killed):
            return

    async def do(self, what: str, how: object) -> None:
        match what:
            case "send":
                self.sent += 1
                if how:
                    self.written.append(self.sent)
                work = self.attempt(self.sent, written=bool(how))
                self.running.append(asyncio.create_task(work))
                await asyncio.sleep(0.1)
            case "wait":
                await asyncio.sleep(float(how))  # type: ignore[arg-type]
            case "die":
                self.process.fuse = int(how)  # type: ignore[call-overload]
                await asyncio.sleep(5)
                self.process.alive = False
                self.begin()
            case "reorganise":
                self.chain.reorganise(self.chain.depth, float(how))  # type: ignore[arg-type]
            case "fee":
                self.chain.base_fee = int(how)  # type: ignore[call-overload]
            case "lose":
                self.chain.pool.clear()


async def live(loop: VirtualLoop, happened: list[tuple[str, object]]) -> Lives:
    lives = Lives(loop)
    for what, how in happened:
        await lives.do(what, how)
    lives.process.alive = False
    for task in lives.running:
        task.cancel()
    await asyncio.gather(*lives.running, return_exceptions=True)
    lives.begin()
    return lives


@given(steps)
@settings(max_examples=120)
def test_a_fresh_process_is_never_held_up_and_nothing_takes_effect_twice(
    happened: list[tuple[str, object]],
) -> None:
    async def play(loop: VirtualLoop) -> None:
        lives = await live(loop, happened)
        last = lives.sent + 1
        for number in (*lives.written, last):
            # Way is made for two nonces at least in each waiting time.
            for _ in range(1 + last // 2):
                await lives.attempt(number, written=True)
                if lives.effects(number):
                    break
        assert lives.effects(last) == 1
        assert [lives.effects(number) for number in lives.written] == [1] * len(lives.written)
        assert all(lives.effects(number) <= 1 for number in range(1, last + 1))

    run(play)


def play(*happened: tuple[str, object]) -> Lives:
    """Play what happened, and then a fresh process that sends once."""

    async def main(loop: VirtualLoop) -> Lives:
        lives = await live(loop, list(happened))
        await lives.send(99, written=False)
        return lives

    return run(main)


def test_a_nonce_that_a_reorganisation_gave_back_and_nobody_knows_is_taken() -> None:
    # As in the schedule of seed 701153: the second life's transaction waits behind the first's,
    # which was included, undone and lost, and which nobody alive has ever seen.
    lives = play(
        ("send", False),
        ("wait", 13),
        ("die", 1),
        ("send", False),
        ("reorganise", 1.0),
    )
    assert lives.effects(99) == 1


def test_a_dead_process_transaction_below_the_base_fee_is_replaced() -> None:
    lives = play(("send", False), ("die", 1), ("fee", CAP // 3))
    assert lives.effects(99) == 1
    assert lives.effects(1) == 0


def test_a_transaction_that_was_given_up_here_is_replaced_as_well() -> None:
    async def main(loop: VirtualLoop) -> int:
        lives = Lives(loop)
        lives.chain.base_fee = CAP // 3
        await lives.do("send", False)
        lives.running[0].cancel()
        lives.chain.base_fee = CAP - 2 * GWEI
        await lives.send(99, written=False)
        return lives.effects(99)

    assert run(main) == 1


def test_what_somebody_here_still_follows_is_left_to_them() -> None:
    async def main(loop: VirtualLoop) -> list[int]:
        lives = Lives(loop)
        await lives.do("send", False)
        await lives.do("send", False)
        lives.chain.base_fee = 30 * GWEI
        await asyncio.gather(*lives.running)
        assert len(lives.chain.sent[KEY.account]) == 2
        return [lives.effects(1), lives.effects(2)]

    assert run(main) == [1, 1]


def nonces() -> Nonces:
    return Nonces(connect(Chain(7, lambda: 0.0), Process("sender"), NodeFaults(), Random(1)))


def test_way_is_made_only_where_nobody_follows_and_after_the_patience() -> None:
    kept = nonces()
    with kept.following(b"a", 5), kept.following(b"a", 5):
        assert not kept.may_make_way(b"a", 5, 0, 60)
        assert not kept.may_make_way(b"a", 5, 1_000, 60)
    assert not kept.may_make_way(b"a", 5, 2_000, 60)
    assert not kept.may_make_way(b"a", 5, 2_059, 60)
    assert not kept.may_make_way(b"b", 5, 2_059, 60)  # another account
    assert kept.may_make_way(b"a", 5, 2_060, 60)


def test_way_is_made_once_in_a_waiting_time_and_at_once_for_the_next() -> None:
    kept = nonces()
    assert not kept.may_make_way(b"a", 5, 0, 60)
    assert kept.may_make_way(b"a", 5, 60, 60)
    assert not kept.may_make_way(b"a", 5, 61, 60)
    assert kept.may_make_way(b"a", 6, 62, 60)
    assert not kept.may_make_way(b"a", 8, 63, 60)  # 7 moved by itself: somebody is alive
    assert not kept.may_make_way(b"a", 8, 122, 60)
    assert kept.may_make_way(b"a", 8, 123, 60)
