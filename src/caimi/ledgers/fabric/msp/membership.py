"""An organisation's membership, as a channel's configuration holds it: whom it counts as its own.

Follows Fabric's X.509 MSP (docs, "Membership Service Providers"): a member's certificate leads to a
root over intermediates that the organisation named, is on none of its revocation lists, and says by
an organisational unit in which role it acts.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import NameOID

from caimi.errors.fabric import (
    FabricConfigurationInvalid,
    FabricIdentityExpired,
    FabricIdentityInvalid,
    FabricIdentityRevoked,
    FabricIdentityUnknown,
)
from caimi.ledgers.fabric.msp.identity import MspIdentity, read_certificate
from caimi.ledgers.fabric.protos.msp.msp_config_pb2 import FabricMSPConfig, MSPConfig
from caimi.ledgers.fabric.wire import read_message

_X509: Final = 0
_MAX_AUTHORITIES: Final = 100
_MAX_LISTS: Final = 100
_MAX_LIST_BYTES: Final = 1 << 22
_MAX_DEPTH: Final = 8


class MspRole(StrEnum):
    """As what a member acts; each certificate says at most one."""

    CLIENT = "client"
    PEER = "peer"
    ADMIN = "admin"
    ORDERER = "orderer"


@dataclass(frozen=True, slots=True)
class Membership:
    """An organisation's authorities, and what it has revoked."""

    msp: str
    roots: tuple[x509.Certificate, ...]
    intermediates: tuple[x509.Certificate, ...]
    admins: tuple[x509.Certificate, ...]
    revoked: frozenset[tuple[bytes, int]]
    """The issuer's name (DER) and the serial number of each certificate on a valid list."""
    roles: tuple[tuple[str, MspRole], ...]
    """The organisational unit of each role; none: this organisation has no roles but admins."""
    tls_roots: tuple[bytes, ...]
    """In PEM."""

    @classmethod
    def read(cls, encoded: bytes) -> Membership:
        """Read an MSPConfig.

        Authorities and administrators with certificates that are not read here are left out, and
        so is whoever is certified by them; lists of others' authorities revoke nothing (Go's
        `setupCRLs` reads them, and no more).

        Raises:
            FabricConfigurationInvalid: it is none, or not of certificates; or it has no root that
                is read here, or a revocation list for which peers, too, take nobody for a member.
        """
        outer = read_message(MSPConfig, encoded, FabricConfigurationInvalid)
        if outer.type != _X509:
            raise FabricConfigurationInvalid(f"A membership is of type {outer.type}, not X.509.")
        config = read_message(FabricMSPConfig, outer.config, FabricConfigurationInvalid)
        if not config.name or not config.root_certs:
            raise FabricConfigurationInvalid("A membership has no name, or no root certificate.")
        if len(config.root_certs) + len(config.intermediate_certs) > _MAX_AUTHORITIES:
            raise FabricConfigurationInvalid(f"{config.name} has too many authorities.")
        roots = tuple(filter(_is_authority, _usable(config.root_certs)))
        intermediates = tuple(filter(_is_authority, _usable(config.intermediate_certs)))
        if not roots:
            raise FabricConfigurationInvalid(f"{config.name} has no root certificate for P-256.")
        units: list[tuple[str, MspRole]] = []
        if config.fabric_node_ous.enable:
            named = config.fabric_node_ous
            for role, unit in (
                (MspRole.CLIENT, named.client_ou_identifier),
                (MspRole.PEER, named.peer_ou_identifier),
                (MspRole.ADMIN, named.admin_ou_identifier),
                (MspRole.ORDERER, named.orderer_ou_identifier),
            ):
                if unit.organizational_unit_identifier:
                    units.append((unit.organizational_unit_identifier, role))
        return cls(
            config.name,
            roots,
            intermediates,
            tuple(_usable(config.admins)),
            _revoked(config.revocation_list, (*roots, *intermediates)),
            tuple(units),
            tuple(config.tls_root_certs),
        )

    def has_signed(self, revocations: bytes) -> bool:
        """Tell whether a revocation list (PEM) is one of this organisation's authorities.

        Raises:
            FabricConfigurationInvalid: it is no list, or does not say whose.
        """
        authorities = (*self.roots, *self.intermediates)
        return _signer_of(_revocation_list(revocations), authorities) is not None

    def check(self, identity: MspIdentity, at: datetime | None) -> MspRole | None:
        """Check that somebody is a member; give the role that the certificate says.

        `at` is when it must be valid; None where no time can be known, as in an old block, which
        has none.

        Raises:
            FabricIdentityUnknown: no authority of this organisation signed the certificate.
            FabricIdentityRevoked: the organisation has taken it back.
            FabricIdentityExpired: its time, or that of an authority, is over or not yet come.
            FabricIdentityInvalid: the certificate is an authority's, or says two roles.
        """
        if identity.msp != self.msp:
            raise FabricIdentityUnknown(f"{identity} is no member of {self.msp}.")
        if _is_authority(identity.certificate):
            raise FabricIdentityInvalid(f"{identity} shows an authority's certificate.")
        self._check_path(identity, at)
        return self._role(identity)

    def _check_path(self, identity: MspIdentity, at: datetime | None) -> None:
        """Follow a certificate up to a root."""
        certificate = identity.certificate
        for _ in range(_MAX_DEPTH):
            self._check_one(identity, certificate, at)
            if certificate in self.roots:
                return
            issuer = next(
                (each for each in (*self.roots, *self.intermediates) if _signed(certificate, each)),
                None,
            )
            if issuer is None:
                break
            certificate = issuer
        raise FabricIdentityUnknown(f"No authority of {self.msp} signed for {identity}.")

    def _check_one(
        self, identity: MspIdentity, certificate: x509.Certificate, at: datetime | None
    ) -> None:
        if (certificate.issuer.public_bytes(), certificate.serial_number) in self.revoked:
            raise FabricIdentityRevoked(f"The certificate of {identity} is revoked.")
        begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if at is not None and not begins <= at <= ends:
            raise FabricIdentityExpired(
                f"The certificate of {identity} is valid from {begins:%Y-%m-%d %H:%M} to "
                f"{ends:%Y-%m-%d %H:%M} UTC, and not on {at:%Y-%m-%d %H:%M}."
            )

    def _role(self, identity: MspIdentity) -> MspRole | None:
        if identity.certificate in self.admins:
            return MspRole.ADMIN
        attributes = identity.certificate.subject.get_attributes_for_oid(
            NameOID.ORGANIZATIONAL_UNIT_NAME
        )
        said = {attribute.value for attribute in attributes}
        found = [role for unit, role in self.roles if unit in said]
        if len(found) > 1:
            raise FabricIdentityInvalid(f"The certificate of {identity} says several roles.")
        return found[0] if found else None


