"""`caimi cache`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from caimi.cli.app import app

runner = CliRunner()


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    file = tmp_path / ".cache" / "caimi" / "models" / "aa.sqlite"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"x" * 2000)
    os.utime(file, (0, 0))
    return file


def test_it_is_listed_and_removed_without_a_configuration(kept: Path) -> None:
    listed = json.loads(runner.invoke(app, ["cache", "list", "--json"]).output)
    (only,) = listed["cached"]
    assert (only["path"], only["size"], listed["bytes"]) == (str(kept), 2000, 2000)
    assert "2.0 kB" in runner.invoke(app, ["cache", "list"], env={"COLUMNS": "200"}).output
    assert "Removed 2.0 kB of 1 thing." in runner.invoke(app, ["cache", "clean", "--all"]).output
    assert not kept.exists()


@pytest.mark.parametrize(
    "options", [[], ["--all", "--older-than", "3d"], ["--older-than", "0d"]], ids=str
)
def test_what_is_to_go_has_to_be_said(kept: Path, options: list[str]) -> None:
    assert runner.invoke(app, ["cache", "clean", *options]).exit_code in (1, 2)
    assert kept.exists()
