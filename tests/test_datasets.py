"""The demonstration's classifiers: what they are worth, and that ONNX says the same."""

import hashlib
import warnings
from functools import cache

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from sklearn.datasets import load_breast_cancer, load_digits

from caimi.datasets import TrainedModel, train
from caimi.errors.operations import UsageError

WIDTHS = {"breast-cancer": (30, 2), "digits": (64, 10)}
DATASETS = pytest.mark.parametrize("dataset", WIDTHS)


@cache
def trained(dataset: str, seed: int = 0) -> TrainedModel:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # training that does not converge only warns
        return train(dataset, seed)


def session(model: TrainedModel) -> ort.InferenceSession:
    return ort.InferenceSession(model.onnx, providers=["CPUExecutionProvider"])


@DATASETS
def test_the_export_predicts_held_out_rows_as_well_as_it_was_measured(dataset: str) -> None:
    model = trained(dataset)
    labels, probabilities = session(model).run(None, {"input": model.holdout_x})
    assert model.accuracy_of(labels) == model.accuracy
    assert model.accuracy > 0.94
    assert model.metrics["f1_macro"] > 0.94
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


@DATASETS
def test_the_export_has_named_arrays_with_an_open_first_dimension(dataset: str) -> None:
    model, (features, classes) = session(trained(dataset)), WIDTHS[dataset]
    signature = [(v.name, v.type, v.shape) for v in (*model.get_inputs(), *model.get_outputs())]
    assert signature == [
        ("input", "tensor(float)", ["N", features]),
        ("label", "tensor(int64)", ["N"]),
        ("probabilities", "tensor(float)", ["N", classes]),
    ]


@DATASETS
def test_the_export_is_standard_onnx(dataset: str) -> None:
    model = onnx.load_from_string(trained(dataset).onnx)
    onnx.checker.check_model(model, full_check=True)
    assert {node.domain for node in model.graph.node} <= {"", "ai.onnx.ml"}


def test_one_seed_gives_one_model_and_another_seed_another() -> None:
    first = trained("breast-cancer")
    assert train("breast-cancer", seed=0).onnx == first.onnx
    assert trained("breast-cancer", seed=1).onnx != first.onnx


def test_versions_are_compared_on_the_same_held_out_rows() -> None:
    first, second = trained("breast-cancer"), trained("breast-cancer", seed=1)
    np.testing.assert_array_equal(first.holdout_x, second.holdout_x)
    np.testing.assert_array_equal(first.holdout_y, second.holdout_y)
    assert first.dataset_sha256 == second.dataset_sha256


@pytest.mark.parametrize(
    ("dataset", "load"), [("breast-cancer", load_breast_cancer), ("digits", load_digits)]
)
def test_the_provenance_hash_is_of_the_whole_data_set(dataset: str, load) -> None:
    features, labels = load(return_X_y=True)
    data = features.astype("<f4").tobytes() + labels.astype("<i8").tobytes()
    assert trained(dataset).dataset_sha256 == hashlib.sha256(data).digest()


def test_held_out_rows_fit_the_model() -> None:
    model = trained("digits")
    assert model.holdout_x.dtype == np.float32
    assert model.holdout_y.dtype == np.int64
    assert len(model.holdout_x) == len(model.holdout_y) == 540


def test_wrong_labels_lower_the_accuracy() -> None:
    model = trained("breast-cancer")
    assert model.accuracy_of(model.holdout_y) == 1
    assert model.accuracy_of(1 - model.holdout_y) == 0


def test_an_unknown_data_set_is_named_with_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"'iris'; there are: breast-cancer, digits"):
        train("iris", seed=0)
