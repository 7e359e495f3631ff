"""Operators become the kernel calls that compute what ONNX Runtime computes."""

from dataclasses import dataclass, field
from math import prod

import numpy as np
import onnx
import pytest
from emx_onnx_cgen.compiler import Compiler
from emx_onnx_cgen.ir.ops import SoftmaxOp
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper, numpy_helper
from shared.scalar_types import ScalarType

from caimi.errors.inference import ModelNotRunnable
from caimi.inference.onnx_runtime import ort
from caimi.inference.wasm.compiling.compiler import compile_model
from caimi.inference.wasm.compiling.operator_calls import operator_call
from caimi.inference.wasm.compiling.operators.c_text import float_text
from caimi.inference.wasm.compiling.operators.lowering import repair_lowering
from caimi.inference.wasm.compiling.operators.strides import MAX_RANK, merged, reduction, strides
from caimi.inference.wasm.hosting.weights import FileWeights


def random(*shape, dtype=np.float32):
    return np.random.default_rng(prod(shape)).standard_normal(shape).astype(dtype)


def ints(*values):
    return np.array(values, np.int64)


@dataclass
class Case:
    """One node: shapes of its inputs, constants behind them, attributes, and its kernel."""

    kernel: str | None
    kind: str
    shapes: list[tuple[int, ...]]
    constants: tuple[np.ndarray | None, ...] = ()
    attributes: dict[str, object] = field(default_factory=dict)
    outputs: int = 1
    dtype: type = np.float32


def case(kernel, kind, *shapes, constants=(), outputs=1, dtype=np.float32, **attributes):
    return Case(kernel, kind, list(shapes), constants, attributes, outputs, dtype)


