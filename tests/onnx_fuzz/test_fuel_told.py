"""Fuel of random models is told as their runs take it, or not told at all."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from caimi.errors.inference import ModelNotRunnable
from caimi.inference import counting
from caimi.inference.metering import fuel_of
from caimi.inference.wasm.compiling.compiler import translate
from caimi.inference.wasm.compiling.variants import SIMD
from caimi.inference.wasm.engine import WasmEngine
from onnx_fuzz.case import Case, merged
from onnx_fuzz.play import OPSETS, draw

SEEDS = range(6)
OPERATORS = 4
NEAR, TINY = 0.1, 300
"""Told fuel lies within a tenth of the run's and what is tiny: of every operator, some hundred."""


@dataclass(frozen=True)
class Drawn:
    """A model of cases that are told, another of one that is not."""

    told: dict[str, Case]
    untold: Case
    opset: int


@cache
def drawn(seed: int) -> Drawn:
    """Draw until there are enough of each."""
    random = Random(f"fuel told {seed}")
    opset = random.choice(OPSETS)
    told: dict[str, Case] = {}
    untold = None
    with tempfile.TemporaryDirectory() as folder:
        while len(told) < OPERATORS or untold is None:
            case = draw(random, opset)
            file = saved(Path(folder), case.model)
            try:
                steps = not_told(file)
            except ModelNotRunnable:
                continue
            if steps:
                untold = untold or case
            elif len(told) < OPERATORS:
                told[f"c{len(told)}."] = case
    return Drawn(told, untold, opset)


def saved(folder: Path, model: Any) -> Path:
    file = folder / "model.onnx"
    file.write_bytes(model.SerializeToString())
    return file


def not_told(file: Path) -> tuple[str, ...]:
    """Name the steps for which a run would be counted."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("caimi.inference.metering.counted_fuel", lambda *_: 0)
        return fuel_of(file, SIMD, translate(file, SIMD))[1]


def taken(file: Path, inputs: dict[str, Any]) -> int:
    session = WasmEngine(SIMD).load(file)
    try:
        return session.run_costed(inputs).cost.fuel
    finally:
        session.close()


def plain(inputs: dict[str, Any], random: np.random.Generator) -> dict[str, Any]:
    """Give noise for numbers: of edges and of large arguments, functions take other ways."""
    return {
        name: random.standard_normal(value.shape).astype(value.dtype)
        if np.asarray(value).dtype.kind == "f"
        else np.ascontiguousarray(value)
        for name, value in inputs.items()
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_random_models_are_told_within_a_tenth(seed: int, tmp_path: Path) -> None:
    cases = drawn(seed).told
    file = saved(tmp_path, merged(cases, drawn(seed).opset))
    named = {f"{p}{name}": v for p, case in cases.items() for name, v in case.inputs.items()}
    fuel, steps = fuel_of(file, SIMD, translate(file, SIMD))
    assert steps == ()
    ran = taken(file, plain(named, np.random.default_rng(seed)))
    assert abs(fuel - ran) < NEAR * ran + TINY * OPERATORS, [c.story for c in cases.values()]


def test_models_that_are_not_told_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = drawn(0).untold
    file = saved(tmp_path, case.model)
    noise: list[dict[str, Any]] = []
    known = counting.random_tensors
    monkeypatch.setattr(
        counting, "random_tensors", lambda *given: noise.append(known(*given)) or noise[-1]
    )
    fuel, steps = fuel_of(file, SIMD, translate(file, SIMD))
    assert steps
    assert fuel == taken(file, noise[0])
