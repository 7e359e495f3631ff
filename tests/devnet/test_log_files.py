"""Logs are read from their end, and followed; what others wrote into them obeys no terminal."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import pytest
from typer.testing import CliRunner

from caimi.cli.app import app
from caimi.devnet.log_files import MAX_TAIL_BYTES, last_lines, new_lines


def test_the_last_lines_of_a_large_file_are_read_from_its_end(tmp_path: Path) -> None:
    file = tmp_path / "log"
    with file.open("wb") as handle:
        handle.truncate(10 * MAX_TAIL_BYTES)  # a hole: read whole, it would take as much memory
        handle.seek(0, 2)
        handle.write(b"\none\ntwo\n\xffthree")
    assert last_lines(file, 2) == ["two", "\N{REPLACEMENT CHARACTER}three"]
    assert last_lines(file, 0) == []
    assert len(last_lines(file, 9)[0]) < MAX_TAIL_BYTES
    assert last_lines(tmp_path / "none", 5) == []


def test_what_is_written_from_now_on_is_followed_into_the_next_file(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_text("before\n")
    following = new_lines(file, sleep=0)
    steps = [
        lambda: file.open("a").write("one\ntw") and None,
        lambda: file.open("a").write("o\n") and None,
        lambda: (file.replace(tmp_path / "log.1"), file.write_text("three\n")),
    ]
    lines = []

    def wait(_: float) -> None:
        if steps:
            steps.pop(0)()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.sleep", wait)
        lines = list(islice(following, 3))
    assert lines == ["one", "two", "three"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / ".caimi").mkdir()
    (tmp_path / ".caimi" / "relayer.log").write_text("old\n\x1b[31mred\n[bold]word\n")
    return tmp_path


@pytest.mark.parametrize("command", [["logs"], ["devnet", "logs"]])
def test_a_log_is_shown_by_either_name_of_the_command(folder: Path, command: list[str]) -> None:
    done = CliRunner().invoke(app, [*command, "relayer", "-n", "2", "-d", str(folder)])
    assert done.exit_code == 0
    assert done.output.splitlines() == ["\N{REPLACEMENT CHARACTER}[31mred", "[bold]word"]


def test_a_log_is_shown_as_json_lines(folder: Path) -> None:
    done = CliRunner().invoke(app, ["logs", "relayer", "-n", "1", "-d", str(folder), "--json"])
    assert json.loads(done.output) == {"process": "relayer", "line": "[bold]word"}


def test_a_log_that_is_none_is_named(folder: Path, tmp_path: Path) -> None:
    for name in ("worker", "../relayer", "", "."):
        done = CliRunner().invoke(app, ["logs", name, "-d", str(folder), "--json"])
        assert "relayer" in json.loads(done.output)["error"]["what"]
    done = CliRunner().invoke(app, ["logs", "relayer", "-d", str(tmp_path / "x"), "--json"])
    assert json.loads(done.output)["error"]["code"] == "CAIMI-N008"
