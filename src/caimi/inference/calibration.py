"""How fast this machine is: fuel a second for each WASM variant, multiply-adds for ONNX Runtime."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from caimi.errors.machine import SystemRefused
from caimi.inference.engine import Session
from caimi.inference.onnx_engine import OnnxEngine
from caimi.inference.tensors import Tensors
from caimi.inference.wasm.compiling.variants import VARIANTS
from caimi.inference.wasm.engine import WasmEngine
from caimi.json_text import read_json
from caimi.places import cache_folder, check_file_place, write_result

ONNX: Final = "onnx"
DEFAULTS: Final[Mapping[str, int]] = {
    ONNX: 40_000_000_000,
    "simd": 40_000_000_000,
    "mvp": 25_000_000_000,
    "f64": 30_000_000_000,
    "int8": 40_000_000_000,
}
"""Of a server processor of 2023, one thread: multiply-adds a second, then fuel a second."""
_MAX_RATE: Final = 10**15
_MAX_BYTES: Final = 1 << 16
_SIZE: Final = 192
_CHANNELS: Final = 48
_SECONDS: Final = 0.6


@dataclass(frozen=True, slots=True)
class Rates:
    """Work a second; `measured` names what was measured here, the rest is `DEFAULTS`."""

    rates: Mapping[str, int]
    measured: frozenset[str]

    def seconds(self, name: str, work: int) -> float:
        """Tell how long work takes."""
        return work / self.rates[name]


def default_file() -> Path:
    """Give the file that keeps this machine's rates."""
    return cache_folder() / "rates.json"


def load_rates(file: Path | None = None) -> Rates:
    """Give what was measured here, and defaults for the rest; a damaged file counts as none."""
    try:
        data = (file or default_file()).read_bytes()
    except (OSError, SystemRefused):
        data = b"{}"
    found = parse_rates(data)
    return Rates({**DEFAULTS, **found}, frozenset(found))


def parse_rates(data: bytes) -> dict[str, int]:
    """Take the bytes of a file of rates, leaving out what is none."""
    try:
        document = read_json(data.decode()) if len(data) <= _MAX_BYTES else None
    except (ValueError, RecursionError):
        return {}
    if not isinstance(document, dict):
        return {}
    return {
        name: rate
        for name, rate in document.items()
        if name in DEFAULTS and type(rate) is int and 0 < rate < _MAX_RATE
    }


def calibrate(file: Path | None = None, variants: tuple[str, ...] = tuple(VARIANTS)) -> Rates:
    """Measure this machine in some seconds, and keep what was found.

    Raises:
        CompilerFailed: the toolchain is missing, and then nothing is kept.
        SystemRefused: they could not be kept; tried before anything is measured.
    """
    target = file or default_file()
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise SystemRefused.of(error) from error
    check_file_place(target)
    with tempfile.TemporaryDirectory(prefix="caimi-calibrate-") as name:
        model = Path(name) / "model.onnx"
        multiplies = _write_model(model)
        inputs: Tensors = {"x": np.ones((1, _CHANNELS, _SIZE // 4, _SIZE // 4), np.float32)}
        onnx = OnnxEngine(1).load(model)
        found = {ONNX: round(multiplies / _fastest(onnx, inputs))}
        for variant in variants:
            session = WasmEngine(VARIANTS[variant]).load(model)
            try:
                fuel = session.run_costed(inputs).cost.fuel
                found[variant] = round(fuel / _fastest(session, inputs))
            finally:
                session.close()
    write_result(target, json.dumps(found, sort_keys=True).encode())
    return Rates({**DEFAULTS, **found}, frozenset(found))


def _fastest(session: Session, inputs: Tensors) -> float:
    best, end = float("inf"), time.perf_counter() + _SECONDS
    while time.perf_counter() < end or best == float("inf"):
        began = time.perf_counter()
        session.run(inputs)
        best = min(best, time.perf_counter() - began)
    return best


def _write_model(file: Path) -> int:
    """Write a convolution, what image models mostly are; give its multiply-adds."""
    side = _SIZE // 4
    noise = np.random.default_rng(0).standard_normal((_CHANNELS, _CHANNELS, 3, 3))
    weights = [
        numpy_helper.from_array(noise.astype(np.float32) / _CHANNELS, f"w{layer}")
        for layer in range(3)
    ]
    nodes = [
        helper.make_node(
            "Conv", ["x" if layer == 0 else f"y{layer - 1}", f"w{layer}"], [f"y{layer}"],
            pads=[1, 1, 1, 1],
        )
        for layer in range(3)
    ]  # fmt: skip
    shape = [1, _CHANNELS, side, side]
    graph = helper.make_graph(
        nodes,
        "calibration",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y2", TensorProto.FLOAT, shape)],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    file.write_bytes(model.SerializeToString())
    return 3 * _CHANNELS * _CHANNELS * 9 * side * side
