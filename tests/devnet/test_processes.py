"""Only processes that are surely ours are ended."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

from caimi.devnet import processes


def sleeper(folder: Path, name: str = "sleeper") -> processes.Process:
    return processes.start(name, [sys.executable, "-c", "import time; time.sleep(60)"], folder)


def test_what_was_started_is_ended(tmp_path: Path) -> None:
    process = sleeper(tmp_path)
    assert process.alive
    processes.stop([process])
    assert not process.alive


def test_a_process_id_used_again_by_somebody_else_is_left_alone(tmp_path: Path) -> None:
    stranger = sleeper(tmp_path)
    taken_over = replace(stranger, started=stranger.started - 1)
    assert not taken_over.alive
    processes.stop([taken_over])
    assert stranger.alive
    processes.stop([stranger])


def test_after_the_machine_started_anew_the_same_numbers_are_a_stranger_s(tmp_path: Path) -> None:
    stranger = sleeper(tmp_path)
    before = replace(stranger, boot="00000000-0000-0000-0000-000000000000")
    listed = tmp_path / "list.json"
    processes.save(listed, [before])
    entry = json.loads(listed.read_bytes())[0]
    del entry["boot"]  # as lists were before they told of the boot
    old = tmp_path / "old.json"
    old.write_text(json.dumps([entry]))
    for told in (listed, old):
        (found,) = processes.load(told)
        assert (found.pid, found.started) == (stranger.pid, stranger.started)
        assert not found.alive
        processes.stop([found])
        assert stranger.alive
    processes.save(listed, [stranger])
    processes.stop(processes.load(listed))
    assert not stranger.alive


def test_a_process_that_ignores_the_polite_signal_is_killed(
    tmp_path: Path, monkeypatch: object
) -> None:
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    process = processes.start("deaf", [sys.executable, "-c", deaf], tmp_path)
    processes.STOP_SECONDS = 1.0
    processes.stop([process])
    assert not process.alive


def test_the_list_survives_and_says_where_the_logs_are(tmp_path: Path) -> None:
    process = processes.start("hello", [sys.executable, "-c", "print('hello')"], tmp_path)
    processes.save(tmp_path / "list.json", [process])
    assert processes.load(tmp_path / "list.json") == [process]
    assert processes.load(tmp_path / "none.json") == []
    processes.stop([process])


def test_a_secret_goes_to_standard_input_and_not_to_the_command_line(tmp_path: Path) -> None:
    code = "import sys; print(len(sys.stdin.readline()))"
    process = processes.start("s", [sys.executable, "-c", code], tmp_path, secret=b"hush")
    while process.alive:
        processes.reap([process])
    assert process.log_tail().strip() == "5"
