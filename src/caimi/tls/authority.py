"""An organisation's own certificate authority: it signs what its services ask for, and no more.

Certificates are X.509 v3 (RFC 5280) over NIST P-256. An authority signs no other authorities.
Its key lies encrypted under a passphrase; keep it on a machine that serves nothing.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from caimi.errors.certificates import AuthorityExists, CertificateInvalid, RequestNotSigned
from caimi.errors.operations import KeyLocked
from caimi.places import write_result
from caimi.stored_keys import read_key, write_key
from caimi.tls.certificates import check_time, named, read_certificates, to_pem

AUTHORITY_CERTIFICATE: Final = "authority.pem"
AUTHORITY_KEY: Final = "authority.key"
AUTHORITY_LASTS: Final = timedelta(days=3650)
SERVICE_LASTS: Final = timedelta(days=397)
MAX_REQUEST_BYTES: Final = 1 << 14
MAX_HOSTS: Final = 20
_EARLIER: Final = timedelta(minutes=10)
"""For clocks that lag behind the authority's."""
_HOST: Final = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*"
)
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f]{1,64}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request for a certificate asks for; `hosts` none: it is for calling others alone."""

    name: str
    organisation: str
    hosts: tuple[str, ...]


class CertificateAuthority:
    """Signs requests; `certificate` is what others trust."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.certificate = certificate
        self._key = key

    @classmethod
    def create(
        cls, folder: Path, organisation: str, passphrase: bytes, lasts: timedelta = AUTHORITY_LASTS
    ) -> CertificateAuthority:
        """Make an organisation's authority in `folder`; what a kill left there is gone on with.

        Raises:
            AuthorityExists: there is one already.
            RequestNotSigned: that is no name for an organisation.
            KeyLocked: the passphrase does not open the key that a kill left.
        """
        _check_name(organisation, "an organisation")
        place = folder / AUTHORITY_CERTIFICATE
        if place.exists():
            raise AuthorityExists(f"There is an authority already: {place}.")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key_file = folder / AUTHORITY_KEY
        if not key_file.exists():
            made = ec.generate_private_key(ec.SECP256R1())
            write_key(
                key_file,
                made.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.BestAvailableEncryption(passphrase),
                ),
            )
        key = _load_key(key_file, passphrase)
        subject = _subject(Wanted(f"{organisation} services", organisation, ()))
        public = key.public_key()
        certificate = (
            _builder(subject, subject, public, lasts)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(of_an_authority=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .sign(key, SHA256())
        )
        write_result(place, to_pem([certificate]).encode())
        return cls(certificate, key)

    @classmethod
    def load(cls, folder: Path, passphrase: bytes) -> CertificateAuthority:
        """Open the authority in `folder`.

        Raises:
            CertificateInvalid: there is none, or its parts do not belong together.
            CertificateExpired: its time is over.
            KeyMissing, KeyLocked: its key cannot be read or opened.
        """
        place = folder / AUTHORITY_CERTIFICATE
        (certificate, *_) = read_certificates(place)
        check_time(certificate, str(place))
        key = _load_key(folder / AUTHORITY_KEY, passphrase)
        if certificate.public_key() != key.public_key():
            raise CertificateInvalid(f"{place} and the key beside it are not of one authority.")
        return cls(certificate, key)

    def sign(
        self, request: x509.CertificateSigningRequest, lasts: timedelta = SERVICE_LASTS
    ) -> x509.Certificate:
        """Sign what a service of this organisation asks for, which then `lasts` so long.

        Raises:
            RequestNotSigned: it is of another organisation, or asks for anything else.
        """
        wanted = read_wanted(request)
        own = named(self.certificate).organisation
        if wanted.organisation != own:
            raise RequestNotSigned(
                f"The request is of {wanted.organisation!r}, and this authority of {own!r}."
            )
        key = request.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        uses = [ExtendedKeyUsageOID.CLIENT_AUTH]
        if wanted.hosts:
            uses.append(ExtendedKeyUsageOID.SERVER_AUTH)
        ours = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        left = self.certificate.not_valid_after_utc - datetime.now(UTC)
        builder = (
            _builder(_subject(wanted), self.certificate.subject, key, min(lasts, left))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(of_an_authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ours),
                critical=False,
            )
        )
        if wanted.hosts:
            builder = builder.add_extension(_alternatives(wanted.hosts), critical=False)
        return builder.sign(self._key, SHA256())