IMAGE = (2, 3, 17, 19)
SMALL = np.float32(-0.5)
CASES = [
    *(
        case(name, kind, (3, 37))
        for name, kind in {
            "exp": "Exp", "erf": "Erf", "tanh": "Tanh", "sigmoid": "Sigmoid", "abs": "Abs",
            "neg": "Neg", "floor": "Floor", "ceil": "Ceil", "softplus": "Softplus", "clip": "Relu",
            "softsign": "Softsign", "reciprocal": "Reciprocal", "hard_swish": "HardSwish",
            "gelu": "Gelu",
        }.items()
    ),
    case("gelu_tanh", "Gelu", (5, 6), approximate="tanh"),
    case("elu", "Elu", (5, 6), alpha=0.7),
    case("selu", "Selu", (5, 6)),
    case("celu", "Celu", (5, 6), alpha=1.5),
    case("leaky_relu", "LeakyRelu", (5, 6)),
    case("thresholded_relu", "ThresholdedRelu", (5, 6), alpha=0.4),
    case("hard_sigmoid", "HardSigmoid", (5, 6)),
    case("clip", "Clip", (5, 6), constants=(SMALL, np.float32(0.5))),
    case("clip", "Clip", (5, 6), constants=(None, np.float32(0.5))),
    case("add", "Add", (2, 3, 4), (4,)),
    case("sub", "Sub", (2, 3, 4), (3, 1)),
    case("mul", "Mul", (2, 1, 4), (3, 1)),
    case("div", "Div", (1,), (2, 3, 5)),
    case("prelu", "PRelu", IMAGE, constants=(random(3, 1, 1),)),
    case("pow", "Pow", (4, 5), constants=(np.float32(2),)),
    case("add", "Sum", (4, 5), (5,), (1,)),
    case("max", "Max", (4, 5), (5,)),
    case("min", "Min", (4, 5), (5,)),
    case("softmax", "Softmax", (4, 37)),
    case("softmax", "Softmax", (4, 9, 7), axis=1),
    case("log_softmax", "LogSoftmax", (4, 9, 7), axis=0),
    case("reduce_mean", "ReduceMean", (4, 9, 7), constants=(ints(1),)),
    case("reduce_sum", "ReduceSum", (4, 9, 7), constants=(ints(1, 2),), keepdims=0),
    case("reduce_max", "ReduceMax", (4, 9, 7), constants=(ints(-1),)),
    case("reduce_min", "ReduceMin", (4, 9, 7), constants=(ints(0),)),
    case("reduce_sum_square", "ReduceSumSquare", (4, 9, 7), constants=(ints(0, 1, 2),)),
    case("reduce_mean", "GlobalAveragePool", IMAGE),
    case("reduce_max", "GlobalMaxPool", IMAGE),
    case("layer_norm", "LayerNormalization", (3, 5, 17), constants=(random(17), random(17))),
    case("layer_norm", "LayerNormalization", (3, 5, 17), constants=(random(5, 17),), axis=1),
    case("group_norm", "InstanceNormalization", IMAGE, constants=(random(3), random(3))),
    case(
        "group_norm", "GroupNormalization", (2, 6, 5, 5), constants=(random(6), random(6)),
        num_groups=3,
    ),
    case("rms_norm", "RMSNormalization", (3, 5, 17), constants=(random(17),)),
    case("attention", "Attention", (2, 4, 9, 5), (2, 2, 11, 5), (2, 2, 11, 7)),
    case("attention", "Attention", *[(2, 4, 9, 20)] * 3, is_causal=1, scale=0.3),
    case("attention", "Attention", *[(4, 4, 9, 5)] * 3, constants=(random(4, 9, 9),)),
    case("attention", "Attention", *[(2, 9, 12)] * 3, q_num_heads=3, kv_num_heads=3),
    case(
        "attention", "Attention", *[(2, 4, 9, 5)] * 3, constants=(random(9, 9),)
    ),
    case(
        "attention", "Attention", *[(2, 4, 9, 5)] * 3, constants=(random(2, 1, 9, 9) > -0.5,)
    ),
    case("max_pool", "MaxPool", IMAGE, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    case(
        "max_pool", "MaxPool", IMAGE, kernel_shape=[2, 3], dilations=[2, 1], strides=[3, 3],
        ceil_mode=1,
    ),
    case("max_pool", "MaxPool", (2, 3, 29), kernel_shape=[2], strides=[2]),
    case("average_pool", "AveragePool", IMAGE, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4),
    case(
        "average_pool", "AveragePool", IMAGE, kernel_shape=[3, 3], pads=[1] * 4,
        count_include_pad=1,
    ),
    case("average_pool", "AveragePool", (2, 3, 29), kernel_shape=[3], strides=[2], ceil_mode=1),
    case("copy_32", "Transpose", (2, 17, 3, 19), perm=[0, 2, 1, 3]),
    case("copy_32", "Transpose", (2, 17, 3, 19), perm=[3, 2, 1, 0]),
    case("copy_32", "Transpose", (33, 47)),
    case("copy_32", "Transpose", (5, 7), dtype=np.int32),
    case("copy_32", "DepthToSpace", (2, 18, 4, 5), blocksize=3),
    case("copy_32", "DepthToSpace", (2, 18, 4, 5), blocksize=3, mode="CRD"),
    case("copy_32", "SpaceToDepth", (2, 3, 4, 6), blocksize=2),
    case("copy_32", "Slice", (5, 6, 7), constants=(ints(1, 2), ints(5, 7), ints(0, 2), ints(2, 1))),
    case("copy_32", "Concat", (2, 3, 4), (2, 5, 4), axis=1),
    case("copy_32", "Expand", (3, 1), constants=(ints(2, 3, 4),)),
    case("copy_32", "Tile", (2, 3), constants=(ints(2, 3),)),
    case("fill_32", "Pad", (2, 3, 4), constants=(ints(0, 1, 2, 0, 3, 1), np.float32(1.5))),
    case("copy_32", "Split", (6, 7), axis=0, num_outputs=2, outputs=2),
    *(
        case(
            kind.lower(), kind, (5, 2, 7),
            constants=(random(ways, gates * 6, 7), random(ways, gates * 6, 6),
                       random(ways, gates * 12)),
            direction=direction, hidden_size=6, outputs=2 + (kind == "LSTM"),
        )
        for kind, gates in {"RNN": 1, "GRU": 3, "LSTM": 4}.items()
        for direction, ways in {"forward": 1, "reverse": 1, "bidirectional": 2}.items()
    ),
    case(
        "gru", "GRU", (5, 2, 7), constants=(random(1, 18, 7), random(1, 18, 6), random(1, 36)),
        hidden_size=6, linear_before_reset=1,
    ),
]  # fmt: skip


def model(cases):
    """All nodes side by side in one graph; ONNX Runtime says what the outputs are."""
    nodes, inputs, weights, names = [], [], [], []
    for number, one in enumerate(cases):
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(one.dtype))
        read = [f"x{number}_{place}" for place in range(len(one.shapes))]
        for name, shape in zip(read, one.shapes, strict=True):
            inputs.append(helper.make_tensor_value_info(name, kind, shape))
        for place, constant in enumerate(one.constants):
            read.append("" if constant is None else f"c{number}_{place}")
            if constant is not None:
                weights.append(numpy_helper.from_array(np.asarray(constant), read[-1]))
        written = [f"y{number}_{place}" for place in range(one.outputs)]
        names += written
        nodes.append(helper.make_node(one.kind, read, written, f"n{number}", **one.attributes))
    outputs = [helper.make_empty_tensor_value_info(name) for name in names]
    graph = helper.make_graph(nodes, "operators", inputs, outputs, weights)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=11)
    _, expected = reference(made)
    for value in made.graph.output:
        array = expected[value.name]
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        value.CopyFrom(helper.make_tensor_value_info(value.name, kind, array.shape))
    return made


