"""Fabric's signatures: ECDSA over NIST P-256 with SHA-256, in DER, their s in the lower half."""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256

from caimi.errors.fabric import FabricSignatureInvalid

ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""The order of P-256 (FIPS 186-4, D.1.2.3)."""
_SHOWN: Final = 72
"""Bytes of a DER sequence of two integers of 33 bytes."""
_SEQUENCE: Final = 0x30
_INTEGER: Final = 0x02


def sign_message(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    """Sign a message; of a signature's two forms this is the one that Fabric takes."""
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(SHA256())))
    return encode_dss_signature(r, min(s, ORDER - s))


def check_signature(key: ec.EllipticCurvePublicKey, signature: bytes, message: bytes) -> None:
    """Check a signature over a message: one message has one form of it only.

    Raises:
        FabricSignatureInvalid: it is not that key's over this, or not in its one form.
    """
    try:
        _, s = decode_dss_signature(signature)  # takes DER alone
        if s > ORDER // 2:
            raise ValueError
        key.verify(signature, message, ec.ECDSA(SHA256()))
    except (ValueError, InvalidSignature):
        raise _invalid(signature) from None


def bare_signature(signature: bytes) -> bytes:
    """Give a signature in its one form, without what somebody put behind its two numbers.

    Peers read on no further than that (Go's `asn1.Unmarshal`), and whoever hands a signature on may
    add to it: what they take for valid has to be so here.

    Raises:
        FabricSignatureInvalid: it does not begin with two numbers.
    """
    try:
        numbers, _ = _element(signature, _SEQUENCE)
        r, behind = _element(numbers, _INTEGER)
        s, _ = _element(behind, _INTEGER)
        return encode_dss_signature(int.from_bytes(r), int.from_bytes(s))
    except ValueError:
        raise _invalid(signature) from None


def _element(der: bytes, tag: int) -> tuple[bytes, bytes]:
    """Take the first element off, which has to be of a kind: its content, and what is behind."""
    if len(der) < 2 or der[0] != tag:
        raise ValueError
    begins, length = 2, der[1]
    if length & 0x80:
        begins += length & 0x7F
        length = int.from_bytes(der[2:begins])
    if len(der) < begins + length:
        raise ValueError
    return der[begins : begins + length], der[begins + length :]


def _invalid(signature: bytes) -> FabricSignatureInvalid:
    return FabricSignatureInvalid(
        f"The signature {signature[:_SHOWN].hex()} is not valid for its message."
    )
