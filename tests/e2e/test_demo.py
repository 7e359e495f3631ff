"""The whole path, on ledgers in this process and on real anvil processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from caimi.datasets import train

PROOFS = {
    "1 network",
    "2 publish",
    "3 find",
    "3 no key yet",
    "3 license",
    "3 forgery",
    "4 two absent",
    "4 three absent",
    "4 one corrupt",
    "5 pull and run",
    "5 same bits",
    "5 worker",
    "5 forged receipt",
    "6 move",
    "6 move back",
    "6 time out",
    "7 version 1.1.0",
    "7 roll back",
}


def demo(*arguments: str) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-m", "caimi.cli", "demo", "--json", *arguments],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.e2e
@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param([], id="embedded"),
        pytest.param(["--dataset", "digits"], id="digits"),
        pytest.param(["--ledgers", "anvil"], id="anvil", marks=pytest.mark.anvil),
    ],
)
def test_every_step_is_proved(arguments: list[str]) -> None:
    report = demo(*arguments)
    assert report["ok"] is True
    steps = {step["name"]: step for step in report["steps"]}
    assert set(steps) == PROOFS
    assert all(step["proved"] for step in steps.values())
    for name in ("2 publish", "3 license", "5 worker", "6 move", "6 time out", "7 roll back"):
        assert steps[name]["tx"].startswith("0x")


@pytest.mark.e2e
def test_a_users_own_model_goes_the_same_way(tmp_path: Path) -> None:
    model = tmp_path / "mine.onnx"
    model.write_bytes(train("breast-cancer", seed=3).onnx)
    assert demo("--model", str(model))["ok"] is True


def test_a_failed_demonstration_exits_with_an_error_and_says_why() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "caimi.cli", "demo", "--json", "--dataset", "iris"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert document["ok"] is False
    assert "breast-cancer" in document["error"]["what"]
