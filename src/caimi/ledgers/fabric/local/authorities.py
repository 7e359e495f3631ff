"""Certificates for a network on this machine: an authority signs for members, another for TLS.

They are what Fabric asks of an MSP: X.509 v3 over P-256, roles as organisational units, and low-s
signatures.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from caimi.ledgers.fabric.msp.membership import MspRole
from caimi.ledgers.fabric.msp.signing import ORDER

_LASTS: Final = timedelta(days=3650)
_EARLIER: Final = timedelta(minutes=10)
_LOOPBACK: Final = x509.SubjectAlternativeName(
    [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
)
_ENDS: Final = x509.ExtendedKeyUsage(
    [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
)


@dataclass(frozen=True, slots=True)
class KeyedCertificate:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The key: a secret."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


class LocalAuthority:
    """An authority of one organisation of a local network."""

    def __init__(self, own: KeyedCertificate) -> None:
        self._own = own

    @classmethod
    def create(cls, organisation: str, purpose: str) -> LocalAuthority:
        """Make one."""
        name = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
                x509.NameAttribute(NameOID.COMMON_NAME, f"{purpose}.{organisation}"),
            ]
        )
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            _builder(name, name, key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(of_an_authority=True), critical=True)
        )
        return cls(KeyedCertificate(_signed(builder, key), key))

    @property
    def pem(self) -> bytes:
        """The authority's certificate."""
        return self._own.pem

    @property
    def key_pem(self) -> bytes:
        """The authority's key: a secret."""
        return self._own.key_pem

    def member(self, name: str, role: MspRole, lasts: timedelta = _LASTS) -> KeyedCertificate:
        """Certify a member in a role."""
        unit = x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, role.value)
        return self._certify([unit, x509.NameAttribute(NameOID.COMMON_NAME, name)], lasts, [])

    def end(self, name: str) -> KeyedCertificate:
        """Certify an end of TLS connections on loopback, be it the one that calls or answers."""
        common = x509.NameAttribute(NameOID.COMMON_NAME, name)
        return self._certify([common], _LASTS, [_ENDS, _LOOPBACK])

    def revoke(self, *revoked: x509.Certificate) -> bytes:
        """Give a list, in PEM, that takes certificates back."""
        now = datetime.now(UTC) - _EARLIER
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._own.certificate.subject)
            .last_update(now)
            .next_update(now + _LASTS)
            .add_extension(self._key_identifier, critical=False)
        )
        for each in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(each.serial_number)
            builder = builder.add_revoked_certificate(entry.revocation_date(now).build())
        while True:
            made = builder.sign(self._own.key, SHA256())
            if _is_low(made.signature):
                return made.public_bytes(serialization.Encoding.PEM)

    @property
    def _key_identifier(self) -> x509.AuthorityKeyIdentifier:
        """By which a peer finds this authority; a list without it makes every member invalid."""
        ours = self._own.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ours.value)

    def _certify(
        self,
        subject: list[x509.NameAttribute[str]],
        lasts: timedelta,
        extensions: list[x509.ExtensionType],
    ) -> KeyedCertificate:
        own = self._own.certificate
        organisation = own.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            _builder(x509.Name([*organisation, *subject]), own.subject, key.public_key(), lasts)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(of_an_authority=False), critical=True)
            .add_extension(self._key_identifier, critical=False)
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return KeyedCertificate(_signed(builder, self._own.key), key)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    lasts: timedelta = _LASTS,
) -> x509.CertificateBuilder:
    begins = datetime.now(UTC) - _EARLIER
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + lasts)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _signed(builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    while True:
        made = builder.sign(key, SHA256())
        if _is_low(made.signature):
            return made


def _is_low(signature: bytes) -> bool:
    return decode_dss_signature(signature)[1] <= ORDER // 2


def _usage(*, of_an_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not of_an_authority,
        key_cert_sign=of_an_authority,
        crl_sign=of_an_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
