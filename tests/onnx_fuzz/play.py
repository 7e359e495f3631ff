"""One batch: cases of one opset drawn from a seed, merged into one module that is run."""

from __future__ import annotations

import resource
import tempfile
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import onnx
import onnx.defs
from onnx import TensorProto

from caimi.errors.base import CaimiError
from caimi.errors.inference import ModelNotRunnable
from caimi.inference.wasm.compiling.compiler import compile_files, translate
from caimi.inference.wasm.compiling.variants import SIMD, Variant
from onnx_conformance.module_runner import Stopped, run_module
from onnx_fuzz.case import Case, merged
from onnx_fuzz.mutation import mutated
from onnx_fuzz.oracle import Oracles, Unanswered, difference
from onnx_fuzz.recipes import RECIPES
from onnx_fuzz.surroundings import surrounded
from onnx_fuzz.unsettled import (
    INFINITE,
    chosen,
    normalises,
    only_the_reference_knows,
    unmasked,
    unsettled,
)

SIZE = 160
"""Cases of a batch, drawn valid; about half of them come into the module."""
OPSETS = (7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24)
MISTAKEN = frozenset({"GlobalMaxPool", "LRN", "LpPool"})
"""Where the reference is wrong: shapes, channels of windows, windows beyond an end. It also adds up
in float16, and knows little of older versions."""
MEMORY = 6 << 30
"""What a campaign's process may take, in bytes: some graphs would take all that there is."""


@dataclass
class Played:
    """What a batch came to. `wrong` and `faults` must be empty."""

    seed: int
    opset: int = 0
    agreed: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    split: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    unanswered: int = 0

    @property
    def cases(self) -> int:
        """All that had a right answer: agreed, refused or wrong."""
        return self.agreed.total() + self.refused.total() + len(self.split) + len(self.wrong)