def make_request(key_file: Path, wanted: Wanted) -> x509.CertificateSigningRequest:
    """Ask for a certificate of the key in `key_file`, which is made where there is none.

    Raises:
        RequestNotSigned: a name or host in it is none.
        CertificateInvalid: the key's file holds something else.
    """
    _check_wanted(wanted)
    if not key_file.exists():
        made = ec.generate_private_key(ec.SECP256R1())
        write_key(
            key_file,
            made.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),  # a service starts and reloads by itself
            ),
        )
    builder = x509.CertificateSigningRequestBuilder().subject_name(_subject(wanted))
    if wanted.hosts:
        builder = builder.add_extension(_alternatives(wanted.hosts), critical=False)
    return builder.sign(_load_key(key_file, None), SHA256())


def parse_request(text: bytes) -> x509.CertificateSigningRequest:
    """Parse a request in PEM; `read_wanted` checks what it asks for.

    Raises:
        RequestNotSigned: it is none, or its key did not sign it.
    """
    if len(text) > MAX_REQUEST_BYTES:
        raise RequestNotSigned(f"The request is larger than {MAX_REQUEST_BYTES} bytes.")
    try:
        request = x509.load_pem_x509_csr(text)
        signed = request.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature) as error:
        raise RequestNotSigned(f"It is no request for a certificate: {error}.") from error
    if not signed:
        raise RequestNotSigned("The request was not signed by its own key.")
    return request


def read_wanted(request: x509.CertificateSigningRequest) -> Wanted:
    """Read strictly what a request asks for: a name, an organisation, hosts, a key on P-256.

    Raises:
        RequestNotSigned: it is, or asks for, anything else.
    """
    try:
        key, subject = request.public_key(), list(request.subject)
        extensions = list(request.extensions)
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
        raise RequestNotSigned(f"The request cannot be read: {error}.") from error
    except x509.UnsupportedGeneralNameType as error:
        raise RequestNotSigned("The request names hosts in a form that is not known.") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise RequestNotSigned("The request's key is not on P-256.")
    kinds = [attribute.oid for attribute in subject]
    if kinds != [NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME]:
        raise RequestNotSigned("The request does not name a service and its organisation alone.")
    hosts: list[str] = []
    for extension in extensions:
        if not isinstance(extension.value, x509.SubjectAlternativeName):
            raise RequestNotSigned(f"The request asks for {extension.oid.dotted_string}.")
        for name in extension.value:
            if not isinstance(name, x509.DNSName | x509.IPAddress) or name != _alternative(
                str(name.value)
            ):
                raise RequestNotSigned("The request names something that is no host.")
            hosts.append(str(name.value))
    wanted = Wanted(str(subject[0].value), str(subject[1].value), tuple(hosts))
    _check_wanted(wanted)
    return wanted


def check_host(host: str) -> str:
    """Give a host name in lower case, or an address in its one form.

    Raises:
        RequestNotSigned: it is neither.
    """
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        low = host.lower()
        if _HOST.fullmatch(low) is None or low.rpartition(".")[2].isdecimal():
            raise RequestNotSigned(f"{host[:80]!r} is no host name and no address.") from None
        return low


def _check_wanted(wanted: Wanted) -> None:
    _check_name(wanted.name, "a service")
    _check_name(wanted.organisation, "an organisation")
    if len(wanted.hosts) > MAX_HOSTS:
        raise RequestNotSigned(f"The request names more than {MAX_HOSTS} hosts.")
    for host in wanted.hosts:
        if check_host(host) != host:
            raise RequestNotSigned(f"{host[:80]!r} is not written as hosts are.")


def _check_name(name: str, what: str) -> None:
    if _NAME.fullmatch(name) is None or name != name.strip():
        raise RequestNotSigned(f"{name[:80]!r} is no name for {what}.")


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    lasts: timedelta,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + lasts)
    )


def _subject(wanted: Wanted) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, wanted.name),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, wanted.organisation),
        ]
    )


def _alternatives(hosts: tuple[str, ...]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([_alternative(host) for host in hosts])


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _usage(*, of_an_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not of_an_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=of_an_authority,
        crl_sign=of_an_authority,
        encipher_only=False,
        decipher_only=False,
    )


def _load_key(file: Path, passphrase: bytes | None) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(read_key(file), passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        if passphrase is not None:
            raise KeyLocked(f"The key {file} does not open with this passphrase.") from error
        raise CertificateInvalid(f"{file} is no TLS key.") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CertificateInvalid(f"The key {file} is not on P-256.")
    return key
