"""The node tests: one model of an operator each, with inputs and the outputs that are right."""

from __future__ import annotations

import random
import warnings
from functools import cache
from typing import Any

import onnx.defs

TENTH_SEED = 20_261_121
"""Of the tenth that every test run plays; fixed, so that a run can be repeated."""
_SHORT = {"sce": "SoftmaxCrossEntropyLoss", "nllloss": "NegativeLogLikelihoodLoss"}


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
    """Name the operator that a case is about: the longest that its name begins with.

    Where none is, the first of its model: the tests of operators that are functions have their
    bodies as models, and only their names tell the operator.
    """
    plain = str(case.name).removeprefix("test_").replace("_", "").lower()
    found = [kind for squeezed, kind in _operators().items() if plain.startswith(squeezed)]
    kinds = [node.op_type for node in case.model.graph.node]
    present = [kind for kind in found if kind in kinds]
    return max(present or found or kinds[:1], key=len)


@cache
def _operators() -> dict[str, str]:
    schemas = onnx.defs.get_all_schemas()
    return {schema.name.lower(): schema.name for schema in schemas} | _SHORT
