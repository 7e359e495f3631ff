"""Roots over inference receipts, and the receipts of the ledger's accounts under them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from caimi.errors.inference import ReceiptInvalid
from caimi.errors.ledgers import TransactionReverted
from caimi.inference.batch import ReceiptWriter, anchor_receipts
from caimi.inference.receipt import Receipt, SignedReceipt
from caimi.inference.receipt_json import receipt_from_json
from caimi.inference.verification import FAILED, PASSED, Check, Evidence, check_receipt
from caimi.ledgers.port import Ledger, Wallet
from caimi.persistence import open_receipt_store
from conformance.facet import Facet
from conformance.site import World

MANIFEST = b"\x11" * 32


def receipt_of(model: tuple[Ledger, bytes], wallet: Wallet, **changes: object) -> Receipt:
    """Make what the wallet's account could state of an answer of a published model."""
    home, model_id = model
    said = Receipt(
        ledger=home.id,
        model_id=model_id,
        version="1.0.0",
        manifest=MANIFEST,
        input_hash=b"\x01" * 32,
        output_hash=b"\x02" * 32,
        engine="test/1",
        price=0,
        time=1_700_000_000,
        worker=wallet.name,
    )
    return replace(said, **changes)  # type: ignore[arg-type]


async def checked(
    signed: SignedReceipt, home: Ledger, workers: Ledger, evidence: Evidence
) -> tuple[Check, ...]:
    """Give the checks that ledgers answer."""
    return (await check_receipt(signed, home, workers, evidence))[:3]


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

    async def test_an_account_signs_receipts_and_anchors_their_batch(
        self, world: World, tmp_path: Path
    ):
        ledger, accounts = world.ledger, world.ledger.accounts
        model = (ledger, await world.published())
        wallet = accounts.wallet(world.bob)
        store = open_receipt_store(None, tmp_path / "receipts.sqlite")
        log = ReceiptWriter(store, accounts)
        signed = [receipt_of(model, wallet).sign(wallet) for _ in range(3)]
        for each in signed:
            await log.add(each)
        done = await anchor_receipts(store, ledger, world.bob)
        assert done is not None
        for each in signed:
            read = receipt_from_json(each.to_json())
            inclusion = store.inclusion(read.receipt.digest(accounts))
            assert await ledger.receipts.anchored(world.account(world.bob), inclusion.root)
            found = await checked(read, ledger, ledger, Evidence(inclusion))
            assert [check.state for check in found] == [PASSED] * 3
        strangers = receipt_of(model, wallet).sign(wallet)
        found = await checked(strangers, ledger, ledger, Evidence(inclusion))
        assert [check.state for check in found] == [PASSED, PASSED, FAILED]
        store.close()

    async def test_a_receipt_is_signed_by_the_account_that_it_names_alone(self, world: World):
        accounts = world.ledger.accounts
        alice, bob = accounts.wallet(world.alice), accounts.wallet(world.bob)
        said = receipt_of((world.ledger, b"\x07" * 32), bob, answer="test/f32")
        assert said.sign(bob).verify(accounts) == bob.account
        for forged in (
            SignedReceipt(said, alice.sign_statement(said.statement)),
            SignedReceipt(replace(said, output_hash=bytes(32)), said.sign(bob).signature),
            SignedReceipt(replace(said, answer=""), said.sign(bob).signature),
            SignedReceipt(said, said.sign(bob).signature[:-1]),
        ):
            with pytest.raises(ReceiptInvalid):
                forged.verify(accounts)
        with pytest.raises(ReceiptInvalid):
            said.sign(alice)

    async def test_what_stands_for_a_receipt_is_its_ledgers_and_its_own(self, world: World):
        accounts = world.ledger.accounts
        bob = accounts.wallet(world.bob)
        said = receipt_of((world.ledger, b"\x07" * 32), bob)
        others = [
            replace(said, worker=accounts.wallet(world.alice).name),
            replace(said, price=1),
            replace(said, answer="test/f32"),
        ]
        digests = {each.digest(accounts) for each in (said, *others)}
        assert len(digests) == 4
        assert {len(digest) for digest in digests} == {32}
