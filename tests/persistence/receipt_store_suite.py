"""What every store of receipts keeps to: each is there for good, in one batch, in one order."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sites import StoreSite, each_site

from caimi.errors.inference import NotAnchored, ReceiptStoreDamaged
from caimi.inference.batch import ReceiptWriter
from caimi.inference.receipt import Receipt
from caimi.inference.receipt_json import receipt_from_json
from caimi.inference.receipt_store import KeptReceipt
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.abi.accounts import EvmAccounts
from caimi.ledgers.port import LedgerId, SignedCall
from caimi.persistence import receipt_store
from caimi.persistence.receipt_store import SqlReceiptStore

HOME = LedgerId("eip155:31337")
THERE = LedgerId("eip155:31338")


WORKER = LocalSigner.generate()


def receipts(count: int, ledger: LedgerId = HOME) -> list[KeptReceipt]:
    """Make receipts of a worker whose account is on `ledger`."""
    accounts = EvmAccounts(ledger)
    wallet = accounts.wallet(WORKER)
    said = [
        Receipt(
            ledger=HOME,
            model_id=b"\x01" * 32,
            version="1.0.0",
            manifest=b"\x02" * 32,
            input_hash=secrets.token_bytes(32),
            output_hash=secrets.token_bytes(32),
            engine="test",
            price=0,
            time=1_700_000_000,
            worker=wallet.name,
        )
        for _ in range(count)
    ]
    return [KeptReceipt.of(each.sign(wallet), accounts) for each in said]


class Killed(BaseException):
    """The process ends here."""


class ReceiptStoreSuite:
    """Needs a fixture `site`."""

    @pytest.fixture
    def store(self, site: StoreSite) -> Iterator[SqlReceiptStore]:
        opened = SqlReceiptStore(site.place("receipts"))
        yield opened
        opened.close()

    @settings(each_site, max_examples=10)
    @given(count=st.integers(1, 40), strangers=st.integers(1, 3))
    def test_every_receipt_of_a_batch_is_proved_and_no_other(
        self, store: SqlReceiptStore, count: int, strangers: int
    ) -> None:
        inside, outside = receipts(count), receipts(strangers)
        store.add(inside)
        batch = store.next_batch(HOME)
        assert batch is not None
        assert (batch.size, store.next_batch(HOME)) == (len(inside), batch)
        store.mark_anchored(batch)
        proofs = [store.inclusion(signed.digest) for signed in inside]
        for at, proof in enumerate(proofs):
            assert proof.root == batch.root
            assert proof.holds(inside[at].digest)
            assert not proof.holds(inside[at - 1].digest) or count == 1
            assert not any(proof.holds(stranger.digest) for stranger in outside)
        for stranger in outside:
            with pytest.raises(NotAnchored):
                store.inclusion(stranger.digest)

    def test_a_receipt_is_not_proved_before_its_batch_is_anchored(
        self, store: SqlReceiptStore
    ) -> None:
        (signed,) = receipts(1)
        store.add([signed])
        for _ in range(2):
            with pytest.raises(NotAnchored):
                store.inclusion(signed.digest)
            store.next_batch(HOME)

    def test_receipts_outlive_the_process(self, site: StoreSite) -> None:
        first = SqlReceiptStore(site.place("receipts"))
        inside = receipts(3)
        first.add(inside)  # and the process is killed: nothing is closed
        second = SqlReceiptStore(site.place("receipts"))
        batch = second.next_batch(HOME)
        assert batch is not None
        assert batch.size == 3
        first.mark_anchored(batch)
        assert second.inclusion(inside[2].digest) == first.inclusion(inside[2].digest)
        first.close()
        second.close()

    def test_a_receipt_twice_is_there_once(self, store: SqlReceiptStore) -> None:
        inside = receipts(2)
        store.add([*inside, inside[0]])
        store.add(inside)
        batch = store.next_batch(HOME)
        assert batch is not None
        assert batch.size == 2
        store.mark_anchored(batch)
        store.add(inside)
        store.add([])
        assert store.next_batch(HOME) is None

    def test_receipts_are_kept_whole(self, store: SqlReceiptStore, site: StoreSite) -> None:
        inside = receipts(3)
        store.add(inside)
        kept = site.told("receipts", "SELECT receipt FROM receipts ORDER BY number")
        assert [receipt_from_json(text) for (text,) in kept] == [each.signed for each in inside]

    def test_a_closed_batch_takes_no_more(self, store: SqlReceiptStore) -> None:
        store.add(receipts(2))
        batch = store.next_batch(HOME)
        assert batch is not None
        store.add(receipts(2))
        assert store.next_batch(HOME) == batch
        store.mark_anchored(batch)
        following = store.next_batch(HOME)
        assert following is not None
        assert following.number > batch.number

    def test_a_batch_is_bounded_and_takes_the_oldest_first(
        self, store: SqlReceiptStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(receipt_store, "MAX_BATCH", 3)
        inside = receipts(7)
        for signed in inside:
            store.add([signed])
        sizes, anchored = [], 0
        while batch := store.next_batch(HOME):
            sizes.append(batch.size)
            store.mark_anchored(batch)
            for signed in inside[anchored : anchored + batch.size]:
                assert store.inclusion(signed.digest).root == batch.root
            anchored += batch.size
        assert sizes == [3, 3, 1]
        assert all(store.inclusion(s.digest).holds(s.digest) for s in inside)

    def test_receipts_are_anchored_on_their_workers_ledger(self, store: SqlReceiptStore) -> None:
        store.add([*receipts(2), *receipts(3, THERE), *receipts(1)])
        sizes = [batch.size for at in (THERE, HOME) if (batch := store.next_batch(at))]
        assert sizes == [3, 3]
        assert store.next_batch(LedgerId("eip155:1")) is None

    async def test_the_outbox_keeps_every_attempt_under_its_key(
        self, store: SqlReceiptStore
    ) -> None:
        calls = {
            key: SignedCall(HOME, "anchor", key, key.encode()) for key in ("batch/1", "batch/1#1")
        }
        for key, call in calls.items():
            assert await store.sent(key) is None
            await store.record(key, call)
        assert {key: await store.sent(key) for key in calls} == calls

    async def test_a_recorded_transaction_is_never_replaced(self, store: SqlReceiptStore) -> None:
        first = SignedCall(HOME, "anchor", "0x1", b"1")
        await store.record("batch/1", first)
        with pytest.raises(ReceiptStoreDamaged):
            await store.record("batch/1", SignedCall(HOME, "anchor", "0x2", b"2"))
        assert await store.sent("batch/1") == first

    def test_a_store_whose_tables_were_changed_is_named(
        self, store: SqlReceiptStore, site: StoreSite
    ) -> None:
        site.told("receipts", "DROP TABLE receipts")
        with pytest.raises(ReceiptStoreDamaged, match="receipts"):
            store.add(receipts(1))

    async def test_a_full_disk_is_a_named_error_and_the_store_goes_on_afterwards(
        self, store: SqlReceiptStore, site: StoreSite
    ) -> None:
        log = ReceiptWriter(store, EvmAccounts(HOME))
        (before, after) = receipts(2)
        full = receipts(300)
        with site.full(store._database, "receipts"):
            results = await asyncio.gather(
                *(log.add(s.signed) for s in full), return_exceptions=True
            )
        refused = results[-1]
        assert isinstance(refused, ReceiptStoreDamaged)
        assert "Make room" in refused.next_step
        await log.add(after.signed)
        await log.add(before.signed)
        batch = store.next_batch(HOME)
        assert batch is not None
        assert batch.size >= 2

    def test_what_may_not_be_written_to_is_named(
        self, store: SqlReceiptStore, site: StoreSite
    ) -> None:
        with (
            site.read_only(store._database),
            pytest.raises(ReceiptStoreDamaged, match=r"read-?only") as refused,
        ):
            store.add(receipts(1))
        assert "Make room" in refused.value.next_step
        assert store.next_batch(HOME) is None

    def test_what_failed_half_way_is_undone_and_the_store_goes_on(
        self, store: SqlReceiptStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class NoTree:
            def __init__(self, _leaves: object) -> None:
                raise Killed

        store.add(receipts(2))
        with monkeypatch.context() as broken:
            broken.setattr(receipt_store, "MerkleTree", NoTree)
            with pytest.raises(Killed):
                store.next_batch(HOME)
        store.add(receipts(1))
        batch = store.next_batch(HOME)
        assert batch is not None
        assert batch.size == 3

    async def test_concurrent_receipts_are_all_there_when_they_are_told_to_be(
        self, store: SqlReceiptStore, site: StoreSite
    ) -> None:
        log = ReceiptWriter(store, EvmAccounts(HOME))
        inside = receipts(100)
        await asyncio.gather(*(log.add(each.signed) for each in inside))
        assert site.told("receipts", "SELECT count(*) FROM receipts") == [(100,)]

    async def test_of_stores_that_close_a_batch_at_once_all_give_the_same(
        self, site: StoreSite
    ) -> None:
        with ExitStack() as stack:
            stores = [SqlReceiptStore(site.place("receipts")) for _ in range(4)]
            for each in stores:
                stack.callback(each.close)
            for _ in range(5):
                await asyncio.gather(*(asyncio.to_thread(s.add, receipts(5)) for s in stores))
                batches = await asyncio.gather(
                    *(asyncio.to_thread(s.next_batch, HOME) for s in stores)
                )
                assert len(set(batches)) == 1
                batch = batches[0]
                assert batch is not None
                assert batch.size == 20
                stores[0].mark_anchored(batch)
