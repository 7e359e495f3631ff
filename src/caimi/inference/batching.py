"""Requests of one model run together, where its rows provably stay apart.

Each request gets exactly its own rows back. In the last bits they may differ from those of a run
alone: ONNX Runtime orders its sums by the size of the batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import onnx

from caimi.errors.base import CaimiError
from caimi.errors.inference import WrongInput
from caimi.inference.engine import Session
from caimi.inference.tensors import Array, Tensors, check_tensors
from caimi.inference.wasm.compiling.row_wise import row_symbol

Outcome = dict[str, Array] | Exception

MAX_BATCH_BYTES: Final = 1 << 20
_SMALL: Final = 1 << 12


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """At most so many rows, of so many bytes, together; a larger request runs alone.

    On a processor large inputs gain nothing by running together: a batch of images takes a few
    percent longer than the images one by one. The first request waits so long for others, while it
    could run.
    """

    rows: int = 1
    wait_seconds: float = 0.0
    size: int = MAX_BATCH_BYTES


def rows_stay_apart(model: Path) -> bool:
    """Whether an ONNX file provably treats the rows of its leading dimension one by one.

    A shared symbol does not show it: a model may normalise over its batch.
    """
    try:
        opened = onnx.load(model, load_external_data=False)
        for weights in opened.graph.initializer:
            if weights.ByteSize() > _SMALL:
                weights.ClearField("raw_data")  # shapes do not depend on it, and it is copied often
        return row_symbol(opened) is not None
    except Exception:  # shape inference and protobuf raise classes without a common public base
        return False


def row_count(inputs: Tensors) -> int:
    """Give the size of the leading dimension, 1 where there is none to be seen."""
    return next((value.shape[0] for value in inputs.values() if value.ndim), 1)


def run_together(
    session: Session, requests: Sequence[Tensors], limits: BatchLimits
) -> list[Outcome]:
    """Run requests, together within `limits`; give each its outputs or its error, in order.

    The caller knows that the model's rows stay apart. Requests of different trailing shapes do not
    meet; where a batch fails each of its requests runs alone, so a bad one harms no other.
    """
    outcomes: list[Outcome] = [WrongInput("It was not run.")] * len(requests)
    alike: dict[tuple[object, ...], list[tuple[int, Tensors]]] = {}
    for place, inputs in enumerate(requests):
        try:
            checked = check_tensors(inputs, session.inputs)
        except CaimiError as error:
            outcomes[place] = error
            continue
        shapes = tuple((name, value.shape[1:]) for name, value in checked.items())
        alike.setdefault(shapes, []).append((place, checked))
    for group in alike.values():
        for batch in _batches(group, limits):
            found = _run_batch(session, [inputs for _, inputs in batch])
            for (place, _), outcome in zip(batch, found, strict=True):
                outcomes[place] = outcome
    return outcomes


def _batches(
    group: Iterable[tuple[int, Tensors]], limits: BatchLimits
) -> Iterable[list[tuple[int, Tensors]]]:
    batch: list[tuple[int, Tensors]] = []
    taken = size = 0
    for entry in group:
        count = row_count(entry[1])
        mine = sum(value.nbytes for value in entry[1].values())
        if batch and (taken + count > limits.rows or size + mine > limits.size):
            yield batch
            batch, taken, size = [], 0, 0
        batch.append(entry)
        taken += count
        size += mine
    if batch:
        yield batch


def _run_batch(session: Session, batch: Sequence[Tensors]) -> list[Outcome]:
    if len(batch) > 1:
        counts = [row_count(inputs) for inputs in batch]
        ends = np.cumsum(counts).tolist()
        joined = {name: np.concatenate([each[name] for each in batch]) for name in batch[0]}
        try:
            outputs = session.run(joined)
        except CaimiError:
            outputs = {}
        if outputs and all(v.ndim and v.shape[0] == ends[-1] for v in outputs.values()):
            return [
                {name: value[end - count : end] for name, value in outputs.items()}
                for count, end in zip(counts, ends, strict=True)
            ]
    return [_run_alone(session, inputs) for inputs in batch]


def _run_alone(session: Session, inputs: Tensors) -> Outcome:
    try:
        return session.run(inputs)
    except Exception as error:  # what fails one request is told to it, and to no other
        return error
