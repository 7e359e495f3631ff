"""How far right answers of one model lie apart, measured on this machine and not assumed.

A processor, a number of threads, a batch and an optimisation each order sums in another way, so
answers of ONNX Runtime differ in their last digits, and what a model then makes of those digits is
a property of the model: a ten-millionth for one, a percent for another. Whoever checks an answer
runs the model in several ways on the same input and sees. The worker has no say in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from caimi.errors.base import CaimiError
from caimi.inference.engine import Session
from caimi.inference.onnx_engine import OnnxEngine
from caimi.inference.tensors import Array, Tensors

MULTIPLE: Final = 4
"""How many times the spread seen here another machine's answer may lie from ours."""
_ROWS_APART: Final = 0.02
"""Rows that change by more than this part of the largest value depend on their batch by design."""
_MAX_ROWS: Final = 16
_SEED: Final = 0

Run = Callable[[Tensors], Mapping[str, Array]]


@dataclass(frozen=True, slots=True)
class Spread:
    """The largest difference seen for each output of floats, absolutely; `ways` says between what.

    `loose` marks elements of other outputs, such as labels, that were not the same in all ways.
    """

    largest: Mapping[str, float]
    loose: Mapping[str, Array]
    ways: tuple[str, ...]

    def allowed(self, name: str) -> float:
        """Give how far values of an output may lie apart, absolutely."""
        return MULTIPLE * self.largest.get(name, 0.0)


def spread_of(session: Session | None, inputs: Tensors | None) -> Callable[[], Spread] | None:
    """Give what measures the spread of a session's model on one input; None where nothing can."""
    model: Path | None = getattr(session, "model", None)  # of sessions that were loaded from a file
    return None if inputs is None or model is None else partial(measure_spread, model, inputs)


NO_SPREAD: Final = Spread({}, {}, ())


def measure_spread(model: Path, inputs: Tensors) -> Spread:
    """Run an ONNX file in several ways on one input and tell how far the answers lie apart.

    The ways: two threads, no optimisation of the graph, rows one by one and beside their copies,
    and inputs moved by one unit in their last place.

    Raises:
        ModelNotRunnable, WrongInput, RunFailed: as the engine says of the input as it is.
    """
    largest: dict[str, float] = {}
    loose: dict[str, Array] = {}
    ways = []
    with closing(OnnxEngine().load(model)) as session:
        answer = session.run(inputs)
        for way, other in _others(model, session.run, inputs, answer):
            ways.append(way)
            for name, value in answer.items():
                if value.dtype.kind == "f":
                    largest[name] = max(largest.get(name, 0.0), _distance(value, other[name]))
                else:
                    differs = np.asarray(value != other[name])
                    loose[name] = loose.get(name, np.zeros(value.shape, np.bool_)) | differs
    return Spread(largest, loose, tuple(ways))


def _others(
    model: Path, plain: Run, inputs: Tensors, answer: Mapping[str, Array]
) -> Iterator[tuple[str, Mapping[str, Array]]]:
    ways: dict[str, Callable[[], Mapping[str, Array]]] = {
        "two threads": lambda: _once(OnnxEngine(threads=2), model, inputs),
        "no optimisation": lambda: _once(OnnxEngine(optimised=False), model, inputs),
        "last places": lambda: plain(_moved(inputs)),
    }
    rows = {value.shape[:1] for value in inputs.values()}
    count = next(iter(rows))[0] if len(rows) == 1 and all(rows) else 0
    if count:
        ways["rows beside copies"] = lambda: _doubled(plain, inputs, count)
    if count > 1:
        ways["rows one by one"] = lambda: _one_by_one(plain, inputs, min(count, _MAX_ROWS), answer)
    for way, run in ways.items():
        try:
            other = run()
        except CaimiError:  # a batch that is fixed, for one: there is no such way
            continue
        same = other.keys() == answer.keys() and all(
            other[name].shape == value.shape for name, value in answer.items()
        )
        if same and (not way.startswith("rows") or _are_apart(answer, other)):
            yield way, other


def _once(engine: OnnxEngine, model: Path, inputs: Tensors) -> Mapping[str, Array]:
    with closing(engine.load(model)) as session:
        return session.run(inputs)


def _moved(inputs: Tensors) -> Tensors:
    noise = np.random.default_rng(_SEED)

    def move(value: Array) -> Array:
        if value.dtype.kind != "f":
            return value
        to = np.where(noise.random(value.shape) < 0.5, -np.inf, np.inf).astype(value.dtype)
        return np.where(np.isfinite(value), np.nextafter(value, to), value)

    return {name: move(value) for name, value in inputs.items()}


def _doubled(run: Run, inputs: Tensors, count: int) -> dict[str, Array]:
    twice = {name: np.concatenate([value, value]) for name, value in inputs.items()}
    return {name: value[:count] for name, value in run(twice).items()}


def _one_by_one(
    run: Run, inputs: Tensors, count: int, answer: Mapping[str, Array]
) -> dict[str, Array]:
    """Give the first `count` rows each by itself, the others as in `answer`."""
    each = [
        run({name: value[row : row + 1] for name, value in inputs.items()}) for row in range(count)
    ]
    return {
        name: np.concatenate([*(one[name] for one in each), value[count:]])
        for name, value in answer.items()
        if all(one[name].shape[:1] == (1,) for one in each)
    }


def _are_apart(answer: Mapping[str, Array], other: Mapping[str, Array]) -> bool:
    """Whether what a batch changes is small enough to be rounding."""
    return all(
        _distance(value, other[name]) <= _ROWS_APART * _size(value)
        for name, value in answer.items()
        if value.dtype.kind == "f"
    )


def _size(value: Array) -> float:
    finite = np.abs(value[np.isfinite(value)].astype(np.float64))
    return float(finite.max()) if finite.size else 0.0


def _distance(one: Array, other: Array) -> float:
    """Give the largest difference between finite elements."""
    both = np.isfinite(one) & np.isfinite(other)
    apart = np.abs(one[both].astype(np.float64) - other[both].astype(np.float64))
    return float(apart.max()) if apart.size else 0.0
