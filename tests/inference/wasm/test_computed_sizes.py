"""Sizes, axes and indices that only a run shows are compared with what was compiled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from caimi.errors.inference import ModelNotRunnable
from caimi.inference.wasm.compiling.compiler import compile_model
from caimi.inference.wasm.compiling.variants import VARIANTS
from onnx_conformance.module_runner import Stopped, run_module

X = np.arange(6, dtype="float32").reshape(2, 3)
INDEX_OUT_OF_RANGE, SHAPE_DIFFERS = 1, 4


def numbers(*values: int) -> np.ndarray:
    return np.array(values, dtype="int64")


def compiled(folder: Path, node: Any, inputs: list[np.ndarray], shape: list[int], dtype: int):
    kinds = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64, "bool": TensorProto.BOOL}
    graph = helper.make_graph(
        [node],
        "one",
        [
            helper.make_tensor_value_info(name, kinds[str(value.dtype)], value.shape)
            for name, value in zip([n for n in node.input if n], inputs, strict=True)
        ],
        [
            helper.make_tensor_value_info(name, TensorProto.INT64 if name == "i" else dtype, shape)
            for name in node.output
        ],
    )
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)])
    file = folder / "model.onnx"
    file.write_bytes(model.SerializeToString())
    return compile_model(file), file.read_bytes()


CASES = {
    "Reshape": ({}, [X], numbers(3, 2), numbers(2, 3), [3, 2]),
    "Expand": ({}, [X], numbers(4, 2, 3), numbers(3, 2, 3), [4, 2, 3]),
    "Tile": ({}, [X], numbers(1, 2), numbers(2, 1), [2, 6]),
    "ConstantOfShape": ({}, [], numbers(2, 2), numbers(4, 1), [2, 2]),
    "TopK": ({}, [X], numbers(2), numbers(3), [2, 2]),
    "Unsqueeze": ({}, [X], numbers(0), numbers(1), [1, 2, 3]),
    "ReduceSum": ({"keepdims": 0}, [X], numbers(0), numbers(1), [3]),
    "Pad": ({}, [X], numbers(0, 1, 0, 1), numbers(1, 0, 1, 0), [2, 5]),
    "Compress": ({"axis": 1}, [X], np.array([True, False, True]), np.array([True] * 3), [2, 2]),
    "NonZero": ({}, [], numbers(0, 5, 7), numbers(1, 5, 7), [1, 2]),
}


@pytest.mark.parametrize("kind", CASES)
def test_what_was_not_compiled_for_fails_the_run(kind: str, tmp_path: Path):
    attributes, before, fits, differs, shape = CASES[kind]
    inputs = [*before, fits]
    outputs = ["y", "i"] if kind == "TopK" else ["y"]
    node = helper.make_node(kind, [f"i{i}" for i in range(len(inputs))], outputs, **attributes)
    dtype = TensorProto.INT64 if kind == "NonZero" else TensorProto.FLOAT
    module, source = compiled(tmp_path, node, inputs, shape, dtype)
    assert list(run_module(module, source, inputs)[0].shape) == shape
    with pytest.raises(Stopped) as stopped:
        run_module(module, source, [*before, differs])
    assert stopped.value.status == SHAPE_DIFFERS


@pytest.mark.parametrize("label", [3, -1, 1 << 40])
def test_a_label_beyond_the_classes_fails_the_run(label: int, tmp_path: Path):
    node = helper.make_node("NegativeLogLikelihoodLoss", ["x", "t"], ["y"], reduction="sum")
    module, source = compiled(tmp_path, node, [X, numbers(0, 2)], [], TensorProto.FLOAT)
    assert run_module(module, source, [X, numbers(0, 2)])[0] == -5
    with pytest.raises(Stopped) as stopped:
        run_module(module, source, [X, numbers(0, label)])
    assert stopped.value.status == INDEX_OUT_OF_RANGE


def test_a_size_that_cannot_be_compared_is_refused_by_name(tmp_path: Path):
    node = helper.make_node("Unique", ["x"], ["y"])
    with pytest.raises(ModelNotRunnable, match="Unique"):
        compiled(tmp_path, node, [X], [6], TensorProto.FLOAT)


@pytest.mark.parametrize("variant", ["simd", "mvp"])
def test_floats_beyond_an_integer_become_its_nearest_with_simd_and_without(
    variant: str, tmp_path: Path
):
    values = np.array([np.nan, np.inf, -np.inf, 1e30, -1e30, 2.9, -2.9], "float32")
    node = helper.make_node("Cast", ["x"], ["y"], to=TensorProto.INT32)
    graph = helper.make_graph(
        [node],
        "cast",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [7])],
        [helper.make_tensor_value_info("y", TensorProto.INT32, [7])],
    )
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)])
    file = tmp_path / "model.onnx"
    file.write_bytes(model.SerializeToString())
    module = compile_model(file, VARIANTS[variant])
    most, least = 2**31 - 1, -(2**31)
    (found,) = run_module(module, file.read_bytes(), [values])
    assert found.tolist() == [0, most, least, most, least, 2, -2]
