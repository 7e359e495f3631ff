"""The demonstration among families, one of which is the example, installed as anybody would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "sqlite_ledger"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the example's distribution, and nothing with it, in a folder of its own."""
    target = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    quiet = ["--disable-pip-version-check", "--no-index", "--target", str(target)]
    subprocess.run([*pip, *quiet, str(EXAMPLE)], check=True, capture_output=True)
    return target


def demo(kinds: str, *installed: Path) -> dict[str, dict]:
    paths = [*map(str, installed), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-m", "caimi.cli", "demo", "--json", "--ledgers", kinds],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    steps = {step["name"]: step for step in json.loads(done.stdout)["steps"]}
    assert len(steps) == 18
    assert all(step["proved"] for step in steps.values())
    return steps


@pytest.mark.e2e
def test_where_nothing_can_be_paid_a_licence_is_granted_and_every_step_is_proved(
    installed: Path,
) -> None:
    steps = demo("embedded,sqlite", installed)
    said = steps["3 license"]["proved"]
    assert said.startswith("no coin on local:sqlite1: paying is refused (CAIMI-")
    assert "the publisher granted" in said
    assert "is refused: " in steps["6 forgery"]["proved"]


@pytest.mark.e2e
def test_a_model_that_is_sold_visits_a_ledger_without_a_coin(installed: Path) -> None:
    steps = demo("embedded,embedded,sqlite", installed)
    assert "the publisher is owed" in steps["3 license"]["proved"]
    assert steps["6 move"]["ledger"].endswith("local:sqlite2")


@pytest.mark.e2e
def test_a_model_whose_home_has_no_coin_is_sold_on_a_ledger_that_has_one(installed: Path) -> None:
    steps = demo("sqlite,embedded", installed)
    said = steps["3 license"]["proved"]
    assert "is on local:sqlite0: one IBC v2 packet" in said
    assert "the publisher is owed" in said
