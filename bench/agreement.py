"""How near the WebAssembly engine is to ONNX Runtime and to float64: the tables of the page on it.

The truth in float64 comes from the standard's reference implementation on the same graph with every
weight and input widened.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, numpy_helper
from onnx.reference import ReferenceEvaluator

from bench.result import Result
from caimi.inference.onnx_runtime import ort
from caimi.inference.tensors import Array, Tensors
from caimi.inference.wasm.compiling.module_cache import ModuleCache
from caimi.inference.wasm.compiling.variants import VARIANTS
from caimi.inference.wasm.hosting.host import ModuleHost
from caimi.inference.wasm.hosting.weights import FileWeights
from zoo import MODELS, OPERATORS, ZooModel

PAGE = Path(__file__).parent.parent / "docs" / "engines-agreement.md"
SEED = 1


def measure() -> list[Result]:
    """Write the page's tables; give the share of a tolerance that is used where most of it is."""
    with tempfile.TemporaryDirectory(prefix="caimi-bench-") as name, ModuleHost() as host:
        folder = Path(name)
        operators = _rows(OPERATORS, folder, host, widened=True)
        models = [row for model in MODELS for row in _rows(model, folder, host, widened=False)]
    _write("operators", operators)
    _write("models", models)
    used = max(row[1] for row in (*operators, *models))
    return [Result("wasm_agreement_tolerance_used", used, "of the stated tolerance", ceiling=1)]


def _rows(
    model: ZooModel, folder: Path, host: ModuleHost, *, widened: bool
) -> list[tuple[str, float]]:
    """Give, for each output, a line of the table and the share of its tolerance that is used."""
    file = folder / f"{model.name}.onnx"
    file.write_bytes(model.build(0))
    inputs = model.inputs(1, SEED)
    session = ort.InferenceSession(file, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_outputs()]
    expected = dict(zip(names, session.run(names, inputs), strict=True))
    simd, f64 = (_run(file, variant, inputs, host) for variant in ("simd", "f64"))
    truth = _truth(onnx.load(file), inputs) if widened else {}
    rows = []
    for name, tolerance in model.tolerance.items():
        there = expected[name].astype(np.float64)
        if expected[name].dtype.kind != "f":
            continue
        allowed = tolerance.absolute + tolerance.relative * np.abs(there)
        errors: Array = np.abs(simd[name].astype(np.float64) - there)
        used = float(np.max(np.divide(errors, allowed, where=allowed > 0, out=errors * 0)))
        cells = [
            f"{tolerance.absolute:.0e} + {tolerance.relative:.0e} x"
            if tolerance.absolute
            else "equal",
            _most(errors),
            _most(f64[name].astype(np.float64) - there),
        ]
        if widened:
            cells += [
                _most(each[name].astype(np.float64) - truth[name].astype(np.float64))
                for each in (simd, f64, expected)
            ]
        else:
            cells.append(f"{np.std(there):.2g}")
        label = name if model is OPERATORS else f"{model.name}: {name}"
        rows.append((f"| {label} | {' | '.join(cells)} | {tolerance.reason} |", used))
    return rows


def _run(file: Path, variant: str, inputs: Tensors, host: ModuleHost) -> Tensors:
    module, weights = ModuleCache().module(file, VARIANTS[variant])
    with host.load(module, FileWeights(weights)) as session:
        return session.run(inputs).outputs


def _most(errors: Array) -> str:
    most = float(np.max(np.abs(errors)))
    return f"{most:.1e}" if most else "0"


def _truth(model: ModelProto, inputs: Tensors) -> Tensors:
    for weight in model.graph.initializer:
        if weight.data_type == TensorProto.FLOAT:
            wide = numpy_helper.to_array(weight).astype(np.float64)
            weight.CopyFrom(numpy_helper.from_array(wide, weight.name))
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = TensorProto.DOUBLE
    evaluator = ReferenceEvaluator(model)
    given = {name: value.astype(np.float64) for name, value in inputs.items()}
    return dict(zip(evaluator.output_names, evaluator.run(None, given), strict=True))


def _write(table: str, rows: list[tuple[str, float]]) -> None:
    text = PAGE.read_text("utf-8")
    before, rest = text.split(f"<!-- {table}:begin -->\n", 1)
    head = rest.splitlines()[:2]
    after = rest[rest.index(f"<!-- {table}:end -->") :]
    lines = [f"<!-- {table}:begin -->", *head, *(line for line, _ in rows), after]
    PAGE.write_text(before + "\n".join(lines), "utf-8")
