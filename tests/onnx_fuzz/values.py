"""Numbers for inputs: plain ones, large ones, and those at which arithmetic has an edge."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np

EDGES = (0.0, -0.0, np.inf, -np.inf, 1e-40, -1e-40, 0.5, -0.5, 1.5, 2.5, 1e30, -1e30)
FLOATS = ("float16", "float32", "float64")
SCALES = (1.0, 1.0, 1.0, 0.01, 12.0, 100.0, 1000.0)


def floats(random: Random, shape: tuple[int, ...], dtype: Any = np.float32) -> Any:
    """Draw an array of a floating type."""
    source = np.random.default_rng(random.getrandbits(32))
    kind = random.randrange(12)
    if kind == 0:
        return np.full(shape, random.choice((0.0, 1.0, 10.0, -3.5)), dtype)
    if kind == 1:
        return source.integers(-3, 4, shape).astype(dtype)
    with np.errstate(over="ignore"):
        drawn = np.asarray(source.standard_normal(shape) * random.choice(SCALES), dtype)
        if kind == 2 and drawn.size:
            flat = drawn.reshape(-1)
            for _ in range(random.randint(1, 3)):
                flat[random.randrange(flat.size)] = np.asarray(random.choice(EDGES), dtype)
    return drawn


def redrawn(random: Random, value: Any) -> Any:
    """Draw other numbers of an array's type and shape; integers stay within those it has."""
    if value.dtype.kind == "f":
        return floats(random, value.shape, value.dtype)
    if value.dtype.kind in "iu" and value.size:
        source = np.random.default_rng(random.getrandbits(32))
        low, high = int(value.min()), int(value.max())
        return source.integers(low, high, value.shape, value.dtype, endpoint=True)
    if value.dtype.kind == "b":
        source = np.random.default_rng(random.getrandbits(32))
        return source.integers(0, 2, value.shape).astype(bool)
    return value
