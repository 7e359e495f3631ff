"""Signing with the official library (model_signing), given file digests that are already known.

The library hashes every file itself. Sealing has hashed them already, so its own classes are given
those digests: manifest, in-toto statement, DSSE envelope and Sigstore bundle are what
``model_signing sign key`` writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import cast

from cryptography.hazmat.primitives.asymmetric import ec
from model_signing._hashing.hashing import Digest
from model_signing._signing.sign_ec_key import Signer
from model_signing._signing.sign_sigstore_pb import Signature as SigstoreSignature
from model_signing._signing.signing import Payload
from model_signing.manifest import FileManifestItem, Manifest, SerializationType

from caimi.models.signature_bundle import SERIALIZATION


def sign(key: ec.EllipticCurvePrivateKey, name: str, files: Mapping[str, bytes]) -> bytes:
    """Sign files by path and SHA-256, under a name that says what they are; gives the bundle."""
    manifest = Manifest(
        name,
        [
            FileManifestItem(path=PurePosixPath(path), digest=Digest("sha256", sha256))
            for path, sha256 in files.items()
        ],
        SerializationType.from_args(SERIALIZATION),
    )
    signature = cast(SigstoreSignature, _KeySigner(key).sign(Payload(manifest)))
    return signature.bundle.to_json().encode()


class _KeySigner(Signer):
    """The official signer, given a key in memory instead of a file."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._private_key = key
