"""The long campaign goes on where it stopped, and every tree has schedules of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faults import onward
from faults.record import Record, Stretch, joined
from faults.tree import ROOT, first_seed, tree_name
from faults.world import Report


def report(seed: int, *broken: str) -> Report:
    return Report(seed, "tolerated", "", broken, (), 0, 0, 0, 0, 0, 0.0, ())


def play(monkeypatch: pytest.MonkeyPatch, path: Path, *arguments: str, bad: int = 0) -> list[int]:
    """Run the campaign on schedules that end at once; `bad` breaks something."""
    played: list[int] = []

    def campaign(seeds: range, kind: str, workers: int) -> list[Report]:
        played.extend(seeds)
        return [report(seed, *(["I1: no holder"] if seed == bad else [])) for seed in seeds]

    monkeypatch.setattr(onward, "campaign", campaign)
    monkeypatch.setattr(sys, "argv", ["onward", "--record", str(path), *arguments])
    assert onward.main() == int(bad > 0)
    return played


def test_a_campaign_goes_on_where_it_stopped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "build" / "record.json"
    first = play(monkeypatch, path, "--first", "11", "--schedules", "600")
    assert first == list(range(11, 611))
    assert play(monkeypatch, path, "--first", "11", "--schedules", "600") == []
    more = play(monkeypatch, path, "--first", "1", "--schedules", "700")
    assert more == [*range(1, 11), *range(611, 701)]
    assert "| 1 to 700 | 700 |" in capsys.readouterr().out


def test_a_seed_that_broke_something_is_told_and_played_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "record.json"
    play(monkeypatch, path, "--first", "1", "--schedules", "20", bad=7)
    told = capsys.readouterr()
    assert "seed 7: I1: no holder" in told.out
    assert "make faults SEED=7" in told.err
    assert [each.last for each in Record.read(path).clean] == [6, 20]
    assert play(monkeypatch, path, "--first", "1", "--schedules", "20") == [7]
    assert Record.read(path).broken == {}


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 9), st.sampled_from("ab"))))
def test_joined_stretches_hold_the_same_seeds(parts: list[tuple[int, int, str]]) -> None:
    stretches = [Stretch(first, first + more, tree) for first, more, tree in parts]
    for tree in "ab":
        before = {s for e in stretches if e.tree == tree for s in range(e.first, e.last + 1)}
        found = [each for each in joined(stretches) if each.tree == tree]
        assert {s for each in found for s in range(each.first, each.last + 1)} == before


def test_every_tree_has_seeds_of_its_own_also_without_git(tmp_path: Path) -> None:
    for part in ("src/caimi", "tests/faults"):
        (tmp_path / part).mkdir(parents=True)
    source = tmp_path / "src" / "caimi" / "a.py"
    shutil.copy(ROOT / "tests" / "faults" / "tree.py", source)
    plain = tree_name(tmp_path)
    assert plain == tree_name(tmp_path)
    assert plain.startswith("files-")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "x"], check=True)
    committed = tree_name(tmp_path)
    assert len(committed) == 40
    clone = tmp_path / "clone"
    subprocess.run([*git, "clone", "-q", str(tmp_path), str(clone)], check=True)
    assert tree_name(clone) == committed
    source.write_text("# another\n", "utf-8")
    changed = tree_name(tmp_path)
    seeds = {first_seed(name) for name in (plain, committed, changed)}
    assert len(seeds) == 3
    assert min(seeds) >= 1_000_000_000
