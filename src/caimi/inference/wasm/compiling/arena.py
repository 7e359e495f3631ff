"""One block of memory for all tensors of a run, shared by those that do not live together.

Greedy by size, as in Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference"
(arXiv:2001.03288), section 5: the largest tensor first, each into the lowest gap that it fits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

ALIGNMENT: Final = 64


@dataclass(frozen=True, slots=True)
class Lifetime:
    """A tensor of `size` bytes that is needed from step `first` to step `last`, both included."""

    name: str
    size: int
    first: int
    last: int

    def meets(self, other: Lifetime) -> bool:
        """Whether both are needed at some step."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True, slots=True)
class Arena:
    """The offset of every tensor and the size of the whole, in bytes."""

    offsets: Mapping[str, int]
    size: int


def plan_arena(lifetimes: Iterable[Lifetime]) -> Arena:
    """Place tensors so that those needed at one step do not overlap; deterministic."""
    placed: list[tuple[int, int, Lifetime]] = []
    offsets: dict[str, int] = {}
    for tensor in sorted(lifetimes, key=lambda t: (-t.size, t.first, t.name)):
        size = -(-max(tensor.size, 1) // ALIGNMENT) * ALIGNMENT
        at = 0
        for start, end, other in placed:  # in the order of their starts
            if not tensor.meets(other) or end <= at:
                continue
            if start - at >= size:
                break
            at = end
        offsets[tensor.name] = at
        placed.append((at, at + size, tensor))
        placed.sort(key=lambda entry: entry[:2])
    return Arena(offsets, max((end for _, end, _ in placed), default=0))
