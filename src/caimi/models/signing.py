"""The publisher's package signing key: NIST P-256, at rest only encrypted."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from caimi.errors.models import SigningKeyUnusable
from caimi.models.content_key import ContentKey
from caimi.models.signature_bundle import make_bundle, pem_of

_MAX_FILE_BYTES: Final = 16 * 1024
_READ: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class PackageSigner:
    """Signs packages so that ``model_signing verify key`` accepts them. Never shown by `repr`."""

    __slots__ = ("_key", "public_key")

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        """Take a private key.

        Raises:
            SigningKeyUnusable: it is not on NIST P-256.
        """
        if key.curve.name != "secp256r1":
            raise SigningKeyUnusable(f"The key is on {key.curve.name}, not on NIST P-256.")
        self._key = key
        self.public_key = pem_of(key.public_key())

    @classmethod
    def generate(cls) -> PackageSigner:
        """Make a fresh key."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def load(cls, path: Path, passphrase: bytes) -> PackageSigner:
        """Read what `save` wrote, or any encrypted PKCS#8 PEM on P-256. Blocking.

        Raises:
            SigningKeyUnusable: the file is missing, is no such key, is not encrypted, or the
                passphrase is wrong.
        """
        try:
            descriptor = os.open(path, _READ)
            with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor, not a path
                pem = file.read(_MAX_FILE_BYTES)
        except OSError as error:
            raise SigningKeyUnusable(f"{path}: {error.strerror or error}.") from error
        if b"ENCRYPTED" not in pem:
            raise SigningKeyUnusable(f"{path} is not an encrypted key.")
        try:
            key = serialization.load_pem_private_key(pem, passphrase)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise SigningKeyUnusable(f"{path} does not open with this passphrase.") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise SigningKeyUnusable(f"{path} is not an elliptic curve key.")
        return cls(key)

    def save(self, path: Path, passphrase: bytes) -> None:
        """Write the key, encrypted (PKCS#8, mode 0600), to a path where nothing is yet. Blocking.

        Raises:
            SigningKeyUnusable: the passphrase is empty, something is there, or writing failed.
        """
        if not passphrase:
            raise SigningKeyUnusable("A signing key is not saved with an empty passphrase.")
        pem = self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(passphrase),
        )
        try:
            descriptor = os.open(path, _CREATE, 0o600)
            try:
                with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
                    file.write(pem)
                    file.flush()
                    os.fsync(descriptor)
            except OSError:
                with contextlib.suppress(OSError):
                    path.unlink()
                raise
        except OSError as error:
            raise SigningKeyUnusable(f"{path}: {error.strerror or error}.") from error

    def sign(self, name: str, files: Mapping[str, bytes]) -> bytes:
        """Give the model-signing bundle over files, by path and SHA-256."""
        return make_bundle(self._key, name, files)

    def content_key(self, model_id: bytes, version: str) -> ContentKey:
        """Give the content key of a version, the same on every call: nothing need be stored."""
        secret = self._key.private_numbers().private_value.to_bytes(32)
        return ContentKey.derive(secret, model_id, version)

    def __repr__(self) -> str:
        return f"PackageSigner(public_key={self.public_key!r})"
