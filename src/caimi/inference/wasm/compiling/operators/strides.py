"""Walks over packed tensors with as few axes as possible: the sizes and strides kernels take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

MAX_RANK = 6
"""Axes that a kernel's odometer has."""

Shape: TypeAlias = Sequence[int]


@dataclass(frozen=True)
class Axis:
    """One axis of a walk: how many steps, and how far each moves in two tensors."""

    size: int
    first: int
    second: int


def strides(shape: Shape) -> tuple[int, ...]:
    """Elements a step moves along each axis of a packed tensor."""
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


def broadcast_strides(shape: Shape, target: Shape) -> tuple[int, ...]:
    """Strides that walk `shape` as if it had been expanded to `target`."""
    missing = len(target) - len(shape)
    own = [0 if size == 1 else step for size, step in zip(shape, strides(shape), strict=True)]
    return (0,) * missing + tuple(own)


def merged(sizes: Shape, first: Shape, second: Shape) -> list[Axis] | None:
    """The same walk without axes of one step, neighbours joined where both tensors allow it.

    None if more than `MAX_RANK` axes are left. A single element is one axis of one step.
    """
    axes: list[Axis] = []
    for size, a, b in zip(sizes, first, second, strict=True):
        if size == 1:
            continue
        last = axes[-1] if axes else None
        if last and last.first == a * size and last.second == b * size:
            axes[-1] = Axis(last.size * size, a, b)
        else:
            axes.append(Axis(size, a, b))
    if len(axes) > MAX_RANK:
        return None
    return axes or [Axis(1, 1, 1)]


def columns(axes: Sequence[Axis]) -> tuple[int, tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Rank, sizes and both strides, as the kernels' structures list them."""
    return (
        len(axes),
        tuple(axis.size for axis in axes),
        tuple(axis.first for axis in axes),
        tuple(axis.second for axis in axes),
    )


def reduction(shape: Shape, axes: Shape) -> tuple[int, int, int] | None:
    """Outer, reduced and inner sizes; None if kept axes lie between reduced ones."""
    reduced = {axis % len(shape) for axis in axes} if shape else set()
    runs: list[tuple[bool, int]] = []
    for axis, size in enumerate(shape):
        if size == 1:
            continue
        if runs and runs[-1][0] == (axis in reduced):
            runs[-1] = (runs[-1][0], runs[-1][1] * size)
        else:
            runs.append((axis in reduced, size))
    kinds = [kind for kind, _ in runs]
    if kinds.count(True) > 1:
        return None
    if True not in kinds:
        return math.prod(shape), 1, 1
    at = kinds.index(True)
    outer = math.prod(size for _, size in runs[:at])
    return outer, runs[at][1], math.prod(size for _, size in runs[at + 1 :])