KINDS = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
}


def reference(made):
    """Random inputs, and ONNX Runtime's outputs."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(made.SerializeToString(), options)
    inputs = {
        value.name: random(*value.shape, dtype=KINDS[value.type]) for value in session.get_inputs()
    }
    names = [value.name for value in session.get_outputs()]
    return inputs, dict(zip(names, session.run(names, inputs), strict=True))


def lowered(one):
    repair_lowering()
    return Compiler()._build_compile_context(model([one])).lowered


def call(one):
    """The statement for a case's only node."""
    graph = lowered(one)
    (op,) = graph.ops
    return operator_call(op, graph.op_context.shape, graph.op_context.dtype)


@pytest.fixture(scope="module")
def answers(tmp_path_factory, host):
    """Inputs, what the module gives and what ONNX Runtime gives, in single precision both."""
    made = model(CASES)
    inputs, expected = reference(made)
    folder = tmp_path_factory.mktemp("operators")
    onnx.save(made, folder / "model.onnx")
    compiled = compile_model(folder / "model.onnx")
    with host.load(compiled, FileWeights(folder)) as session:
        return session.run(inputs).outputs, expected


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda n: f"{CASES[n].kind}-{n}")
def test_operators_agree_with_onnx_runtime(answers, number):
    given, expected = answers
    for place in range(CASES[number].outputs):
        name = f"y{number}_{place}"
        assert given[name].dtype == expected[name].dtype
        np.testing.assert_allclose(given[name], expected[name], rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda n: f"{CASES[n].kind}-{n}")
def test_operators_have_their_kernel(number):
    suffix = "" if CASES[number].kernel.endswith("32") else "_f32"
    assert call(CASES[number]).startswith(f"caimi_{CASES[number].kernel}{suffix}(")


