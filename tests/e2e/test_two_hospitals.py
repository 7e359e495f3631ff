"""The example of two hospitals runs as its page says, from its first peer to its last word."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "two_hospitals" / "run.py"
SEEN = (
    "South          was given other terms, no ledger is founded: CAIMI-F048",
    "both           founded the ledger on the terms",
    "North          published demo-model 1.0.0 on Fabric",
    "South          was granted a licence",
    "buyer          paid 5 coins on eip155:31338",
    "South          ran it for the buyer; its signed receipt is anchored",
    "North          still owns it",
    "South          runs other rules, North can publish nothing: CAIMI-F016",
    "both           agree again: version 1.1.0 is published, once",
)


@pytest.mark.e2e
@pytest.mark.timeout(240)
def test_the_example_of_two_hospitals_tells_its_story(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE)],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    at = 0
    for each in SEEN:
        at = done.stdout.find(each, at)
        assert at >= 0, f"{each} is not next in:\n{done.stdout}"
    assert list(tmp_path.iterdir()) == []
