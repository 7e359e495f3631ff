"""Changing a channel's configuration, as far as one organisation may by itself: its revocations.

An update names the versions of what it changes, so that of two at a time one counts.
"""

from __future__ import annotations

from typing import Final

import grpc.aio

from caimi.errors.fabric import (
    FabricAccessDenied,
    FabricAnswerInvalid,
    FabricConfigurationInvalid,
    FabricRefused,
)
from caimi.errors.ledgers import LedgerUnavailable
from caimi.ledgers.fabric.msp.identity import MspSigner, fresh_nonce
from caimi.ledgers.fabric.msp.membership import Membership
from caimi.ledgers.fabric.protos.common.common_pb2 import (
    CONFIG_UPDATE,
    FORBIDDEN,
    SERVICE_UNAVAILABLE,
    SUCCESS,
    Block,
    ChannelHeader,
    Envelope,
    SignatureHeader,
    Status,
)
from caimi.ledgers.fabric.protos.common.configtx_pb2 import (
    Config,
    ConfigEnvelope,
    ConfigGroup,
    ConfigSignature,
    ConfigUpdate,
    ConfigUpdateEnvelope,
    ConfigValue,
)
from caimi.ledgers.fabric.protos.msp.msp_config_pb2 import FabricMSPConfig, MSPConfig
from caimi.ledgers.fabric.protos.orderer.ab_pb2 import BroadcastResponse
from caimi.ledgers.fabric.rpc.connection import PeerConnection, broken
from caimi.ledgers.fabric.rpc.gateway import GatewayClient
from caimi.ledgers.fabric.rpc.proposals import signed_envelope
from caimi.ledgers.fabric.verification.envelopes import unsigned_envelope
from caimi.ledgers.fabric.wire import read_message
from caimi.line_text import one_line

_BROADCAST: Final = "/orderer.AtomicBroadcast/Broadcast"
_APPLICATION: Final = "Application"
_MSP: Final = "MSP"


async def newest_configuration(gateway: GatewayClient) -> Config:
    """Give the configuration that a peer has of the gateway's channel.

    Raises:
        FabricUnavailable, FabricRefused: no peer gives it.
        FabricAnswerInvalid: it is none.
    """
    encoded = await gateway.evaluate("cscc", b"GetConfigBlock", gateway.channel.encode())
    block = read_message(Block, encoded, FabricAnswerInvalid)
    if len(block.data.data) != 1:
        raise FabricAnswerInvalid("A configuration block does not hold one configuration.")
    data = unsigned_envelope(block.data.data[0]).data
    return read_message(ConfigEnvelope, data, FabricAnswerInvalid).config


def revocation_update(config: Config, channel: str, msp: str, lists: list[bytes]) -> bytes:
    """Give the update that makes these an organisation's revocation lists (PEM).

    Raises:
        FabricConfigurationInvalid: the organisation is not on the channel, or a list is none of its
            authorities', which peers would pass over; or it is none, or does not say whose it is:
            peers would admit nobody of it any more, not even who takes the list back.
    """
    root = config.channel_group
    application = root.groups.get(_APPLICATION) or ConfigGroup()
    organisation = application.groups.get(msp)
    if organisation is None or _MSP not in organisation.values:
        raise FabricConfigurationInvalid(f"{msp} is not on {channel}.")
    value = organisation.values[_MSP]
    outer = read_message(MSPConfig, value.value, FabricConfigurationInvalid)
    inner = read_message(FabricMSPConfig, outer.config, FabricConfigurationInvalid)
    del inner.revocation_list[:]
    inner.revocation_list.extend(lists)
    outer.config = inner.SerializeToString()
    membership = Membership.read(outer.SerializeToString())
    if not all(map(membership.has_signed, lists)):
        raise FabricConfigurationInvalid("A revocation list is of another authority.")
    changed = ConfigValue(
        version=value.version + 1, value=outer.SerializeToString(), mod_policy=value.mod_policy
    )

    def around(values: dict[str, ConfigValue]) -> ConfigGroup:
        own = ConfigGroup(version=organisation.version, values=values)
        part = ConfigGroup(version=application.version, groups={msp: own})
        return ConfigGroup(version=root.version, groups={_APPLICATION: part})

    update = ConfigUpdate(
        channel_id=channel, read_set=around({}), write_set=around({_MSP: changed})
    )
    return bytes(update.SerializeToString())


async def submit_update(
    orderer: PeerConnection, admin: MspSigner, channel: str, update: bytes
) -> None:
    """Sign an update as an organisation's administrator, and hand it to an orderer.

    It takes effect with a block of its own.

    Raises:
        FabricAccessDenied: this is no administrator of what it changes.
        FabricRefused: the orderer refuses it; it is for another version, say.
        LedgerUnavailable: the orderer was not reached, or has no leader.
    """
    header = SignatureHeader(creator=admin.encoded, nonce=fresh_nonce()).SerializeToString()
    signature = ConfigSignature(signature_header=header, signature=admin.sign(header + update))
    signed = ConfigUpdateEnvelope(config_update=update, signatures=[signature])
    about = ChannelHeader(type=CONFIG_UPDATE, channel_id=channel)
    about.timestamp.GetCurrentTime()
    await _broadcast(orderer, signed_envelope(admin, about, signed.SerializeToString()))


async def _broadcast(orderer: PeerConnection, envelope: Envelope) -> None:
    address = orderer.endpoint.address
    call = orderer.stream(_BROADCAST, orderer.patience.answer)
    try:
        await call.write(envelope)
        encoded = await call.read()
    except grpc.aio.AioRpcError as error:
        raise broken(address, error) from error
    finally:
        call.cancel()
    if encoded is grpc.aio.EOF:
        raise LedgerUnavailable(f"{address} ended a call without a word.")
    answer = read_message(BroadcastResponse, encoded, FabricAnswerInvalid)
    if answer.status == SUCCESS:
        return
    name = Status.Name(answer.status) if answer.status in Status.values() else answer.status
    what = f"{address} refuses an update ({name}): {one_line(answer.info)}"
    if answer.status == FORBIDDEN:
        raise FabricAccessDenied(what)
    if answer.status == SERVICE_UNAVAILABLE:
        raise LedgerUnavailable(what)
    raise FabricRefused(what)
