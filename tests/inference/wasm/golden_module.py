"""The hashes of one small model's modules, so that a change of their bytes is seen.

``python tests/inference/wasm/golden_module.py`` (`make golden-module`) writes them anew.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from caimi.inference.wasm.compiling.compiler import compile_model
from caimi.inference.wasm.compiling.variants import VARIANTS
from caimi.inference.wasm.metadata import REVISION

GOLDEN = Path(__file__).parent / "golden_module.json"
COMPILED = ("simd", "mvp")


def model() -> bytes:
    """Give a model of a convolution, a product, and operators of the generator's own."""
    draw = np.random.default_rng(7)
    node = helper.make_node
    graph = helper.make_graph(
        [
            node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
            node("HardSwish", ["c"], ["h"]),
            node("Flatten", ["h"], ["f"]),
            node("Gemm", ["f", "m"], ["g"]),
            node("LogSoftmax", ["g"], ["y"]),
        ],
        "golden",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 2, 5, 5])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4])],
        [
            numpy_helper.from_array(draw.normal(size=(4, 2, 3, 3)).astype("float32"), "w"),
            numpy_helper.from_array(draw.normal(size=(100, 4)).astype("float32"), "m"),
        ],
    )
    opsets = [helper.make_opsetid("", 18)]
    return bytes(helper.make_model(graph, ir_version=9, opset_imports=opsets).SerializeToString())


def hashes() -> dict[str, str]:
    """Compile the model for each of `COMPILED`; give the SHA-256 of each module."""
    with tempfile.TemporaryDirectory(prefix="caimi-golden-") as folder:
        file = Path(folder) / "model.onnx"
        file.write_bytes(model())
        return {name: compile_model(file, VARIANTS[name]).sha256.hex() for name in COMPILED}


def record() -> dict[str, object]:
    """Give what the file of golden hashes holds."""
    return {"revision": REVISION, "modules": hashes()}


if __name__ == "__main__":
    if sys.argv[1:] == ["show"]:
        print(json.dumps(hashes()))
    else:
        GOLDEN.write_text(json.dumps(record(), indent=1) + "\n")