def bound_memory() -> None:
    """Bound this process for good; not for one that goes on with something else."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))


def play(seed: int, size: int = SIZE) -> Played:
    """Play the batch of a seed; a pure function of it and of the code."""
    random = Random(f"onnx-fuzz {seed}")
    played = Played(seed, random.choice(OPSETS))
    oracles = Oracles()
    try:
        taken = _taken(random, played, size, oracles)
        if taken:
            _run(played, taken, oracles)
    finally:
        oracles.close()
    return played


def draw(random: Random, opset: int) -> Case:
    """Draw a valid case."""
    for _ in range(100):
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                made = mutated if random.random() < 0.5 else random.choice(RECIPES)
                case = surrounded(random, made(random, opset))
        except Exception:
            continue
        versions = {entry.domain: entry.version for entry in case.model.opset_import}
        if versions[""] == opset and _is_bounded(case):
            return case
    raise AssertionError("nothing valid is drawn any more")


def _is_bounded(case: Case) -> bool:
    shapes = [value.type.tensor_type.shape.dim for value in case.model.graph.output]
    return all(np.prod([size.dim_value for size in shape]) < 1e6 for shape in shapes)


def _taken(
    random: Random, played: Played, size: int, oracles: Oracles
) -> dict[str, tuple[Case, list[Any]]]:
    """Give what the compiler takes, with right answers, by prefixes of names."""
    found: dict[str, tuple[Case, list[Any]]] = {}
    with tempfile.TemporaryDirectory(prefix="caimi-fuzz-") as folder:
        file = Path(folder) / "case.onnx"
        for place in range(size):
            case = draw(random, played.opset)
            file.write_bytes(case.model.SerializeToString())
            try:
                translate(file, SIMD)
            except ModelNotRunnable as error:
                played.refused[f"{case.operator}: {_short(error.what)}"] += 1
                continue
            except Exception as error:
                played.faults.append(f"{case.story}: {type(error).__name__}: {str(error)[:200]}")
                continue
            try:
                right = _right(case, oracles)
            except Unanswered:
                played.unanswered += 1
                continue
            found[f"c{place}."] = (case, right)
    return found


def _short(what: str) -> str:
    return what.removeprefix("case.onnx: ").split(" (while lowering")[0][:80]


def _right(case: Case, oracles: Oracles) -> list[Any]:
    why = unsettled(case)
    if why:
        raise Unanswered(why)
    case = chosen(case)
    if only_the_reference_knows(case):
        return oracles.reference(case.model, case.inputs)
    try:
        return _settled(case, unmasked(case, oracles.runtime(case.model, case.inputs)))
    except Unanswered:
        if _has_halves(case) or case.operator in MISTAKEN or not _is_newest(case):
            raise
        return oracles.reference(case.model, case.inputs)


def _settled(case: Case, answer: list[Any]) -> list[Any]:
    """Give an answer that is as the standard has it: of empty inputs shapes are not always.

    Raises:
        Unanswered: it has another shape, or a normalisation met infinities on the way.
    """
    for value, array in zip(case.model.graph.output, answer, strict=True):
        if not isinstance(array, np.ndarray):
            continue
        sizes = [size.dim_value for size in value.type.tensor_type.shape.dim]
        if list(array.shape) != sizes:
            raise Unanswered("its answer has another shape than the standard infers")
        if array.dtype.kind == "f" and not np.isfinite(array).all() and normalises(case):
            raise Unanswered(INFINITE)
    return answer


def _has_halves(case: Case) -> bool:
    graph = case.model.graph
    kinds = {tensor.data_type for tensor in graph.initializer}
    kinds |= {v.type.tensor_type.elem_type for v in (*graph.input, *graph.output)}
    return TensorProto.FLOAT16 in kinds


def _run(played: Played, taken: dict[str, tuple[Case, list[Any]]], oracles: Oracles) -> None:
    try:
        outputs = module_outputs(
            {prefix: case for prefix, (case, _) in taken.items()}, played.opset
        )
    except (Stopped, CaimiError) as error:
        if len(taken) == 1:
            ((case, _),) = taken.values()
            kind = played.wrong if isinstance(error, Stopped) else played.faults
            kind.append(f"{case.story}: {str(error)[:300]}")
            return
        half = len(taken) // 2
        entries = list(taken.items())
        _run(played, dict(entries[:half]), oracles)
        _run(played, dict(entries[half:]), oracles)
        return
    for prefix, (case, right) in taken.items():
        _judge(played, case, right, outputs[prefix], oracles)


def module_outputs(
    cases: dict[str, Case], opset: int, variant: Variant = SIMD
) -> dict[str, list[Any]]:
    """Compile cases as one module, run it, and give the outputs of each.

    Raises:
        Stopped: the module gives no outputs.
    """
    model = merged(cases, opset)
    source = model.SerializeToString()
    with tempfile.TemporaryDirectory(prefix="caimi-fuzz-") as folder:
        file = Path(folder) / "batch.onnx"
        file.write_bytes(source)
        made = compile_files(file, variant)
    inputs = {f"{p}{name}": v for p, case in cases.items() for name, v in case.inputs.items()}
    said = made.module.metadata
    stored = next(iter(made.beside.values()), source)
    answers = run_module(made.module, stored, [inputs[tensor.name] for tensor in said.inputs])
    by_name = {t.name: a for t, a in zip(said.outputs, answers, strict=True)}
    return {
        prefix: [by_name[f"{prefix}{value.name}"] for value in case.model.graph.output]
        for prefix, case in cases.items()
    }


def _judge(played: Played, case: Case, right: list[Any], ours: list[Any], oracles: Oracles) -> None:
    largest = max((_largest(value) for value in case.inputs.values()), default=0.0)
    rounded = "Linear" in case.operator or "Quantize" in case.operator
    apart = difference(right, ours, largest, rounded=rounded)
    if not apart:
        played.agreed[case.operator] += 1
        return
    if not _is_newest(case):  # what older versions meant, the reference does not know
        played.wrong.append(f"{case.story}: {apart}")
        return
    try:
        second = difference(
            oracles.reference(case.model, case.inputs), ours, largest, rounded=rounded
        )
    except Unanswered as error:
        second = str(error)
    if second:
        played.wrong.append(f"{case.story}: {apart} (the reference: {second})")
    else:
        played.split.append(f"{case.story}: {apart}")


def _is_newest(case: Case) -> bool:
    versions = {entry.domain: entry.version for entry in case.model.opset_import}
    return all(
        onnx.defs.get_schema(node.op_type, versions[node.domain], node.domain).since_version
        == onnx.defs.get_schema(node.op_type, node.domain).since_version
        for node in case.model.graph.node
    )


def _largest(value: Any) -> float:
    array = np.asarray(value)
    if array.dtype.kind != "f" or not array.size:
        return 0.0
    with np.errstate(all="ignore"):
        finite = np.abs(array[np.isfinite(array)].astype(np.float64))
    return float(finite.max(initial=0.0))
