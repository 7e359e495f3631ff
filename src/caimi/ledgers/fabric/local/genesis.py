"""The first block of a local network's channel, which holds its whole configuration."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from caimi.ledgers.fabric.local.layout import LocalLayout, LocalOrganisation
from caimi.ledgers.fabric.msp.identity import fresh_nonce
from caimi.ledgers.fabric.msp.membership import MspRole
from caimi.ledgers.fabric.protos.common import common_pb2 as common
from caimi.ledgers.fabric.protos.common import configtx_pb2 as configtx
from caimi.ledgers.fabric.protos.common import configuration_pb2 as channel
from caimi.ledgers.fabric.protos.common import policies_pb2 as policies
from caimi.ledgers.fabric.protos.msp import msp_config_pb2 as msp
from caimi.ledgers.fabric.protos.msp import msp_principal_pb2 as principals
from caimi.ledgers.fabric.protos.orderer import configuration_pb2 as orderer
from caimi.ledgers.fabric.protos.orderer.etcdraft import configuration_pb2 as etcdraft
from caimi.ledgers.fabric.protos.peer import configuration_pb2 as peer

BATCH_TIMEOUT: Final = "50ms"
MAX_BATCH: Final = 200
MAX_BLOCK_BYTES: Final = 10 << 20
PREFERRED_BLOCK_BYTES: Final = 2 << 20
_ADMINS: Final = "Admins"
_WHOLE_WIDTH: Final = 2**32 - 1
_ROLES: Final = {
    "member": principals.MSPRole.MEMBER,
    **{role.value: principals.MSPRole.MSPRoleType.Value(role.name) for role in MspRole},
}


def genesis_block(layout: LocalLayout) -> bytes:
    """Give the channel's first block, serialized, with the certificates in the layout's folders."""
    group = configtx.ConfigGroup(
        groups={"Orderer": _ordering(layout), "Application": _application(layout)},
        values={
            "HashingAlgorithm": _value(channel.HashingAlgorithm(name="SHA256")),
            "BlockDataHashingStructure": _value(
                channel.BlockDataHashingStructure(width=_WHOLE_WIDTH)
            ),
            "Capabilities": _capabilities("V2_0"),
        },
        policies=_META,
        mod_policy=_ADMINS,
    )
    config = configtx.ConfigEnvelope(config=configtx.Config(channel_group=group))
    header = common.ChannelHeader(type=common.CONFIG, version=1, channel_id=layout.channel)
    header.timestamp.GetCurrentTime()
    payload = common.Payload(
        header=common.Header(
            channel_header=header.SerializeToString(),
            signature_header=common.SignatureHeader(nonce=fresh_nonce()).SerializeToString(),
        ),
        data=config.SerializeToString(),
    )
    envelope = common.Envelope(payload=payload.SerializeToString()).SerializeToString()
    first = common.LastConfig(index=0)
    known: dict[int, Any] = {
        common.SIGNATURES: common.OrdererBlockMetadata(last_config=first),
        common.LAST_CONFIG: first,
    }
    metadata = [
        common.Metadata(value=known[index].SerializeToString()).SerializeToString()
        if index in known
        else b""
        for index in sorted(common.BlockMetadataIndex.values())
    ]
    return bytes(
        common.Block(
            header=common.BlockHeader(number=0, data_hash=hashlib.sha256(envelope).digest()),
            data=common.BlockData(data=[envelope]),
            metadata=common.BlockMetadata(metadata=metadata),
        ).SerializeToString()
    )


def _ordering(layout: LocalLayout) -> configtx.ConfigGroup:
    certificate = layout.orderers.end("orderer").certificate.read_bytes()
    consenter = etcdraft.Consenter(
        host="127.0.0.1",
        port=layout.orderer_port,
        client_tls_cert=certificate,
        server_tls_cert=certificate,
    )
    options = etcdraft.Options(
        tick_interval="100ms",
        election_tick=10,
        heartbeat_tick=1,
        max_inflight_blocks=5,
        snapshot_interval_size=16 << 20,
    )
    consensus = orderer.ConsensusType(
        type="etcdraft",
        metadata=etcdraft.ConfigMetadata(
            consenters=[consenter], options=options
        ).SerializeToString(),
    )
    size = orderer.BatchSize(
        max_message_count=MAX_BATCH,
        absolute_max_bytes=MAX_BLOCK_BYTES,
        preferred_max_bytes=PREFERRED_BLOCK_BYTES,
    )
    organisation = _organisation(
        layout.orderers,
        {"Readers": ("member",), "Writers": ("member",), "Admins": ("admin",)},
        {"Endpoints": channel.OrdererAddresses(addresses=[layout.orderer_address])},
    )
    return configtx.ConfigGroup(
        groups={layout.orderers.msp: organisation},
        values={
            "ConsensusType": _value(consensus),
            "BatchSize": _value(size),
            "BatchTimeout": _value(orderer.BatchTimeout(timeout=BATCH_TIMEOUT)),
            "ChannelRestrictions": _value(orderer.ChannelRestrictions()),
            "Capabilities": _capabilities("V2_0"),
        },
        policies={**_META, "BlockValidation": _meta("ANY", "Writers")},
        mod_policy=_ADMINS,
    )


def _application(layout: LocalLayout) -> configtx.ConfigGroup:
    groups = {}
    for each in layout.organisations:
        anchor = peer.AnchorPeer(host="127.0.0.1", port=each.peer_port)
        groups[each.msp] = _organisation(
            each,
            {
                "Readers": ("admin", "peer", "client"),
                "Writers": ("admin", "client"),
                "Admins": ("admin",),
                "Endorsement": ("peer",),
            },
            {"AnchorPeers": peer.AnchorPeers(anchor_peers=[anchor])},
        )
    endorsement = _meta("MAJORITY", "Endorsement")
    return configtx.ConfigGroup(
        groups=groups,
        values={"Capabilities": _capabilities("V2_5")},
        policies={**_META, "LifecycleEndorsement": endorsement, "Endorsement": endorsement},
        mod_policy=_ADMINS,
    )


def _organisation(
    organisation: LocalOrganisation,
    allowed: Mapping[str, tuple[str, ...]],
    values: Mapping[str, Any],
) -> configtx.ConfigGroup:
    root = organisation.member_root.read_bytes()
    units = {
        f"{role.value}_ou_identifier": msp.FabricOUIdentifier(
            organizational_unit_identifier=role.value
        )
        for role in MspRole
    }
    config = msp.FabricMSPConfig(
        name=organisation.msp,
        root_certs=[root],
        tls_root_certs=[organisation.tls_root.read_bytes()],
        crypto_config=msp.FabricCryptoConfig(
            signature_hash_family="SHA2", identity_identifier_hash_function="SHA256"
        ),
        fabric_node_ous=msp.FabricNodeOUs(enable=True, **units),
    )
    membership = msp.MSPConfig(type=0, config=config.SerializeToString())
    return configtx.ConfigGroup(
        values={"MSP": _value(membership), **{name: _value(each) for name, each in values.items()}},
        policies={name: _any_of(organisation.msp, roles) for name, roles in allowed.items()},
        mod_policy=_ADMINS,
    )


def _any_of(of: str, roles: tuple[str, ...]) -> configtx.ConfigPolicy:
    """Give the policy that one signature in any of these roles fulfils."""
    identities = [
        principals.MSPPrincipal(
            principal=principals.MSPRole(msp_identifier=of, role=_ROLES[role]).SerializeToString()
        )
        for role in roles
    ]
    rules = [policies.SignaturePolicy(signed_by=at) for at in range(len(identities))]
    rule = policies.SignaturePolicy(n_out_of=policies.SignaturePolicy.NOutOf(n=1, rules=rules))
    envelope = policies.SignaturePolicyEnvelope(rule=rule, identities=identities)
    return _policy(policies.Policy.SIGNATURE, envelope)


def _meta(rule: str, sub_policy: str) -> configtx.ConfigPolicy:
    meta = policies.ImplicitMetaPolicy(
        sub_policy=sub_policy, rule=policies.ImplicitMetaPolicy.Rule.Value(rule)
    )
    return _policy(policies.Policy.IMPLICIT_META, meta)


def _policy(kind: int, value: Any) -> configtx.ConfigPolicy:  # noqa: ANN401 - any message
    policy = policies.Policy(type=kind, value=value.SerializeToString())
    return configtx.ConfigPolicy(policy=policy, mod_policy=_ADMINS)


def _value(message: Any) -> configtx.ConfigValue:  # noqa: ANN401 - any message
    return configtx.ConfigValue(value=message.SerializeToString(), mod_policy=_ADMINS)


def _capabilities(version: str) -> configtx.ConfigValue:
    return _value(channel.Capabilities(capabilities={version: channel.Capability()}))


_META: Final = {
    "Readers": _meta("ANY", "Readers"),
    "Writers": _meta("ANY", "Writers"),
    "Admins": _meta("MAJORITY", "Admins"),
}
