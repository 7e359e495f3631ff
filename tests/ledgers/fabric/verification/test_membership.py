"""Whose certificates an organisation counts as its members', and in which role."""

from __future__ import annotations

import base64
import contextlib
import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st

from caimi.errors.fabric import (
    FabricConfigurationInvalid,
    FabricIdentityExpired,
    FabricIdentityInvalid,
    FabricIdentityRevoked,
    FabricIdentityUnknown,
    FabricSignatureInvalid,
)
from caimi.ledgers.fabric.local.authorities import LocalAuthority
from caimi.ledgers.fabric.msp.identity import (
    MAX_CERTIFICATE_BYTES,
    MAX_IDENTITY_BYTES,
    MspIdentity,
    MspSigner,
    read_certificate,
    read_key,
)
from caimi.ledgers.fabric.msp.membership import Membership, MspRole
from caimi.ledgers.fabric.msp.signing import ORDER, check_signature, sign_message
from caimi.ledgers.fabric.protos.msp.identities_pb2 import SerializedIdentity
from caimi.ledgers.fabric.protos.msp.msp_config_pb2 import (
    FabricMSPConfig,
    FabricNodeOUs,
    FabricOUIdentifier,
    MSPConfig,
)

MSP = "OneMSP"
AUTHORITY = LocalAuthority.create(MSP, "ca")
NOW = datetime.now(UTC)


def membership(kind: int = 0, **changed: object) -> Membership:
    units = {
        f"{role.value}_ou_identifier": FabricOUIdentifier(organizational_unit_identifier=role.value)
        for role in MspRole
    }
    said = {
        "name": MSP,
        "root_certs": [AUTHORITY.pem],
        "fabric_node_ous": FabricNodeOUs(enable=True, **units),
    }
    config = FabricMSPConfig(**(said | changed)).SerializeToString()
    return Membership.read(MSPConfig(type=kind, config=config).SerializeToString())


def identity(role: MspRole = MspRole.CLIENT, msp: str = MSP, **how: object) -> MspIdentity:
    return MspIdentity.of(msp, AUTHORITY.member("somebody", role, **how).pem)


@pytest.mark.parametrize("role", list(MspRole))
def test_a_member_has_the_role_that_its_certificate_says(role: MspRole):
    assert membership().check(identity(role), NOW) is role


def test_without_roles_a_member_has_none():
    assert membership(fabric_node_ous=None).check(identity(), NOW) is None


def test_a_named_administrator_is_one():
    somebody = identity()
    pem = somebody.certificate.public_bytes(serialization.Encoding.PEM)
    assert membership(admins=[pem]).check(somebody, NOW) is MspRole.ADMIN


def test_another_authoritys_member_is_unknown():
    other = LocalAuthority.create(MSP, "ca").member("somebody", MspRole.CLIENT)
    with pytest.raises(FabricIdentityUnknown):
        membership().check(MspIdentity.of(MSP, other.pem), NOW)


def test_another_organisations_member_is_unknown():
    with pytest.raises(FabricIdentityUnknown):
        membership().check(identity(msp="OtherMSP"), NOW)


@pytest.mark.parametrize("at", [NOW - timedelta(days=1), NOW + timedelta(days=4_000)])
def test_out_of_its_time_a_certificate_is_nobodys(at: datetime):
    with pytest.raises(FabricIdentityExpired):
        membership().check(identity(), at)
    membership().check(identity(), None)


def test_a_revoked_certificate_is_nobodys():
    somebody = identity()
    lists = [AUTHORITY.revoke(somebody.certificate)]
    with pytest.raises(FabricIdentityRevoked):
        membership(revocation_list=lists).check(somebody, NOW)
    membership(revocation_list=lists).check(identity(), NOW)


def test_an_authority_is_no_member():
    with pytest.raises(FabricIdentityInvalid):
        membership().check(MspIdentity.of(MSP, AUTHORITY.pem), NOW)


def test_a_member_certifies_nobody():
    """A member's own key signs a certificate that names the member as its authority."""
    keyed = AUTHORITY.member("somebody", MspRole.CLIENT)
    forged = LocalAuthority(keyed).member("eve", MspRole.ADMIN)
    with pytest.raises(FabricIdentityUnknown):
        membership().check(MspIdentity.of(MSP, forged.pem), NOW)


