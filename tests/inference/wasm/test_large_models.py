"""Models whose weights are too large for the compiler are refused before they are read."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest
from onnx import TensorProto, helper

from caimi.errors.inference import ModelNotRunnable
from caimi.inference.wasm.compiling.compiler import translate
from caimi.inference.wasm.compiling.graph import MAX_MODEL_BYTES
from caimi.inference.wasm.compiling.variants import SIMD

ROW = 1024


def with_weights_beside(folder: Path, size: int, length: int | None = None) -> Path:
    rows = size // (4 * ROW)
    graph = helper.make_graph(
        [helper.make_node("Gather", ["w", "i"], ["y"])],
        "g",
        [helper.make_tensor_value_info("i", TensorProto.INT64, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, ROW])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    weights = model.graph.initializer.add(name="w", data_type=TensorProto.FLOAT)
    weights.dims.extend([rows, ROW])
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value="w.bin")
    if length is not None:
        weights.external_data.add(key="length", value=str(length))
    (folder / "w.bin").touch()
    os.truncate(folder / "w.bin", size)
    file = folder / "model.onnx"
    file.write_bytes(model.SerializeToString())
    return file


@pytest.mark.parametrize("length", [None, 1])
def test_weights_of_3_gib_are_refused_before_they_are_read(length: int | None, tmp_path: Path):
    file = with_weights_beside(tmp_path, 3 << 30, length)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelNotRunnable, match=r"3,221,2.* bytes with its weights"):
        translate(file, SIMD)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000
    assert MAX_MODEL_BYTES < 3 << 30


def test_an_onnx_file_that_is_itself_too_large_is_refused_before_it_is_read(tmp_path: Path):
    file = tmp_path / "model.onnx"
    file.touch()
    os.truncate(file, MAX_MODEL_BYTES + 1)
    with pytest.raises(ModelNotRunnable, match="bytes with its weights"):
        translate(file, SIMD)


def test_weights_beside_within_the_bound_are_taken(tmp_path: Path):
    made = translate(with_weights_beside(tmp_path, 4 << 20), SIMD)
    assert made.weight_bytes == 4 << 20
