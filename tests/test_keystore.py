"""Keys in files: nobody without the passphrase opens one, and a damaged file is named."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from caimi.errors.operations import KeyExists, KeyLocked, KeyMissing
from caimi.keystore import LocalSigner


def test_a_key_survives_its_keystore_and_is_shown_nowhere(tmp_path: Path):
    signer = LocalSigner.generate()
    path = tmp_path / "alice.json"
    signer.save(path, b"correct horse", scrypt_n=2)
    assert path.stat().st_mode & 0o777 == 0o600
    assert LocalSigner.load(path, b"correct horse").account == signer.account
    assert LocalSigner.address_in(path) == signer.account
    assert repr(signer) == f"LocalSigner(0x{signer.account.hex()})"
    assert Account.decrypt(json.loads(path.read_text()), "correct horse")
    with pytest.raises(KeyLocked):
        LocalSigner.load(path, b"wrong horse")
    with pytest.raises(KeyExists):
        signer.save(path, b"again", scrypt_n=2)


def test_a_missing_or_damaged_keystore_is_named(tmp_path: Path):
    with pytest.raises(KeyMissing):
        LocalSigner.load(tmp_path / "none.json", b"x")
    path = tmp_path / "bad.json"
    for text in ("", "{", "[]", "{}", '{"version": 3}', '{"version": 1}', " " * 70_000, "[" * 9000):
        path.write_text(text)
        with pytest.raises(KeyLocked):
            LocalSigner.load(path, b"x")
        with pytest.raises(KeyLocked):
            LocalSigner.address_in(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"kdf": "pbkdf2", "kdfparams": {"prf": "sha256", "salt": "", "c": 1, "dklen": 32}},
        {"kdf": "pbkdf2", "kdfparams": {"prf": 5, "salt": "", "c": 1, "dklen": 32}},
        {"kdf": "pbkdf2", "kdfparams": {"prf": "hmac-sha256", "salt": "", "c": 1 << 70}},
        {
            "kdf": "pbkdf2",
            "kdfparams": {"prf": "hmac-sha256", "salt": "", "c": 1, "dklen": 1 << 40},
        },
        {"kdfparams": {"salt": "", "n": 1 << 40, "r": 8, "p": 1, "dklen": 32}},
        {"KdfParams": {"salt": "", "n": 2, "r": 1 << 30, "p": 1, "dklen": 32}},
        {"kdfparams": 5},
    ],
)
def test_a_keystore_of_another_kind_or_of_endless_work_is_refused(tmp_path: Path, changes: dict):
    path = tmp_path / "alice.json"
    LocalSigner.generate().save(path, b"x", scrypt_n=2)
    document = json.loads(path.read_text())
    document["crypto"].update(changes)
    path.write_text(json.dumps(document))
    began = time.monotonic()
    with pytest.raises(KeyLocked):
        LocalSigner.load(path, b"x")
    assert time.monotonic() - began < 5


def test_a_keystore_that_names_another_address_is_refused(tmp_path: Path):
    path = tmp_path / "alice.json"
    LocalSigner.generate().save(path, b"x", scrypt_n=2)
    document = json.loads(path.read_text())
    document["address"] = "11" * 20
    path.write_text(json.dumps(document))
    with pytest.raises(KeyLocked, match="does not belong"):
        LocalSigner.load(path, b"x")


@given(st.binary(min_size=32, max_size=32))
def test_a_signature_recovers_to_the_account(digest: bytes):
    signer = LocalSigner(b"\x01" * 32)
    signature = signer.sign_digest(digest)
    assert len(signature) == 65
    assert signature[64] in (27, 28)
    recovered = Account._recover_hash(digest, signature=signature)
    assert bytes.fromhex(recovered[2:]) == signer.account
