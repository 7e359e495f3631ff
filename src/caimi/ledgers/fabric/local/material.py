"""The certificates and keys of a local network, and the folders that Fabric's programs read."""

from __future__ import annotations

import json
from pathlib import Path

from caimi.ledgers.fabric.local.authorities import KeyedCertificate, LocalAuthority
from caimi.ledgers.fabric.local.layout import LocalLayout, LocalMember, LocalOrganisation
from caimi.ledgers.fabric.msp.identity import read_certificate, read_key
from caimi.ledgers.fabric.msp.membership import MspRole
from caimi.whole_files import write_whole


def make_material(layout: LocalLayout) -> None:
    """Make every certificate and key of a network; keys are for their owner alone."""
    _make(layout.orderers, {"orderer": MspRole.ORDERER, "admin": MspRole.ADMIN}, ("orderer",))
    for organisation in layout.organisations:
        members = {"peer": MspRole.PEER, "admin": MspRole.ADMIN, "user": MspRole.CLIENT}
        _make(organisation, members, ("peer", "chaincode", "client"))


def open_authority(organisation: LocalOrganisation) -> LocalAuthority:
    """Give an organisation's authority, which certifies more members.

    Raises:
        FabricIdentityInvalid: its files are damaged.
        OSError: as the system says.
    """
    return LocalAuthority(
        KeyedCertificate(
            read_certificate(organisation.member_root.read_bytes()),
            read_key(organisation.authority_key.read_bytes()),
        )
    )


def _make(
    organisation: LocalOrganisation, members: dict[str, MspRole], ends: tuple[str, ...]
) -> None:
    authority = LocalAuthority.create(organisation.msp, "ca")
    tls = LocalAuthority.create(organisation.msp, "tlsca")
    _public(organisation.member_root, authority.pem)
    write_whole(organisation.authority_key, authority.key_pem)
    _public(organisation.tls_root, tls.pem)
    for name, role in members.items():
        member = LocalMember(organisation.msp, organisation.folder / "members" / name)
        keyed = authority.member(f"{name}.{organisation.msp}", role)
        _keep(member, keyed)
        if role in (MspRole.PEER, MspRole.ORDERER):
            _msp_folder(organisation, member, keyed)
    for name in ends:
        _keep(organisation.end(name), tls.end(f"{name}.{organisation.msp}"))


def _keep(member: LocalMember, keyed: KeyedCertificate) -> None:
    _public(member.certificate, keyed.pem)
    write_whole(member.key, keyed.key_pem)


def _msp_folder(
    organisation: LocalOrganisation, member: LocalMember, keyed: KeyedCertificate
) -> None:
    """Write the MSP folder of a peer or an orderer."""
    folder = member.folder / "msp"
    _public(folder / "cacerts" / "ca.pem", organisation.member_root.read_bytes())
    _public(folder / "tlscacerts" / "ca.pem", organisation.tls_root.read_bytes())
    _public(folder / "signcerts" / "cert.pem", keyed.pem)
    keys = folder / "keystore"
    keys.mkdir(mode=0o700)
    write_whole(keys / "key_sk", keyed.key_pem)
    units = {
        f"{role.value.capitalize()}OUIdentifier": {"OrganizationalUnitIdentifier": role.value}
        for role in MspRole
    }
    config = {"NodeOUs": {"Enable": True, **units}}
    _public(folder / "config.yaml", json.dumps(config, indent=1).encode())  # JSON is YAML


def _public(place: Path, content: bytes) -> None:
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(place, content, 0o644)
