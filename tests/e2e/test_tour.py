"""The tour of docs/tour.md, typed as it stands."""

import subprocess
import sys
from pathlib import Path

import pytest

from fabric_programs import needs_programs
from played_page import commands_of, play, script_of

pytestmark = [pytest.mark.e2e, pytest.mark.anvil]
TOUR = Path(__file__).resolve().parents[2] / "docs" / "tour.md"
INSTALLED = "make dev && source .venv/bin/activate"


@pytest.mark.timeout(1500)
def test_every_command_of_the_tour_does_what_the_page_says(tmp_path: Path) -> None:
    first, *commands = commands_of(TOUR)
    assert first == INSTALLED
    assert commands[-1] == "caimi devnet down"
    needs_programs()
    try:
        done = play(script_of(commands), tmp_path, 1400)
    finally:
        for folder in ("tour", "tour/channel"):
            if (tmp_path / folder).is_dir():
                subprocess.run(
                    [sys.executable, "-m", "caimi.cli", "devnet", "down"],
                    cwd=tmp_path / folder,
                    capture_output=True,
                    timeout=60,
                    check=False,
                )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    typed = [line for line in done.stdout.splitlines() if line.startswith("$ ")]
    assert typed[-1] == "$ caimi devnet down"


def test_a_command_that_fails_stops_the_tour(tmp_path: Path) -> None:
    done = play(script_of(["echo one", "caimi show caimi:nothing", "echo two"]), tmp_path, 60)
    assert done.returncode != 0
    assert "$ echo two" not in done.stdout


def test_a_uri_is_copied_from_what_was_printed_last(tmp_path: Path) -> None:
    script = script_of(
        ["echo caimi:eip155:1:0xab", "MODEL=caimi:eip155:1:0x…  # it", "echo $MODEL"]
    )
    assert play(script, tmp_path, 60).stdout.endswith("$ echo $MODEL\ncaimi:eip155:1:0xab\n")


def test_a_uri_of_any_ledger_is_copied(tmp_path: Path) -> None:
    script = script_of(
        ["echo caimi:fabric:0a1b:0xab@1.0.0", "WARD=caimi:fabric:…  # it", "echo $WARD"]
    )
    assert play(script, tmp_path, 60).stdout.endswith("$ echo $WARD\ncaimi:fabric:0a1b:0xab\n")


def test_a_transaction_is_copied_from_what_was_printed_last(tmp_path: Path) -> None:
    printed = f"echo caimi:eip155:1:0x{'cd' * 32}@1 tx 0x{'ab' * 32}"
    script = script_of([printed, "TX=0x…  # it", "echo $TX"])
    assert play(script, tmp_path, 60).stdout.endswith(f"\n0x{'ab' * 32}\n")


def test_a_heredoc_belongs_to_its_command(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console\n$ cat <<END\none\nEND\n$ true\n```\n")
    assert commands_of(page) == ["cat <<END\none\nEND", "true"]
