"""Ed25519 keys of accounts: what their files say without a passphrase, and with a wrong one."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from caimi.errors.operations import KeyExists, KeyLocked, KeyMissing
from caimi.ledgers.machine.ed25519_keys import ED25519_KEYS, Ed25519Key

PASSPHRASE = b"correct horse"
ROUNDS = bytes.fromhex("02020800")
"""2048, as they are in a document."""


@pytest.fixture
def key() -> Ed25519Key:
    return ED25519_KEYS.generate("alice")


@pytest.fixture
def file(tmp_path: Path, key: Ed25519Key) -> Path:
    path = tmp_path / f"alice{ED25519_KEYS.ending}"
    key.save(path, PASSPHRASE)
    return path


def test_a_key_survives_its_file_and_is_shown_nowhere(key: Ed25519Key, file: Path) -> None:
    again = ED25519_KEYS.load(file, PASSPHRASE)
    assert again.account == key.account
    assert again.sign_digest(b"\1" * 32) == key.sign_digest(b"\1" * 32)
    assert repr(key) == f"Ed25519Key({key.account.decode()})"
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_account_is_read_without_the_passphrase(key: Ed25519Key, file: Path) -> None:
    assert ED25519_KEYS.account_in(file) == key.account


def test_other_programs_open_the_file(key: Ed25519Key, file: Path) -> None:
    opened = load_pem_private_key(file.read_bytes(), PASSPHRASE)
    assert isinstance(opened, Ed25519PrivateKey)
    assert Ed25519Key(opened).account == key.account


def test_only_the_passphrase_opens_it(file: Path) -> None:
    for wrong in (b"wrong horse", b"", b"x" * 2000):
        with pytest.raises(KeyLocked, match="does not open with this passphrase"):
            ED25519_KEYS.load(file, wrong)


def test_no_key_is_written_over_another(key: Ed25519Key, file: Path) -> None:
    with pytest.raises(KeyExists):
        key.save(file, PASSPHRASE)
    assert ED25519_KEYS.load(file, PASSPHRASE).account == key.account


@pytest.mark.parametrize("passphrase", [b"", b"x" * 1024])
def test_a_passphrase_that_protects_nothing_is_refused(
    tmp_path: Path, key: Ed25519Key, passphrase: bytes
) -> None:
    with pytest.raises(KeyLocked, match="No key is saved"):
        key.save(tmp_path / "key", passphrase)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_or_damaged_file_is_named(tmp_path: Path, file: Path) -> None:
    whole = file.read_bytes()
    with pytest.raises(KeyMissing):
        ED25519_KEYS.load(tmp_path / "none", PASSPHRASE)
    for damaged in (b"", whole[1:], whole + b"x", whole.upper(), whole.replace(b"=", b"-")):
        file.write_bytes(damaged)
        for read in (lambda path: ED25519_KEYS.load(path, PASSPHRASE), ED25519_KEYS.account_in):
            with pytest.raises(KeyLocked, match="is no file of an Ed25519 key"):
                read(file)


def test_a_file_that_names_another_account_is_refused(key: Ed25519Key, file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(key.account, Ed25519Key().account))
    with pytest.raises(KeyLocked, match="does not belong"):
        ED25519_KEYS.load(file, PASSPHRASE)


def test_a_key_of_another_kind_is_refused(key: Ed25519Key, file: Path) -> None:
    for encryption, said in (
        (BestAvailableEncryption(PASSPHRASE), "is no Ed25519 key"),
        (NoEncryption(), "not protected"),
    ):
        other = Ed448PrivateKey.generate()
        _put(file, key, other.private_bytes(Encoding.DER, PrivateFormat.PKCS8, encryption))
        with pytest.raises(KeyLocked, match=said):
            ED25519_KEYS.load(file, PASSPHRASE)


def test_a_file_of_endless_work_is_refused(key: Ed25519Key, file: Path) -> None:
    document = _document()
    _put(file, key, document.replace(ROUNDS, b"\x02\x02\x7f\xff"))
    with pytest.raises(KeyLocked, match="does not open"):
        ED25519_KEYS.load(file, b"wrong")
    around = [2, 4, 17, 19, 32]  # where the lengths are of all that the number is in
    longer = _lengthened(document.replace(ROUNDS, b"\x02\x03\0\x80\0"), around)
    _put(file, key, longer)
    with pytest.raises(KeyLocked, match="not protected"):
        ED25519_KEYS.load(file, b"wrong")


def _document() -> bytes:
    encryption = BestAvailableEncryption(PASSPHRASE)
    secret = Ed25519PrivateKey.generate()
    document = secret.private_bytes(Encoding.DER, PrivateFormat.PKCS8, encryption)
    assert document.count(ROUNDS) == 1
    return document


def _lengthened(document: bytes, places: list[int]) -> bytes:
    changed = bytearray(document)
    for place in places:
        changed[place] += 1
    return bytes(changed)


def _put(file: Path, key: Ed25519Key, document: bytes) -> None:
    pem = b"ENCRYPTED PRIVATE KEY-----\n"
    text = b64encode(document) + b"\n"
    file.write_bytes(key.account + b"\n-----BEGIN " + pem + text + b"-----END " + pem)
