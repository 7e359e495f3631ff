"""Models for tables, trained by scikit-learn and exported as skl2onnx exports them."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, TensorProto
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from caimi.datasets import INPUT, train
from caimi.inference.tensors import Array
from zoo.digits import HELD_OUT, digits
from zoo.graph import OPSET, ROWS, GraphBuilder


def logistic_regression(seed: int) -> bytes:
    """Breast cancer, four fifths of it: standardised, then linear; `label` and `probabilities`."""
    features, labels = _cells()
    drawn = np.random.default_rng(seed).permutation(len(labels))[: len(labels) * 4 // 5]
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    return _exported(model, features[drawn], labels[drawn])


def perceptron(seed: int) -> bytes:
    """Breast cancer: standardised, then layers of 64 and 32; `label` and `probabilities`."""
    return train("breast-cancer", seed).onnx


def gradient_boosting(seed: int) -> bytes:
    """Breast cancer: 60 boosted trees of depth 3; `label` and `probabilities`."""
    return _exported(GradientBoostingClassifier(n_estimators=60, random_state=seed), *_cells())


def random_forest(seed: int) -> bytes:
    """Digits: 25 trees of depth 8; `label` and `probabilities`."""
    pixels, labels = digits()
    model = RandomForestClassifier(n_estimators=25, max_depth=8, random_state=seed)
    return _exported(model, pixels[:-HELD_OUT], labels[:-HELD_OUT])


def autoencoder(seed: int) -> bytes:
    """Digits, `input` float32 [rows, 64], 0 to 1, through a bottleneck of 12 to `output`.

    Written down layer by layer: skl2onnx flattens what a regressor of several outputs gives.
    """
    pixels, _ = digits()
    seen = pixels[:-HELD_OUT] / 16
    model = MLPRegressor(
        hidden_layer_sizes=(48, 12, 48), activation="tanh", tol=1e-3, random_state=seed
    )
    with threadpool_limits(limits=1):
        model.fit(seen, seen)
    graph = GraphBuilder(seed)
    layers = zip(model.coefs_, model.intercepts_, strict=True)
    layers_given = [(graph.constant(weights), graph.constant(bias)) for weights, bias in layers]
    data = INPUT
    for weights, bias in layers_given[:-1]:
        data = graph.op("Tanh", graph.op("Gemm", data, weights, bias))
    graph.named("output", "Gemm", data, *layers_given[-1])
    shape = (ROWS, seen.shape[1])
    return graph.build(
        "autoencoder",
        {INPUT: (TensorProto.FLOAT, shape)},
        {"output": (TensorProto.FLOAT, shape)},
    )


def cell_rows(rows: int, seed: int) -> dict[str, Array]:
    """Draw rows of the breast cancer data."""
    features, _ = _cells()
    return {INPUT: features[np.random.default_rng(seed).integers(0, len(features), rows)]}


def pixel_rows(rows: int, seed: int) -> dict[str, Array]:
    """Draw digits, 0 to 16."""
    pixels, _ = digits()
    return {INPUT: pixels[np.random.default_rng(seed).integers(0, len(pixels), rows)]}


def scaled_pixel_rows(rows: int, seed: int) -> dict[str, Array]:
    """Draw digits, 0 to 1."""
    return {INPUT: np.asarray(pixel_rows(rows, seed)[INPUT], np.float32) / np.float32(16)}


@cache
def _cells() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    features, labels = load_breast_cancer(return_X_y=True)
    return features.astype(np.float32), labels.astype(np.int64)


def _exported(model: Any, features: Array, targets: Array) -> bytes:
    with threadpool_limits(limits=1):
        model.fit(features, targets)
    exported: ModelProto = to_onnx(
        model,
        initial_types=[(INPUT, FloatTensorType([None, features.shape[1]]))],
        target_opset={"": OPSET, "ai.onnx.ml": 3},
        options={id(model): {"zipmap": False}},
    )
    for value in (*exported.graph.input, *exported.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = ROWS
    return bytes(exported.SerializeToString(deterministic=True))
