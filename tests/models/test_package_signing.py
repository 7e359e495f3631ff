import base64
import hashlib
import json
import os
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given, settings
from hypothesis import strategies as st
from sealed_world import CHUNK, SIGNER, World, write_files

from caimi.errors.models import InvalidPackageSignature, SigningKeyUnusable
from caimi.models.signature_bundle import make_bundle, verify_bundle
from caimi.models.signing import PackageSigner
from caimi.models.unsealing import unseal

FILES = {
    "model.bin": os.urandom(CHUNK + 1),
    "nested/deep/weights.bin": b"w" * 10,
    "nested/a b ü.txt": b"",
    "nested-1/x": b"sorted differently as text and as path",
}
DIGESTS = {path: hashlib.sha256(content).digest() for path, content in FILES.items()}


def official(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "model_signing", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def official_verify(tmp_path, bundle, directory, public_key=SIGNER.public_key):
    (tmp_path / "model.sig").write_bytes(bundle)
    (tmp_path / "key.pem").write_text(public_key)
    return official(
        "verify", "key", "--signature", tmp_path / "model.sig",
        "--public_key", tmp_path / "key.pem", directory,
    )  # fmt: skip


async def test_the_official_cli_accepts_the_bundle_on_the_unsealed_files(tmp_path):
    world = World(tmp_path, FILES)
    manifest = await world.publish()
    report = await unseal(manifest, world.store, world.key, tmp_path / "out")
    done = official_verify(tmp_path, report.bundle, tmp_path / "out", report.public_key)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("change", ["content", "extra", "missing", "key"])
def test_the_official_cli_refuses_other_files_and_other_keys(tmp_path, change):
    out = write_files(tmp_path / "out", FILES)
    key = SIGNER.public_key
    if change == "content":
        (out / "model.bin").write_bytes(b"other")
    elif change == "extra":
        (out / "extra").write_bytes(b"")
    elif change == "missing":
        (out / "model.bin").unlink()
    else:
        key = PackageSigner.generate().public_key
    assert official_verify(tmp_path, SIGNER.sign("out", DIGESTS), out, key).returncode != 0


def test_we_accept_what_the_official_cli_signs(tmp_path):
    out = write_files(tmp_path / "out", FILES)
    key = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "private.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    done = official(
        "sign", "key", "--signature", tmp_path / "s", "--private_key", tmp_path / "private.pem", out
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "s").read_bytes())
    payload = json.loads(base64.b64decode(document["dsseEnvelope"]["payload"]))
    # The CLI records the paths it ignores; apart from those, ours is the same statement.
    payload["predicate"]["serialization"].pop("ignore_paths", None)
    ours = json.loads(make_bundle(key, "out", DIGESTS))
    assert json.loads(base64.b64decode(ours["dsseEnvelope"]["payload"])) == payload
    del document["dsseEnvelope"], ours["dsseEnvelope"]
    assert ours == document


def test_a_bundle_verifies_for_exactly_its_files_and_key():
    bundle = SIGNER.sign("m", DIGESTS)
    verify_bundle(bundle, SIGNER.public_key, "m", DIGESTS)
    for other in (
        {**DIGESTS, "model.bin": bytes(32)},
        {**DIGESTS, "more": bytes(32)},
        {path: DIGESTS[path] for path in list(DIGESTS)[1:]},
        {},
    ):
        with pytest.raises(InvalidPackageSignature):
            verify_bundle(bundle, SIGNER.public_key, "m", other)
    with pytest.raises(InvalidPackageSignature):
        verify_bundle(bundle, PackageSigner.generate().public_key, "m", DIGESTS)


BUNDLE = SIGNER.sign("m", DIGESTS)
DOCUMENT = json.loads(BUNDLE)


def what_is_read(document):
    envelope = document["dsseEnvelope"]
    (signature,) = envelope["signatures"]  # its key's id is a hint, which nobody signs
    return envelope["payloadType"], envelope["payload"], signature["sig"]


@pytest.mark.parametrize("name", [b'"keyid"', b'"jeyid"'])
def test_the_hint_beside_a_signature_has_no_say(name):
    verify_bundle(BUNDLE.replace(b'"keyid"', name), SIGNER.public_key, "m", DIGESTS)


