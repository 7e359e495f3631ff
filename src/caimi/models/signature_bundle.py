"""OpenSSF model-signing bundles, made from file digests that are already known.

``model_signing verify key`` accepts them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Any, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from caimi.errors.models import InvalidPackageSignature, SignatureMisplaced
from caimi.json_text import read_json

MAX_BUNDLE_BYTES: Final = 16 * 1024 * 1024

_MEDIA_TYPE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
_PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
_STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
SERIALIZATION: Final = {"method": "files", "hash_type": "sha256", "allow_symlinks": False}
"""How files were hashed, as the statement says."""

_PREDICATE_TYPE: Final = "https://model_signing/signature/v1.0"


def make_bundle(key: ec.EllipticCurvePrivateKey, name: str, files: Mapping[str, bytes]) -> bytes:
    """Sign files by path and SHA-256, under a name that says what they are."""
    from caimi.models.official_signing import sign  # noqa: PLC0415 - loads slowly

    return sign(key, name, files)


def verify_bundle(bundle: bytes, public_key: str, name: str, files: Mapping[str, bytes]) -> None:
    """Check that a bundle signs exactly these files, by path and SHA-256, with this key (PEM).

    `name` is what they are signed as; `model_signing verify` shows none and compares none.

    Stricter than the official verifier: one signature, the current predicate, whole files by
    SHA-256, no ignored paths, no unsigned files.

    Raises:
        InvalidPackageSignature: with what is wrong.
        SignatureMisplaced: they are signed as something else.
    """
    try:
        statement = _open(bundle, public_key)
        signed = _signed_files(statement)
        said = str(statement["subject"][0]["name"])
    except (KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidPackageSignature("The bundle lacks a part that it must have.") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidPackageSignature(f"The bundle cannot be read: {error}.") from error
    if said != name:
        raise SignatureMisplaced(f"The signature is for {said[:240]!r}, not for {name!r}.")
    if signed != dict(files):
        different = sorted(
            path for path in signed.keys() | files.keys() if signed.get(path) != files.get(path)
        )
        raise InvalidPackageSignature(
            f"The signature does not cover {different[0][:80]!r} as it is "
            f"({len(different)} files differ)."
        )


def load_public_key(pem: str) -> ec.EllipticCurvePublicKey:
    """Read a public key on NIST P-256.

    Raises:
        InvalidPackageSignature: another curve, another kind of key, or no PEM.
    """
    try:
        key = serialization.load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidPackageSignature("The public key is no PEM.") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise InvalidPackageSignature("The public key is not on NIST P-256.")
    return key


def pem_of(key: ec.EllipticCurvePublicKey) -> str:
    """Write a public key as PEM (SubjectPublicKeyInfo)."""
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()


def _open(bundle: bytes, public_key: str) -> Any:  # noqa: ANN401 - parsed JSON
    """Check the envelope's one signature; give the statement inside."""
    if len(bundle) > MAX_BUNDLE_BYTES:
        raise InvalidPackageSignature(f"The bundle has {len(bundle)} bytes.")
    key = load_public_key(public_key)
    document = _json(bundle)
    _expect(document["mediaType"], _MEDIA_TYPE, "media type")
    hint = hashlib.sha256(pem_of(key).encode()).hexdigest()
    _expect(document["verificationMaterial"]["publicKey"]["hint"], hint, "key")
    envelope = document["dsseEnvelope"]
    _expect(envelope["payloadType"], _PAYLOAD_TYPE, "payload type")
    _expect(len(envelope["signatures"]), 1, "number of signatures")
    payload = _base64(envelope["payload"])
    # DSSE v1, "pre-authentication encoding".
    signed = b"DSSEv1 %d %s %d %s" % (
        len(_PAYLOAD_TYPE),
        _PAYLOAD_TYPE.encode(),
        len(payload),
        payload,
    )
    try:
        key.verify(_base64(envelope["signatures"][0]["sig"]), signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise InvalidPackageSignature("The signature was not made with the key given.") from None
    return _json(payload)


def _signed_files(statement: Any) -> dict[str, bytes]:  # noqa: ANN401 - parsed JSON
    _expect(statement["_type"], _STATEMENT_TYPE, "statement type")
    _expect(statement["predicateType"], _PREDICATE_TYPE, "predicate type")
    predicate = statement["predicate"]
    _expect(predicate["serialization"], SERIALIZATION, "way of hashing")
    files: dict[str, bytes] = {}
    root = hashlib.sha256()
    for resource in predicate["resources"]:
        _expect(resource["algorithm"], "sha256", "file hash")
        digest = bytes.fromhex(resource["digest"])
        root.update(digest)
        if files.setdefault(str(resource["name"]), digest) != digest or len(digest) != 32:
            raise ValueError("a file is listed twice or without a digest")
    _expect(len(files), len(predicate["resources"]), "number of files")
    _expect(len(statement["subject"]), 1, "number of subjects")
    _expect(statement["subject"][0]["digest"], {"sha256": root.hexdigest()}, "root digest")
    return files


def _expect(found: object, wanted: object, what: str) -> None:
    if found != wanted:
        raise InvalidPackageSignature(f"Its {what} is {str(found)[:80]!r}, not {wanted!r}.")


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("it holds text that is not base64") from error


def _json(data: bytes) -> Any:  # noqa: ANN401 - parsed JSON
    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        if len(dict(pairs)) != len(pairs):
            raise ValueError("a key appears twice")
        return dict(pairs)

    return read_json(data, object_pairs_hook=unique)
