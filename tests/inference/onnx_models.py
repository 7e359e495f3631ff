"""Small ONNX models for tests."""

from pathlib import Path

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

OPSET = 18


def value(name: str, dtype: int, shape: list[int | str | None] | None) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, shape)


def model(
    nodes: list[NodeProto],
    inputs: list[ValueInfoProto],
    outputs: list[ValueInfoProto],
    weights: list[TensorProto] | None = None,
    domains: tuple[str, ...] = (),
) -> ModelProto:
    opsets = [
        helper.make_opsetid("", OPSET),
        *(helper.make_opsetid(domain, 1) for domain in domains),
    ]
    graph = helper.make_graph(nodes, "test", inputs, outputs, weights or [])
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def identity(dtype: int, shape: list[int | str | None] | None) -> ModelProto:
    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    return model(nodes, [value("x", dtype, shape)], [value("y", dtype, shape)])


def perceptron() -> ModelProto:
    """`x` float32 [rows, 4] to `scores` float32 [rows, 3] and `label` int64 [rows]."""
    noise = np.random.default_rng(7)
    hidden = noise.standard_normal((4, 5)).astype(np.float32)
    last = noise.standard_normal((5, 3)).astype(np.float32)
    return model(
        [
            helper.make_node("MatMul", ["x", "hidden"], ["h"]),
            helper.make_node("Relu", ["h"], ["r"]),
            helper.make_node("MatMul", ["r", "last"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["scores"], axis=1),
            helper.make_node("ArgMax", ["scores"], ["label"], axis=1, keepdims=0),
        ],
        [value("x", TensorProto.FLOAT, ["rows", 4])],
        [
            value("scores", TensorProto.FLOAT, ["rows", 3]),
            value("label", TensorProto.INT64, ["rows"]),
        ],
        [numpy_helper.from_array(hidden, "hidden"), numpy_helper.from_array(last, "last")],
    )


def two_sided() -> ModelProto:
    """`a` and `b`, float32 [n, 2] each with the same n, to their sum."""
    return model(
        [helper.make_node("Add", ["a", "b"], ["sum"])],
        [value("a", TensorProto.FLOAT, ["n", 2]), value("b", TensorProto.FLOAT, ["n", 2])],
        [value("sum", TensorProto.FLOAT, ["n", 2])],
    )


def gathering() -> ModelProto:
    """`index` int64 [n] to rows of a table of three: an index over 2 fails while running."""
    table = numpy_helper.from_array(np.arange(6, dtype=np.float32).reshape(3, 2), "table")
    return model(
        [helper.make_node("Gather", ["table", "index"], ["rows"])],
        [value("index", TensorProto.INT64, ["n"])],
        [value("rows", TensorProto.FLOAT, ["n", 2])],
        [table],
    )


def with_custom_operator() -> ModelProto:
    nodes = [helper.make_node("Exfiltrate", ["x"], ["y"], domain="com.example")]
    return model(
        nodes,
        [value("x", TensorProto.FLOAT, ["n"])],
        [value("y", TensorProto.FLOAT, ["n"])],
        domains=("com.example",),
    )


def with_external_weights(location: str) -> ModelProto:
    """`x` float32 [2] plus two weights that lie in the file `location`."""
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2])
    weights.data_location = TensorProto.EXTERNAL
    for key, text in (("location", location), ("offset", "0"), ("length", "8")):
        weights.external_data.add(key=key, value=text)
    return model(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        [value("x", TensorProto.FLOAT, [2])],
        [value("y", TensorProto.FLOAT, [2])],
        [weights],
    )


def saved(folder: Path, built: ModelProto) -> Path:
    file = folder / "model.onnx"
    file.write_bytes(built.SerializeToString())
    return file
