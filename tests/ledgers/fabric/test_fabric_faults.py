"""Real nodes that die, hang, lag or disagree: nothing is lost, nothing is done twice.

What a fault did is counted on the ledger, in fresh copies by way of both organisations' peers.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from conformance.site import Killed, MemoryOutbox
from copied_acts import count_acts
from fabric_site import CHAINCODE, FabricSite

from caimi.errors.base import CaimiError
from caimi.errors.fabric import (
    FabricChaincodeRefused,
    FabricEndorsersDisagree,
    FabricNodeFailed,
    FabricReadConflict,
    FabricRefused,
)
from caimi.errors.ledgers import LedgerUnavailable, TransactionStuck
from caimi.ledgers.fabric.chaincode.contract import MAX_SKEW
from caimi.ledgers.fabric.local.node_process import NodeProcess
from caimi.ledgers.fabric.machine import FabricMachine
from caimi.ledgers.machine.ed25519_keys import Ed25519Key
from caimi.ledgers.machine.ledger import MachineLedger
from caimi.ledgers.machine.values import decode_value
from caimi.ledgers.port import Call, Outbox, PublishedVersion, RegisteredModel, SignedCall

CALLS = 3
"""How many one client makes, one after the other."""
CLIENTS = 3
SECONDS = 50.0
PASSING = {
    "FabricUnavailable",
    "FabricPeersMissing",
    "FabricRefused",
    "FabricChaincodeMissing",
    "FabricEndorsersDisagree",
    "TransactionStuck",
}
"""What goes wrong while something is down, and passes."""


@pytest.fixture(scope="module")
def site(coinless: FabricSite) -> FabricSite:
    return coinless


@pytest.fixture
async def ledger(site: FabricSite) -> AsyncIterator[MachineLedger]:
    opened = site.open()
    yield opened
    await opened.aclose()


def publishing(ledger: MachineLedger, name: str) -> Call[None]:
    return ledger.registry.publish(name, "1.0.0", b"\x01" * 32)


async def persistently(site: FabricSite, name: str, who: Ed25519Key, outbox: Outbox) -> list[str]:
    """Publish a model, by way of fresh connections until it is done; tell what went wrong."""
    errors = []
    async with asyncio.timeout(SECONDS):
        while True:
            ledger = site.open(patience=5)
            try:
                await ledger.submit(publishing(ledger, name), who, outbox=outbox, key=name)
                return errors
            except CaimiError as error:
                errors.append(f"{type(error).__name__}: {error.what}")
            finally:
                await ledger.aclose()
            await asyncio.sleep(0.1)


async def published(site: FabricSite, who: Ed25519Key) -> list[Counter[str]]:
    """Count what somebody published, as copies made anew from each organisation's peer tell it."""
    found = []
    for of in site.network.layout.organisations:
        copy = site.folder / f"anew-{of.msp}.sqlite"
        ledger = MachineLedger(FabricMachine(site.id, site.channel_of(of), copy, now=site.now))
        names: dict[bytes, str] = {}
        told: Counter[str] = Counter()
        async for block in ledger.feed(-1):
            for fact in (each.fact for each in block.facts):
                if isinstance(fact, RegisteredModel):
                    names[fact.model_id] = fact.name
                if isinstance(fact, PublishedVersion) and fact.publisher.native == who.account:
                    told[names[fact.model_id]] += 1
        assert count_acts(copy, who) == told.total()
        await ledger.aclose()
        for each in copy.parent.glob(f"{copy.name}*"):
            each.unlink()
        found.append(told)
    return found


def once(*names: str) -> list[Counter[str]]:
    """Say what two organisations' peers tell of models that were published once each."""
    return [Counter(names), Counter(names)]


async def peer_is_killed(site: FabricSite, number: int) -> None:
    msp = site.network.layout.organisations[number].msp
    await site.kill(msp)
    await asyncio.sleep(0.3)
    await site.start(msp)


async def orderer_is_killed(site: FabricSite, _: int) -> None:
    await site.kill("orderer")
    await asyncio.sleep(0.3)
    await site.start("orderer")


async def chaincode_is_killed(site: FabricSite, number: int) -> None:
    of = site.network.layout.organisations[number]
    await site.kill(f"{of.msp}-chaincode")
    await asyncio.sleep(0.3)
    await site.start_chaincode(of)


