"""What becomes of one node test: passed, refused with a reason, or wrong."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, numpy_helper

from caimi.errors.base import CaimiError
from caimi.errors.inference import ModelNotRunnable
from caimi.inference.wasm.compiling.compiler import compile_model
from caimi.inference.wasm.compiling.variants import SIMD, Variant
from onnx_conformance.module_runner import Stopped, run_module

NOISY = {
    "test_attention_4d_causal_fp16_expanded": 1e-3,
    "test_dft_inverse": 1e-5,
    "test_dft_inverse_opset19": 1e-5,
}
"""Absolute tolerances of cases whose right outputs are rounding noise where 0 is exact, or were
added up in float16."""
PASSED, REFUSED, WRONG = "passed", "refused", "wrong"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`what` happened with a case; `why` unless it passed."""

    case: str
    what: str
    why: str = ""


def judge(case: Any, variant: Variant = SIMD) -> Verdict:
    """Compile a case's model, run it, and compare; never raises."""
    try:
        return _judge(case, variant)
    except Exception as error:
        return Verdict(case.name, WRONG, f"{type(error).__name__}: {str(error)[:300]}")


def _judge(case: Any, variant: Variant) -> Verdict:
    with tempfile.TemporaryDirectory(prefix="caimi-node-") as folder:
        file = Path(folder) / "model.onnx"
        source = case.model.SerializeToString()
        file.write_bytes(source)
        shapes = shapes_of(case)
        try:
            compiled = compile_model(file, variant, shapes=shapes)
        except ModelNotRunnable as error:
            return Verdict(case.name, REFUSED, error.what.removeprefix("model.onnx: "))
        except CaimiError as error:
            return Verdict(case.name, WRONG, f"{error.code}: {error.what}")
    for given, right in case.data_sets:
        inputs, wanted = _arrays(given), _arrays(right)
        try:
            outputs = run_module(compiled, source, inputs)
        except Stopped as error:
            return Verdict(case.name, WRONG, str(error))
        difference = _difference(wanted, outputs, case)
        if difference:
            return Verdict(case.name, WRONG, difference)
    return Verdict(case.name, PASSED)


def _arrays(values: Any) -> list[Any]:
    """Give arrays for those that are messages; some types are only as messages in numpy."""
    return [
        numpy_helper.to_array(value) if isinstance(value, TensorProto) else value
        for value in values
    ]


def shapes_of(case: Any) -> dict[str, tuple[int, ...]]:
    """Give the shapes of the inputs that a case gives."""
    constants = {tensor.name for tensor in case.model.graph.initializer}
    names = [value.name for value in case.model.graph.input if value.name not in constants]
    given = zip(names, _arrays(case.data_sets[0][0]), strict=False)
    return {name: tuple(getattr(value, "shape", ())) for name, value in given}


def _difference(wanted: Any, given: Any, case: Any) -> str:
    """Compare as `onnx.backend.test.runner.Runner.assert_similar_outputs` does."""
    if len(wanted) != len(given):
        return f"{len(given)} outputs, not {len(wanted)}"
    for right, ours in zip(wanted, given, strict=True):
        if np.asarray(right).dtype != ours.dtype or np.shape(right) != ours.shape:
            return f"{ours.dtype}{ours.shape}, not {np.asarray(right).dtype}{np.shape(right)}"
        try:
            near = NOISY.get(case.name, case.atol)
            np.testing.assert_allclose(ours, right, rtol=case.rtol, atol=near)
        except AssertionError as error:
            return " ".join(str(error).split())[:300]
    return ""
