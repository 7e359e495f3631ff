"""Stages of the Makefile run in lanes beside one another, and none outlives one that failed."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

LANES = Path(__file__).resolve().parents[2] / "scripts" / "lanes"
MAKEFILE = """
one: ; @echo of one
two: ; @test -e three-began && echo of two
three: ; @touch three-began; echo of three
late: ; @sleep 100; touch late-ended
failing: ; @echo of failing; exit 7
"""


@pytest.fixture
def lanes(tmp_path):
    (tmp_path / "Makefile").write_text(MAKEFILE)

    def run(*stages):
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, LANES, *stages],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, time.monotonic() - began

    return run


def test_stages_of_a_lane_follow_one_another_and_tell_what_they_printed(lanes):
    status, told, _ = lanes("three two", "one")
    assert status == 0
    for stage in ("one", "two", "three"):
        assert f"\n== {stage}\nof {stage}\n" in told
    assert told.index("of three") < told.index("of two")
    assert told.count(" s\n") == 3


def test_lanes_run_beside_one_another(lanes, tmp_path):
    (tmp_path / "Makefile").write_text(
        "a: ; @while ! test -e b; do sleep 0.01; done\nb: ; @touch b\n"
    )
    assert lanes("a", "b")[0] == 0


def test_a_stage_that_fails_stops_everything(lanes, tmp_path):
    status, told, seconds = lanes("late", "failing one")
    assert status != 0
    assert "of failing" in told
    assert "of one" not in told
    assert seconds < 50
    assert not (tmp_path / "late-ended").exists()
