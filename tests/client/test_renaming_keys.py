"""A name's files get another name: all of them, whenever it is killed, and no other's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from caimi.client.keyring import Keyring
from caimi.config import Config
from caimi.errors.operations import KeyExists, KeyMissing
from caimi.keystore import KEYSTORES, LocalSigner


class Killed(BaseException):
    """The end of the process."""


@pytest.fixture
def keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keyring:
    monkeypatch.setenv("CAIMI_PASSPHRASE", "correct horse")
    made = Keyring(Config(home=tmp_path))
    made.new("alice")
    made.save_bindings("alice", [])
    return made


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in (folder / "keys").iterdir())


ALICES = ["alice.bindings.json", "alice.json", "alice.signing.pem"]
BOBS = ["bob.bindings.json", "bob.json", "bob.signing.pem"]


def test_all_that_is_under_a_name_gets_the_new_one(keyring: Keyring, tmp_path: Path) -> None:
    before = keyring.account("alice")
    keyring.rename("alice", "bob")
    assert names(tmp_path) == BOBS
    assert keyring.account("bob") == before
    with pytest.raises(KeyMissing):
        keyring.rename("alice", "bob")


@pytest.mark.parametrize("call", ["link", "fsync", "unlink"])
@pytest.mark.parametrize("after", range(3))
def test_a_renaming_that_was_killed_lost_nothing_and_is_finished(
    keyring: Keyring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, after: int
) -> None:
    account, calls = keyring.account("alice"), 0
    place, name = (Path, "unlink") if call == "unlink" else (os, call)
    real = getattr(place, name)

    def mortal(*args: object, **kwargs: object) -> object:
        nonlocal calls
        calls += 1
        if calls > after:
            raise Killed
        return real(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(place, name, mortal)
        if call == "fsync" and after == 2:
            keyring.rename("alice", "bob")
        else:
            with pytest.raises(Killed):
                keyring.rename("alice", "bob")
    there = set(keyring.names())
    assert there
    for each in there:
        assert keyring.account(each) == account
        assert (tmp_path / "keys" / f"{each}.signing.pem").exists()
    if calls and names(tmp_path) != BOBS:
        keyring.rename("alice", "bob")
    assert names(tmp_path) == BOBS
    assert keyring.open("bob").signer.account == bytes.fromhex(account[2:])


@pytest.mark.parametrize("theirs", ["bob.json", "bob.signing.pem", "bob.word"])
def test_a_name_that_has_any_file_is_taken(keyring: Keyring, tmp_path: Path, theirs: str) -> None:
    (tmp_path / "keys" / theirs).write_text("somebody's")
    with pytest.raises(KeyExists):
        keyring.rename("alice", "bob")
    assert names(tmp_path) == sorted([*ALICES, theirs])


def test_a_name_is_not_renamed_to_itself(keyring: Keyring, tmp_path: Path) -> None:
    with pytest.raises(KeyExists):
        keyring.rename("alice", "alice")
    assert names(tmp_path) == ALICES


def test_a_strangers_files_are_no_renaming_to_finish(keyring: Keyring, tmp_path: Path) -> None:
    keyring.new("bob")
    (tmp_path / "keys" / "alice.json").unlink()
    with pytest.raises(KeyMissing):
        keyring.rename("alice", "bob")
    assert "alice.signing.pem" in names(tmp_path)


def test_an_exported_key_opens_elsewhere_and_is_its_owners_alone(
    keyring: Keyring, tmp_path: Path
) -> None:
    file = tmp_path / "wallet.json"
    keyring.export("alice", KEYSTORES, file, b"another")
    assert file.stat().st_mode & 0o777 == 0o600
    assert LocalSigner.load(file, b"another").account.hex() == keyring.account("alice")[2:].lower()
    assert keyring.open("alice").signer.private_key.secret.hex() not in file.read_text()
    with pytest.raises(KeyExists):
        keyring.export("alice", KEYSTORES, file)
    with pytest.raises(KeyMissing):
        keyring.export("nobody", KEYSTORES, tmp_path / "none.json")
