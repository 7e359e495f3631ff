"""Plays every node test and writes what they came to: ``python -m onnx_conformance``.

Exits 1 when a case is wrong, or fewer pass than the record says.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version

from onnx_conformance.cases import all_cases, operator
from onnx_conformance.judge import NOISY, PASSED, WRONG
from onnx_conformance.play import play
from onnx_conformance.report import RECORD, write


def main() -> int:
    """Play, write, and tell."""
    before = json.loads(RECORD.read_text())["passed"] if RECORD.exists() else 0
    cases = all_cases()
    verdicts = play(list(cases))
    write(verdicts, {name: operator(case) for name, case in cases.items()}, NOISY, version("onnx"))
    wrong = [verdict for verdict in verdicts if verdict.what == WRONG]
    for verdict in wrong:
        print(f"wrong: {verdict.case}: {verdict.why}", file=sys.stderr)
    passed = sum(verdict.what == PASSED for verdict in verdicts)
    print(f"{passed} of {len(verdicts)} pass, {len(wrong)} are wrong; before, {before} passed.")
    return int(bool(wrong) or passed < before)


if __name__ == "__main__":
    sys.exit(main())
