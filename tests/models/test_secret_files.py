import json
import os

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st
from sealed_world import write_files

from caimi.errors.models import EmptyPackage, SecretFile
from caimi.models.package import Package
from caimi.models.secret_files import is_named, stays_behind


def listed(root, **more):
    return [file.path for file in Package.from_path(root, **more).files]


@pytest.mark.parametrize(
    "path",
    [
        *(".env", ".env.local", ".netrc", ".cache/huggingface/token", ".aws/credentials"),
        *(".ssh/id_rsa", "sub/.git-credentials", "sub/.pypirc", ".DS_Store", "a/.b/c/d"),
    ],
)
def test_hidden_files_stay_behind_with_a_warning(tmp_path, path):
    write_files(tmp_path, {path: b"secret", "w": b"w"})
    package = Package.from_path(tmp_path)
    assert [file.path for file in package.files] == ["w"]
    (warning,) = package.warnings
    assert warning.kind == "left-out"
    assert path.startswith(warning.path)
    assert listed(tmp_path, include=[path]) == sorted([path, "w"])


def test_a_hidden_directory_is_not_even_walked(tmp_path):
    """An environment or a cache beside a model holds links and more files than a package may."""
    write_files(tmp_path, {".venv/x": b"", "w": b"w"})
    (tmp_path / ".venv" / "python").symlink_to("/usr/bin/python3")
    (tmp_path / ".cache").mkdir()
    os.mkfifo(tmp_path / ".cache" / "pipe")
    assert listed(tmp_path) == ["w"]


def test_a_named_file_brings_no_other_along(tmp_path):
    write_files(tmp_path, {".conf/a": b"", ".conf/b": b"", ".other": b"", "w": b""})
    assert listed(tmp_path, include=[".conf/a"]) == [".conf/a", "w"]
    assert listed(tmp_path, include=[".conf"]) == [".conf/a", ".conf/b", "w"]


def test_a_directory_of_hidden_files_alone_is_empty(tmp_path):
    write_files(tmp_path, {".env": b""})
    with pytest.raises(EmptyPackage, match=r"left out: \.env"):
        Package.from_path(tmp_path)


def private_pem(password: bytes | None) -> bytes:
    how = BestAvailableEncryption(password) if password else NoEncryption()
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how)


def open_ssh() -> bytes:
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())


CONTENTS = {
    "PKCS#8": private_pem(None),
    "encrypted PKCS#8": private_pem(b"passphrase"),
    "OpenSSH": open_ssh(),
    "PGP": b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQ\n",
    "keystore": json.dumps(Account.encrypt(Account.create().key, "x", iterations=2)).encode(),
    "Hugging Face": b"token: hf_" + b"aB3" * 12,
    "GitHub": b"GITHUB_TOKEN=ghp_" + b"a1" * 18,
    "AWS": b"aws_access_key_id = AKIA" + b"A1" * 8,
    "OpenAI": b'api_key = "sk-' + b"a1B2" * 10 + b'"',
    "far down": b"\0" * 3_000_000 + private_pem(None),
}


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS.keys())
def test_a_secret_is_refused_under_any_name(tmp_path, content):
    write_files(tmp_path, {"sub/notes.txt": content, "w": b"w"})
    with pytest.raises(SecretFile, match=r"'sub/notes\.txt'") as raised:
        Package.from_path(tmp_path)
    assert "--include" in raised.value.next_step
    assert listed(tmp_path, include=["sub/notes.txt"]) == ["sub/notes.txt", "w"]
    with pytest.raises(SecretFile):
        Package.from_path(tmp_path / "sub" / "notes.txt")


@pytest.mark.parametrize(
    "name",
    [
        *("id_rsa", "ID_ED25519", "credentials.json", "key.p12", "prod.env", "secrets.yaml"),
        *("UTC--2026-01-01T00-00-00Z--ab", "wallet.dat", "caimi.toml", "client_secret_9.json"),
    ],
)
def test_a_secrets_name_is_refused_whatever_it_holds(tmp_path, name):
    write_files(tmp_path, {f"d/{name}": b"x", "w": b"w"})
    with pytest.raises(SecretFile):
        Package.from_path(tmp_path)
    assert listed(tmp_path, include=["d"]) == [f"d/{name}", "w"]


def test_what_only_speaks_of_secrets_is_welcome(tmp_path):
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    files = {
        "id_rsa.pub": b"ssh-rsa AAAA",
        "signing.pem": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "README.md": b"Set HF_TOKEN to your token (hf_...), and mask-rcnn to sk-learn.",
        "tokenizer.json": b'{"hf_": 1, "AKIA": 2, "-----BEGIN": 3}',
        "environment.yml": b"name: x",
        "weights.bin": os.urandom(1 << 20),
    }
    assert listed(write_files(tmp_path, files)) == sorted(files)


parts = st.text(st.sampled_from("ab."), min_size=1, max_size=3)
paths = st.lists(parts, min_size=1, max_size=4).map("/".join)


@given(paths, st.lists(paths, max_size=3))
def test_nothing_hidden_goes_along_that_was_not_named(path, include):
    """Whichever way the walk comes: it goes down only where nothing stays behind."""
    steps = path.split("/")
    reached = not any(
        stays_behind("/".join(steps[:count]), include) for count in range(1, len(steps) + 1)
    )
    hidden = any(step.startswith(".") for step in steps)
    leads_on = any(name.startswith(f"{path}/") for name in include)
    assert reached == (not hidden or is_named(path, include) or leads_on)
