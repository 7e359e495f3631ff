"""The bundled data sets: a model that has learnt, the same each time, exported as trained."""

import numpy as np
import pytest

from caimi.datasets import LOADERS, train
from caimi.errors.operations import UsageError
from caimi.inference.onnx_engine import OnnxEngine


@pytest.fixture(scope="module", params=list(LOADERS))
def trained(request):
    return request.param, train(request.param, seed=0)


def test_the_exported_model_classifies_what_it_has_not_seen(trained, tmp_path):
    _, model = trained
    file = tmp_path / "model.onnx"
    file.write_bytes(model.onnx)
    session = OnnxEngine().load(file)
    outputs = session.run({session.inputs[0].name: model.holdout_x})
    labels = next(value for value in outputs.values() if value.dtype == np.int64)
    assert model.accuracy_of(labels) == pytest.approx(model.accuracy, abs=0.01)
    assert model.accuracy > 0.93


def test_training_again_gives_the_same_bytes_and_another_seed_others(trained):
    name, model = trained
    assert train(name, seed=0).onnx == model.onnx
    assert train(name, seed=1).onnx != model.onnx
    assert train(name, seed=1).dataset_sha256 == model.dataset_sha256


def test_the_share_of_right_labels_is_what_it_says(trained):
    _, model = trained
    assert model.accuracy_of(model.holdout_y) == 1
    assert model.accuracy_of(model.holdout_y + 1) == 0


def test_an_unknown_data_set_is_a_named_error():
    with pytest.raises(UsageError, match="breast-cancer, digits"):
        train("iris", seed=0)
