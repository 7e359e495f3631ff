"""What sizes settle: shapes computed from constants, branches, forms that the generator takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from caimi.errors.inference import ModelNotRunnable
from caimi.inference.onnx_runtime import ort
from caimi.inference.wasm.compiling.compiler import translate
from caimi.inference.wasm.compiling.graph import fix_sizes
from caimi.inference.wasm.compiling.settling import settle
from caimi.inference.wasm.compiling.variants import SIMD
from caimi.inference.wasm.engine import WasmEngine

FLOAT, INT, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def graph_of(
    nodes: list[Any],
    inputs: list[tuple[str, int, list[Any]]],
    outputs: list[tuple[str, int, list[Any] | None]],
    weights: dict[str, Any],
    opset: int = 13,
) -> ModelProto:
    made = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(*each) for each in inputs],
        [helper.make_tensor_value_info(*each) for each in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def padded(mode: str = "reflect", pads: tuple[int, ...] = (1, 2)) -> ModelProto:
    """`torch.nn.functional.pad` as TorchScript exports it: pads are computed from constants."""
    nodes = [
        helper.make_node("ConstantOfShape", ["four"], ["zeros"]),
        helper.make_node("Cast", ["zeros"], ["whole"], to=INT),
        helper.make_node("Concat", ["pads", "whole"], ["p0"], axis=0),
        helper.make_node("Reshape", ["p0", "pairs"], ["p1"]),
        helper.make_node("Slice", ["p1", "last", "least", "first", "last"], ["p2"]),
        helper.make_node("Transpose", ["p2"], ["p3"], perm=[1, 0]),
        helper.make_node("Reshape", ["p3", "flat"], ["p4"]),
        helper.make_node("Pad", ["x", "p4"], ["y"], mode=mode),
    ]
    weights = {
        "four": np.array([6 - len(pads)]),
        "pads": np.array(pads),
        "pairs": np.array([-1, 2]),
        "last": np.array([-1]),
        "least": np.array([-(2**63) + 1]),
        "first": np.array([0]),
        "flat": np.array([-1]),
    }
    return graph_of(nodes, [("x", FLOAT, [1, 1, "n"])], [("y", FLOAT, [1, 1, "m"])], weights)


def saved(folder: Path, model: ModelProto) -> Path:
    file = folder / "model.onnx"
    file.write_bytes(model.SerializeToString())
    return file


def by_onnx_runtime(model: ModelProto, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return dict(
        zip([o.name for o in session.get_outputs()], session.run(None, inputs), strict=True)
    )


def check_answer(folder: Path, model: ModelProto, inputs: dict[str, np.ndarray]) -> None:
    session = WasmEngine().load(saved(folder, model))
    try:
        found = session.run(inputs)
    finally:
        session.close()
    for name, right in by_onnx_runtime(model, inputs).items():
        assert found[name].shape == right.shape
        np.testing.assert_array_equal(found[name], right)


def test_computed_pads_give_onnx_runtimes_answer(tmp_path: Path):
    check_answer(tmp_path, padded(), {"x": np.arange(5, dtype=np.float32).reshape(1, 1, 5)})


def kinds(model: ModelProto, **sizes: tuple[int, ...]) -> list[str]:
    return [node.op_type for node in settle(fix_sizes(model, sizes)).graph.node]


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge"])
def test_only_what_depends_on_data_is_left(mode: str):
    assert kinds(padded(mode), x=(1, 1, 7)) == ["Pad"]


def test_a_shape_taken_from_an_input_is_settled_by_its_size():
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["n"]),
        helper.make_node("Unsqueeze", ["n", "axes"], ["n1"]),
        helper.make_node("Concat", ["n1", "minus"], ["to"], axis=0),
        helper.make_node("Reshape", ["x", "to"], ["y"]),
    ]
    weights = {"zero": np.int64(0), "axes": np.array([0]), "minus": np.array([-1])}
    model = graph_of(nodes, [("x", FLOAT, ["n", 2, 3])], [("y", FLOAT, ["n", 6])], weights)
    settled = settle(fix_sizes(model, {"x": (4, 2, 3)}))
    assert [node.op_type for node in settled.graph.node] == ["Reshape"]
    shape = settled.graph.output[0].type.tensor_type.shape
    assert [size.dim_value for size in shape.dim] == [4, 6]


def choosing(condition: str = "rank") -> ModelProto:
    """Two rows or fewer are doubled, more are negated; a branch has a weight of its own."""
    then = helper.make_graph(
        [helper.make_node("Mul", ["x", "two"], ["h"]), helper.make_node("Identity", ["h"], ["z"])],
        "then",
        [],
        [helper.make_tensor_value_info("z", FLOAT, None)],
        [numpy_helper.from_array(np.float32(2), "two")],
    )
    other = helper.make_graph(
        [helper.make_node("Neg", ["x"], ["z"])],
        "else",
        [],
        [helper.make_tensor_value_info("z", FLOAT, None)],
    )
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["rank"]),
        helper.make_node("Less", [condition, "three"], ["few"]),
        helper.make_node("If", ["few"], ["y"], then_branch=then, else_branch=other),
        helper.make_node("Add", ["y", "x"], ["sum"]),
    ]
    inputs = [("x", FLOAT, ["n", 2]), ("q", INT, [])]
    weights = {"zero": np.int64(0), "three": np.int64(3)}
    return graph_of(nodes, inputs, [("sum", FLOAT, ["n", 2])], weights)


@pytest.mark.parametrize("rows", [1, 4])
def test_a_branch_that_sizes_choose_is_compiled(rows: int, tmp_path: Path):
    x = np.arange(rows * 2, dtype=np.float32).reshape(rows, 2)
    check_answer(tmp_path, choosing(), {"x": x, "q": np.array(9)})


def test_a_branch_that_a_run_chooses_is_refused_by_name(tmp_path: Path):
    with pytest.raises(ModelNotRunnable, match="'If' chooses by what a run computes"):
        translate(saved(tmp_path, choosing("q")), SIMD)


def test_two_uses_of_a_branchs_names_stay_apart():
    model = choosing()
    again = [onnx.NodeProto() for _ in range(2)]
    for place, node in enumerate(model.graph.node[3:5]):
        again[place].CopyFrom(node)
        again[place].output[0] += "2"
    again[1].input[0] = "y2"
    model.graph.node.extend(again)
    model.graph.output.append(helper.make_tensor_value_info("sum2", FLOAT, None))
    settled = settle(fix_sizes(model, {"x": (1, 2), "q": ()}))
    written = [name for node in settled.graph.node for name in node.output]
    assert len(written) == len(set(written))
    onnx.checker.check_model(settled, full_check=True)


def test_a_slice_that_steps_backwards_gives_onnx_runtimes_answer(tmp_path: Path):
    node = helper.make_node("Slice", ["x", "starts", "ends", "axes", "steps"], ["y"])
    weights = {
        "starts": np.array([-1, 0, -9]),
        "ends": np.array([-(2**63) + 1, 3, -9]),
        "axes": np.array([2, 0, -2]),
        "steps": np.array([-2, 2, -1]),
    }
    model = graph_of([node], [("x", FLOAT, [4, 3, 5])], [("y", FLOAT, [2, 1, 3])], weights)
    check_answer(tmp_path, model, {"x": np.arange(60, dtype=np.float32).reshape(4, 3, 5)})


def test_an_empty_region_is_no_region(tmp_path: Path):
    node = helper.make_node("Resize", ["x", "roi", "none", "sizes"], ["y"], mode="nearest")
    weights = {
        "roi": np.zeros(0, np.float32),
        "none": np.zeros(0, np.float32),
        "sizes": np.array([1, 1, 4, 6]),
    }
    model = graph_of(
        [node], [("x", FLOAT, [1, 1, 2, 3])], [("y", FLOAT, [1, 1, "a", "b"])], weights
    )
    check_answer(tmp_path, model, {"x": np.arange(6, dtype=np.float32).reshape(1, 1, 2, 3)})


def test_what_cannot_be_bounded_is_left_to_the_module():
    nodes = [
        helper.make_node("ConstantOfShape", ["many"], ["zeros"]),
        helper.make_node("Expand", ["x", "many"], ["y"]),
    ]
    weights = {"many": np.array([1 << 14, 1 << 14])}
    outputs = [("y", FLOAT, ["a", "b"]), ("zeros", FLOAT, ["a", "b"])]
    model = graph_of(nodes, [("x", FLOAT, [1, 1])], outputs, weights)
    assert kinds(model, x=(1, 1)) == ["ConstantOfShape", "Expand"]


def test_random_computations_of_shapes_settle_to_what_onnx_runtime_computes():
    for seed in range(25):
        model, x = _random_shapes(np.random.default_rng(seed))
        settled = settle(fix_sizes(model, {"x": x.shape}))
        assert [node.op_type for node in settled.graph.node] == ["Reshape"]
        target = next(
            t for t in settled.graph.initializer if t.name == settled.graph.node[0].input[1]
        )
        found = x.reshape(numpy_helper.to_array(target))
        np.testing.assert_array_equal(found, by_onnx_runtime(model, {"x": x})["y"])


def _random_shapes(noise: np.random.Generator) -> tuple[ModelProto, np.ndarray]:
    """Reshape `x` to a shape that a chain of operators on its own shape computes."""
    shape = [int(size) for size in noise.integers(1, 5, int(noise.integers(2, 5)))]
    nodes, last = [helper.make_node("Shape", ["x"], ["v"])], "v"
    weights: dict[str, Any] = {"minus": np.array([-1]), "back": np.array([-(2**63) + 1])}
    weights |= {"zero": np.array([0]), "one": np.int64(1), "two": np.int64(2)}

    def then(kind: str, *more: str, **attributes: Any) -> None:
        nonlocal last
        nodes.append(helper.make_node(kind, [last, *more], [f"v{len(nodes)}"], **attributes))
        last = f"v{len(nodes) - 1}"

    for step in noise.integers(0, 6, int(noise.integers(1, 7))):
        if step == 0:
            then("Slice", "minus", "back", "zero", "minus")
        elif step == 1:
            then("Mul", "two")
            then("Div", "two")
        elif step == 2:
            then("Cast", to=FLOAT)
            then("Floor")
            then("Cast", to=INT)
        elif step == 3:
            then("Add", "one")
            then("Sub", "one")
        elif step == 4:
            then("Unsqueeze", "zero")
            then("Squeeze", "zero")
        else:
            weights["order"] = np.arange(len(shape))[::-1].copy()
            then("Gather", "order")
    nodes.append(helper.make_node("Reshape", ["x", last], ["y"]))
    model = graph_of(nodes, [("x", FLOAT, shape)], [("y", FLOAT, ["?"] * len(shape))], weights)
    return model, noise.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("stated", [[9, 2], [2], []])
def test_a_wrongly_stated_output_shape_is_passed_over_as_onnx_runtime_does(
    stated: list[int], tmp_path: Path
):
    node = helper.make_node("Relu", ["x"], ["y"])
    model = graph_of([node], [("x", FLOAT, ["n", 2])], [("y", FLOAT, stated)], {})
    check_answer(tmp_path, model, {"x": np.array([[1, -1], [-2, 2]], np.float32)})
