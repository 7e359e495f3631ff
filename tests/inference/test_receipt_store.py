"""Receipts on disk: durable before the answer, each batch anchored once, each receipt provable."""

import asyncio
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from worker_world import receipts

from caimi.errors.inference import NotAnchored, ReceiptMalformed, ReceiptStoreDamaged
from caimi.inference import receipt_store
from caimi.inference.batch import ReceiptLog, anchor_receipts
from caimi.inference.inclusion import Inclusion
from caimi.inference.receipt_store import ReceiptStore
from caimi.ledgers.evm.connect import new_embedded_chain
from caimi.ledgers.evm.deployment import deploy
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.signer import LocalSigner
from caimi.ledgers.port import Account, LedgerId, SignedCall

HOME = LedgerId("eip155:31337")
per_example = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def store(tmp_path: Path):
    opened = ReceiptStore(tmp_path / "receipts.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def worker() -> LocalSigner:
    return LocalSigner.generate()


@pytest.fixture
async def ledger(worker: LocalSigner) -> EvmLedger:
    deployer = LocalSigner.generate()
    chain = new_embedded_chain(31337, dict.fromkeys((deployer.account, worker.account), 10**21))
    return EvmLedger(chain, await deploy(chain, deployer))


async def anchorings(ledger: EvmLedger, worker: LocalSigner) -> int:
    account = f"0x{worker.account.hex()}"
    return int(await ledger.chain.rpc.ask("eth_getTransactionCount", account, "latest"), 16)


@per_example
@given(count=st.integers(1, 40), strangers=st.integers(1, 3))
def test_every_receipt_of_a_batch_is_proved_and_no_other(tmp_path, count, strangers):
    store = ReceiptStore(tmp_path / f"{count}-{strangers}.sqlite")
    inside, outside = receipts(count), receipts(strangers)
    store.add(inside)
    batch = store.next_batch(HOME)
    assert (batch.size, store.next_batch(HOME)) == (len(inside), batch)
    store.mark_anchored(batch)
    proofs = [store.inclusion(signed.receipt.digest) for signed in inside]
    for at, proof in enumerate(proofs):
        assert proof.root == batch.root
        assert proof.holds(inside[at])
        assert not proof.holds(inside[at - 1]) or count == 1
        assert not any(proof.holds(stranger) for stranger in outside)
        assert Inclusion.from_document(proof.as_document()) == proof
    for stranger in outside:
        with pytest.raises(NotAnchored):
            store.inclusion(stranger.receipt.digest)
    store.close()
    (tmp_path / f"{count}-{strangers}.sqlite").unlink()


def test_a_proof_with_one_bit_changed_does_not_hold(store):
    inside = receipts(5)
    store.add(inside)
    store.mark_anchored(store.next_batch(HOME))
    proof = store.inclusion(inside[0].receipt.digest)
    for at in range(len(proof.proof)):
        node = bytes([proof.proof[at][0] ^ 1]) + proof.proof[at][1:]
        assert not replace(proof, proof=(*proof.proof[:at], node, *proof.proof[at + 1 :])).holds(
            inside[0]
        )
    assert not replace(proof, root=bytes(32)).holds(inside[0])


@pytest.mark.parametrize(
    "document",
    [None, {}, {"root": "0x" + "ab" * 32}, {"root": "ab" * 32, "proof": []},
     {"root": "0x" + "AB" * 32, "proof": []}, {"root": "0x" + "ab" * 32, "proof": [1]},
     {"root": "0x" + "ab" * 32, "proof": ["0x" + "ab" * 32] * 65},
     {"root": "0x" + "ab" * 32, "proof": [], "more": 1}, {"root": 1, "proof": []}],
)  # fmt: skip
def test_what_is_no_inclusion_proof_is_refused(document):
    with pytest.raises(ReceiptMalformed):
        Inclusion.from_document(document)


def test_a_receipt_is_not_proved_before_its_batch_is_anchored(store):
    (signed,) = receipts(1)
    store.add([signed])
    for _ in range(2):
        with pytest.raises(NotAnchored):
            store.inclusion(signed.receipt.digest)
        store.next_batch(HOME)


def test_receipts_outlive_the_process(tmp_path):
    path = tmp_path / "receipts.sqlite"
    first = ReceiptStore(path)
    first.add(receipts(3))  # and the process is killed: nothing is closed
    second = ReceiptStore(path)
    assert second.next_batch(HOME).size == 3
    first.close()
    second.close()


def test_a_receipt_twice_is_there_once(store):
    inside = receipts(2)
    store.add([*inside, inside[0]])
    store.add(inside)
    batch = store.next_batch(HOME)
    assert batch.size == 2
    store.mark_anchored(batch)
    store.add(inside)
    assert store.next_batch(HOME) is None


def test_a_closed_batch_takes_no_more(store):
    store.add(receipts(2))
    batch = store.next_batch(HOME)
    store.add(receipts(2))
    assert store.next_batch(HOME) == batch
    store.mark_anchored(batch)
    assert store.next_batch(HOME).number != batch.number


def test_a_batch_is_bounded(store, monkeypatch):
    monkeypatch.setattr(receipt_store, "MAX_BATCH", 3)
    inside = receipts(7)
    store.add(inside)
    sizes = []
    while batch := store.next_batch(HOME):
        sizes.append(batch.size)
        store.mark_anchored(batch)
    assert sizes == [3, 3, 1]
    assert all(store.inclusion(s.receipt.digest).holds(s) for s in inside)


def test_receipts_are_anchored_where_their_models_are(store):
    there = LedgerId("eip155:31338")
    store.add([*receipts(2), *receipts(3, there), *receipts(1)])
    assert (store.next_batch(there).size, store.next_batch(HOME).size) == (3, 3)
    assert store.next_batch(LedgerId("eip155:1")) is None


async def test_the_outbox_keeps_every_attempt_under_its_key(store):
    calls = {key: SignedCall(HOME, "anchor", key, key.encode()) for key in ("batch/1", "batch/1#1")}
    for key, call in calls.items():
        assert await store.sent(key) is None
        await store.record(key, call)
    assert {key: await store.sent(key) for key in calls} == calls


async def test_anchored_receipts_are_proved_on_the_ledger(store, ledger, worker):
    inside = receipts(5, signer=worker)
    store.add(inside)
    assert (await anchor_receipts(store, ledger, worker)) is not None
    assert await anchor_receipts(store, ledger, worker) is None
    proof = store.inclusion(inside[0].receipt.digest)
    assert (
        await ledger.receipts.anchored(Account(ledger.id, worker.account), proof.root) is not None
    )
    assert await anchorings(ledger, worker) == 1


async def test_a_worker_killed_at_any_point_of_anchoring_anchors_once(tmp_path, ledger, worker):
    class Mortal(ReceiptStore):
        """Dies before, or just after, one of its accesses to the disk."""

        moments = 0

        def _moment(self):
            self.moments -= 1
            if self.moments < 0:
                raise Killed

        def _around(self, work):
            self._moment()
            result = work()
            self._moment()
            return result

        def next_batch(self, ledger):
            return self._around(lambda: ReceiptStore.next_batch(self, ledger))

        def mark_anchored(self, batch):
            return self._around(lambda: ReceiptStore.mark_anchored(self, batch))

        def _record(self, key, call):
            return self._around(lambda: ReceiptStore._record(self, key, call))

        def _sent(self, key):
            return self._around(lambda: ReceiptStore._sent(self, key))

    path = tmp_path / "receipts.sqlite"
    inside = receipts(3, signer=worker)
    deaths = 0
    for moments in range(40):
        store = Mortal(path)
        store.moments = moments
        try:
            store.add(inside)  # the requesters ask again, too
            await anchor_receipts(store, ledger, worker)
            break
        except Killed:
            deaths += 1
        finally:
            store.close()
    assert deaths >= 8
    survivor = ReceiptStore(path)
    assert await anchorings(ledger, worker) == 1
    assert all(survivor.inclusion(s.receipt.digest).holds(s) for s in inside)
    survivor.close()


async def test_a_store_from_a_backup_does_not_anchor_again(tmp_path, ledger, worker):
    first = ReceiptStore(tmp_path / "receipts.sqlite")
    first.add(receipts(2, signer=worker))
    first.next_batch(HOME)
    with sqlite3.connect(tmp_path / "backup.sqlite") as copy:
        first._db.backup(copy)
    assert await anchor_receipts(first, ledger, worker)
    restored = ReceiptStore(tmp_path / "backup.sqlite")
    assert await anchor_receipts(restored, ledger, worker) is None
    assert await anchorings(ledger, worker) == 1
    first.close()
    restored.close()


@pytest.mark.parametrize("damage", ["text", "truncated", "other tables", "another version"])
def test_a_damaged_store_is_a_named_error(tmp_path, damage):
    path = tmp_path / "receipts.sqlite"
    if damage == "text":
        path.write_bytes(b"this is no database" * 100)
    elif damage == "other tables":
        with sqlite3.connect(path) as db:
            db.execute("CREATE TABLE receipts (a)")
    else:
        store = ReceiptStore(path)
        store.add(receipts(200))
        store.close()
        if damage == "truncated":
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        else:
            with sqlite3.connect(path) as db:
                db.execute("PRAGMA user_version = 9")

    def use() -> None:
        store = ReceiptStore(path)
        store.add(receipts(1))
        store.next_batch(HOME)

    with pytest.raises(ReceiptStoreDamaged, match=r"receipts\.sqlite"):
        use()


def test_a_store_that_cannot_be_made_is_a_named_error(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / "receipts.sqlite"):
        with pytest.raises(ReceiptStoreDamaged):
            ReceiptStore(path)


async def test_a_full_disk_is_a_named_error_and_the_store_goes_on_afterwards(store):
    log = ReceiptLog(store)
    (before, after) = receipts(2)
    (pages,) = store._db.execute("PRAGMA page_count").fetchone()
    store._db.execute(f"PRAGMA max_page_count = {pages}")
    full = receipts(300)
    results = await asyncio.gather(*(log.add(s) for s in full), return_exceptions=True)
    assert all(isinstance(result, ReceiptStoreDamaged) for result in results[1:])
    store._db.execute("PRAGMA max_page_count = 1000000")
    await log.add(after)
    await log.add(before)
    assert store.next_batch(HOME).size >= 2


def test_what_failed_half_way_is_undone_and_the_store_goes_on(store, monkeypatch):
    class NoTree:
        def __init__(self, _leaves):
            raise Killed

    store.add(receipts(2))
    with monkeypatch.context() as broken:
        broken.setattr(receipt_store, "MerkleTree", NoTree)
        with pytest.raises(Killed):
            store.next_batch(HOME)
    store.add(receipts(1))
    assert store.next_batch(HOME).size == 3


async def test_concurrent_receipts_are_all_on_disk_when_they_are_told_to_be(store, tmp_path):
    log = ReceiptLog(store)
    inside = receipts(100)
    await asyncio.gather(*(log.add(signed) for signed in inside))
    with sqlite3.connect(tmp_path / "receipts.sqlite") as other:
        assert other.execute("SELECT count(*) FROM receipts").fetchone() == (100,)
