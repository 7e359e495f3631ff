"""scikit-learn estimators as ONNX, through skl2onnx."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from skl2onnx import to_onnx as convert
from skl2onnx.common.exceptions import MissingConverter, MissingShapeCalculator
from sklearn.base import is_classifier
from sklearn.exceptions import NotFittedError

from caimi.errors.models import UnsupportedEstimator


def to_onnx(estimator: Any, sample_inputs: ArrayLike) -> bytes:  # noqa: ANN401 - scikit-learn has no types
    """Give the ONNX model of a fitted estimator, with an open first dimension.

    Raises:
        UnsupportedEstimator: it is not fitted, or the converter knows no operator for it.
    """
    sample = np.asarray(sample_inputs)
    try:
        # A dictionary of probabilities (ZipMap) is no tensor; engines and workers want arrays.
        options = {id(estimator): {"zipmap": False}} if is_classifier(estimator) else None
        model = convert(estimator, sample[:1], options=options)
    except (
        MissingConverter,
        MissingShapeCalculator,
        NotFittedError,
        AttributeError,
        NameError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UnsupportedEstimator(
            f"{type(estimator).__name__} cannot be turned into ONNX: {reason[:300]}"
        ) from error
    data: bytes = model.SerializeToString()
    return data
