"""What is wrong with the words of a command is told in JSON where JSON was asked for."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from caimi.cli.app import app

runner = CliRunner()
WRONG = [
    ["serch"],
    ["keys", "nw"],
    ["run"],
    ["run", "--nonsense"],
    ["search", "--limit", "0"],
    ["search", "--limit", "many"],
    ["run", "caimi:eip155:1:0x00", "-i", "x", "--engine", "tensorflow"],
    ["run", "caimi:eip155:1:0x00", "-i", "x", "--receipt", "r.json"],
]


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_it_is_one_document_on_standard_error(words: list[str]) -> None:
    done = runner.invoke(app, [*words, "--json"])
    assert (done.exit_code, done.stdout) == (2, "")
    told = json.loads(done.stderr)
    assert told["ok"] is False
    assert told["error"]["code"] == "CAIMI-C020"
    assert all(told["error"][part] for part in ("what", "why", "next"))


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_a_person_is_told_in_words(words: list[str]) -> None:
    done = runner.invoke(app, words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "Usage: caimi" in done.stderr
    assert "--help" in done.stderr
