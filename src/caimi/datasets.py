"""Classifiers trained on scikit-learn's bundled data, for the demonstration and the benchmarks."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from caimi.errors.operations import UsageError

LOADERS: Final = {"breast-cancer": load_breast_cancer, "digits": load_digits}
INPUT: Final = "input"
ROWS: Final = "N"
_OPSET: Final = 18
_HOLDOUT: Final = 0.3
_LAYERS: Final = (64, 32)


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A trained classifier, and the rows it has not seen.

    The model takes `input` (float32, [N, features]) and gives `label` (int64, [N]) and
    `probabilities` (float32, [N, classes]). `holdout_x` and `holdout_y` have these types.
    `metrics` are measured on them, before the export. `dataset_sha256` is the SHA-256 of all
    features (float32) and then all labels (int64), little-endian, row by row.
    """

    onnx: bytes
    holdout_x: npt.NDArray[np.float32]
    holdout_y: npt.NDArray[np.int64]
    metrics: Mapping[str, float]
    dataset_sha256: bytes

    @property
    def accuracy(self) -> float:
        """The share of held-out rows that the model got right when it was trained."""
        return self.metrics["accuracy"]

    def accuracy_of(self, labels: npt.NDArray[Any]) -> float:
        """Give the share of held-out rows that `labels` gets right."""
        return float(np.mean(labels == self.holdout_y))


def train(dataset: str, seed: int) -> TrainedModel:
    """Train a small multi-layer perceptron; the same seed gives the same bytes on one machine.

    The rows held out do not depend on the seed, so that versions can be compared on them.

    Raises:
        UsageError: there is no such data set.
    """
    if dataset not in LOADERS:
        raise UsageError(f"No data set {dataset!r}; there are: {', '.join(LOADERS)}.")
    loaded_x, loaded_y = LOADERS[dataset](return_X_y=True)
    features = np.ascontiguousarray(loaded_x, dtype="<f4")
    labels = np.ascontiguousarray(loaded_y, dtype="<i8")
    train_x, holdout_x, train_y, holdout_y = train_test_split(
        features, labels, test_size=_HOLDOUT, random_state=0, stratify=labels
    )
    model = make_pipeline(StandardScaler(), MLPClassifier(_LAYERS, max_iter=400, random_state=seed))
    # Matrices this small are multiplied faster by one thread than by several that wait for each
    # other, and the order of additions, so the weights, no longer depend on how many there are.
    with threadpool_limits(limits=1):
        model.fit(train_x, train_y)
        predicted = model.predict(holdout_x)
    return TrainedModel(
        onnx=_export(model, features.shape[1]),
        holdout_x=holdout_x,
        holdout_y=holdout_y,
        metrics={
            "accuracy": float(accuracy_score(holdout_y, predicted)),
            "f1_macro": float(f1_score(holdout_y, predicted, average="macro")),
        },
        dataset_sha256=hashlib.sha256(features.tobytes() + labels.tobytes()).digest(),
    )


def _export(model: Pipeline, features: int) -> bytes:
    exported = to_onnx(
        model,
        initial_types=[(INPUT, FloatTensorType([None, features]))],
        target_opset=_OPSET,
        # Without it, probabilities are a list of dictionaries, which is no tensor.
        options={id(model): {"zipmap": False}},
    )
    for value in (*exported.graph.input, *exported.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = ROWS
    data: bytes = exported.SerializeToString(deterministic=True)
    return data
