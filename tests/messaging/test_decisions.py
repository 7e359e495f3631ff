"""What a relayer decides to do about what is open, and what each action asks for and proves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from caimi.ibc.packet import Packet, Payload
from caimi.ibc.path import Path
from caimi.ledgers.port import Account, Asset, LedgerId, RelayFee, Route, SentPacket
from caimi.messaging.actions import Acknowledge, Collect, Deliver, TimeOut, Way
from caimi.messaging.decisions import COLLECT_ONE_WORK, COLLECT_WORK, decide, worth_collecting
from caimi.messaging.entries import AnsweredPacket, EarnedFee, Sorted, packet_name
from caimi.messaging.policy import RoutePolicy
from caimi.messaging.proof import Proof

HERE, THERE = LedgerId("local:a"), LedgerId("local:b")
WAY = Way(HERE, Route("mine", "theirs", THERE))
POINT = Asset(HERE, b"")


def packet(sequence: int) -> Packet:
    return Packet(sequence, "mine", "theirs", 9, (Payload("x", "x", "1", "x", b"hello"),))


def sent(sequence: int, height: int = 5, ready: int = 0) -> SentPacket:
    return SentPacket(packet(sequence), "tx", height, ready)


def answered(sequence: int, height: int = 5) -> AnsweredPacket:
    return AnsweredPacket(packet(sequence), (b"yes",), height)


def earned(sequence: int, amount: int = 10**9, height: int = 5) -> EarnedFee:
    relayer, payer = Account(HERE, b"relayer"), Account(HERE, b"payer")
    fee = RelayFee("mine", sequence, relayer, payer, POINT.of(amount), 9, 4)
    return EarnedFee(fee, (b"yes",), "theirs", height)


EVERYTHING = Sorted(
    (sent(1), sent(2)), (answered(3), answered(4)), (sent(5), sent(6)), (earned(7), earned(8))
)


class Gateway:
    """Writes down the calls that are built, as a gateway and as an escrow."""

    id = HERE

    def __init__(self) -> None:
        self.gateway = self.fees = self
        self.built: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: self.built.append((name, *arguments))


class Prover:
    """Proves in reverse order whatever is asked, and writes down what was."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    async def membership(self, case: object, paths: Sequence[Path], blocks: tuple[int, int]) -> Any:
        self.asked.append((tuple(paths), blocks))
        return self.prove

    async def absence(self, case: object, names: Sequence[tuple[str, int]]) -> Any:
        self.asked.append((tuple(names),))
        return self.prove

    def prove(self, part: Sequence[object]) -> Proof:
        self.asked.append((tuple(part),))
        return Proof(b"proof", tuple(reversed(range(len(part)))))


def test_each_thing_that_is_open_becomes_the_action_that_ends_it() -> None:
    actions = decide(WAY, EVERYTHING, RoutePolicy(), lambda name: 0, 0)
    assert [(type(each), [packet_name(one)[1] for one in each.batch]) for each in actions] == [
        (Deliver, [1, 2]),
        (Acknowledge, [3, 4]),
        (TimeOut, [5, 6]),
        (Collect, [7, 8]),
    ]


@pytest.mark.parametrize("least", [1, 10, 11])
def test_only_packets_that_pay_enough_are_carried(least: int) -> None:
    policy = RoutePolicy(minimum_fee=least)
    paid = {("mine", number): 10 for number in (1, 3, 5)}
    *carrying, collecting = decide(WAY, EVERYTHING, policy, lambda name: paid.get(name, 0), 0)
    expected = [[1], [3], [5]] if least <= 10 else [[], [], []]
    assert [[packet_name(one)[1] for one in each.batch] for each in carrying] == expected
    assert len(collecting.batch) == 2  # what is earned is earned


def test_fees_below_what_collecting_takes_wait_for_others() -> None:
    small, fair = earned(1, 3 * COLLECT_ONE_WORK), earned(2, 3 * (COLLECT_WORK + COLLECT_ONE_WORK))
    more = earned(3, 3 * (COLLECT_WORK + COLLECT_ONE_WORK) + 1)
    assert worth_collecting([small, fair], 3) == ()
    assert worth_collecting([small, more], 3) == (more,)
    assert worth_collecting([fair, more], 3) == (fair, more)


@pytest.mark.parametrize(
    ("action", "at", "about", "client"),
    [
        (Deliver(WAY, (sent(1),)), THERE, HERE, "theirs"),
        (Acknowledge(WAY, (answered(1),)), HERE, THERE, "mine"),
        (TimeOut(WAY, (sent(1),)), HERE, THERE, "mine"),
        (Collect(WAY, (earned(1, 7),)), HERE, THERE, "mine"),
    ],
    ids=lambda value: getattr(value, "what", ""),
)
def test_an_action_says_where_it_is_proved_and_what_about(
    action: Any, at: LedgerId, about: LedgerId, client: str
) -> None:
    assert (action.at, action.about, action.client) == (at, about, client)
    assert action.names == [(action.what, HERE, "mine", 1)]
    assert action.income == (7 if isinstance(action, Collect) else 0)


def test_halves_hold_all_of_a_batch_in_its_order() -> None:
    whole = Deliver(WAY, tuple(map(sent, range(1, 6))))
    first, second = whole.halves()
    assert first.batch + second.batch == whole.batch
    assert len(first.batch) == 2


async def test_a_delivery_is_proved_up_to_where_its_deepest_packet_asks() -> None:
    prover, ledger = Prover(), Gateway()
    action = Deliver(WAY, (sent(1, 5), sent(2, 8, ready=11)))
    prove = await action.prove(prover, None)  # type: ignore[arg-type]
    paths = (Path.commitment("mine", 1), Path.commitment("mine", 2))
    action.call(ledger, prove(action.batch))  # type: ignore[arg-type]
    assert prover.asked == [(paths, (4, 11)), (paths,)]
    assert ledger.built == [("receive", "theirs", [packet(2), packet(1)], b"proof")]


async def test_the_other_actions_ask_the_ledger_that_received() -> None:
    built = {}
    for action in decide(WAY, EVERYTHING, RoutePolicy(), lambda name: 0, 0)[1:]:
        prover, ledger = Prover(), Gateway()
        prove = await action.prove(prover, None)  # type: ignore[arg-type]
        action.call(ledger, prove(action.batch))  # type: ignore[arg-type]
        built[action.what] = (prover.asked[0], ledger.built[0][:2], len(ledger.built[0][2]))
    answers = Path.acknowledgement
    assert built == {
        "acknowledge": (
            ((answers("theirs", 3), answers("theirs", 4)), (4, 5)),
            ("acknowledge", "mine"),
            2,
        ),
        "time out": (((("theirs", 5), ("theirs", 6)),), ("time_out", "mine"), 2),
        "collect": (((answers("theirs", 7), answers("theirs", 8)), (4, 5)), ("claim", "mine"), 2),
    }
