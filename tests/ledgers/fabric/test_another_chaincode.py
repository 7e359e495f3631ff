"""A channel that has no CAIMI, or other chaincode under the name, is named when it is checked."""

from __future__ import annotations

from pathlib import Path

import pytest
from trial_network import TRIAL, TrialNetwork

from caimi.errors.fabric import FabricChaincodeMissing, FabricChaincodeRefused
from caimi.ledgers.fabric.machine import FabricMachine
from caimi.ledgers.fabric.peer_channel import PeerChannel
from caimi.ledgers.port import LedgerId


@pytest.mark.parametrize(
    ("named", "error"),
    [("nothing", FabricChaincodeMissing), (TRIAL, FabricChaincodeRefused)],
)
async def test_a_channel_without_caimi_is_named(
    fabric: TrialNetwork, tmp_path: Path, named: str, error: type[Exception]
):
    gateway = fabric.gateway(fabric.connection())
    ledger = LedgerId(fabric.ledger)
    machine = FabricMachine(ledger, PeerChannel(ledger, gateway, named), tmp_path / "copy.sqlite")
    with pytest.raises(error):
        await machine.check()
    with pytest.raises(error):
        await machine.tick(1_900_000_000)
    await machine.aclose()
