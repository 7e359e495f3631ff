"""A worker that lies is found out by whoever asked it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx_models as models
import pytest

from caimi.client.inference import ask_worker
from caimi.client.publish import publish
from caimi.demo.world import World, start_world
from caimi.errors.inference import PriceTooHigh, ReceiptInvalid
from caimi.errors.operations import UnknownLedger
from caimi.inference.prices import Offer, PriceList
from caimi.inference.receipt import Receipt, SignedReceipt
from caimi.inference.tensors import hash_tensors
from caimi.keystore import LocalSigner
from caimi.ledgers.port import AccountCodec, Wallet
from caimi.models.package import Package

INPUTS = {"x": np.ones((1, 4), np.float32)}
OTHER = b"\x09" * 32


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with start_world("embedded", tmp_path) as started:
        yield started


class LyingWorker:
    """Answers with a receipt of what it likes, signed with its own key (port `WorkerClient`)."""

    def __init__(self, manifest: bytes, accounts: AccountCodec) -> None:
        self._wallet = accounts.wallet(LocalSigner.generate())
        self._manifest = manifest
        self.lies: dict[str, object] = {}
        self.shown: dict[str, np.ndarray] | None = None
        self.stranger: Wallet | None = None
        self.offered = 0

    async def infer(self, uri, inputs, nonce):
        outputs = {"y": np.full((1,), 7.0, np.float32)}
        honest = Receipt(
            ledger=uri.ledger,
            model_id=uri.model_id,
            version=uri.selector,
            manifest=self._manifest,
            input_hash=hash_tensors(inputs),
            output_hash=hash_tensors(outputs),
            engine="lies/1",
            price=0,
            time=1,
            worker=self._wallet.name,
            nonce=nonce,
        )
        said = replace(honest, **self.lies)
        signature = (self.stranger or self._wallet).sign_statement(said.statement)
        return self.shown or outputs, SignedReceipt(said, signature)

    @property
    def address(self) -> str:
        return self._wallet.name.rpartition(":")[2]

    async def offer(self, uri, inputs):
        return Offer(self.offered, PriceList(minimum=self.offered))

    async def inclusion(self, digest):
        raise AssertionError("nobody asks")


async def test_each_lie_of_a_worker_is_named(world, tmp_path):
    file = models.saved(tmp_path, models.perceptron())
    done = await publish(
        world.publisher,
        Package.from_path(file),
        ledger=world.a.id,
        name="m",
        version="1.0.0",
        price="5",
    )
    worker = LyingWorker(bytes.fromhex(done.manifest), world.a.accounts)
    answer = await ask_worker(world.consumer, worker, done.uri, INPUTS)
    assert answer.outputs["y"] == 7
    for lie, named in (
        ({"ledger": "eip155:1"}, "ledger"),
        ({"model_id": OTHER}, "model"),
        ({"version": "2.0.0"}, "version"),
        ({"manifest": OTHER}, "manifest"),
        ({"input_hash": OTHER}, "input"),
        ({"output_hash": OTHER}, "output"),
        ({"nonce": OTHER}, "request"),
    ):
        worker.lies = lie
        with pytest.raises(ReceiptInvalid, match=rf"another {named}\."):
            await ask_worker(world.consumer, worker, done.uri, INPUTS)
    worker.lies, worker.offered = {"price": 6}, 5
    with pytest.raises(ReceiptInvalid, match=r"another price\."):
        await ask_worker(world.consumer, worker, done.uri, INPUTS, max_price=10)
    with pytest.raises(PriceTooHigh):
        await ask_worker(world.consumer, worker, done.uri, INPUTS, max_price=4)
    worker.lies = {"price": 5}
    answer = await ask_worker(world.consumer, worker, done.uri, INPUTS, max_price=5)
    assert answer.receipt.receipt.price == 5
    worker.lies = {}
    worker.shown = {"y": np.full((1,), 8.0, np.float32)}
    with pytest.raises(ReceiptInvalid, match=r"another output\."):
        await ask_worker(world.consumer, worker, done.uri, INPUTS)
    worker.shown, worker.stranger = None, world.a.accounts.wallet(LocalSigner.generate())
    with pytest.raises(ReceiptInvalid, match="signed these bytes"):
        await ask_worker(world.consumer, worker, done.uri, INPUTS)
    worker.stranger, worker.lies = None, {"worker": f"eip155:1:{worker.address}"}
    with pytest.raises(UnknownLedger):
        await ask_worker(world.consumer, worker, done.uri, INPUTS)
