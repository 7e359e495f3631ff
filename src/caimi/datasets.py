"""Classifiers trained on scikit-learn's bundled data, for the demonstration and the benchmarks."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from skl2onnx import to_onnx
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from caimi.errors.operations import UsageError

LOADERS: Final = {"breast-cancer": load_breast_cancer, "digits": load_digits}
_OPSET: Final = 18


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A trained classifier: its ONNX bytes, and the rows it has not seen (float32, int64)."""

    onnx: bytes
    holdout_x: npt.NDArray[np.float32]
    holdout_y: npt.NDArray[np.int64]
    accuracy: float
    dataset_sha256: bytes

    def accuracy_of(self, labels: npt.NDArray[Any]) -> float:
        """Give the share of held-out rows that `labels` gets right."""
        return float(np.mean(labels == self.holdout_y))


def train(dataset: str, seed: int) -> TrainedModel:
    """Train a small multi-layer perceptron; the same seed gives the same model on one machine.

    Raises:
        UsageError: there is no such data set.
    """
    if dataset not in LOADERS:
        raise UsageError(f"No data set {dataset!r}; there are: {', '.join(LOADERS)}.")
    features, labels = LOADERS[dataset](return_X_y=True)
    features = np.ascontiguousarray(features, dtype=np.float32)
    labels = np.ascontiguousarray(labels, dtype=np.int64)
    train_x, holdout_x, train_y, holdout_y = train_test_split(
        features, labels, test_size=0.3, random_state=0, stratify=labels
    )
    model = make_pipeline(
        StandardScaler(), MLPClassifier((64, 32), max_iter=400, random_state=seed)
    ).fit(train_x, train_y)
    exported = to_onnx(
        model,
        train_x[:1],
        target_opset=_OPSET,
        options={id(model): {"zipmap": False}},
    )
    return TrainedModel(
        onnx=exported.SerializeToString(deterministic=True),
        holdout_x=holdout_x,
        holdout_y=holdout_y,
        accuracy=float(np.mean(model.predict(holdout_x) == holdout_y)),
        dataset_sha256=hashlib.sha256(features.tobytes() + labels.tobytes()).digest(),
    )
