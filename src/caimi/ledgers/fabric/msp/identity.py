"""An identity on a channel: an organisation's MSP and a certificate of it; a signer has the key."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from caimi.errors.fabric import FabricIdentityInvalid
from caimi.ledgers.fabric.msp.signing import check_signature, sign_message
from caimi.ledgers.fabric.protos.msp.identities_pb2 import SerializedIdentity
from caimi.ledgers.fabric.wire import read_message
from caimi.line_text import one_line

MAX_IDENTITY_BYTES: Final = 1 << 14
MAX_CERTIFICATE_BYTES: Final = 1 << 13
_UNREADABLE: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""What `cryptography` raises for certificates that are none."""


@dataclass(frozen=True, slots=True)
class MspIdentity:
    """Who somebody is: `encoded` is what is hashed and signed, byte for byte as it came."""

    msp: str
    certificate: x509.Certificate
    encoded: bytes

    @classmethod
    def of(cls, msp: str, pem: bytes) -> MspIdentity:
        """Give the identity that an organisation's member has by a certificate in PEM.

        Raises:
            FabricIdentityInvalid: it is no certificate for P-256.
        """
        return cls.read(SerializedIdentity(mspid=msp, id_bytes=pem).SerializeToString())

    @classmethod
    def read(cls, encoded: bytes) -> MspIdentity:
        """Read a SerializedIdentity.

        Raises:
            FabricIdentityInvalid: it is none, or holds no certificate for P-256.
        """
        if len(encoded) > MAX_IDENTITY_BYTES:
            raise FabricIdentityInvalid(f"An identity has {len(encoded)} bytes.")
        message = read_message(SerializedIdentity, encoded, FabricIdentityInvalid)
        if not message.mspid:
            raise FabricIdentityInvalid("An identity names no organisation.")
        return cls(message.mspid, read_certificate(message.id_bytes), encoded)

    @property
    def key(self) -> ec.EllipticCurvePublicKey:
        """The public key."""
        key = self.certificate.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        return key

    @property
    def holder(self) -> tuple[str, bytes]:
        """Whose it is: the same in every spelling of one certificate, its signature's included."""
        return self.msp, self.certificate.tbs_certificate_bytes

    def check(self, signature: bytes, message: bytes) -> None:
        """Check this identity's signature over a message.

        Raises:
            FabricSignatureInvalid: it is not.
        """
        check_signature(self.key, signature, message)

    def __str__(self) -> str:
        """Name it for people."""
        return f"{one_line(self.certificate.subject.rfc4514_string())} of {one_line(self.msp)}"


class MspSigner:
    """An identity with its key."""

    def __init__(self, identity: MspIdentity, key: ec.EllipticCurvePrivateKey) -> None:
        if key.public_key() != identity.key:
            raise FabricIdentityInvalid(f"The key is not that of the certificate of {identity}.")
        self.identity = identity
        self._key = key

    @classmethod
    def load(cls, msp: str, certificate: Path, key: Path) -> MspSigner:
        """Read a certificate and its key, both in PEM.

        Raises:
            FabricIdentityInvalid: a file is not there or not that, or they do not belong together.
        """
        pem = _read_file(certificate, MAX_CERTIFICATE_BYTES)
        return cls(MspIdentity.of(msp, pem), read_key(_read_file(key, MAX_CERTIFICATE_BYTES)))

    @property
    def encoded(self) -> bytes:
        """What names the signer in messages."""
        return self.identity.encoded

    def sign(self, message: bytes) -> bytes:
        """Sign a message."""
        return sign_message(self._key, message)


def fresh_nonce(draw: Callable[[int], bytes] = secrets.token_bytes) -> bytes:
    """Draw the 24 bytes that make one message of an identity unlike all its others."""
    return draw(24)


def read_certificate(pem: bytes) -> x509.Certificate:
    """Read one certificate for P-256 in PEM, with nothing around it.

    Raises:
        FabricIdentityInvalid: it is something else.
    """
    try:
        if len(pem) > MAX_CERTIFICATE_BYTES:
            raise ValueError(f"it has {len(pem)} bytes")
        (certificate,) = x509.load_pem_x509_certificates(pem)
        key = certificate.public_key()
        _read_whole(certificate)
    except _UNREADABLE as error:
        raise FabricIdentityInvalid(f"What should be a certificate is none: {error}.") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise FabricIdentityInvalid("A certificate is for another kind of key than P-256.")
    return certificate


def _read_whole(certificate: x509.Certificate) -> None:
    """Read what is else read only when it is asked for, where nobody expects an error."""
    for name in (certificate.subject, certificate.issuer):
        name.rfc4514_string()
    _ = certificate.extensions, certificate.serial_number, certificate.signature_hash_algorithm
    _ = certificate.not_valid_before_utc, certificate.not_valid_after_utc


def read_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    """Read a P-256 key in PEM.

    Raises:
        FabricIdentityInvalid: it is something else.
    """
    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise FabricIdentityInvalid("What should be a private key in PEM is none.") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise FabricIdentityInvalid("A private key is of another kind than P-256.")
    return key


def _read_file(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise FabricIdentityInvalid(f"{path} cannot be read: {error.strerror}.") from error
    if len(content) > limit:
        raise FabricIdentityInvalid(f"{path} is longer than {limit} bytes.")
    return content
