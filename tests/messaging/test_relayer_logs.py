"""What a relayer and a validator write into their logs: about which packets, and nothing secret."""

from __future__ import annotations

import asyncio
import contextlib
import logging

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from world import RELAYER, World

from caimi.errors.messaging import EndpointsDisagree
from caimi.logs import JsonFormatter, TextFormatter, fields
from caimi.messaging.validator import log_alarm


async def test_a_failure_is_logged_with_the_packets_that_it_is_about(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    a, b = world.chains
    for _ in range(3):
        a.send(b)
    b.refuses = lambda packet: packet.sequence == 2
    world.finalize()
    stepped = asyncio.Event()
    relayer = world.relayer()
    running = asyncio.create_task(
        relayer.run(1_000, lambda progress: stepped.set() if progress.failures else None)
    )
    async with asyncio.timeout(20):
        await stepped.wait()
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    (record,) = [each for each in caplog.records if each.name == "caimi.messaging.relayer"]
    client = a.client_to(b).client_id
    assert record.about == {
        "action": "deliver",
        "ledger": a.id,
        "client": client,
        "sequences": (2,),
    }
    raw = (Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    secret = RELAYER._secret.private_bytes(*raw)
    for form in (TextFormatter(), JsonFormatter()):
        said = form.format(record)
        assert client in said
        assert secret.hex() not in said
        assert repr(secret) not in said


async def test_who_observes_what_was_carried_can_say_about_which_packets(world: World) -> None:
    a, b = world.chains
    for _ in range(2):
        a.send(b)
    seen = []
    await world.settle(world.relayer(observe=lambda carried: seen.append(dict(fields()))))
    assert [(each["action"], each["sequences"]) for each in seen] == [
        ("deliver", (1, 2)),
        ("acknowledge", (1, 2)),
    ]


async def test_a_ledger_that_fails_is_named(world: World) -> None:
    a, _ = world.chains
    views = world.views()
    views[a.id].down = True
    progress = await world.relayer(views=views).step()
    assert len(progress.failures) == len(progress.about)
    assert {each["ledger"] for each in progress.about} == {a.id}


def test_an_alarm_names_its_ledger(caplog: pytest.LogCaptureFixture, world: World) -> None:
    caplog.set_level(logging.DEBUG)
    log_alarm(world.chains[0].id, EndpointsDisagree("Two of them."))
    assert caplog.records[0].about == {"ledger": world.chains[0].id}
