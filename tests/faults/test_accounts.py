"""The accountant of the schedules: what it lets pass, and what it calls a breach."""

from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace
from typing import cast

from caimi.ledgers.evm.abi.interface import encode
from caimi.ledgers.evm.artifacts import artifact
from caimi.ledgers.port import LedgerId
from faults.accounts import Accounts, _Route
from faults.transaction import Log
from faults.world import World

_EVENTS = artifact("ModelBridge").interface.events
_CLIENT, _DAY = bytes(31) + b"\x02", 86_400
_TOPICS = {"modelId": bytes(31) + b"\x01", "clientHash": _CLIENT}
_NOTHING: dict[str, object] = {"bytes": b"", "string": "", "address": bytes(20)}


def breaches(*happened: tuple[int, str], count: int = 1, per_day: int = 0) -> list[str]:
    """Tell what (second, event) lines break on a route whose buckets hold `count` packets."""
    found: list[str] = []
    law = SimpleNamespace(breach=lambda invariant, _: found.append(invariant))
    accounts = Accounts(cast(World, SimpleNamespace(law=law)))
    routes: defaultdict[bytes, _Route] = defaultdict(_Route)
    for bucket in routes[_CLIENT].buckets.values():
        bucket.count, bucket.per_day = count, per_day
    for now, name in happened:
        accounts._step(LedgerId("eip155:1"), _log(name), now, set(), routes)
    return found


def _log(name: str) -> Log:
    event = _EVENTS[name]
    words = [_TOPICS.get(name, bytes(32)) for name, _, indexed in event.parameters if indexed]
    plain = [kind for _, kind, indexed in event.parameters if not indexed]
    data = encode(plain, [_NOTHING.get(kind, 0) for kind in plain])
    return Log(bytes(20), (event.topic, *words), data, 1, bytes(32), {})


def test_what_is_in_flight_takes_its_place_however_long_it_flies() -> None:
    assert breaches((0, "ModelSent"), (_DAY, "ModelSent"), per_day=1) == ["L1"]


def test_what_was_refunded_gives_its_place_back_at_once() -> None:
    assert not breaches((0, "ModelSent"), (1, "TransferRefunded"), (2, "ModelSent"))


def test_what_took_effect_gives_its_place_back_with_time() -> None:
    ended = (0, "ModelSent"), (1, "TransferCompleted")
    assert breaches(*ended, (_DAY, "ModelSent"), per_day=1) == ["L1"]
    assert not breaches(*ended, (_DAY + 1, "ModelSent"), per_day=1)


def test_what_arrives_is_counted_as_it_arrives() -> None:
    twice = (0, "ModelReceived"), (_DAY // 2, "ModelReceived")
    assert breaches(*twice, per_day=1) == ["L1"]
    assert not breaches(*twice, per_day=2)


def test_a_closed_breaker_forgets_what_was_used_and_not_what_flies() -> None:
    used = (0, "ModelSent"), (0, "TransferCompleted"), (0, "BreakerClosed")
    assert not breaches(*used, (0, "ModelSent"))
    assert breaches((0, "ModelSent"), (0, "BreakerClosed"), (0, "ModelSent")) == ["L1"]