async def peer_stands_still(site: FabricSite, number: int) -> None:
    node = site.network.nodes[site.network.layout.organisations[number].msp]
    node.pause()
    await asyncio.sleep(2)
    node.go_on()


@pytest.mark.parametrize(
    ("fault", "number"),
    [
        (peer_is_killed, 0),
        (peer_is_killed, 1),
        (orderer_is_killed, 0),
        (chaincode_is_killed, 1),
        (peer_stands_still, 1),
    ],
)
async def test_whatever_dies_or_hangs_in_the_middle_nothing_is_lost_or_done_twice(
    site: FabricSite, fault: Callable[[FabricSite, int], Awaitable[None]], number: int
):
    who, outbox = Ed25519Key(), MemoryOutbox()
    errors: list[str] = []

    async def client(which: int) -> None:
        for turn in range(CALLS):
            errors.extend(await persistently(site, f"m-{which}-{turn}", who, outbox))

    clients = asyncio.gather(*map(client, range(CLIENTS)))
    while len(outbox.entries) <= CLIENTS:  # noqa: ASYNC110
        await asyncio.sleep(0.002)
    await fault(site, number)
    await clients
    assert await published(site, who) == once(*outbox.entries)
    assert len(outbox.entries) == CALLS * CLIENTS
    assert [each for each in errors if each.partition(":")[0] not in PASSING] == []


@asynccontextmanager
async def bent(site: FabricSite, how: Path) -> AsyncIterator[NodeProcess]:
    """Have the second organisation's chaincode do what a file says; honest again afterwards."""
    second = site.network.layout.organisations[1]
    name = f"{second.msp}-chaincode"
    await site.kill(name)
    await site.start_chaincode(second, bent=how)
    try:
        yield site.network.nodes[name]
    finally:
        await site.kill(name)
        await site.start_chaincode(second)


async def test_organisations_that_disagree_have_no_effect_and_a_name(
    site: FabricSite, ledger: MachineLedger, tmp_path: Path
):
    who, outbox, how = Ed25519Key(), MemoryOutbox(), tmp_path / "how"
    call = publishing(ledger, "m")
    how.write_text("honest")
    async with bent(site, how):
        await ledger.submit(publishing(ledger, "before"), who)
        for lie in ("answers otherwise", "writes more", "calls it known"):
            how.write_text(lie)
            with pytest.raises(FabricEndorsersDisagree):
                await ledger.submit(call, who, outbox=outbox, key="k")
        assert await published(site, who) == once("before")
        how.write_text("honest")
        done = await ledger.submit(call, who, outbox=outbox, key="k")
    assert done.tx == outbox.entries["k"].tx
    assert await published(site, who) == once("before", "m")


async def test_a_chaincode_that_ends_in_the_middle_of_an_act_leaves_nothing_half_done(
    site: FabricSite, ledger: MachineLedger, tmp_path: Path
):
    who, outbox, how = Ed25519Key(), MemoryOutbox(), tmp_path / "how"
    call = publishing(ledger, "m")
    how.write_text("ends")
    async with bent(site, how) as process:
        async with asyncio.timeout(SECONDS):
            while process.running:
                with pytest.raises((FabricRefused, LedgerUnavailable, TransactionStuck)):
                    await ledger.submit(call, who, outbox=outbox, key="k")
        with pytest.raises(FabricNodeFailed, match="ended with 7"):
            process.check()
    assert await published(site, who) == once()
    await persistently(site, "m", who, MemoryOutbox({"m": outbox.entries["k"]}))
    assert await published(site, who) == once("m")


async def test_clients_whose_acts_conflict_end_with_each_done_once(site: FabricSite):
    """Versions of one model, by way of both organisations' peers at the same time."""
    who, one, other = Ed25519Key(), site.open(), site.open()
    await one.submit(publishing(one, "m"), who)
    before = site.seen.conflicts

    async def publish(ledger: MachineLedger, major: int) -> None:
        for minor in range(4):
            release = ledger.registry.publish("m", f"{major}.{minor}.0", b"\x02" * 32)
            await ledger.submit(release, who)

    await asyncio.gather(publish(one, 2), publish(other, 3))
    assert site.seen.conflicts > before
    assert [each["m"] for each in await published(site, who)] == [9, 9]
    await one.aclose()
    await other.aclose()


