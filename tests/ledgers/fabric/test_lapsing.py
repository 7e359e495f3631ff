"""An act is dead once no transaction can carry it out any more, and not a second before."""

from __future__ import annotations

from pathlib import Path

import pytest
from conformance.site import Killed, MemoryOutbox
from site_of_stand_in import FabricSite
from stand_in import StandInChannel

from caimi.ledgers.fabric.chaincode.contract import TICK_SECONDS
from caimi.ledgers.machine.calls import decode_act
from caimi.ledgers.machine.ed25519_keys import Ed25519Key


@pytest.mark.parametrize(("later", "made"), [(0, 1), (TICK_SECONDS, 2)])
async def test_an_act_that_lapses_at_the_clocks_very_second_is_done_once(
    tmp_path: Path, later: int, made: int
):
    site, who = await FabricSite.named("near", tmp_path), Ed25519Key()
    ledger, outbox = site.open(), MemoryOutbox(die_after_record=True)
    call = ledger.receipts.anchor(b"\1" * 32, 1)
    with pytest.raises(Killed):
        await ledger.submit(call, who, outbox=outbox, key="k")
    raw = outbox.entries["k"].raw
    until = decode_act(raw, ledger.machine.accounts).envelope.until
    site.shift += until + later - site.now()
    channel = StandInChannel(site.there)
    await channel.submit("tick", (str(until + later).encode(),))
    await ledger.submit(call, who, outbox=outbox, key="k")
    await channel.submit("acts", (raw,))  # somebody had kept it
    assert (len(outbox.entries), await site.sent(who)) == (made, 1)
    await ledger.aclose()
