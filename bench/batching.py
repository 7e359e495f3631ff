"""The ONNX Runtime engine with requests run together, against one raw run for each request.

Ours computes in a process of its own, so that the time on the clock is what counts: it includes
the way there and back. The large images go two by two, the small ones 64 at a time.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import onnx

from bench.result import Result
from caimi.inference.batching import BatchLimits, rows_stay_apart, run_together
from caimi.inference.onnx_engine import OnnxEngine
from caimi.inference.onnx_runtime import ort
from caimi.inference.tensors import Tensors
from zoo import named
from zoo.resnet import resnet50

PAIRS, IMAGES, ROWS, REPEATS = 9, 16, 64, 20


def measure() -> list[Result]:
    """Give both figures."""
    image = np.random.default_rng(1).standard_normal((1, 3, 224, 224)).astype(np.float32)
    small = named("digits_cnn")
    rows = [small.inputs(1, seed) for seed in range(ROWS)]
    return [
        _ratio(
            "batching_resnet50_ratio",
            _open_batch(resnet50(seed=0)),
            [{"image": image}] * IMAGES,
            BatchLimits(rows=2, size=2 << 20),
            floor=0.97,
        ),
        _ratio(
            "batching_digits_ratio",
            small.build(0),
            rows * REPEATS,
            BatchLimits(rows=ROWS),
            floor=0.97,
        ),
    ]


def _open_batch(model: bytes) -> bytes:
    """Leave the number of images open."""
    opened = onnx.load_from_string(model)
    for value in (*opened.graph.input, *opened.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "n"
    return bytes(opened.SerializeToString())


def _ratio(
    name: str, model: bytes, requests: list[Tensors], limits: BatchLimits, floor: float
) -> Result:
    with tempfile.TemporaryDirectory(prefix="caimi-bench-") as folder:
        file = Path(folder) / "model.onnx"
        file.write_bytes(model)
        assert rows_stay_apart(file)
        session = OnnxEngine(threads=1).load(file)
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        raw = ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])

        def ours() -> float:
            began = time.perf_counter()
            outcomes = run_together(session, requests, limits)
            assert not any(isinstance(outcome, Exception) for outcome in outcomes)
            return time.perf_counter() - began

        def theirs() -> float:
            began = time.perf_counter()
            for inputs in requests:
                raw.run(None, inputs)
            return time.perf_counter() - began

        ours(), theirs()
        pairs = [_pair(ours, theirs, turn % 2 == 0) for turn in range(PAIRS)]
    ratio = median(theirs / ours for ours, theirs in pairs)
    peer = len(requests) / median(theirs for _, theirs in pairs)
    unit = "of the peer's throughput"
    return Result(name, ratio, unit, "ONNX Runtime, requests/s", peer, ratio, floor=floor)


def _pair(
    ours: Callable[[], float], theirs: Callable[[], float], ours_first: bool
) -> tuple[float, float]:
    if ours_first:
        return ours(), theirs()
    raw = theirs()
    return ours(), raw
