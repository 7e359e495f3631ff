import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trusted_dealer import deal

from caimi import passphrases
from caimi.custody.group import scalar_to_bytes
from caimi.custody.keyshare_file import load_key_share, save_key_share
from caimi.errors.custody import KeyShareFileError, WrongPassphrase

SHARE = deal(3, 5)[1]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("shares") / "share.key"
    save_key_share(path, SHARE, b"passphrase", cost=14)
    return path


def test_a_saved_key_share_loads_with_its_passphrase(saved):
    assert load_key_share(saved, b"passphrase") == SHARE


def test_the_file_is_private_encrypted_and_alone(saved):
    data = saved.read_bytes()
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    assert scalar_to_bytes(SHARE.secret) not in data
    assert SHARE.group.to_bytes() not in data
    assert list(saved.parent.iterdir()) == [saved]


def test_a_wrong_passphrase_does_not_open(saved):
    for passphrase in (b"", b"Passphrase"):
        with pytest.raises(WrongPassphrase):
            load_key_share(saved, passphrase)


@given(st.data())
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_file_with_any_byte_changed_does_not_open(saved, tmp_path, data):
    content = bytearray(saved.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 7 if at == 23 else 255))
    changed = tmp_path / "changed.key"
    changed.write_bytes(content)
    changed.chmod(0o600)
    with pytest.raises((KeyShareFileError, WrongPassphrase)):
        load_key_share(changed, b"passphrase")


@pytest.mark.parametrize("content", [b"", b"caimi", b"{}", bytes(9000)])
def test_another_kind_of_file_is_refused(tmp_path, content):
    path = tmp_path / "share.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyShareFileError):
        load_key_share(path, b"passphrase")


def written(path, content):
    path.write_bytes(content)
    path.chmod(0o600)
    return path


def test_a_file_of_another_length_is_told_so(saved, tmp_path):
    content = saved.read_bytes()
    header = len(b"caimi/key-share-file/v1") + 1 + 16 + 12
    path = tmp_path / "share.key"
    for fitting in (content.ljust(8192, b"\0"), content[: header + 17]):
        with pytest.raises(WrongPassphrase):
            load_key_share(written(path, fitting), b"passphrase")
    for wrong, refusal in (
        (content.ljust(8193, b"\0"), "longer than 8192 bytes"),
        (content[: header + 16], "ends before its ciphertext"),
    ):
        with pytest.raises(KeyShareFileError, match=refusal):
            load_key_share(written(path, wrong), b"passphrase")


def test_a_file_of_another_version_is_told_so(saved, tmp_path):
    content = saved.read_bytes().replace(b"/v1", b"/v2", 1)
    with pytest.raises(KeyShareFileError, match="another format or version"):
        load_key_share(written(tmp_path / "share.key", content), b"passphrase")


def test_a_key_share_may_be_saved_at_the_greatest_cost(tmp_path, monkeypatch):
    costs = []

    def cheap(*, n, **rest):
        costs.append(n)
        return Scrypt(n=2, **rest)

    monkeypatch.setattr(passphrases, "Scrypt", cheap)  # the real one would take 1 GiB
    save_key_share(tmp_path / "share.key", SHARE, b"passphrase", cost=20)
    assert load_key_share(tmp_path / "share.key", b"passphrase") == SHARE
    assert costs == [2**20] * 2


@pytest.mark.parametrize("cost", [0, 13, 21, 255])
def test_a_file_cannot_ask_for_a_weak_or_endless_derivation(saved, tmp_path, cost):
    content = bytearray(saved.read_bytes())
    content[len(b"caimi/key-share-file/v1")] = cost
    path = tmp_path / "share.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyShareFileError):
        load_key_share(path, b"passphrase")
    with pytest.raises(KeyShareFileError):
        save_key_share(path, SHARE, b"passphrase", cost=cost)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_open_to_others_is_refused(saved, tmp_path, mode):
    path = tmp_path / "share.key"
    path.write_bytes(saved.read_bytes())
    path.chmod(mode)
    with pytest.raises(KeyShareFileError, match="open to other users"):
        load_key_share(path, b"passphrase")


def test_a_missing_file_or_directory_is_a_named_error(tmp_path):
    with pytest.raises(KeyShareFileError):
        load_key_share(tmp_path / "none", b"passphrase")
    with pytest.raises(KeyShareFileError):
        save_key_share(tmp_path / "none" / "share.key", SHARE, b"passphrase", cost=14)


def test_an_empty_passphrase_is_refused(tmp_path):
    with pytest.raises(KeyShareFileError):
        save_key_share(tmp_path / "share.key", SHARE, b"")


def test_a_failed_write_leaves_the_old_file_and_no_other(saved, tmp_path, monkeypatch):
    path = tmp_path / "share.key"
    path.write_bytes(b"old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(KeyShareFileError, match="No space"):
        save_key_share(path, SHARE, b"passphrase", cost=14)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
