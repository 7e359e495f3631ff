"""Verified inference against raw ONNX Runtime, and signed receipts a second.

Both run on the worker's real path: inputs hashed, model run, outputs hashed, receipt signed, and
written to disk before the answer is given.
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy as np
import onnx

from bench.result import Result
from caimi.datasets import train
from caimi.inference.batch import ReceiptWriter
from caimi.inference.batching import BatchLimits, rows_stay_apart
from caimi.inference.onnx_engine import OnnxEngine
from caimi.inference.onnx_runtime import ort
from caimi.inference.receipt import NONCE_BYTES
from caimi.inference.receipt_store import ReceiptStore
from caimi.inference.worker import ServedModel, Worker
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.abi.accounts import EvmAccounts
from caimi.ledgers.port import LedgerId
from caimi.persistence import open_receipt_store
from caimi.uri import ModelUri
from zoo.resnet import resnet50

IMAGES, IN_FLIGHT, PAIRS = 24, 2, 9
REQUESTERS, RECEIPTS, ROUNDS = 64, 4_000, 5
URI = ModelUri("eip155:31337", bytes(32), "1.0.0")


class OneModel:
    """Serves one model (port `Models`)."""

    def __init__(self, served: ServedModel) -> None:
        self._served = served

    async def serve(self, uri: ModelUri) -> ServedModel:
        return self._served


@contextmanager
def worker_of(
    model: bytes, threads: int | None = None, *, rows: int = 1
) -> Iterator[tuple[Worker, ReceiptStore, Path]]:
    """A worker that serves `model`, its receipts on disk; gives these and the model's file too.

    With `rows` it runs so many rows of waiting requests together.
    """
    with tempfile.TemporaryDirectory(prefix="caimi-bench-") as name:
        folder = Path(name)
        file = folder / "model.onnx"
        file.write_bytes(model)
        engine = OnnxEngine()
        apart = rows > 1 and rows_stay_apart(file)
        served = ServedModel(URI, secrets.token_bytes(32), engine.load(file), apart)
        store = open_receipt_store(None, folder / "receipts.sqlite")
        try:
            accounts = EvmAccounts(LedgerId(URI.ledger))
            worker = Worker(
                engine,
                OneModel(served),
                accounts.wallet(LocalSigner.generate()),
                ReceiptWriter(store, accounts),
                time.time,
                threads=threads,
                batches=BatchLimits(rows),
            )
            yield worker, store, file
        finally:
            store.close()


def measure() -> list[Result]:
    """Give both figures."""
    return [asyncio.run(_resnet50()), asyncio.run(_receipts())]


async def _resnet50() -> Result:
    """Both compute in one thread. Requests overlap, as a server's do, so that one image is computed
    while the receipt of the one before is being written to disk.
    """
    with worker_of(resnet50(seed=0), threads=1) as (worker, _, file):
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        raw = ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        image = np.random.default_rng(1).standard_normal((1, 3, 224, 224)).astype(np.float32)

        async def verified() -> None:
            for _ in range(IMAGES // IN_FLIGHT):
                await worker.infer(URI, {"image": image}, secrets.token_bytes(NONCE_BYTES))

        async def ours() -> float:
            began = time.perf_counter()
            await asyncio.gather(*(verified() for _ in range(IN_FLIGHT)))
            return time.perf_counter() - began

        def theirs() -> float:
            began = time.perf_counter()
            for _ in range(IMAGES):
                raw.run(None, {"image": image})
            return time.perf_counter() - began

        await ours(), theirs()
        pairs = []
        for turn in range(PAIRS):
            if turn % 2:
                pairs.append((await ours(), theirs()))
            else:
                raw_time = theirs()
                pairs.append((await ours(), raw_time))
    ratio = median(raw_time / our_time for our_time, raw_time in pairs)
    return Result(
        "inference_resnet50_ratio",
        ratio,
        "of the peer's throughput",
        "ONNX Runtime, images/s",
        IMAGES / median(raw_time for _, raw_time in pairs),
        ratio,
        floor=0.95,
    )


async def _receipts() -> Result:
    trained = train("breast-cancer", seed=0)
    name = onnx.load_from_string(trained.onnx).graph.input[0].name
    with worker_of(trained.onnx) as (worker, _, _):

        async def ask(requests: int, first: int) -> None:
            for number in range(first, first + requests):
                row = number % len(trained.holdout_x)
                inputs = {name: trained.holdout_x[row : row + 1]}
                await worker.infer(URI, inputs, secrets.token_bytes(NONCE_BYTES))

        async def round_of(receipts: int) -> float:
            began = time.perf_counter()
            each = receipts // REQUESTERS
            await asyncio.gather(*(ask(each, each * place) for place in range(REQUESTERS)))
            return each * REQUESTERS / (time.perf_counter() - began)

        await round_of(RECEIPTS // 4)
        rates = [await round_of(RECEIPTS) for _ in range(ROUNDS)]
    return Result("receipts_per_second", median(rates), "receipts/s", floor=2000)
