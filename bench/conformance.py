"""How many of the ONNX standard's node tests the WASM engine passes; minutes, all of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from bench.result import Result

TESTS = Path(__file__).parent.parent / "tests"
RECORD = TESTS / "onnx_conformance" / "record.json"
FLOOR = 1_300


def measure() -> list[Result]:
    """Play them all, as `make onnx-conformance` does; a wrong one is an error."""
    subprocess.run(
        [sys.executable, "-m", "onnx_conformance"],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        check=True,
    )
    record = json.loads(RECORD.read_text())
    unit = f"of {record['cases']:,} cases, the others refused by name"
    return [Result("onnx_node_tests_passed", record["passed"], unit, floor=FLOOR)]
