"""The example's ledgers that stay: a file in a folder, and a program that keeps their clock."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from caimi.errors.ledgers import LedgerUnavailable
from caimi.ledgers.machine.ed25519_keys import Ed25519Key
from caimi.ledgers.port import LastingKind, SandboxKind
from offered_example import EXAMPLE
from sqlite_ledger import lasting
from sqlite_ledger.lasting import BLOCK_SECONDS, tick
from sqlite_ledger.machine import SqliteMachine
from sqlite_ledger.sandbox import SQLITE, SqliteService

SURROUNDINGS = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join([str(EXAMPLE), os.environ.get("PYTHONPATH", "")]),
}


def service(folder: Path) -> SqliteService:
    return SQLITE.service(1, "b", port=7001, folder=folder)


def founded(file: Path, made: SqliteService) -> SqliteMachine:
    machine, admin = SqliteMachine(made.place.id, file), Ed25519Key()
    machine.found(admin.account, admin.account)
    return machine


def test_the_kind_lasts_and_tells_where_its_file_is(tmp_path: Path) -> None:
    assert isinstance(SQLITE, LastingKind)
    assert isinstance(SQLITE, SandboxKind)
    SQLITE.check()
    made = service(tmp_path)
    assert (made.place.id, made.place.name, made.place.family) == ("local:sqlite1", "b", "sqlite")
    assert made.place.told == {"file": str(tmp_path / "ledger.sqlite")}
    assert made.url is None


def test_it_is_ready_once_its_program_has_made_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lasting, "_START_SECONDS", 0.1)
    made = service(tmp_path / "kept")
    with pytest.raises(LedgerUnavailable, match="kept"):
        asyncio.run(made.wait_ready())
    monkeypatch.setattr(lasting, "_START_SECONDS", 20.0)
    program = subprocess.Popen(made.command, env=SURROUNDINGS)
    try:
        asyncio.run(made.wait_ready())
        assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o700
        assert program.poll() is None
    finally:
        program.terminate()
        program.wait(10)


def test_time_passes_where_nobody_writes_and_no_faster(tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite"
    machine = SqliteMachine(service(tmp_path).place.id, file)
    assert not tick(machine)
    file.touch()
    assert not tick(machine)
    file.unlink()
    machine = founded(file, service(tmp_path))
    assert not tick(machine)
    before = machine.head
    machine._db.execute("UPDATE blocks SET time = time - ?", (BLOCK_SECONDS,))
    assert tick(machine)
    assert machine.head.height == before.height + 1
    assert machine.head.time >= before.time
    assert not tick(machine)


def test_a_program_that_cannot_have_its_folder_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = subprocess.run(
        [sys.executable, "-m", lasting.__name__, "--ledger=local:x", f"--folder={tmp_path}/file"],
        capture_output=True,
        text=True,
        env=SURROUNDINGS,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "exists" in done.stderr
