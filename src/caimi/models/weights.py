"""Whether a model's weights hold NaN or infinite values: most often a failed training run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from caimi.storage.cid import Octets

_BLOCK: Final = 1 << 20

FLOAT_WIDTHS: Final = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}
"""The element types that are looked at, with their size in bytes."""


@dataclass(frozen=True, slots=True)
class NonFinite:
    """A tensor that holds NaN or infinite values, and how many."""

    tensor: str
    count: int
    total: int


def count_non_finite(dtype: str, data: Octets) -> int:
    """Count NaN and infinite elements in little-endian raw data, block by block.

    Zero for types without such values and for those that `FLOAT_WIDTHS` does not list.
    """
    width = FLOAT_WIDTHS.get(dtype)
    if width is None:
        return 0
    usable = len(data) - len(data) % width
    view = memoryview(data)
    return sum(
        _count(dtype, width, view[start : min(start + _BLOCK, usable)])
        for start in range(0, usable, _BLOCK)
    )


def non_finite(tensors: Iterable[tuple[str, str, Octets]]) -> Iterator[NonFinite]:
    """Go through (name, dtype, raw data) and give the tensors with such values."""
    for name, dtype, data in tensors:
        count = count_non_finite(dtype, data)
        if count:
            yield NonFinite(name, count, len(data) // FLOAT_WIDTHS[dtype])


def _count(dtype: str, width: int, block: memoryview) -> int:
    if dtype == "bfloat16":
        # NumPy has no bfloat16: all exponent bits set means NaN or infinity.
        bits: NDArray[np.uint16] = np.frombuffer(block, "<u2")
        return int(np.count_nonzero((bits & 0x7F80) == 0x7F80))
    values: NDArray[np.floating] = np.frombuffer(block, f"<f{width}")
    return int(values.size - np.count_nonzero(np.isfinite(values)))