def _self_signed(key: ec.EllipticCurvePrivateKey, *extensions: x509.ExtensionType) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "somebody")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 5, NOW, NOW)
    for each in extensions:
        builder = builder.add_extension(each, critical=True)
    return builder.sign(key, SHA256()).public_bytes(serialization.Encoding.PEM)


def _keyless_list() -> bytes:
    """Sign a list that does not say by what key: for it peers take nobody for a member."""
    key = serialization.load_pem_private_key(AUTHORITY.key_pem, None)
    own = x509.load_pem_x509_certificate(AUTHORITY.pem)
    builder = x509.CertificateRevocationListBuilder().issuer_name(own.subject)
    builder = builder.last_update(NOW).next_update(NOW + timedelta(days=1))
    return builder.sign(key, SHA256()).public_bytes(serialization.Encoding.PEM)  # type: ignore[arg-type]


_OTHER_CURVE = _self_signed(
    ec.generate_private_key(ec.SECP384R1()), x509.BasicConstraints(ca=True, path_length=None)
)
_KEYLESS_LIST = _keyless_list()
_PEER_PEM = AUTHORITY.member("peer", MspRole.PEER).pem


@pytest.mark.parametrize(
    "changed",
    [
        {"name": ""},
        {"root_certs": []},
        {"root_certs": [b"nothing"]},
        {"root_certs": [AUTHORITY.member("somebody", MspRole.CLIENT).pem]},
        {"intermediate_certs": [AUTHORITY.pem] * 100},
        {"root_certs": [_OTHER_CURVE]},
        {"revocation_list": [b"nothing"]},
        {"revocation_list": [AUTHORITY.revoke(), _KEYLESS_LIST]},
        {"revocation_list": [AUTHORITY.revoke()] * 101},
        {"kind": 1},
    ],
)
def test_a_membership_that_cannot_be_used_is_refused(changed: dict[str, object]):
    with pytest.raises(FabricConfigurationInvalid):
        membership(**changed)  # type: ignore[arg-type]


def test_another_authoritys_list_revokes_nobody():
    """An organisation may leave its former authority's lists where they are."""
    somebody = identity()
    former = LocalAuthority.create(MSP, "ca").revoke(somebody.certificate)
    membership(revocation_list=[former]).check(somebody, NOW)
    assert not membership().has_signed(former)
    assert membership().has_signed(AUTHORITY.revoke())
    both = [former, AUTHORITY.revoke(somebody.certificate)]
    with pytest.raises(FabricIdentityRevoked):
        membership(revocation_list=both).check(somebody, NOW)


def test_an_authority_of_another_curve_certifies_nobody_and_takes_nobody_along():
    somebody = identity()
    mixed = membership(
        root_certs=[_OTHER_CURVE, AUTHORITY.pem],
        intermediate_certs=[_OTHER_CURVE, b"nothing", _PEER_PEM],
        admins=[_OTHER_CURVE, b"nothing"],
    )
    assert mixed.check(somebody, NOW) is MspRole.CLIENT
    assert (len(mixed.roots), mixed.intermediates, mixed.admins) == (1, (), ())


