"""What one step of a compiled model has to do, in counts that a schedule puts prices on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Work:
    """Counts of one step by name, such as ``product.step``; what stands before the point is `kind`.

    `multiplies` are the multiply-adds that the model itself asks for, whatever the kernel does, and
    `functions` its exponentials, error functions and the like.
    """

    kind: str
    counts: Mapping[str, int]
    multiplies: int = 0
    functions: int = 0

    @classmethod
    def of(cls, kind: str, multiplies: int = 0, functions: int = 0, /, **counts: int) -> Work:
        """Name counts after their kind; those that are zero are left out."""
        named = {f"{kind}.{name}": count for name, count in counts.items() if count}
        return cls(kind, named, multiplies, functions)

    def with_counts(self, counts: Mapping[str, int]) -> Work:
        """Give the same step with more to do."""
        return Work(self.kind, {**self.counts, **counts}, self.multiplies, self.functions)


def parts(count: int, width: int) -> int:
    """Give how many parts of `width` cover `count`."""
    return -(-count // width)