@settings(max_examples=200)
@given(st.integers(0, len(BUNDLE) - 1), st.integers(1, 255))
def test_a_changed_byte_never_verifies_with_another_meaning(index, flip):
    changed = BUNDLE[:index] + bytes([BUNDLE[index] ^ flip]) + BUNDLE[index + 1 :]
    try:
        verify_bundle(changed, SIGNER.public_key, "m", DIGESTS)
    except InvalidPackageSignature:
        return
    # What is left is white space, or a field that is not signed and not read.
    assert what_is_read(json.loads(changed)) == what_is_read(DOCUMENT)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_any_json_is_refused_by_name(value):
    with pytest.raises(InvalidPackageSignature):
        verify_bundle(json.dumps(value).encode(), SIGNER.public_key, "m", DIGESTS)


def resigned(change):
    """Sign a statement that `change` has edited, with the right key."""
    document = json.loads(BUNDLE)
    statement = json.loads(base64.b64decode(document["dsseEnvelope"]["payload"]))
    change(statement)
    payload = json.dumps(statement).encode()
    kind = b"application/vnd.in-toto+json"
    signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
    signature = SIGNER._key.sign(signed, ec.ECDSA(hashes.SHA256()))
    document["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    document["dsseEnvelope"]["signatures"] = [{"sig": base64.b64encode(signature).decode()}]
    return json.dumps(document).encode()


def test_an_edited_statement_signed_anew_is_accepted_when_nothing_was_edited():
    verify_bundle(resigned(lambda statement: None), SIGNER.public_key, "m", DIGESTS)


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.update(predicateType="https://model_signing/Digests/v0.1"),
        lambda s: s.update(_type="other"),
        lambda s: s["predicate"]["serialization"].update(allow_symlinks=True),
        lambda s: s["predicate"]["serialization"].update(ignore_paths=["model.bin"]),
        lambda s: s["predicate"]["serialization"].update(hash_type="blake3"),
        lambda s: s["predicate"]["resources"].pop(),
        lambda s: s["predicate"]["resources"].append(s["predicate"]["resources"][0]),
        lambda s: s["predicate"]["resources"][0].update(algorithm="md5"),
        lambda s: s["predicate"]["resources"][0].update(digest="zz"),
        lambda s: s["subject"][0]["digest"].update(sha256="00" * 32),
        lambda s: s["subject"].append(s["subject"][0]),
        lambda s: s["subject"][0].update(name="n"),
        lambda s: s["subject"][0].pop("name"),
        lambda s: s.pop("predicate"),
    ],
)
def test_a_statement_of_another_kind_is_refused_even_when_signed(change):
    with pytest.raises(InvalidPackageSignature):
        verify_bundle(resigned(change), SIGNER.public_key, "m", DIGESTS)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(mediaType="other"),
        lambda d: d["verificationMaterial"]["publicKey"].update(hint="00"),
        lambda d: d["dsseEnvelope"].update(payloadType="text/plain"),
        lambda d: d["dsseEnvelope"].update(signatures=[]),
        lambda d: d["dsseEnvelope"]["signatures"].append({"sig": ""}),
        lambda d: d["dsseEnvelope"]["signatures"][0].update(sig="*"),
        lambda d: d.pop("dsseEnvelope"),
    ],
)
def test_an_envelope_of_another_kind_is_refused(change):
    document = json.loads(BUNDLE)
    change(document)
    with pytest.raises(InvalidPackageSignature):
        verify_bundle(json.dumps(document).encode(), SIGNER.public_key, "m", DIGESTS)


def test_a_strangers_signature_under_the_publishers_name_is_refused():
    stranger = PackageSigner.generate()
    forged = json.loads(stranger.sign("m", DIGESTS))
    verify_bundle(json.dumps(forged).encode(), stranger.public_key, "m", DIGESTS)
    forged["verificationMaterial"] = DOCUMENT["verificationMaterial"]
    with pytest.raises(InvalidPackageSignature, match="not made with the key"):
        verify_bundle(json.dumps(forged).encode(), SIGNER.public_key, "m", DIGESTS)