def test_a_revocation_list_whose_signature_was_changed_revokes_nobody():
    somebody = identity()
    pem = AUTHORITY.revoke(somebody.certificate)
    der = bytearray(x509.load_pem_x509_crl(pem).public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    damaged = x509.load_der_x509_crl(bytes(der)).public_bytes(serialization.Encoding.PEM)
    membership(revocation_list=[damaged]).check(somebody, NOW)
    assert not membership().has_signed(damaged)


def _pem_of_another_kind() -> bytes:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "rsa")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 5, NOW, NOW)
    return builder.sign(key, SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize(
    "encoded",
    [
        b"\xff",
        b"",
        SerializedIdentity(id_bytes=AUTHORITY.pem).SerializeToString(),
        SerializedIdentity(mspid=MSP).SerializeToString(),
        SerializedIdentity(mspid=MSP, id_bytes=b"nothing").SerializeToString(),
        SerializedIdentity(mspid=MSP, id_bytes=AUTHORITY.pem * 2).SerializeToString(),
        SerializedIdentity(mspid=MSP, id_bytes=_pem_of_another_kind()).SerializeToString(),
        SerializedIdentity(mspid="M" * 20_000, id_bytes=AUTHORITY.pem).SerializeToString(),
        SerializedIdentity(mspid=MSP, id_bytes=AUTHORITY.pem + b" " * 9_000).SerializeToString(),
    ],
)
def test_what_is_no_identity_is_refused(encoded: bytes):
    with pytest.raises(FabricIdentityInvalid):
        MspIdentity.read(encoded)


def test_a_signer_has_the_key_of_its_certificate():
    one, other = (AUTHORITY.member("somebody", MspRole.CLIENT) for _ in range(2))
    with pytest.raises(FabricIdentityInvalid):
        MspSigner(MspIdentity.of(MSP, one.pem), other.key)


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        AUTHORITY.pem,
        rsa.generate_private_key(65537, 2048).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
        ec.generate_private_key(ec.SECP384R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    ],
)
def test_what_is_no_key_is_refused(pem: bytes):
    with pytest.raises(FabricIdentityInvalid):
        read_key(pem)


KEY = ec.generate_private_key(ec.SECP256R1())


@given(st.binary(max_size=200))
def test_a_signature_is_over_its_message_alone(message: bytes):
    signature = sign_message(KEY, message)
    check_signature(KEY.public_key(), signature, message)
    with pytest.raises(FabricSignatureInvalid):
        check_signature(KEY.public_key(), signature, message + b"\0")


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_any_byte_of_a_signature_that_is_changed_is_noticed(where: int, mask: int):
    signature = bytearray(sign_message(KEY, b"message"))
    signature[where % len(signature)] ^= mask
    with pytest.raises(FabricSignatureInvalid):
        check_signature(KEY.public_key(), bytes(signature), b"message")


def test_a_signature_has_one_form():
    r, s = decode_dss_signature(sign_message(KEY, b"message"))
    assert s <= ORDER // 2
    other = encode_dss_signature(r, ORDER - s)
    KEY.public_key().verify(other, b"message", ec.ECDSA(SHA256()))
    with pytest.raises(FabricSignatureInvalid):
        check_signature(KEY.public_key(), other, b"message")
    with pytest.raises(FabricSignatureInvalid):
        check_signature(KEY.public_key(), sign_message(KEY, b"message") + b"\0", b"message")


