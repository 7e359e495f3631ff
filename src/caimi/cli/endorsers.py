"""Whose signed reads a client is to believe: peers' certificates, named on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from caimi.errors.operations import UsageError

if TYPE_CHECKING:
    from caimi.ledgers.port import ReadEndorsers

ENDORSED: Final = "endorsed-reads"
_MAX_CERTIFICATE_BYTES: Final = 1 << 13
_MAX_NAME: Final = 255
_MAX_ENDORSERS: Final = 64


def endorsers_of(
    texts: Sequence[str], channel: str, chaincode: str, needed: int
) -> ReadEndorsers | None:
    """Read ORGANISATION=CERTIFICATE of each peer; None where none is named.

    `needed` is of how many organisations a peer must have signed, or 0 for all.

    Raises:
        UsageError: a name or a certificate is none, or there are too few organisations.
    """
    from caimi.ledgers.port import ReadEndorsers

    if not texts:
        return None
    if len(texts) > _MAX_ENDORSERS:
        raise UsageError(f"--endorser is given {len(texts)} times: at most {_MAX_ENDORSERS}.")
    for option, name in (("--channel", channel), ("--chaincode", chaincode)):
        if not 0 < len(name.encode()) <= _MAX_NAME:
            raise UsageError(f"{option} is a name of 1 to {_MAX_NAME} bytes.")
    organisations: dict[str, int] = {}
    numbers, keys = bytearray(), []
    for text in texts:
        organisation, _, file = text.partition("=")
        if not organisation or not file:
            raise UsageError(f"{text!r:.80} is no endorser; write ORGANISATION=CERTIFICATE.pem.")
        numbers.append(organisations.setdefault(organisation, len(organisations)))
        keys.append(_key_in(Path(file)))
    if len(set(keys)) != len(keys):
        raise UsageError("A certificate's key is named twice with --endorser.")
    threshold, count = needed or len(organisations), len(organisations)
    if not 2 <= threshold <= count < 2 * threshold:
        raise UsageError(
            f"{threshold} of {count} organisations are not enough: at least two, and more than "
            "half of those named with --endorser."
        )
    return ReadEndorsers(channel, chaincode, threshold, tuple(keys), bytes(numbers))


def _key_in(file: Path) -> tuple[bytes, bytes]:
    """Read the public key of a certificate in PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        with file.open("rb") as opened:
            content = opened.read(_MAX_CERTIFICATE_BYTES + 1)
        if len(content) > _MAX_CERTIFICATE_BYTES:
            raise ValueError("it is too long")
        (certificate,) = x509.load_pem_x509_certificates(content)
        key = certificate.public_key()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.") from error
    except (ValueError, x509.InvalidVersion) as error:
        raise UsageError(f"{file} is not one certificate in PEM.") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise UsageError(f"{file} is a certificate for another kind of key than P-256.")
    numbers = key.public_numbers()
    return numbers.x.to_bytes(32), numbers.y.to_bytes(32)