def test_an_edited_statement_under_the_old_signature_is_refused():
    edited = json.loads(resigned(lambda s: s["predicate"]["resources"].reverse()))
    edited["dsseEnvelope"]["signatures"] = DOCUMENT["dsseEnvelope"]["signatures"]
    with pytest.raises(InvalidPackageSignature, match="not made with the key"):
        verify_bundle(json.dumps(edited).encode(), SIGNER.public_key, "m", DIGESTS)


def test_duplicate_keys_in_a_bundle_are_refused():
    doubled = BUNDLE.replace(b"{", b'{"mediaType": "x",', 1)
    with pytest.raises(InvalidPackageSignature):
        verify_bundle(doubled, SIGNER.public_key, "m", DIGESTS)


def test_a_bundle_has_at_most_16_mib():
    largest = BUNDLE.rjust(16 << 20)
    verify_bundle(largest, SIGNER.public_key, "m", DIGESTS)
    with pytest.raises(InvalidPackageSignature, match="has 16777217 bytes"):
        verify_bundle(b" " + largest, SIGNER.public_key, "m", DIGESTS)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_file_signed_without_its_whole_digest_is_refused(length):
    digests = {**DIGESTS, "model.bin": bytes(length)}
    with pytest.raises(InvalidPackageSignature, match="twice or without a digest"):
        verify_bundle(SIGNER.sign("m", digests), SIGNER.public_key, "m", digests)


def test_a_deeply_nested_bundle_is_refused():
    with pytest.raises(InvalidPackageSignature):
        verify_bundle(b"[" * 100_000, SIGNER.public_key, "m", DIGESTS)


def pem(key):
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


@pytest.mark.parametrize(
    ("key", "refusal"),
    [
        ("", "is no PEM"),
        ("no pem", "is no PEM"),
        (pem(ec.generate_private_key(ec.SECP384R1())), "is not on NIST P-256"),
        (pem(ed25519.Ed25519PrivateKey.generate()), "is not on NIST P-256"),
    ],
    ids=range(4),
)
def test_public_keys_of_other_kinds_are_refused(key, refusal):
    with pytest.raises(InvalidPackageSignature, match=refusal):
        verify_bundle(BUNDLE, key, "m", DIGESTS)


# -- the key at rest


def test_a_key_comes_back_with_its_passphrase_only(tmp_path):
    path = tmp_path / "key.pem"
    SIGNER.save(path, b"secret")
    assert path.stat().st_mode & 0o777 == 0o600
    assert b"ENCRYPTED" in path.read_bytes()
    assert PackageSigner.load(path, b"secret").public_key == SIGNER.public_key
    with pytest.raises(SigningKeyUnusable) as raised:
        PackageSigner.load(path, b"wrong")
    assert "wrong" not in str(raised.value)


def test_a_key_never_overwrites_another(tmp_path):
    SIGNER.save(tmp_path / "key.pem", b"secret")
    with pytest.raises(SigningKeyUnusable):
        PackageSigner.generate().save(tmp_path / "key.pem", b"secret")


def test_an_empty_passphrase_is_refused(tmp_path):
    with pytest.raises(SigningKeyUnusable):
        SIGNER.save(tmp_path / "key.pem", b"")
    assert not (tmp_path / "key.pem").exists()


def encrypted(key):
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )


PLAIN = SIGNER._key.private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.NoEncryption(),
)
BROKEN = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        (None, "No such file"),
        (b"", "is not an encrypted key"),
        (PLAIN, "is not an encrypted key"),
        (BROKEN, "does not open with this passphrase"),
        (encrypted(ed25519.Ed25519PrivateKey.generate()), "is not an elliptic curve key"),
        (encrypted(ec.generate_private_key(ec.SECP384R1())), "is on secp384r1"),
    ],
    ids=range(6),
)
def test_other_key_files_are_refused(tmp_path, content, refusal):
    path = tmp_path / "key.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SigningKeyUnusable, match=refusal):
        PackageSigner.load(path, b"secret")


def test_a_signer_shows_only_its_public_key():
    secret = SIGNER._key.private_numbers().private_value
    assert f"{secret:x}" not in repr(SIGNER)
    assert str(secret) not in repr(SIGNER)
