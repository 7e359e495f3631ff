"""The node tests: one model of an operator each, with inputs and the outputs that are right."""

from __future__ import annotations

import random
import warnings
from functools import cache
from typing import Any

TENTH_SEED = 20_261_121
"""Of the tenth that every test run plays; fixed, so that a run can be repeated."""


@cache
def all_cases() -> dict[str, Any]:
    """Give every node test of the installed onnx package by its name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Importing it makes thousands of arrays, of some that numpy warns about.
        from onnx.backend.test.loader import load_model_tests  # noqa: PLC0415

        cases = load_model_tests(kind="node")
    return {case.name: case for case in sorted(cases, key=lambda case: str(case.name))}


def tenth() -> list[str]:
    """Name a tenth of them, drawn by `TENTH_SEED`."""
    names = list(all_cases())
    return sorted(random.Random(TENTH_SEED).sample(names, len(names) // 10))


def operator(case: Any) -> str:
    """Name the operator that a case is about: that of its last node outside functions."""
    node = case.model.graph.node
    return str(_about(case.name, [n.op_type for n in node]))


def _about(name: str, kinds: list[str]) -> str:
    """The operator whose name the case's name has; the first where none has."""
    plain = name.removeprefix("test_").replace("_", "").lower()
    found = [kind for kind in kinds if plain.startswith(kind.lower())]
    return max(found, key=len) if found else kinds[0]