@pytest.mark.parametrize(("s", "taken"), [(ORDER // 2, True), (ORDER // 2 + 1, False)])
def test_the_lower_half_ends_at_half_of_the_order(s: int, taken: bool):
    """A key for which a signature with this very s is valid: d = (s k - z) / r, with k = 1."""
    r = ec.derive_private_key(1, ec.SECP256R1()).public_key().public_numbers().x % ORDER
    z = int.from_bytes(hashlib.sha256(b"message").digest())
    key = ec.derive_private_key((s - z) * pow(r, -1, ORDER) % ORDER, ec.SECP256R1()).public_key()
    signature = encode_dss_signature(r, s)
    key.verify(signature, b"message", ec.ECDSA(SHA256()))
    with contextlib.nullcontext() if taken else pytest.raises(FabricSignatureInvalid):
        check_signature(key, signature, b"message")


@pytest.mark.parametrize(
    "change",
    [
        lambda der: der + b"\0",
        lambda der: b"\x30\x81" + der[1:],  # a length in two bytes
        lambda der: der[:1] + bytes([der[1] + 1, 2, der[3] + 1, 0]) + der[4:],  # a leading zero
    ],
)
def test_a_signature_is_in_der_alone(change: Callable[[bytes], bytes]):
    signature = b""
    while len(signature) != 70:  # neither number begins with a high bit
        signature = sign_message(KEY, b"message")
    with pytest.raises(FabricSignatureInvalid):
        check_signature(KEY.public_key(), change(signature), b"message")


def test_certificates_are_signed_in_the_form_that_fabric_takes():
    for _ in range(8):
        pem = AUTHORITY.member("somebody", MspRole.PEER).pem
        assert decode_dss_signature(read_certificate(pem).signature)[1] <= ORDER // 2


def test_a_certificate_that_says_two_roles_says_none():
    both = replace(membership(), roles=(("client", MspRole.CLIENT), ("client", MspRole.PEER)))
    with pytest.raises(FabricIdentityInvalid):
        both.check(identity(), NOW)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_damaged_certificate_is_refused_or_readable(where: int, mask: int):
    """Whoever asks for a part of a certificate that was taken gets it."""
    der = bytearray(_PEER.public_bytes(serialization.Encoding.DER))
    der[where % len(der)] ^= mask
    pem = (
        b"-----BEGIN CERTIFICATE-----\n" + base64.b64encode(der) + b"\n-----END CERTIFICATE-----\n"
    )
    try:
        found = MspIdentity.of(MSP, pem)
    except FabricIdentityInvalid:
        return
    assert str(found).isprintable()
    with contextlib.suppress(FabricIdentityInvalid, FabricIdentityUnknown, FabricIdentityExpired):
        membership().check(found, NOW)


_PEER = read_certificate(AUTHORITY.member("peer", MspRole.PEER).pem)


def test_another_curves_certificate_is_refused():
    MspIdentity.of(MSP, _self_signed(ec.generate_private_key(ec.SECP256R1())))
    with pytest.raises(FabricIdentityInvalid, match="another kind of key"):
        MspIdentity.of(MSP, _self_signed(ec.generate_private_key(ec.SECP384R1())))


def padded(pem: bytes, size: int) -> bytes:
    return pem + b"\n" * (size - len(pem))


def test_a_certificate_is_as_long_as_it_may_be_and_no_longer():
    read_certificate(padded(AUTHORITY.pem, MAX_CERTIFICATE_BYTES))
    with pytest.raises(FabricIdentityInvalid):
        read_certificate(padded(AUTHORITY.pem, MAX_CERTIFICATE_BYTES + 1))


def test_an_identity_is_as_long_as_it_may_be_and_no_longer():
    pem = AUTHORITY.pem
    around = len(SerializedIdentity(mspid="M" * 9_000, id_bytes=pem).SerializeToString()) - 9_000
    most = MAX_IDENTITY_BYTES - around
    longest = SerializedIdentity(mspid="M" * most, id_bytes=pem).SerializeToString()
    assert len(longest) == MAX_IDENTITY_BYTES
    MspIdentity.read(longest)
    longer = SerializedIdentity(mspid="M" * (most + 1), id_bytes=pem).SerializeToString()
    with pytest.raises(FabricIdentityInvalid, match="has 16385 bytes"):
        MspIdentity.read(longer)


def test_files_of_a_signer_are_read_within_bounds(tmp_path: Path):
    keyed = AUTHORITY.member("somebody", MspRole.CLIENT)
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate.write_bytes(padded(keyed.pem, MAX_CERTIFICATE_BYTES))
    key.write_bytes(keyed.key_pem)
    assert MspSigner.load(MSP, certificate, key).identity.msp == MSP
    certificate.write_bytes(padded(keyed.pem, MAX_CERTIFICATE_BYTES + 1))
    with pytest.raises(FabricIdentityInvalid, match="is longer than"):
        MspSigner.load(MSP, certificate, key)
    with pytest.raises(FabricIdentityInvalid, match="cannot be read"):
        MspSigner.load(MSP, tmp_path / "nothing", key)


def test_a_membership_is_as_large_as_it_may_be_and_no_larger():
    membership(intermediate_certs=[AUTHORITY.pem] * 99)
    with pytest.raises(FabricConfigurationInvalid, match="too many authorities"):
        membership(intermediate_certs=[AUTHORITY.pem] * 100)
    nothing = AUTHORITY.revoke()
    membership(revocation_list=[nothing] * 100)
    with pytest.raises(FabricConfigurationInvalid, match="too much"):
        membership(revocation_list=[nothing] * 101)
    with pytest.raises(FabricConfigurationInvalid, match="too much"):
        membership(revocation_list=[bytes(1 << 21)] * 2 + [b"1"])
    with pytest.raises(FabricConfigurationInvalid, match="cannot be read"):
        membership(revocation_list=[bytes(1 << 21)] * 2)
