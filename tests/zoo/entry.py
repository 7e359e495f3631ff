"""What the zoo knows of one model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from caimi.inference.tensors import Array, Tensors

Build = Callable[[int], bytes]
Inputs = Callable[[int, int], dict[str, Array]]


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far an output may lie from ONNX Runtime's: |a - b| <= absolute + relative * |b|."""

    absolute: float
    relative: float
    reason: str

    def allows(self, got: Array, expected: Array) -> bool:
        """Whether shapes and types are equal, NaNs in the same places, numbers near enough."""
        if got.shape != expected.shape or got.dtype != expected.dtype:
            return False
        if got.dtype.kind != "f":
            return np.array_equal(got, expected)
        return np.allclose(got, expected, self.relative, self.absolute, equal_nan=True)


EXACT: Final = Tolerance(0, 0, "integers, or the same comparisons in the same order")


@dataclass(frozen=True, slots=True)
class ZooModel:
    """A model of the zoo.

    `build(seed)` gives its ONNX bytes, the same ones each time in one environment.
    `inputs(rows, seed)` gives example inputs of so many rows; a model without `symbolic_rows` has
    its number of rows fixed at one. `tolerance` has an entry for each output. `heavy` models take
    more than a few milliseconds for a row.
    """

    name: str
    weights: Literal["trained", "random", "random features, trained head"]
    build: Build
    inputs: Inputs
    tolerance: Mapping[str, Tolerance]
    symbolic_rows: bool = True
    heavy: bool = False

    def agrees(self, got: Tensors, expected: Tensors) -> bool:
        """Whether every output is there and within its tolerance."""
        return set(got) == set(expected) == set(self.tolerance) and all(
            limit.allows(got[name], expected[name]) for name, limit in self.tolerance.items()
        )
