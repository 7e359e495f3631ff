"""Every model of the zoo: near ONNX Runtime, and the same bits however its module is run."""

import numpy as np
import pytest
from direct_runs import InProcess, run_in_v8
from zoo_modules import ODD, ZooModules, bits, odd_inputs, row

from caimi.inference.wasm.hosting.weights import FileWeights
from zoo import MODELS, OPERATORS, named

NAMES = [model.name for model in (*MODELS, OPERATORS)]
FREE = [model.name for model in MODELS if model.symbolic_rows and model.name != "resnet18"]
CANONICAL_NAN = 0x7FC00000
NANS_DROPPED_BY_ONNX_RUNTIME = {"MaxPool", "GlobalMaxPool", "ReduceMax", "GRU", "LSTM"}


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    return ZooModules(tmp_path_factory.mktemp("zoo"))


class Baseline:
    """What each model answers in wasmtime, optimised: every other way must give these bits."""

    def __init__(self, zoo):
        self._zoo = zoo
        self._loaded = {}
        self._answers = {}

    def run(self, name, inputs):
        if name not in self._loaded:
            self._loaded[name] = InProcess(*self._zoo.module(name))
        return self._loaded[name].run(inputs)

    def of(self, name):
        if name not in self._answers:
            inputs = inputs_of(name)
            self._answers[name] = (inputs, [bits(self.run(name, each)) for each in inputs])
        return self._answers[name]


@pytest.fixture(scope="module")
def baseline(zoo):
    return Baseline(zoo)


def inputs_of(name):
    """An example and a row of each kind of odd values; of the heaviest models, fewer."""
    model = named(name)
    if name == "resnet50":
        return [odd_inputs(model, "small")]
    kinds = {"resnet18": ["nan"], "mobilenet_v2": ["nan", "small"]}
    return [model.inputs(1, 0), *(odd_inputs(model, kind) for kind in kinds.get(name, ODD))]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("variant", ["simd", "f64"])
def test_its_answers_are_near_onnx_runtimes(zoo, host, name, variant):
    model = named(name)
    module, weights = zoo.module(name, variant)
    rows = 7 if module.metadata.rows and not model.heavy else 1
    inputs = model.inputs(rows, 1)
    with host.load(module, FileWeights(weights)) as session:
        got = session.run(inputs).outputs
    assert model.agrees(got, zoo.onnx_runtime(name, inputs))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("resnet18", "resnet50")])
def test_odd_values_reach_the_answer_as_in_onnx_runtime(zoo, baseline, name):
    """But that no NaN is lost in a gate or a maximum."""
    model = named(name)
    for kind in ["nan", "small"]:
        inputs = odd_inputs(model, kind)
        expected = zoo.onnx_runtime(name, inputs)
        got = dict(baseline.run(name, inputs))
        if kind == "nan" and name in ("operators", "digits_gru"):
            differing = {each for each in got if not model.tolerance[each].allows(
                got[each], expected[each])}  # fmt: skip
            assert differing <= NANS_DROPPED_BY_ONNX_RUNTIME | {"label", "probabilities"}
            for each in differing - {"label"}:
                assert np.isnan(got[each]).any()
                expected[each] = np.where(np.isnan(got[each]), got[each], expected[each])
            expected["label"] = got.get("label")
        for each, limit in model.tolerance.items():
            assert limit.allows(got[each], expected[each]), each


@pytest.mark.parametrize("name", NAMES)
def test_int8_weights_cost_a_tenth_of_the_answers_spread(zoo, name):
    model = named(name)
    inputs = model.inputs(1, 1)
    got = InProcess(*zoo.module(name, "int8")).run(inputs)
    for output, expected in zoo.onnx_runtime(name, inputs).items():
        assert got[output].dtype == expected.dtype
        error = got[output].astype(np.float64) - expected
        assert np.sqrt(np.mean(error**2)) <= 0.1 * max(np.std(expected), 1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_unoptimised_machine_code_gives_the_same_bits(zoo, baseline, name):
    inputs, expected = baseline.of(name)
    run = InProcess(*zoo.module(name), level="none")
    assert [bits(run.run(each)) for each in inputs] == expected


@pytest.mark.parametrize("name", NAMES)
def test_v8_gives_the_same_bits(zoo, baseline, name):
    inputs, expected = baseline.of(name)
    got = run_in_v8(*zoo.module(name), inputs)
    assert [bits(each) for each in got] == expected


@pytest.mark.parametrize("name", NAMES)
def test_a_module_without_simd_gives_the_same_bits(zoo, baseline, name):
    inputs, expected = baseline.of(name)
    run = InProcess(*zoo.module(name, "mvp"))
    assert [bits(run.run(each)) for each in inputs] == expected


@pytest.mark.parametrize("name", NAMES)
def test_streamed_weights_give_the_same_bits(zoo, baseline, name):
    inputs, expected = baseline.of(name)
    run = InProcess(*zoo.module(name), mode=1)
    assert [bits(run.run(each)) for each in inputs] == expected


@pytest.mark.parametrize("name", FREE)
def test_a_row_has_the_same_bits_alone_and_in_any_batch(zoo, baseline, name):
    model = named(name)
    for rows in [2] if model.heavy else [2, 7]:
        inputs = model.inputs(rows, 2)
        together = InProcess(*zoo.module(name, rows=rows)).run(inputs)
        for place in range(rows):
            assert bits(row(together, place)) == bits(baseline.run(name, row(inputs, place)))


@pytest.mark.parametrize(
    "name", ["logistic_regression", "perceptron", "gradient_boosting", "random_forest"]
)
def test_rewritten_models_take_a_row_at_a_time(zoo, name):
    module, _ = zoo.module(name)
    assert module.metadata.rows


@pytest.mark.parametrize("name", NAMES)
def test_nans_that_come_out_are_the_canonical_one(baseline, name):
    values = [value for answer in baseline.of(name)[1] for value in floats(answer)]
    found = {int(each) for value in values for each in value.view(np.uint32)[np.isnan(value)]}
    assert found <= {CANONICAL_NAN}
    assert found or name not in ("digits_cnn", "transformer", "mobilenet_v2", "resnet18")


def floats(answer):
    return [np.frombuffer(data, dtype) for dtype, _, data in answer.values() if dtype == "float32"]