def _usable(certificates: Iterable[bytes]) -> Iterable[x509.Certificate]:
    for pem in certificates:
        with suppress(FabricIdentityInvalid):
            yield read_certificate(pem)


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return False


def _signed(certificate: x509.Certificate, by: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(by)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _revoked(
    lists: list[bytes], authorities: tuple[x509.Certificate, ...]
) -> frozenset[tuple[bytes, int]]:
    """Give what lists revoke that an authority signed."""
    if len(lists) > _MAX_LISTS or sum(map(len, lists)) > _MAX_LIST_BYTES:
        raise FabricConfigurationInvalid("A membership revokes too much to be read.")
    found: set[tuple[bytes, int]] = set()
    for encoded in lists:
        listed = _revocation_list(encoded)
        signer = _signer_of(listed, authorities)
        if signer is not None:
            issuer = signer.subject.public_bytes()
            found.update((issuer, each.serial_number) for each in listed)
    return frozenset(found)


def _revocation_list(encoded: bytes) -> x509.CertificateRevocationList:
    """Read a list, which says by what key it is signed: without that peers admit nobody."""
    try:
        listed = x509.load_pem_x509_crl(encoded)
        listed.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    except x509.ExtensionNotFound as error:
        raise FabricConfigurationInvalid(
            "A revocation list names no authority's key (authorityKeyIdentifier)."
        ) from error
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
        raise FabricConfigurationInvalid("A revocation list cannot be read.") from error
    return listed


def _signer_of(
    listed: x509.CertificateRevocationList, authorities: Iterable[x509.Certificate]
) -> x509.Certificate | None:
    """Find who signed a list."""
    for each in authorities:
        with suppress(ValueError, TypeError, UnsupportedAlgorithm):
            if listed.is_signature_valid(each.public_key()):  # type: ignore[arg-type]
                return each
    return None
