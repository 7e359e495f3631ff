"""The list of models, with how far each output may lie from ONNX Runtime's and why."""

from __future__ import annotations

from typing import Final

from zoo.digits import digit_rows, digits_cnn, digits_cnn_1d, digits_gru
from zoo.entry import EXACT, Tolerance, ZooModel
from zoo.graph import noise
from zoo.mobilenet import mobilenet_v2
from zoo.operators import OPERATORS
from zoo.resnet import IMAGE, resnet18, resnet50
from zoo.tabular import (
    autoencoder,
    cell_rows,
    gradient_boosting,
    logistic_regression,
    perceptron,
    pixel_rows,
    random_forest,
    scaled_pixel_rows,
)
from zoo.transformer import transformer, transformer_inputs

_SOFTMAX: Final = Tolerance(1e-6, 1e-5, "sums of up to some 100 terms in another order, then exp")
_TREES: Final = Tolerance(1e-6, 1e-6, "the same leaves, their weights summed in another order")
_LAYERS: Final = Tolerance(1e-5, 1e-5, "a few sums of up to some 100 terms in another order")
_DEEP: Final = "tens of layers of sums of up to 4,608 terms in another order, by the scores' spread"
_MOBILENET: Final = Tolerance(2e-4, 1e-4, _DEEP)
_RESNET18: Final = Tolerance(1e-3, 1e-4, _DEEP)
_RESNET50: Final = Tolerance(2e-2, 1e-4, _DEEP)
_ATTENTION: Final = Tolerance(
    2e-5, 1e-4, "sums of up to 1,024 terms in another order, normalised after each half layer"
)
_CLASSIFIER: Final = {"label": EXACT, "probabilities": _SOFTMAX}
_FOREST: Final = {"label": EXACT, "probabilities": _TREES}
_FEATURES: Final = "random features, trained head"
_IMAGE: Final = noise("image", *IMAGE)

MODELS: Final[tuple[ZooModel, ...]] = (
    ZooModel("logistic_regression", "trained", logistic_regression, cell_rows, _CLASSIFIER),
    ZooModel("perceptron", "trained", perceptron, cell_rows, _CLASSIFIER),
    ZooModel("gradient_boosting", "trained", gradient_boosting, cell_rows, _FOREST),
    ZooModel("random_forest", "trained", random_forest, pixel_rows, _FOREST),
    ZooModel("autoencoder", "trained", autoencoder, scaled_pixel_rows, {"output": _LAYERS}),
    ZooModel("digits_cnn", _FEATURES, digits_cnn, digit_rows, _CLASSIFIER),
    ZooModel("digits_cnn_1d", _FEATURES, digits_cnn_1d, digit_rows, _CLASSIFIER),
    ZooModel("digits_gru", _FEATURES, digits_gru, digit_rows, _CLASSIFIER),
    ZooModel(
        "transformer",
        "random",
        transformer,
        transformer_inputs,
        {"encoding": _ATTENTION, "pooled": _ATTENTION},
        heavy=True,
    ),
    ZooModel("mobilenet_v2", "random", mobilenet_v2, _IMAGE, {"scores": _MOBILENET}, heavy=True),
    ZooModel("resnet18", "random", resnet18, _IMAGE, {"scores": _RESNET18}, heavy=True),
    ZooModel(
        "resnet50",
        "random",
        resnet50,
        _IMAGE,
        {"scores": _RESNET50},
        symbolic_rows=False,
        heavy=True,
    ),
)


def named(name: str) -> ZooModel:
    """Give the model of that name, or the one of single operators, `operators`.

    Raises:
        KeyError: there is none.
    """
    return {model.name: model for model in (*MODELS, OPERATORS)}[name]
