"""A reader of two organisations' peers believes neither alone, and of one only what is signed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
from fabric_site import CHAINCODE, FabricSite
from lying_peer import (
    ForgetfulPeer,
    LyingPeer,
    calls_valid,
    follows_another,
    hides_an_entry,
)

from caimi.errors.fabric import (
    FabricAnswerInvalid,
    FabricForked,
    FabricPeersDisagree,
    FabricReadConflict,
)
from caimi.ledgers.fabric.machine import FabricMachine
from caimi.ledgers.fabric.peer_channel import PeerChannel
from caimi.ledgers.fabric.protos.common.common_pb2 import Block
from caimi.ledgers.fabric.rpc.deliver import BlockReader
from caimi.ledgers.fabric.rpc.following import BlockSource
from caimi.ledgers.machine.ed25519_keys import Ed25519Key
from caimi.ledgers.machine.ledger import MachineLedger

MANIFEST = b"\1" * 32


@pytest.fixture(scope="module")
def site(coinless: FabricSite) -> FabricSite:
    return coinless


@pytest.fixture
async def honest(site: FabricSite) -> AsyncIterator[BlockReader]:
    """The second organisation's peer."""
    second = site.network.layout.organisations[1]
    async with site.network.connection(second) as connection:
        yield BlockReader(connection, second.user.signer(), site.network.layout.channel)


class LyingChannel(PeerChannel):
    """One whose own peer shows something else than it has."""

    def lie(self, bend: Callable[[BlockSource], BlockSource]) -> None:
        own, *others = self._sources
        self._sources = (bend(own), *others)


class LyingSite:
    """Machines over one copy, whose first peer may lie."""

    def __init__(self, site: FabricSite, name: str) -> None:
        self._site, self._name = site, name

    def open(
        self, bend: Callable[[BlockSource], BlockSource] | None, *others: BlockSource
    ) -> MachineLedger:
        site = self._site
        first = site.network.layout.organisations[0]
        gateway = site.channel_of(first).gateway
        channel = LyingChannel(site.id, gateway, CHAINCODE, others=others)
        if bend is not None:
            channel.lie(bend)
        copy = site.folder / f"{self._name}.sqlite"
        return MachineLedger(FabricMachine(site.id, channel, copy, now=site.now))


async def late_act(site: FabricSite, who: Ed25519Key) -> int:
    """Have an act ordered that came too late to count; give its block."""
    ledger = site.open()
    await ledger.submit(ledger.registry.publish("m", "1.0.0", MANIFEST), who)
    acts = [
        (await ledger.sign(ledger.registry.publish("m", version, MANIFEST), who)).raw
        for version in ("2.0.0", "3.0.0")
    ]
    channel = site.channel_of(site.network.layout.organisations[0])
    gateway = channel.gateway
    first, late = [await gateway.endorse(CHAINCODE, b"acts", each) for each in acts]
    await gateway.submit(first)
    await gateway.committed(first)
    await gateway.submit(late)
    with pytest.raises(FabricReadConflict):
        await gateway.committed(late)
    height = await channel.height()
    await channel.aclose()
    await ledger.aclose()
    return height - 1


async def versions(ledger: MachineLedger, who: Ed25519Key) -> list[str]:
    model_id = ledger.registry.model_id(ledger.machine.account(who.account), "m")
    return [each.version for each in await ledger.registry.versions(model_id)]


@pytest.mark.parametrize(
    ("lie", "error"),
    [
        (calls_valid, FabricPeersDisagree),
        (hides_an_entry, FabricAnswerInvalid),
        (follows_another, FabricForked),
        (None, FabricForked),
    ],
)
async def test_a_peer_that_lies_beside_an_honest_one_stops_the_reader_before_its_lie(
    site: FabricSite,
    honest: BlockReader,
    lie: Callable[[Block], None] | None,
    error: type[Exception],
):
    who = Ed25519Key()
    late = await late_act(site, who)
    where = LyingSite(site, f"lied-to-{late}")

    def bend(true: BlockSource) -> BlockSource:
        return ForgetfulPeer(true, late) if lie is None else LyingPeer(true, late, lie)

    after = site.open()
    await after.submit(after.receipts.anchor(late.to_bytes(32), 1), who)
    await after.aclose()
    reader = where.open(bend, honest)
    for _ in range(2):
        with pytest.raises(error):
            await reader.head()
    assert reader.machine.head.height == late - 1
    await reader.aclose()
    again = where.open(None, honest)
    assert await versions(again, who) == ["1.0.0", "2.0.0"]
    await again.aclose()


async def test_which_transactions_count_one_peer_alone_can_lie_about(site: FabricSite):
    """Nobody signs that, so who does not trust the peer's organisation reads another's as well."""
    who = Ed25519Key()
    late = await late_act(site, who)
    believing = LyingSite(site, "believing").open(lambda true: LyingPeer(true, late, calls_valid))
    assert await versions(believing, who) == ["1.0.0", "3.0.0"]
    await believing.aclose()
