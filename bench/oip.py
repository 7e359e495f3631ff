"""Through the Open Inference Protocol's server over gRPC on loopback, against raw ONNX Runtime.

The server is a worker's process of its own, and does what a worker does: inputs hashed, the model
run in one thread, outputs hashed, the receipt signed, and on disk before the answer is given.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import grpc
import numpy as np
import onnx

from bench.inference import URI
from bench.result import Result
from caimi.datasets import train
from caimi.inference.oip.channel import SERVICE
from caimi.inference.oip.messages import InferRequest
from caimi.inference.oip.names import protocol_name
from caimi.inference.oip.remote import RemoteEngine
from caimi.inference.oip.wire import encode_request
from caimi.inference.onnx_runtime import ort
from zoo.resnet import resnet50

IMAGES, IN_FLIGHT, PAIRS = 24, 2, 9
REQUESTERS, REQUESTS, ROUNDS = 64, 4_000, 5
NAME = protocol_name(URI)


@contextmanager
def server_of(model: bytes, threads: int = 1, rows: int = 1) -> Iterator[tuple[Path, str]]:
    """Serve `model` in a process; gives its file, and the address of its gRPC."""
    with tempfile.TemporaryDirectory(prefix="caimi-bench-") as name:
        file = Path(name) / "model.onnx"
        file.write_bytes(model)
        command = [sys.executable, "-m", "bench.oip_server", str(file), str(threads), str(rows)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdin
            assert process.stdout
            port, _ = process.stdout.readline().split()
            try:
                yield file, f"127.0.0.1:{port}"
            finally:
                process.stdin.close()


def measure() -> list[Result]:
    """Give both figures."""
    return [_resnet50(), asyncio.run(_requests())]


def _resnet50() -> Result:
    """Two requests overlap, as a server's do: one image is computed while another is on its way."""
    with (
        server_of(resnet50(seed=0)) as (file, address),
        ThreadPoolExecutor(IN_FLIGHT) as requesters,
    ):
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        raw = ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        image = np.random.default_rng(1).standard_normal((1, 3, 224, 224)).astype(np.float32)
        engine = RemoteEngine(f"grpc://{address}", NAME, "1.0.0")
        session = engine.load(file)

        def ours() -> float:
            began = time.perf_counter()
            asked = [requesters.submit(session.run, {"image": image}) for _ in range(IMAGES)]
            for each in asked:
                each.result()
            return time.perf_counter() - began

        def theirs() -> float:
            began = time.perf_counter()
            for _ in range(IMAGES):
                raw.run(None, {"image": image})
            return time.perf_counter() - began

        ours(), theirs()
        pairs = []
        for turn in range(PAIRS):
            first, second = (ours, theirs) if turn % 2 else (theirs, ours)
            times = {first: first(), second: second()}
            pairs.append((times[ours], times[theirs]))
        engine.close()
    ratio = median(raw_time / our_time for our_time, raw_time in pairs)
    return Result(
        "oip_resnet50_ratio",
        ratio,
        "of the peer's throughput",
        "ONNX Runtime, images/s",
        IMAGES / median(raw_time for _, raw_time in pairs),
        ratio,
        floor=0.85,
    )


async def _requests() -> Result:
    trained = train("breast-cancer", seed=0)
    name = onnx.load_from_string(trained.onnx).graph.input[0].name
    rows = trained.holdout_x
    asked = [
        encode_request(InferRequest(NAME, "1.0.0", {name: rows[at : at + 1]}))
        for at in range(len(rows))
    ]
    with server_of(trained.onnx, threads=2, rows=8) as (_, address):
        async with grpc.aio.insecure_channel(address) as channel:
            infer = channel.unary_unary(f"/{SERVICE}/ModelInfer")

            async def ask(requests: int, first: int) -> None:
                for number in range(first, first + requests):
                    await infer(asked[number % len(asked)])

            async def round_of(requests: int) -> float:
                began = time.perf_counter()
                each = requests // REQUESTERS
                await asyncio.gather(*(ask(each, each * place) for place in range(REQUESTERS)))
                return each * REQUESTERS / (time.perf_counter() - began)

            await round_of(REQUESTS // 4)
            rates = [await round_of(REQUESTS) for _ in range(ROUNDS)]
    return Result("oip_requests_per_second", median(rates), "requests/s over gRPC, with receipts")
