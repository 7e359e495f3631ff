"""Receipts on their ledger: each batch anchored once, each receipt provable."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from worker_world import ACCOUNTS, digest, kept, receipts

from caimi.errors.inference import ReceiptMalformed
from caimi.inference.batch import anchor_receipts
from caimi.inference.inclusion import Inclusion
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.administration.deploying import deploy
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.local.in_process import new_embedded_chain
from caimi.ledgers.port import Account, LedgerId
from caimi.persistence import open_receipt_store
from caimi.persistence.place import SqliteFile
from caimi.persistence.receipt_store import SqlReceiptStore

HOME = LedgerId("eip155:31337")


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def store(tmp_path: Path):
    opened = open_receipt_store(None, tmp_path / "receipts.sqlite")
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


def test_a_proof_with_one_bit_changed_does_not_hold(store):
    inside = receipts(5)
    store.add(kept(inside))
    store.mark_anchored(store.next_batch(HOME))
    proof = store.inclusion(digest(inside[0]))
    for at in range(len(proof.proof)):
        node = bytes([proof.proof[at][0] ^ 1]) + proof.proof[at][1:]
        changed = replace(proof, proof=(*proof.proof[:at], node, *proof.proof[at + 1 :]))
        assert not changed.holds(digest(inside[0]))
    assert not replace(proof, root=bytes(32)).holds(digest(inside[0]))
    assert Inclusion.from_document(proof.as_document()) == proof


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


async def test_anchored_receipts_are_proved_on_the_ledger(store, ledger, worker):
    inside = receipts(5, ACCOUNTS.wallet(worker))
    store.add(kept(inside))
    assert (await anchor_receipts(store, ledger, worker)) is not None
    assert await anchor_receipts(store, ledger, worker) is None
    proof = store.inclusion(digest(inside[0]))
    assert (
        await ledger.receipts.anchored(Account(ledger.id, worker.account), proof.root) is not None
    )
    assert await anchorings(ledger, worker) == 1


async def test_a_worker_killed_at_any_point_of_anchoring_anchors_once(tmp_path, ledger, worker):
    class Mortal(SqlReceiptStore):
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
            return self._around(lambda: SqlReceiptStore.next_batch(self, ledger))

        def mark_anchored(self, batch):
            return self._around(lambda: SqlReceiptStore.mark_anchored(self, batch))

        def _record(self, key, call):
            return self._around(lambda: SqlReceiptStore._record(self, key, call))

        def _sent(self, key):
            return self._around(lambda: SqlReceiptStore._sent(self, key))

    path = tmp_path / "receipts.sqlite"
    inside = receipts(3, ACCOUNTS.wallet(worker))
    deaths = 0
    for moments in range(40):
        store = Mortal(SqliteFile(path))
        store.moments = moments
        try:
            store.add(kept(inside))  # the requesters ask again, too
            await anchor_receipts(store, ledger, worker)
            break
        except Killed:
            deaths += 1
        finally:
            store.close()
    assert deaths >= 8
    survivor = open_receipt_store(None, path)
    assert await anchorings(ledger, worker) == 1
    assert all(survivor.inclusion(digest(s)).holds(digest(s)) for s in inside)
    survivor.close()


async def test_a_store_from_a_backup_does_not_anchor_again(tmp_path, ledger, worker):
    first = open_receipt_store(None, tmp_path / "receipts.sqlite")
    first.add(kept(receipts(2, ACCOUNTS.wallet(worker))))
    first.next_batch(HOME)
    with (
        sqlite3.connect(tmp_path / "receipts.sqlite") as source,
        sqlite3.connect(tmp_path / "backup.sqlite") as copy,
    ):
        source.backup(copy)
    assert await anchor_receipts(first, ledger, worker)
    restored = open_receipt_store(None, tmp_path / "backup.sqlite")
    assert await anchor_receipts(restored, ledger, worker) is None
    assert await anchorings(ledger, worker) == 1
    first.close()
    restored.close()
