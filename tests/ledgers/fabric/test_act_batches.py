"""Acts that wait together go in one transaction, and what one is refused for is not the others'."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from site_of_stand_in import FabricSite
from stand_in import StandInChannel

from caimi.errors.base import CaimiError
from caimi.errors.fabric import FabricChaincodeBusy, FabricChaincodeRefused
from caimi.errors.ledgers import LedgerUnavailable
from caimi.ledgers.fabric.batching import ActBatches
from caimi.ledgers.fabric.channel import Committed
from caimi.ledgers.machine.ed25519_keys import Ed25519Key


class PickyChannel(StandInChannel):
    """One whose chaincode takes so many acts at a time, and one act never."""

    most = 100
    never = b""
    gone: CaimiError | None = None

    async def submit(self, function: str, arguments: Sequence[bytes]) -> Committed:
        self.sizes = [*getattr(self, "sizes", []), len(arguments)]
        await asyncio.sleep(0)
        if self.gone is not None:
            raise self.gone
        if len(arguments) > self.most or self.never in arguments:
            raise FabricChaincodeRefused("It would tell too much.")
        return await super().submit(function, arguments)


@pytest.fixture
async def channel(tmp_path: Path) -> PickyChannel:
    site = await FabricSite.named("near", tmp_path)
    made = PickyChannel(site.there)
    ledger = site.open()
    calls = [ledger.receipts.anchor(bytes([1 + number]) * 32, 1) for number in range(20)]
    made.acts = [(await ledger.sign(call, Ed25519Key())).raw for call in calls]
    await ledger.aclose()
    return made


async def carried_out(channel: PickyChannel) -> list[BaseException | int]:
    batches = ActBatches(channel)
    found = await asyncio.gather(
        *(batches.carry_out(each) for each in channel.acts), return_exceptions=True
    )
    await batches.aclose()
    return found


async def test_acts_that_wait_together_go_in_one_transaction(channel: PickyChannel):
    found = await carried_out(channel)
    assert channel.sizes == [20]
    assert found == [len(channel.there.blocks) - 1] * 20


async def test_acts_that_are_too_much_together_go_apart(channel: PickyChannel):
    channel.most, before = 3, len(channel.there.blocks)
    found = await carried_out(channel)
    assert sorted(set(found)) == list(range(before, len(channel.there.blocks)))
    assert len(channel.sizes) < 30


async def test_an_act_that_is_refused_takes_no_other_with_it(channel: PickyChannel):
    channel.never = channel.acts[7]
    found = await carried_out(channel)
    assert [number for number, each in enumerate(found) if isinstance(each, Exception)] == [7]
    assert isinstance(found[7], FabricChaincodeRefused)


@pytest.mark.parametrize("error", [LedgerUnavailable, FabricChaincodeBusy])
async def test_what_is_wrong_with_no_act_is_told_all_at_once(
    channel: PickyChannel, error: type[CaimiError]
):
    channel.gone = error("Nobody is there.")
    assert {type(each) for each in await carried_out(channel)} == {error}
    assert channel.sizes == [20]
