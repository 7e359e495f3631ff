"""What the node tests came to: a page for people, and a record that shows a regression."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from onnx_conformance.judge import PASSED, REFUSED, Verdict

RECORD = Path(__file__).parent / "record.json"
PAGE = Path(__file__).parents[2] / "docs" / "engines-conformance.md"
_HEAD = """\
# The ONNX standard's node tests through the WASM engine

Written by `make onnx-conformance`, which plays all {cases:,} cases of `onnx.backend.test` (onnx
{onnx}): each model is compiled by `compile_model`, run, and its outputs compared with the
standard's, element by element, within the tolerance that the case gives (relative 1e-3, absolute
1e-7).

**{passed:,} pass, {refused:,} are refused by name at compile time, {wrong} are wrong.**

A case counts as refused only when `ModelNotRunnable` names what is not supported; every other
error, a trap, and an output that differs count as wrong, and fail the command. Every test run plays
a tenth of the cases (`tests/inference/wasm/test_onnx_conformance.py`) and compares each with the
record of this run, `tests/onnx_conformance/record.json`.

Where a case gives a size as an input (`Reshape`, `Slice`, `TopK` ...), the module compares it with
the sizes that it was compiled for, and fails with `CAIMI_SHAPE_DIFFERS` when they differ.
{closer}
| Operator | Cases | Passed | Refused | Why refused |
|---|---:|---:|---:|---|
"""
_CLOSER = """
Cases whose right outputs are themselves the rounding noise of another algorithm, or were added up
in float16, are compared with an absolute tolerance: {names}.
"""


def write(
    verdicts: Sequence[Verdict], operators: Mapping[str, str], noisy: Mapping[str, float], onnx: str
) -> None:
    """Write the page and the record; `operators` gives the operator of every case."""
    ordered = sorted(verdicts, key=lambda verdict: verdict.case)
    counts = Counter(verdict.what for verdict in ordered)
    refused = {v.case: v.why for v in ordered if v.what == REFUSED}
    record = {"cases": len(ordered), "passed": counts[PASSED], "refused": refused}
    RECORD.write_text(json.dumps(record, indent=1) + "\n")
    names = ", ".join(f"`{name}` {noisy[name]:g}" for name in sorted(noisy))
    closer = _CLOSER.format(names=names) if noisy else ""
    head = _HEAD.format(
        cases=len(ordered),
        passed=counts[PASSED],
        refused=counts[REFUSED],
        wrong=len(ordered) - counts[PASSED] - counts[REFUSED],
        onnx=onnx,
        closer=closer,
    )
    by_operator: defaultdict[str, list[Verdict]] = defaultdict(list)
    for verdict in ordered:
        by_operator[operators[verdict.case]].append(verdict)
    rows = [_row(name, by_operator[name]) for name in sorted(by_operator)]
    PAGE.write_text(head + "\n".join(rows) + "\n")


def _row(name: str, verdicts: Sequence[Verdict]) -> str:
    counts = Counter(verdict.what for verdict in verdicts)
    reasons = Counter(_short(verdict.why) for verdict in verdicts if verdict.what == REFUSED)
    why = "; ".join(f"{reason} ({count})" for reason, count in sorted(reasons.items()))
    numbers = f"{len(verdicts)} | {counts[PASSED]} | {counts[REFUSED]}"
    return f"| {name} | {numbers} | {why} |"


def _short(why: str) -> str:
    """Give a reason without names of tensors and places in the graph."""
    plain = why.split(" (while lowering", maxsplit=1)[0].removeprefix("The code generator says: ")
    plain = plain.split(" Reason: ")[0].split("; ")[0].rstrip(".").replace("|", "/")
    if " is " in plain and plain.endswith("which no module takes"):
        plain = plain.split(" is ", 1)[1]
    return plain[:120]
