"""Certificates in PEM files: read within bounds, named, and told when they end."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from caimi.errors.base import said_of
from caimi.errors.certificates import CertificateExpired, CertificateInvalid

MAX_FILE_BYTES: Final = 1 << 18
MAX_CERTIFICATES: Final = 100
SOON: Final = timedelta(days=30)
"""How long before its end a certificate is told of."""
_MAX_CAUSES: Final = 20
_BEGIN: Final = b"-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True, slots=True)
class PeerCertificate:
    """Who is at the other end of a connection, as a certificate says that was checked."""

    name: str
    organisation: str
    fingerprint: str


def read_certificates(path: Path) -> list[x509.Certificate]:
    """Read the certificates of a PEM file, in their order.

    Raises:
        CertificateInvalid: it cannot be read, or is anything else.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        raise CertificateInvalid(
            f"The certificate {path} cannot be read: {said_of(error)}."
        ) from error
    return parse_certificates(text, str(path))


def parse_certificates(text: bytes, place: str) -> list[x509.Certificate]:
    """Parse PEM text of at least one certificate, and of nothing that is secret.

    Raises:
        CertificateInvalid: it is anything else.
    """
    if len(text) > MAX_FILE_BYTES:
        raise CertificateInvalid(f"{place} is larger than {MAX_FILE_BYTES} bytes.")
    if b"PRIVATE KEY" in text:
        raise CertificateInvalid(
            f"{place} holds a private key beside its certificates.",
            why="A file of certificates is handed around; a key never is.",
            next_step="Keep the key in a file of its own, of mode 0600.",
        )
    if not 1 <= text.count(_BEGIN) <= MAX_CERTIFICATES:
        raise CertificateInvalid(f"{place} does not hold 1 to {MAX_CERTIFICATES} certificates.")
    try:
        found = x509.load_pem_x509_certificates(text)
        for each in found:
            _ = (each.extensions, each.subject, each.not_valid_after_utc)  # parsed only when asked
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise CertificateInvalid(f"{place} holds what is no certificate: {error}.") from error
    return found


def peer_of_der(certificate: bytes) -> PeerCertificate:
    """Name the owner of a certificate, in DER, that TLS has checked, whatever else is in it."""
    digest = hashlib.sha256(certificate).hexdigest()
    try:
        return named(x509.load_der_x509_certificate(certificate))
    except ValueError:  # OpenSSL takes what is stricter to others
        return PeerCertificate("", "", digest)


def named(certificate: x509.Certificate) -> PeerCertificate:
    """Name a certificate's owner."""
    return PeerCertificate(
        _of_subject(certificate, NameOID.COMMON_NAME),
        _of_subject(certificate, NameOID.ORGANIZATION_NAME),
        fingerprint(certificate),
    )


def fingerprint(certificate: x509.Certificate) -> str:
    """Give the SHA-256 of a certificate in DER, for people to compare."""
    return certificate.fingerprint(SHA256()).hex()


def hosts_of(certificate: x509.Certificate) -> list[str]:
    """Give the host names and addresses that a certificate is for."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [
        *names.get_values_for_type(x509.DNSName),
        *map(str, names.get_values_for_type(x509.IPAddress)),
    ]


def is_authority(certificate: x509.Certificate) -> bool:
    """Tell whether a certificate may sign others."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def is_trusted(shown: bytes, trusted: Sequence[x509.Certificate]) -> bool:
    """Tell whether a certificate, in DER, lasts, and is a trusted one or signed by one itself.

    That is less than a handshake takes, which follows chains over authorities in between.
    """
    try:
        certificate = x509.load_der_x509_certificate(shown)
        now = datetime.now(UTC)
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            return False
    except ValueError:
        return False
    return any(each == certificate or _signed_by(certificate, each) for each in trusted)


def _signed_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
        return is_authority(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False


def check_time(certificate: x509.Certificate, place: str, now: datetime | None = None) -> str:
    """Give what to say of when a certificate ends: nothing while that is far away.

    Raises:
        CertificateExpired: it has ended, or has not begun.
    """
    now = now or datetime.now(UTC)
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now > ends:
        raise CertificateExpired(f"The certificate {place} expired on {_date(ends)}.")
    if now < begins:
        raise CertificateExpired(
            f"The certificate {place} is valid only from {_date(begins)} on.",
            why=f"It was made by a clock ahead of this one, which shows {_date(now)}.",
            next_step="Set the clock of this machine, or wait.",
        )
    if ends - now < SOON:
        days = (ends - now).days
        return (
            f"The certificate {place} expires on {_date(ends)}, in {days} days: "
            "have its request signed again with `caimi certificates sign NAME.csr --replace`."
        )
    return ""


def to_pem(certificates: list[x509.Certificate]) -> str:
    """Write certificates as PEM text."""
    return "".join(each.public_bytes(Encoding.PEM).decode() for each in certificates)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why TLS came to nothing; `of_us`: the other end refused this one's certificate."""

    why: str
    of_us: bool


def refusal_in(error: BaseException) -> Refusal | None:
    """Find in an error, or in what led to it, that TLS refused one end; None where it did not."""
    found: BaseException | None = error
    for _ in range(_MAX_CAUSES):
        if isinstance(found, ssl.SSLCertVerificationError):
            return Refusal(found.verify_message.rstrip("."), of_us=False)
        ended = isinstance(found, (ssl.SSLEOFError, ssl.SSLZeroReturnError))  # for any reason
        if isinstance(found, ssl.SSLError) and found.reason and not ended:
            why = found.reason.lower().replace("_", " ")
            return Refusal(why, of_us="alert" in why)
        if found is None:
            break
        found = found.__cause__ or found.__context__
    return None


def _of_subject(certificate: x509.Certificate, kind: x509.ObjectIdentifier) -> str:
    return " ".join(str(each.value) for each in certificate.subject.get_attributes_for_oid(kind))


def _date(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
