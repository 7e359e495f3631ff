"""Plays node tests over processes."""

from __future__ import annotations

from collections.abc import Sequence
from multiprocessing import get_context

from onnx_conformance.cases import all_cases
from onnx_conformance.judge import Verdict, judge

WORKERS = 2


def play(names: Sequence[str]) -> list[Verdict]:
    """Judge the cases of these names, in the names' order."""
    with get_context("spawn").Pool(WORKERS) as pool:
        return pool.map(_judged, names, chunksize=8)


def _judged(name: str) -> Verdict:
    return judge(all_cases()[name])
