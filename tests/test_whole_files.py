"""A file is whole or as it was, in the mode that was said, on the disk, and alone there."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from caimi.whole_files import sync_directory, write_once, write_whole

WRITERS = pytest.mark.parametrize("write", [write_whole, write_once])


class Killed(BaseException):
    """The end of the process."""


@WRITERS
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444])
def test_a_file_has_its_mode_whatever_the_umask_is(
    write: Callable[..., None], mode: int, tmp_path: Path
) -> None:
    before = os.umask(0o077)
    try:
        write(tmp_path / "file", b"whole", mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode
    assert (tmp_path / "file").read_bytes() == b"whole"


@WRITERS
def test_a_file_is_for_its_owner_alone_before_anything_is_in_it(
    write: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    real = os.fsync

    def syncing(handle: int) -> None:
        seen.append(stat.S_IMODE(os.fstat(handle).st_mode))
        real(handle)

    monkeypatch.setattr(os, "fsync", syncing)
    write(tmp_path / "file", b"secret")
    assert seen[0] == 0o600


@WRITERS
def test_the_bytes_are_on_the_disk_before_the_name_and_the_name_before_it_returns(
    write: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = []
    real = os.fsync

    def syncing(handle: int) -> None:
        folder = stat.S_ISDIR(os.fstat(handle).st_mode)
        done.append(("folder" if folder else "file", (tmp_path / "file").exists()))
        real(handle)

    monkeypatch.setattr(os, "fsync", syncing)
    write(tmp_path / "file", b"whole")
    assert done == [("file", False), ("folder", True)]


@WRITERS
@pytest.mark.parametrize("call", ["fchmod", "fsync", "replace"])
def test_what_fails_leaves_what_was_there_and_nothing_beside_it(
    write: Callable[..., None], call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if write is write_whole:
        (tmp_path / "file").write_bytes(b"older")

    def killed(*args: object) -> None:
        raise Killed

    monkeypatch.setattr(os, call, killed)
    monkeypatch.setattr(os, "link", killed)
    with pytest.raises(Killed):
        write(tmp_path / "file", b"new")
    assert [each.read_bytes() for each in tmp_path.iterdir()] == (
        [b"older"] if write is write_whole else []
    )


def test_a_link_is_replaced_and_what_it_led_to_is_left(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"another")
    (tmp_path / "link").symlink_to(tmp_path / "other")
    write_whole(tmp_path / "link", b"new")
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "link").read_bytes() == b"new"
    assert (tmp_path / "other").read_bytes() == b"another"


@pytest.mark.parametrize("target", ["other", "nothing"])
def test_what_is_written_once_takes_no_name_that_is_taken(target: str, tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"another")
    (tmp_path / "link").symlink_to(tmp_path / target)
    for name in ("other", "link"):
        with pytest.raises(FileExistsError):
            write_once(tmp_path / name, b"new")
    assert (tmp_path / "link").is_symlink()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["link", "other"]
    assert (tmp_path / "other").read_bytes() == b"another"


def test_a_directory_that_may_not_be_read_is_left_to_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*args: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refused)
    sync_directory(tmp_path)


def test_a_directory_that_is_not_there_is_not_flushed(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        sync_directory(tmp_path / "missing")
