"""Every command that writes a result tries its place before anybody is asked or paid."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from command_line import ALL, URI, arguments, without_privileges
from command_line import run as run_command

from caimi.cli.answers import keep_answer

WRITES = [
    (path, parameter.name)
    for path, command in ALL.items()
    for parameter in command.params
    if parameter.name in ("output", "receipt", "bundle", "directory")
    # `verify` reads what it names so; a network's directory and a new project's are no results.
    and path[0] not in {"verify", "devnet", "logs", "init"}
]


@pytest.mark.parametrize(("path", "option"), WRITES, ids=str)
@pytest.mark.parametrize("place", ["file/result.json", "n" * 300 + ".json"])
def test_an_output_that_cannot_be_written_is_told_before_anything_is_done(
    path: tuple[str, ...], option: str, place: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "model.onnx").write_bytes(b"no model, and never looked at")
    # There is no configuration: whoever gets as far as that has not looked at the place.
    given = {option: str(tmp_path / place), "config": str(tmp_path / "none.toml")}
    if path == ("run",):
        given["worker"] = "http://127.0.0.1:1"
    if path == ("compile",):
        given["model"] = str(tmp_path / "file" / "model.onnx") if "/" in place else str(
            tmp_path / "model.onnx"
        )  # fmt: skip
    done = run_command(arguments(path, tmp_path, **given), tmp_path)
    assert done.status == 1
    assert "CAIMI-C051" in done.err, done.text


def test_a_place_of_somebody_else_is_told_before_a_worker_is_asked(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    words = ["run", URI, "-i", "x.npy", "--worker", "any", "--receipt", str(tmp_path / "r.json")]
    done = run_command(words, tmp_path, within=without_privileges)
    assert "CAIMI-C051" in done.err


@pytest.mark.parametrize("name", ["answer.npz", "answer.json"])
def test_an_answer_whose_place_went_away_is_kept_elsewhere_and_said(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "spare").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "spare"))
    with pytest.raises(typer.Exit):
        keep_answer({"y": np.ones(3)}, tmp_path / "gone" / name, None, as_json=False)
    (kept,) = (tmp_path / "spare").iterdir()
    assert "CAIMI-C052" in capfd.readouterr().err
    assert kept.suffix == Path(name).suffix


def test_an_answer_that_cannot_be_printed_is_kept_and_the_place_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(sys, "stdout", None)  # as for a process that began with it closed
    with pytest.raises(typer.Exit):
        keep_answer({"y": np.ones(3)}, None, None, as_json=False)
    (kept,) = tmp_path.iterdir()
    assert json.loads(kept.read_text()) == {"y": [1.0, 1.0, 1.0]}
    assert "CAIMI-C052" in capfd.readouterr().err


def test_an_answer_that_its_file_cannot_hold_is_kept_in_one_that_can(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit):
        keep_answer({"y": np.array([np.nan])}, tmp_path / "answer.json", None, as_json=True)
    assert np.isnan(np.load(tmp_path / "answer.npz")["y"]).all()
    told = json.loads(capfd.readouterr().out)
    assert told["ok"] is False
    assert "answer.npz" in told["error"]["what"]
