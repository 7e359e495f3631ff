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
        raise FabricSignatureInvalid(
            f"The signature {signature[:_SHOWN].hex()} is not valid for its message."
        ) from None
