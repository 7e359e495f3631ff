"""Passphrases from files: whose they are, who else can read them, how long they may be."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from caimi import credentials
from caimi.credentials import MAX_SECRET_BYTES, given_passphrase, read_secret_file
from caimi.errors.operations import KeyLocked

Laid = Callable[..., Path]


@pytest.fixture(autouse=True)
def _nothing_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CAIMI_PASSPHRASE", "CAIMI_PASSPHRASE_FILE", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def lay(tmp_path: Path) -> Laid:
    def laid(content: bytes = b"correct horse\n", mode: int = 0o600, name: str = "secret") -> Path:
        file = tmp_path / name
        file.write_bytes(content)
        file.chmod(mode)
        return file

    return laid


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_the_newline_at_its_end_is_none_of_a_secret_and_a_blank_is(lay: Laid, end: bytes) -> None:
    assert read_secret_file(lay(b" correct horse " + end)) == b" correct horse "


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o666, 0o610])
def test_a_file_that_others_can_use_is_refused(lay: Laid, mode: int) -> None:
    with pytest.raises(KeyLocked, match=f"mode {mode:03o}") as caught:
        read_secret_file(lay(mode=mode))
    assert "chmod 600" in caught.value.next_step
    assert "horse" not in str(caught.value)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_of_its_owner_alone_is_read(lay: Laid, mode: int) -> None:
    assert read_secret_file(lay(mode=mode)) == b"correct horse"


def test_a_file_is_read_within_bounds(lay: Laid) -> None:
    assert len(read_secret_file(lay(b"x" * MAX_SECRET_BYTES))) == MAX_SECRET_BYTES
    with pytest.raises(KeyLocked, match=f"more than {MAX_SECRET_BYTES} bytes"):
        read_secret_file(lay(b"x" * (MAX_SECRET_BYTES + 1)))


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\n"])
def test_an_empty_file_is_no_passphrase(lay: Laid, content: bytes) -> None:
    with pytest.raises(KeyLocked, match="is empty"):
        read_secret_file(lay(content))


def test_a_pipe_a_directory_and_nothing_at_all_are_refused_and_not_waited_for(
    tmp_path: Path,
) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for place in ("pipe", ""):
        with pytest.raises(KeyLocked, match="not a plain file"):
            read_secret_file(tmp_path / place)
    with pytest.raises(KeyLocked, match="No such file"):
        read_secret_file(tmp_path / "none")
    with pytest.raises(KeyLocked, match="null"):
        read_secret_file(Path("a\0b"))


@contextmanager
def owned(uid: int, gid: int, mode: int) -> Iterator[None]:
    """Have files look as if they had this owner and mode: only root could give files away."""
    real = os.fstat

    def seen(handle: int) -> object:
        kind = real(handle).st_mode & ~0o7777
        return SimpleNamespace(st_mode=kind | mode, st_uid=uid, st_gid=gid)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(credentials.os, "fstat", seen)
        yield


def test_a_file_of_somebody_else_is_refused(lay: Laid) -> None:
    file = lay()
    with owned(54321, 54321, 0o600), pytest.raises(KeyLocked, match="belongs to user 54321"):
        read_secret_file(file)


def test_the_environment_comes_before_a_file_that_it_names_and_that_before_systemds(
    lay: Laid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert given_passphrase() is None
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert given_passphrase() is None  # a unit with other credentials than ours
    lay(b"of systemd\n", name="caimi-passphrase")
    assert given_passphrase() == b"of systemd"
    monkeypatch.setenv("CAIMI_PASSPHRASE_FILE", str(lay(b"of a file\n")))
    assert given_passphrase() == b"of a file"
    monkeypatch.setenv("CAIMI_PASSPHRASE", "of the environment")
    assert given_passphrase() == b"of the environment"


def test_a_file_that_is_named_and_cannot_be_used_is_not_passed_over(
    lay: Laid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    lay(name="caimi-passphrase")
    monkeypatch.setenv("CAIMI_PASSPHRASE_FILE", str(tmp_path / "none"))
    with pytest.raises(KeyLocked, match="cannot be read"):
        given_passphrase()


def test_a_credential_of_systemd_may_show_its_acl_as_the_groups_mode_and_nothing_more(
    lay: Laid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """systemd lays out root:root 0440 with an ACL for the unit's user, where there are ACLs."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    file = lay(name="caimi-passphrase")
    with owned(0, 0, 0o440):
        assert given_passphrase() == b"correct horse"
        with pytest.raises(KeyLocked, match="mode 440"):
            read_secret_file(file)  # elsewhere such a mode lets a group in
    for uid, gid, mode in ((0, 0, 0o444), (0, 0, 0o460), (os.geteuid(), 54321, 0o440)):
        with owned(uid, gid, mode), pytest.raises(KeyLocked, match=f"mode {mode:o}"):
            given_passphrase()
