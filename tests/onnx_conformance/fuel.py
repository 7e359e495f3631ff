"""What steps of the node tests the schedule tells: ``python -m onnx_conformance.fuel``.

Writes `counted.json`: kinds of steps without a price or a doubt. A model with one of them is run
once, and its fuel counted. Besides those, a model may be counted because doubts add up.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from caimi.errors.inference import ModelNotRunnable
from caimi.inference.wasm.compiling.compiler import translate
from caimi.inference.wasm.compiling.variants import SIMD
from caimi.inference.wasm.fuel.schedule import Schedule, published
from caimi.inference.wasm.fuel.work import Work
from onnx_conformance.cases import all_cases, operator
from onnx_conformance.judge import shapes_of

COUNTED = Path(__file__).parent / "counted.json"


@cache
def schedule() -> Schedule:
    """Give the schedule by which is charged."""
    found = published(SIMD.name)
    assert found is not None
    return found


def works(name: str) -> tuple[Work, ...] | None:
    """Give the steps of a case, None where the compiler refuses it."""
    case = all_cases()[name]
    with tempfile.TemporaryDirectory(prefix="caimi-fuel-") as folder:
        file = Path(folder) / "model.onnx"
        file.write_bytes(case.model.SerializeToString())
        try:
            return translate(file, SIMD, shapes=shapes_of(case)).emitted.works
        except ModelNotRunnable:
            return None


def untold(steps: Iterable[Work]) -> set[str]:
    """Name the kinds of steps that lack a price or a doubt."""
    known = schedule()
    return {
        step.kind
        for step in steps
        if step.kind not in known.doubts or not step.counts.keys() <= known.prices.keys()
    }


def by_operator() -> dict[str, list[str]]:
    """Name the cases of each operator."""
    names: dict[str, list[str]] = {}
    for name, case in all_cases().items():
        names.setdefault(operator(case), []).append(name)
    return names


def main() -> None:
    """Translate every case, and write."""
    kinds: set[str] = set()
    for name in all_cases():
        kinds |= untold(works(name) or ())
    COUNTED.write_text(json.dumps(sorted(kinds), indent=1) + "\n")


if __name__ == "__main__":
    main()
