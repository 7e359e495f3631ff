"""A result lands whole where it was wanted, or somewhere that is said; never half, or nowhere."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from caimi.errors.operations import OutputUnusable
from caimi.places import check_directory_place, check_file_place, keep_result, write_result


def _in_missing(folder: Path) -> Path:
    return folder / "missing" / "result.json"


def _in_file(folder: Path) -> Path:
    (folder / "file").write_text("")
    return folder / "file" / "result.json"


def _directory(folder: Path) -> Path:
    (folder / "directory").mkdir()
    return folder / "directory"


def _loop(folder: Path) -> Path:
    (folder / "loop").symlink_to(folder / "loop")
    return folder / "loop"


def _long(folder: Path) -> Path:
    return folder / ("n" * 300)


def _in_proc(folder: Path) -> Path:
    return Path("/proc/self/result.json")


def _dangling(folder: Path) -> Path:
    (folder / "link").symlink_to(folder / "missing" / "result.json")
    return folder / "link"


def _nul(folder: Path) -> Path:
    return folder / "a\0b"


BAD = [_in_missing, _in_file, _directory, _loop, _long, _in_proc, _dangling, _nul]


@pytest.mark.parametrize("place", BAD)
def test_a_place_that_cannot_take_a_file_is_told_beforehand_and_left_as_it_was(
    place: Callable[[Path], Path], tmp_path: Path
) -> None:
    target = place(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OutputUnusable):
        check_file_place(target)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("place", BAD)
def test_a_result_that_does_not_land_there_is_kept_elsewhere_and_the_place_is_said(
    place: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "spare").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "spare"))
    failed = keep_result(place(tmp_path), b"a receipt", "The receipt")
    assert failed is not None
    (kept,) = (tmp_path / "spare").iterdir()
    assert kept.read_bytes() == b"a receipt"
    assert str(kept) in failed.what


@pytest.mark.parametrize("name", ["new", "old", "link"])
def test_a_good_place_is_written_whole_and_links_are_followed(name: str, tmp_path: Path) -> None:
    (tmp_path / "old").write_text("older and longer")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    check_file_place(tmp_path / name)
    assert not (tmp_path / "new").exists()
    assert keep_result(tmp_path / name, b"whole", "It") is None
    assert (tmp_path / name).read_bytes() == b"whole"
    assert (tmp_path / "link").is_symlink()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".caimi-")]


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_a_result_may_be_read_by_whom_the_umask_lets(mask: int, mode: int, tmp_path: Path) -> None:
    before = os.umask(mask)
    try:
        write_result(tmp_path / "result", b"whole")
        after = os.umask(mask)
    finally:
        os.umask(before)
    assert after == mask
    assert (tmp_path / "result").stat().st_mode & 0o777 == mode


def test_what_is_no_plain_file_is_written_through() -> None:
    check_file_place(Path(os.devnull))
    write_result(Path(os.devnull), b"gone")
    assert not Path(os.devnull).is_file()


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "occupied").mkdir()
    (tmp_path / "occupied" / "file").write_text("kept")
    with pytest.raises(OSError, match="directory"):
        write_result(tmp_path / "occupied", b"new")
    assert (tmp_path / "occupied" / "file").read_text() == "kept"
    assert [path.name for path in tmp_path.iterdir()] == ["occupied"]


@pytest.mark.parametrize("place", [_in_file, _loop, _long, _in_proc, _nul])
def test_a_place_that_cannot_take_a_directory_is_told_beforehand(
    place: Callable[[Path], Path], tmp_path: Path
) -> None:
    with pytest.raises(OutputUnusable):
        check_directory_place(place(tmp_path))


def test_a_directory_may_be_new_or_there_and_is_not_made(tmp_path: Path) -> None:
    check_directory_place(tmp_path)
    check_directory_place(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []
