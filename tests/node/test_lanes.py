"""No question waits for another kind, size or ledger, nor one peer for another."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from live import live
from test_node_app import fresh_node

from caimi.config import Config
from caimi.errors.messaging import NotFinal
from caimi.errors.node import AskedTooMuch, LedgerTooSlow
from caimi.keystore import LocalSigner
from caimi.messaging.pinning import Pinning
from caimi.node import lanes as lanes_module
from caimi.node.app import create_app
from caimi.node.http import service
from caimi.node.lanes import MOST_WAITING, LaneKind, Lanes, _Lane
from caimi.node.ledger_health import LedgerHealth
from caimi.node.relaying import RelayingPolicy, serve_quotes

A, B = "eip155:1", "eip155:2"


class Hanging:
    """A ledger whose node takes every question and answers none; fakes what is asked of it."""

    id = A

    def __init__(self) -> None:
        self.asked = 0
        self.answers = False

    async def check(self) -> None:
        self.asked += 1
        if not self.answers:
            await self._never()

    async def _never(self) -> None:
        for _ in range(360_000):
            await asyncio.sleep(0.01)
            if self.answers:
                return

    async def finalized(self) -> object:
        await self.check()
        return type("Block", (), {"height": 7, "time": 1_700_000_000})()

    def __getattr__(self, _name: str) -> object:
        return self

    async def __call__(self, *_args: object) -> None:
        await asyncio.sleep(3600)


class SlowForMany:
    """The witnesses of a ledger that answer questions about many blocks slowly."""

    def __init__(self) -> None:
        self.origin = bytes(32)
        self.released = False

    async def read_range(self, first: int, last: int, _pin: int | None) -> object:
        if last - first > 500:
            for _ in range(3000):
                await asyncio.sleep(0 if self.released else 0.01)
        raise NotFinal("it is slow")

    async def read_receipts(self, *_args: object) -> object:
        raise NotFinal("it is quick")


class HangingWitnesses(SlowForMany):
    """The witnesses of a ledger that never answer."""

    async def read_range(self, *_args: object) -> object:
        await asyncio.sleep(3600)

    read_receipts = read_paths = read_range


def test_long_questions_do_not_delay_others_behind_the_real_app(tmp_path: Path):
    """16 questions about 10,000 blocks once delayed an absence by 10 s."""
    node = fresh_node(tmp_path, Hanging(), LocalSigner.generate())
    slow = node.validator._ledgers[A] = SlowForMany()
    with live(create_app(node)) as port, ThreadPoolExecutor(16) as threads:
        url = f"http://127.0.0.1:{port}"
        long = {"ledger": A, "from": 0, "height": 10_000}
        asked = [
            threads.submit(httpx.post, f"{url}/v1/checkpoints", json=long, timeout=30)
            for _ in range(6)
        ]
        time.sleep(0.3)
        began = time.monotonic()
        for path, question in (
            ("absences", {"ledger": A, "height": 1, "packets": [["caimi-1-0", 1]]}),
            ("checkpoints", {"ledger": A, "from": 0, "height": 10}),
            ("checkpoints", {**long, "ledger": B}),
        ):
            answer = httpx.post(f"{url}/v1/{path}", json=question, timeout=10)
            assert answer.json()["code"] in ("CAIMI-M005", "CAIMI-M008")
        assert time.monotonic() - began < 10
        assert not any(each.done() for each in asked)
        slow.released = True


def test_a_node_whose_ledger_hangs_answers_every_question_in_its_time(tmp_path: Path):
    node = fresh_node(tmp_path, Hanging(), LocalSigner.generate())
    node.lanes = Lanes([A], seconds=0.3)
    hanging = HangingWitnesses()
    attestor = node._ibc_attestors[A]
    attestor._source, attestor._pinning = hanging, Pinning(hanging, attestor._signed)
    node.validator._ledgers[A] = hanging
    with live(create_app(node)) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as http:
        for path, question in (
            ("checkpoints", {"ledger": A, "from": 0, "height": 10}),
            ("absences", {"ledger": A, "height": 1, "packets": [["caimi-1-0", 1]]}),
            ("ibc/states", {"ledger": A, "height": 1}),
            ("ibc/packets", {"ledger": A, "height": 1, "paths": [[1, "caimi-1-0", 1]]}),
        ):
            answer = http.post(f"/v1/{path}", json=question)
            assert (answer.status_code, answer.json()["code"]) == (504, "CAIMI-N022")


def test_health_answers_at_once_though_a_ledger_hangs_and_tells_the_age_of_what_it_knows(
    tmp_path: Path,
):
    ledger = Hanging()
    node = fresh_node(tmp_path, ledger, LocalSigner.generate())
    node.validator._ledgers[A] = HangingWitnesses()
    with live(create_app(node)) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as http:
        for _ in range(2):
            began = time.monotonic()
            answer = http.get("/health", timeout=30)
            assert time.monotonic() - began < 8
            assert answer.status_code == 503
            told = answer.json()["ledgers"][A]
            assert told["error"]["code"] == "CAIMI-N022"
            assert "final" not in told
        assert ledger.asked == 1
        ledger.answers = True
        time.sleep(1.2)
        answer = http.get("/health").json()
        assert (answer["ok"], answer["ledgers"][A]["final"]) == (True, 7)
        ledger.answers = False
        time.sleep(1.2)
        told = http.get("/health", timeout=10).json()["ledgers"][A]
        assert (told["ok"], told["final"]) == (False, 7)
        assert told["seen_seconds_ago"] >= 2


async def test_health_that_is_asked_for_often_asks_the_ledger_once_a_second():
    ledger, now = Hanging(), [0.0]
    ledger.answers = True
    health = LedgerHealth({A: ledger}, lambda *_: None, lambda: now[0])
    for _ in range(20):
        assert (await health.look())[A]["ok"]
    assert ledger.asked == 2  # whether it is the right ledger, and how far it is final
    now[0] = 1.5
    await health.look()
    assert ledger.asked == 4


def test_a_quote_is_answered_in_its_time(monkeypatch):
    monkeypatch.setattr(lanes_module.Lanes.__init__, "__defaults__", (0.3,))
    app = service("CAIMI relayer", __import__("prometheus_client").CollectorRegistry())
    hanging = Hanging()
    hanging.routes = hanging.__call__
    serve_quotes(app, {}, {A: hanging}, RelayingPolicy(Config(), {}))
    with live(app) as port:
        url = f"http://127.0.0.1:{port}/v1/quote?source={A}&client=caimi-1-0"
        assert httpx.get(url, timeout=10).json()["code"] == "CAIMI-N022"


async def test_one_peer_has_half_of_a_lane_and_the_rest_go_in_turn():
    lane, order = _Lane(4), []

    async def ask(peer: str) -> None:
        await lane.enter(peer)
        order.append(peer)
        await asyncio.sleep(0.01)
        lane.leave(peer)

    await asyncio.gather(*(ask("loud") for _ in range(8)), ask("b"), ask("c"))
    assert set(order[:4]) == {"loud", "b", "c"}
    assert order[:4].count("loud") == 2


async def test_a_peer_that_asks_too_much_is_told_and_another_is_not():
    lanes = Lanes([A])
    async with lanes.take(A, LaneKind.MANY_BLOCKS, "x"):

        async def ask(peer: str) -> None:
            async with lanes.take(A, LaneKind.MANY_BLOCKS, peer):
                pass

        waiting = [asyncio.create_task(ask("x")) for _ in range(MOST_WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(AskedTooMuch):
            await ask("x")
        await ask("y")
    await asyncio.gather(*waiting)


async def test_who_waits_too_long_is_told_and_leaves_no_trace():
    lanes = Lanes([A], seconds=0.05)

    async def ask(seconds: float) -> None:
        async with lanes.take(A, LaneKind.MANY_BLOCKS, "x"):
            await asyncio.sleep(seconds)

    asked = [asyncio.create_task(ask(1)) for _ in range(2)]
    for each in asked:
        with pytest.raises(LedgerTooSlow):
            await each
    lane = lanes._lanes[A, LaneKind.MANY_BLOCKS]
    assert (lane._running, lane._waiting) == ({}, {})


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.booleans()), max_size=30))
def test_places_are_neither_lost_nor_made(questions):
    """Whoever comes, ends or gives up: never too many at once, and at the end none is taken."""

    async def play() -> None:
        lane, most = _Lane(3), 0

        async def ask(peer: str, turns: int) -> None:
            nonlocal most
            await lane.enter(peer)
            most = max(most, lane._running.total())
            assert lane._running[peer] <= 1
            try:
                for _ in range(turns):
                    await asyncio.sleep(0)
            finally:
                lane.leave(peer)

        tasks = []
        for peer, turns, gives_up in questions:
            tasks.append(asyncio.create_task(ask(peer, turns)))
            if gives_up:
                await asyncio.sleep(0)
                tasks[len(tasks) // 2].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert most <= 3
        assert (lane._running, lane._waiting) == ({}, {})

    asyncio.run(play())
