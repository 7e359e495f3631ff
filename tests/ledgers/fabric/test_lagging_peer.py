"""The peer that is asked next has not the block yet that the one before it had: nobody lies."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from site_of_stand_in import FabricSite
from stand_in import StandInChannel

from caimi.errors.ledgers import LedgerUnavailable
from caimi.ledgers.fabric.channel import Committed
from caimi.ledgers.fabric.failover import FailoverChannel
from caimi.ledgers.machine.ed25519_keys import Ed25519Key
from caimi.ledgers.machine.ledger import MachineLedger


@dataclass
class DyingChannel(StandInChannel):
    """A peer that commits acts, and is gone then."""

    gone: bool = False

    async def height(self) -> int:
        if self.gone:
            raise LedgerUnavailable("The peer has gone.")
        return await super().height()

    async def submit(self, function: str, arguments: Sequence[bytes]) -> Committed:
        done = await super().submit(function, arguments)
        self.gone = function == "acts"
        return done


@dataclass
class LaggingChannel(StandInChannel):
    """A peer that has the newest block only when it was asked so many times."""

    behind: int = 3
    asked: int = 0

    async def height(self) -> int:
        self.asked += 1
        return await super().height() - (self.asked <= self.behind)


def over(site: FabricSite, lagging: LaggingChannel, seconds: float) -> MachineLedger:
    peers = (DyingChannel(site.there), lagging)
    machine = site.machine(FailoverChannel([lambda peer=peer: peer for peer in peers]))
    machine.catches_up = seconds
    return MachineLedger(machine, patience=20)


@pytest.fixture
async def site(tmp_path: Path) -> FabricSite:
    return await FabricSite.named("near", tmp_path)


async def test_a_peer_that_is_a_little_behind_is_waited_for(site: FabricSite) -> None:
    lagging = LaggingChannel(site.there)
    ledger = over(site, lagging, 10)
    done = await ledger.submit(ledger.receipts.anchor(b"1" * 32, 1), Ed25519Key())
    assert done.height == len(site.there.blocks) - 1
    assert lagging.asked > lagging.behind
    await ledger.aclose()


async def test_a_peer_that_stays_behind_is_waited_for_no_longer_than_that(
    site: FabricSite,
) -> None:
    ledger = over(site, LaggingChannel(site.there, behind=1_000_000), 0.2)
    async with asyncio.timeout(5):
        with pytest.raises(LedgerUnavailable, match="no peer shows it yet"):
            await ledger.submit(ledger.receipts.anchor(b"1" * 32, 1), Ed25519Key())
    await ledger.aclose()
