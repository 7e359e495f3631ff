"""What a generated call must know of its tensors: shapes and element types."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from shared.scalar_types import ScalarType

WORDS = frozenset({ScalarType.F32, ScalarType.I32, ScalarType.U32})
"""Element types of four bytes, which copies move alike."""


@dataclass(frozen=True)
class TensorTypes:
    """Static shapes and element types by name."""

    shape: Callable[[str], tuple[int, ...]]
    dtype: Callable[[str], ScalarType]

    def count(self, name: str) -> int:
        """Elements of a tensor."""
        return math.prod(self.shape(name))

    def floats(self, *names: str) -> bool:
        """Whether all are float32, static and not empty."""
        return all(self.dtype(name) == ScalarType.F32 for name in names) and self.solid(*names)

    def words(self, *names: str) -> bool:
        """Whether all have elements of four bytes and are static and not empty."""
        return all(self.dtype(name) in WORDS for name in names) and self.solid(*names)

    def solid(self, *names: str) -> bool:
        """Whether every dimension of all is known and positive."""
        return all(size > 0 for name in names for size in self.shape(name))
