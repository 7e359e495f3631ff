"""Roots over inference receipts."""

from __future__ import annotations

import pytest

from caimi.errors.ledgers import TransactionReverted
from conformance.facet import Facet
from conformance.site import World


class ReceiptsFacet(Facet):
    """The port's `ReceiptLog`."""

    async def test_anchored_receipts_are_known_with_their_time(self, world: World):
        log = world.ledger.receipts
        assert await log.anchored(world.account(world.bob), b"\x09" * 32) is None
        done = await world.ledger.submit(log.anchor(b"\x09" * 32, 12), world.bob)
        assert await log.anchored(world.account(world.bob), b"\x09" * 32) == done.time
        assert await log.anchored(world.account(world.alice), b"\x09" * 32) is None

    async def test_a_root_is_anchored_once(self, world: World):
        anchor = world.ledger.receipts.anchor(b"\x09" * 32, 12)
        first = await world.ledger.submit(anchor, world.bob)
        with pytest.raises(TransactionReverted):
            await world.ledger.submit(anchor, world.bob)
        assert (
            await world.ledger.receipts.anchored(world.account(world.bob), b"\x09" * 32)
            == first.time
        )

    async def test_an_accounts_entries_in_the_log_are_numbered_once_for_ever(self, world: World):
        ledger, log = world.ledger, world.ledger.receipts
        since = (await ledger.head()).height
        given = []
        for root, who in ((b"\1", world.alice), (b"\2", world.bob), (b"\3", world.alice)):
            given.append((await ledger.submit(log.anchor(root * 32, 1), who)).effect)
        assert given == [0, 0, 1]
        until = (await ledger.head()).height
        alice, bob = world.account(world.alice), world.account(world.bob)
        assert await log.entry(alice, 0, since, until) == b"\1" * 32
        assert await log.entry(alice, 1, since, until) == b"\3" * 32
        assert await log.entry(bob, 0, since, until) == b"\2" * 32
        assert await log.entry(bob, 1, since, until) is None
        assert await log.entry(alice, 1, since, until - 1) is None
