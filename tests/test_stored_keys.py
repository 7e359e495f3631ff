"""Files of keys: for their owner alone, whole or not there, and never longer than a key is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from caimi.errors.operations import KeyExists, KeyLocked, KeyMissing
from caimi.stored_keys import MAX_KEY_FILE_BYTES, read_key, write_key


def test_what_is_written_is_read_by_its_owner_alone(tmp_path: Path):
    write_key(tmp_path / "key", b"secret")
    assert read_key(tmp_path / "key") == b"secret"
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_nothing_that_is_there_is_written_over(tmp_path: Path):
    (tmp_path / "key").write_bytes(b"another")
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    for name in ("key", "link"):
        with pytest.raises(KeyExists):
            write_key(tmp_path / name, b"secret")
    assert (tmp_path / "key").read_bytes() == b"another"
    assert not (tmp_path / "nothing").exists()


def test_a_key_that_is_not_on_the_disk_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_key(tmp_path / "key", b"secret")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_missing_or_too_long_is_named(tmp_path: Path):
    with pytest.raises(KeyMissing, match="cannot be read: No such file"):
        read_key(tmp_path / "key")
    (tmp_path / "key").write_bytes(bytes(MAX_KEY_FILE_BYTES + 1))
    with pytest.raises(KeyLocked, match="too long"):
        read_key(tmp_path / "key")
