"""What a command does not need is not imported: starting is quick."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import PROGRAM

import caimi
from caimi.cli.table import Entry, entries

OURS = {**os.environ, "PYTHONPATH": str(Path(caimi.__file__).parents[1])}

HEAVY = {
    *("aiohttp", "alembic", "coincurve", "cryptography", "eth", "eth_abi", "eth_account"),
    *("eth_keyfile", "eth_keys", "eth_utils", "fastapi", "grpc", "httpx", "numpy", "onnx"),
    *("onnxruntime", "pydantic", "safetensors", "skl2onnx", "sklearn", "sqlalchemy", "wasmtime"),
}
FOR_READING = HEAVY & {
    *("alembic", "eth", "fastapi", "grpc", "numpy", "onnx", "onnxruntime", "safetensors"),
    *("skl2onnx", "sklearn", "sqlalchemy", "wasmtime"),
}
"""What no command needs that only reads ledgers."""


def imported(code: str, folder: Path) -> set[str]:
    """Run code in a fresh interpreter, and give the packages that it had imported at its end."""
    told = f"""
import json, sys
try:
    {code}
finally:
    names = sorted({{name.partition(".")[0] for name in sys.modules}})
    sys.stderr.write("\\n" + json.dumps(names))
"""
    done = subprocess.run(
        [sys.executable, "-c", told],
        cwd=folder,
        env=OURS,
        check=True,
        capture_output=True,
        text=True,
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


def command(*words: str) -> str:
    return f"sys.argv[1:] = {list(words)}; from caimi.cli.app import main; main()"


def test_the_package_imports_nothing_heavy(tmp_path: Path) -> None:
    assert imported("import caimi", tmp_path) & (HEAVY | {"rich", "typer"}) == set()


@pytest.mark.parametrize("words", ["--help", "--version"])
def test_help_imports_nothing_heavy(words: str, tmp_path: Path) -> None:
    assert imported(command(words), tmp_path) & HEAVY == set()


@pytest.mark.parametrize("entry", list(entries()), ids=lambda entry: entry.name)
def test_the_help_of_a_command_imports_nothing_heavy(entry: Entry, tmp_path: Path) -> None:
    told = imported(command(entry.name, "--help"), tmp_path)
    assert told & HEAVY <= {"pydantic"}  # which typer takes to read parameters


def test_the_help_of_all_imports_no_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "caimi.cli", "--help"],
        cwd=tmp_path,
        env=OURS,
        check=True,
        capture_output=True,
        text=True,
    )
    places = {entry.place.partition(":")[0] for entry in entries()}
    assert [name for name in places if f" {name}\n" in done.stderr] == []


def test_searching_imports_nothing_that_runs_or_writes(tmp_path: Path) -> None:
    (tmp_path / "caimi.toml").write_text("")
    assert imported(command("search"), tmp_path) & FOR_READING == set()


@pytest.mark.parametrize("entry", list(entries()), ids=lambda entry: entry.name)
def test_the_table_says_of_a_command_what_its_help_begins_with(entry: Entry) -> None:
    help_text = PROGRAM.commands[entry.name].help
    assert entry.says == " ".join(help_text.partition("\n\n")[0].split())
