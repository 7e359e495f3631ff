"""Every command of the table: help that is read at 80 columns, JSON answers, JSON usage errors."""

from __future__ import annotations

import json
import re

import pytest
from command_line import ALL, takes
from rich.cells import cell_len
from typer.testing import CliRunner

from caimi.cli.app import app

runner = CliRunner()
SERVICES = ("node", "relayer", "watcher", "worker", "treasury", "chaincode")
FOREVER = {("service", role) for role in SERVICES}
"""What answers with log lines, which are JSON by `[logging]` in caimi.toml."""


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_help_fits_80_columns_with_every_option_whole(path: tuple[str, ...]) -> None:
    done = runner.invoke(app, [*path, "--help"], env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"})
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert max(map(cell_len, lines)) <= 80
    words = set(re.findall(r"--[a-z0-9-]+", done.output))
    declared = {opt for each in ALL[path].params for opt in each.opts if opt.startswith("--")}
    assert declared <= words
    assert "Example" in done.output
    assert not re.search(r"\[(bold|/bold|red|dim)\]|<bool>|BOOLEAN|None\b", done.output)


@pytest.mark.parametrize("path", [path for path in ALL if path not in FOREVER], ids=" ".join)
def test_it_answers_in_json_where_that_is_asked_for(path: tuple[str, ...]) -> None:
    assert takes(path, "as_json")


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_wrong_words_are_told_in_json_where_that_is_asked_for(path: tuple[str, ...]) -> None:
    done = runner.invoke(app, [*path, "--nonsense", "--json"])
    assert (done.exit_code, done.stdout) == (2, "")
    error = json.loads(done.stderr)["error"]
    assert error["code"] == "CAIMI-C020"
    assert error["next"].startswith("Run `caimi ")