async def test_an_envelope_that_is_ordered_thrice_and_an_act_in_three_transactions_count_once(
    site: FabricSite, ledger: MachineLedger
):
    who = Ed25519Key()
    signed = await ledger.sign(publishing(ledger, "m"), who)
    channel = site.channel()
    gateway, act = channel.gateway, (b"acts", signed.raw)
    first, second = [await gateway.endorse(CHAINCODE, *act) for _ in range(2)]
    for _ in range(3):
        await gateway.submit(first)
    await gateway.committed(first)
    await gateway.submit(second)
    with pytest.raises(FabricReadConflict):
        await gateway.committed(second)
    third = await gateway.invoke(CHAINCODE, *act)
    assert decode_value(third.result) == (("known", ""),)
    await channel.aclose()
    assert await published(site, who) == once("m")


@dataclass
class DyingJournal(MemoryOutbox):
    """One that the process dies at, before or after its so manieth access has done anything."""

    left: int = 0

    async def sent(self, key: str) -> SignedCall | None:
        self._pass()
        found = await super().sent(key)
        self._pass()
        return found

    async def record(self, key: str, call: SignedCall) -> None:
        self._pass()
        await super().record(key, call)
        self._pass()

    def _pass(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Killed


@pytest.mark.parametrize("again", [1, 2])
async def test_a_client_that_is_killed_at_any_access_to_its_journal_publishes_once(
    site: FabricSite, again: int
):
    who, journal, deaths = Ed25519Key(), DyingJournal(), 0
    for at in range(1, 20):
        journal.left = at
        for _ in range(again):
            dying = site.open()
            try:
                await dying.submit(publishing(dying, f"m{at}"), who, outbox=journal, key=f"m{at}")
                journal.left = 0
            except Killed:
                deaths += 1
                journal.left = 1 + deaths % 3
            await dying.aclose()
        if journal.left == 0:
            break
        journal.left = 0
        await persistently(site, f"m{at}", who, journal)
    assert deaths >= 4
    assert await published(site, who) == once(*journal.entries)


async def test_a_tick_ahead_of_one_organisations_clock_is_refused_by_it(site: FabricSite):
    first, who = site.network.layout.organisations[0], Ed25519Key()
    machine = site.machine(site.channel())
    machine._now = lambda: site.now() + 3_600
    ledger = MachineLedger(machine)
    site.ahead(first).write_text(str(site.shift + 3_600))
    try:
        await machine.refresh()
        with pytest.raises(FabricChaincodeRefused, match="ahead of this organisation's clock"):
            await machine.tick(machine.present)
        await ledger.submit(publishing(ledger, "m"), who)
        assert machine.clock <= site.now() + MAX_SKEW
    finally:
        site.set_clocks()
    await ledger.aclose()
    assert await published(site, who) == once("m")


async def test_where_the_organisations_clocks_stand_still_acts_go_on(site: FabricSite):
    """Only those who call see time pass: ticks are refused, and what is signed lapses by none."""
    who, machine = Ed25519Key(), site.machine(site.channel())
    ledger = MachineLedger(machine)
    await machine.refresh()
    before = machine.clock
    for each in site.network.layout.organisations:
        site.ahead(each).write_text(str(site.shift - 100_000))
    machine._now = lambda: site.now() + 100_000
    try:
        async with asyncio.timeout(10):
            signed = await ledger.sign(publishing(ledger, "m"), who)
            await ledger.broadcast(signed)
        assert machine.clock == before
    finally:
        site.set_clocks()
    await ledger.aclose()
    assert await published(site, who) == once("m")


async def test_what_is_too_large_is_named_and_disturbs_nobody_else(
    site: FabricSite, ledger: MachineLedger
):
    who, channel = Ed25519Key(), site.channel()

    async def large() -> None:
        with pytest.raises(FabricChaincodeRefused, match="larger than the chaincode takes"):
            await channel.submit("acts", (bytes(20 << 20),))

    async def small() -> None:
        for number in range(10):
            await ledger.submit(publishing(ledger, f"m{number}"), who)

    await asyncio.gather(large(), small())
    await channel.aclose()
    assert await published(site, who) == once(*(f"m{number}" for number in range(10)))
