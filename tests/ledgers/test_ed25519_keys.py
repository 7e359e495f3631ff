"""Ed25519 keys of accounts: what their files say without a passphrase, and with a wrong one."""

from __future__ import annotations

from hashlib import scrypt
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)

from caimi.errors.operations import KeyExists, KeyLocked, KeyMissing
from caimi.ledgers.machine.ed25519_accounts import account_of_key
from caimi.ledgers.machine.ed25519_keys import ED25519_KEYS, Ed25519Key

PASSPHRASE = b"correct horse"
SECRET = Ed25519PrivateKey.from_private_bytes(b"\5" * 32)
TAG = b"caimi/ed25519-key/1"
COST_AT = len(TAG) + 32


@pytest.fixture
def key() -> Ed25519Key:
    return ED25519_KEYS.generate("alice")


@pytest.fixture
def file(tmp_path: Path, key: Ed25519Key) -> Path:
    path = tmp_path / f"alice{ED25519_KEYS.ending}"
    key.save(path, PASSPHRASE, cost=14)
    return path


def test_a_key_survives_its_file_and_is_shown_nowhere(tmp_path: Path) -> None:
    key, path = Ed25519Key(SECRET), tmp_path / "key"
    key.save(path, PASSPHRASE, cost=14)
    again = ED25519_KEYS.load(path, PASSPHRASE)
    assert again.account == key.account
    assert again.sign_digest(b"\1" * 32) == key.sign_digest(b"\1" * 32)
    assert repr(key) == f"Ed25519Key({key.account.decode()})"
    assert SECRET.private_bytes_raw() not in path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_account_is_read_without_the_passphrase(key: Ed25519Key, file: Path) -> None:
    assert ED25519_KEYS.account_in(file) == key.account


def test_the_form_is_the_one_that_is_told(tmp_path: Path) -> None:
    public = SECRET.public_key().public_bytes_raw()
    (tmp_path / "key").write_bytes(_by_hand(public))
    assert ED25519_KEYS.load(tmp_path / "key", PASSPHRASE).account == account_of_key(public)


def test_a_key_is_saved_at_a_cost_that_guessing_feels(tmp_path: Path, key: Ed25519Key) -> None:
    key.save(tmp_path / "key", PASSPHRASE)
    assert (tmp_path / "key").read_bytes()[COST_AT] == 17


def test_only_the_passphrase_opens_it(file: Path) -> None:
    for wrong in (b"wrong horse", b"", b"x" * 2000):
        with pytest.raises(KeyLocked, match="does not open with this passphrase"):
            ED25519_KEYS.load(file, wrong)


def test_no_key_is_written_over_another(key: Ed25519Key, file: Path) -> None:
    with pytest.raises(KeyExists):
        key.save(file, PASSPHRASE, cost=14)
    assert ED25519_KEYS.load(file, PASSPHRASE).account == key.account


def test_what_protects_nothing_or_takes_for_ever_is_refused(
    tmp_path: Path, key: Ed25519Key
) -> None:
    with pytest.raises(KeyLocked, match="No key is saved so") as refused:
        key.save(tmp_path / "key", b"", cost=14)
    assert refused.value.why == "The passphrase is empty."
    for cost in (0, 13, 21):
        with pytest.raises(KeyLocked, match="No key is saved so") as refused:
            key.save(tmp_path / "key", PASSPHRASE, cost=cost)
        assert refused.value.why == f"Its cost is {cost}, not 14 to 20."
    assert list(tmp_path.iterdir()) == []


def test_a_missing_or_damaged_file_is_named(tmp_path: Path, file: Path) -> None:
    whole = file.read_bytes()
    with pytest.raises(KeyMissing):
        ED25519_KEYS.load(tmp_path / "none", PASSPHRASE)
    other_version = whole.replace(TAG, TAG[:-1] + b"2")
    for damaged in (b"", whole[1:], whole[:-1], whole + b"x", other_version, _pem()):
        file.write_bytes(damaged)
        for read in (lambda path: ED25519_KEYS.load(path, PASSPHRASE), ED25519_KEYS.account_in):
            with pytest.raises(KeyLocked, match="is no file of an Ed25519 key"):
                read(file)


@pytest.mark.parametrize(
    "at", [len(TAG), COST_AT, COST_AT + 1, COST_AT + 17, COST_AT + 29, COST_AT + 61]
)
def test_a_file_with_any_field_changed_does_not_open(file: Path, at: int) -> None:
    changed = bytearray(file.read_bytes())
    changed[at] ^= 1
    file.write_bytes(changed)
    with pytest.raises(KeyLocked, match="does not open with this passphrase"):
        ED25519_KEYS.load(file, PASSPHRASE)


def test_a_file_that_names_another_account_is_refused(tmp_path: Path) -> None:
    """Whoever wrote it knew the passphrase; else it would not open at all."""
    file = tmp_path / "key"
    file.write_bytes(_by_hand(bytes(32)))
    with pytest.raises(KeyLocked, match="does not belong"):
        ED25519_KEYS.load(file, PASSPHRASE)


@pytest.mark.parametrize("cost", [0, 13, 21, 255])
def test_a_file_of_too_little_or_endless_work_is_refused(file: Path, cost: int) -> None:
    changed = bytearray(file.read_bytes())
    changed[COST_AT] = cost
    file.write_bytes(changed)
    with pytest.raises(KeyLocked, match="not protected"):
        ED25519_KEYS.load(file, PASSPHRASE)


def _by_hand(public: bytes) -> bytes:
    """A file of `SECRET` that says it is of some account."""
    salt, nonce = b"\6" * 16, b"\7" * 12
    header = TAG + public + bytes([14]) + salt + nonce
    derived = scrypt(PASSPHRASE, salt=salt, n=1 << 14, r=8, p=1, maxmem=1 << 26, dklen=32)
    return header + AESGCM(derived).encrypt(nonce, SECRET.private_bytes_raw(), header)


def _pem() -> bytes:
    """A document of another program, behind an account."""
    encryption = BestAvailableEncryption(PASSPHRASE)
    pem = SECRET.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    return Ed25519Key(SECRET).account + b"\n" + pem
