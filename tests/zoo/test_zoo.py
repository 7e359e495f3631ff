"""The zoo: every model is made here, the same each time, and runs on ONNX Runtime."""

from collections import Counter

import numpy as np
import onnx
import pytest

from caimi.inference.onnx_engine import OnnxEngine
from caimi.inference.onnx_runtime import ort
from zoo import MODELS, OPERATORS, named
from zoo.digits import HELD_OUT, digits


@pytest.fixture(scope="module", params=(*MODELS, OPERATORS), ids=lambda model: model.name)
def entry(request):
    return request.param, request.param.build(0)


def session_of(data, level=ort.GraphOptimizationLevel.ORT_ENABLE_ALL):
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = level
    return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def run(session, inputs):
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def test_a_seed_gives_the_same_bytes_each_time_and_another_seed_others(entry):
    model, data = entry
    assert model.build(0) == data
    assert model.build(1) != data


def test_onnx_runtime_runs_it_through_our_engine(entry, tmp_path):
    model, data = entry
    file = tmp_path / "model.onnx"
    file.write_bytes(data)
    inputs = model.inputs(1, 0)
    outputs = OnnxEngine().load(file).run(inputs)
    assert set(outputs) == set(model.tolerance)
    for value in outputs.values():
        assert value.dtype.kind != "f" or np.isfinite(value).all()
    assert model.agrees(outputs, outputs)


def test_the_answer_is_no_constant(entry):
    model, data = entry
    session = session_of(data)
    answers = [run(session, model.inputs(1, seed)) for seed in range(4)]
    assert not all(model.agrees(answers[0], other) for other in answers[1:])


def test_its_rows_are_free_or_fixed_at_one_as_it_says(entry):
    model, data = entry
    graph = onnx.load_from_string(data).graph
    first = [value.type.tensor_type.shape.dim[0] for value in (*graph.input, *graph.output)]
    if model is OPERATORS:
        assert all(dimension.dim_value for dimension in first)
        return
    if not model.symbolic_rows:
        assert {dimension.dim_value for dimension in first} == {1}
        return
    assert len({dimension.dim_param for dimension in first}) == 1
    rows = 2 if model.heavy else 7
    inputs = model.inputs(rows, 3)
    session = session_of(data)
    together = run(session, inputs)
    for row in range(rows):
        alone = run(session, {name: value[row : row + 1] for name, value in inputs.items()})
        assert model.agrees({name: v[row : row + 1] for name, v in together.items()}, alone)


def test_onnx_runtime_with_and_without_its_optimisations_is_within_the_tolerance(entry):
    model, data = entry
    inputs = model.inputs(1, 5)
    plain = run(session_of(data, ort.GraphOptimizationLevel.ORT_DISABLE_ALL), inputs)
    assert model.agrees(run(session_of(data), inputs), plain)


@pytest.mark.parametrize(
    ("name", "share"),
    [("random_forest", 0.85), ("digits_cnn", 0.93), ("digits_cnn_1d", 0.88), ("digits_gru", 0.8)],
)
def test_it_reads_digits_that_it_has_not_seen(name, share):
    model = named(name)
    pixels, labels = digits()
    (key,) = model.inputs(1, 0)
    answers = run(session_of(model.build(0)), {key: pixels[-HELD_OUT:]})
    assert np.mean(answers["label"] == labels[-HELD_OUT:]) > share


def test_the_autoencoder_gives_back_what_it_is_given():
    model = named("autoencoder")
    inputs = model.inputs(200, 0)
    given, got = inputs["input"], run(session_of(model.build(0)), inputs)["output"]
    assert np.mean((got - given) ** 2) < 0.4 * np.var(given)


def test_networks_keep_what_a_compiler_must_handle_itself():
    def operators(name):
        nodes = onnx.load_from_string(named(name).build(0)).graph.node
        return Counter(node.op_type for node in nodes)

    mobilenet, resnet = operators("mobilenet_v2"), operators("resnet18")
    assert mobilenet["Conv"] == mobilenet["BatchNormalization"] == 52
    assert mobilenet["Clip"] == 35
    assert resnet["Conv"] == resnet["BatchNormalization"] == 20
    assert operators("resnet50")["Conv"] == 53
    assert operators("transformer")["Erf"] == 2
    assert operators("transformer")["LayerNormalization"] == 5
    assert operators("digits_gru")["GRU"] == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"scores": np.float32([[1, 2.1]])},
        {"scores": np.float64([[1, 2]])},
        {"scores": np.float32([1, 2])},
        {"scores": np.float32([[1, np.nan]])},
        {},
        {"scores": np.float32([[1, 2]]), "more": np.float32([0])},
    ],
)
def test_what_differs_does_not_agree(wrong):
    model = named("resnet50")
    right = {"scores": np.float32([[1, 2]])}
    assert model.agrees(right, right)
    assert not model.agrees(wrong, right)