@pytest.mark.parametrize(
    "one",
    [
        case(None, "Exp", (3, 4), dtype=np.float64),
        case(None, "Transpose", (3, 4), dtype=np.int64),
        case(None, "ReduceSum", (3, 4, 5), constants=(ints(0, 2),)),
        case(None, "ReduceProd", (3, 4), constants=(ints(0),)),
        case(None, "MaxPool", (1, 2, 5, 5), kernel_shape=[2, 2], outputs=2),
        case(None, "MaxPool", (1, 2, 5, 5, 5), kernel_shape=[2, 2, 2]),
        case(None, "Pad", (3, 4), constants=(ints(1, 0, 1, 0),), mode="edge"),
        case(None, "LayerNormalization", (3, 4), constants=(random(1),)),
        case(None, "Attention", *[(2, 4, 9, 5)] * 3, softcap=2.0),
        case(
            None, "GRU", (5, 2, 7), constants=(random(1, 18, 7), random(1, 18, 6)),
            hidden_size=6, clip=1.0,
        ),
        case(
            None, "LSTM", (5, 2, 7),
            constants=(random(1, 24, 7), random(1, 24, 6), None, None, None, None, random(1, 18)),
            hidden_size=6,
        ),
    ],
    ids=lambda one: f"{one.kind}-{len(one.attributes)}",
)  # fmt: skip
def test_what_no_kernel_covers_is_left_to_the_generator(one):
    assert call(one) is None


@pytest.mark.parametrize(
    "one",
    [
        case(
            None, "GRU", (5, 2, 7), constants=(random(1, 18, 7), random(1, 18, 6)),
            hidden_size=6, direction="reverse", clip=1.0,
        ),
        case(
            None, "Attention", *[(4, 4, 9, 5)] * 3, constants=(random(4, 9, 9),), softcap=2.0
        ),
    ],
    ids=["a reversed direction", "a mask for each head"],
)  # fmt: skip
def test_what_the_generator_gets_wrong_is_refused(tmp_path, one):
    onnx.save(model([one]), tmp_path / "model.onnx")
    with pytest.raises(ModelNotRunnable, match="generator gets wrong"):
        compile_model(tmp_path / "model.onnx")


def test_old_softmax_takes_all_axes_from_the_given_one():
    shapes = {"x": (2, 3, 4), "y": (2, 3, 4)}
    walks = {(1, True): "{2, 12, 1}", (1, False): "{2, 3, 4}", (None, True): "{2, 12, 1}"}
    for (axis, legacy), walk in walks.items():
        op = SoftmaxOp("x", "y", axis, use_legacy_axis_semantics=legacy)
        assert walk in operator_call(op, shapes.__getitem__, lambda _: ScalarType.F32)


# ---- walks and text


@given(
    st.lists(
        st.tuples(st.integers(1, 4), st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=6
    )
)
def test_merging_axes_keeps_the_walk(axes):
    sizes, first, second = zip(*axes, strict=True)
    walk = merged(sizes, first, second)

    def visited(sizes, *steps):
        return [
            tuple(sum(i * s for i, s in zip(at, step, strict=True)) for step in steps)
            for at in np.ndindex(*sizes)
        ]

    parts = [[getattr(axis, name) for axis in walk] for name in ("size", "first", "second")]
    assert visited(*parts) == visited(sizes, first, second)


def test_merging_joins_what_is_contiguous():
    shape = (2, 3, 1, 4)
    (axis,) = merged(shape, strides(shape), strides(shape))
    assert axis.size == 24
    assert merged((2,) * (MAX_RANK + 1), (1,) * (MAX_RANK + 1), (3,) * (MAX_RANK + 1)) is None


def test_reduction_splits_shapes():
    assert reduction((2, 3, 4, 5), (1, 2)) == (2, 12, 5)
    assert reduction((2, 3, 4, 5), (-1, -2)) == (6, 20, 1)
    assert reduction((2, 3, 1, 5), (1, 3)) == (2, 15, 1)
    assert reduction((2, 3, 4), (0, 2)) is None
    assert reduction((2, 1), (1,)) == (2, 1, 1)


@given(st.floats(width=32))
def test_floats_are_written_exactly(value):
    text = float_text(value)
    names = {"__builtin_inff()": "inf", "-__builtin_inff()": "-inf", '__builtin_nanf("")': "nan"}
    read = float(names[text]) if text in names else float.fromhex(text.removesuffix("f"))
    assert np.float32(read).tobytes() == np.float32(value).tobytes() or np.isnan(value)


def test_a_bound_beyond_single_precision_is_infinite():
    assert float_text(3.5e38) == "__builtin_inff()"
