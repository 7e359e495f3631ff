"""An organisation revokes a member on a real channel, and nobody else does it for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.hashes import SHA256
from trial_network import CHANNEL, TRIAL, TrialNetwork

from caimi.errors.fabric import (
    FabricAccessDenied,
    FabricConfigurationInvalid,
    FabricIdentityRevoked,
    FabricRefused,
)
from caimi.ledgers.fabric.lifecycle.configuring import (
    newest_configuration,
    revocation_update,
    submit_update,
)
from caimi.ledgers.fabric.local.material import open_authority
from caimi.ledgers.fabric.msp.identity import MspIdentity, MspSigner
from caimi.ledgers.fabric.msp.membership import MspRole
from caimi.ledgers.fabric.rpc.connection import PeerConnection
from caimi.ledgers.fabric.rpc.gateway import GatewayClient


@pytest.fixture
async def orderer(fabric: TrialNetwork) -> AsyncIterator[PeerConnection]:
    async with PeerConnection(fabric.network.orderer_endpoint(fabric.first)) as connection:
        yield connection


def member(fabric: TrialNetwork, name: str) -> MspSigner:
    keyed = open_authority(fabric.first).member(name, MspRole.CLIENT)
    return MspSigner(MspIdentity.of(fabric.first.msp, keyed.pem), keyed.key)


async def test_a_revoked_member_calls_nothing_and_readers_know(
    fabric: TrialNetwork, gateway: GatewayClient, orderer: PeerConnection
):
    gone, kept = member(fabric, "gone"), member(fabric, "kept")
    for each in (gone, kept):
        assert await fabric.gateway(gateway.connection, each).evaluate(TRIAL, b"who") == b"Org1MSP"
    before = await newest_configuration(gateway)
    lists = [open_authority(fabric.first).revoke(gone.identity.certificate)]
    update = revocation_update(before, CHANNEL, fabric.first.msp, lists)
    await submit_update(orderer, fabric.first.admin.signer(), CHANNEL, update)

    async with asyncio.timeout(20):
        while (await newest_configuration(gateway)).sequence == before.sequence:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    with pytest.raises(FabricAccessDenied):
        await fabric.gateway(gateway.connection, gone).endorse(TRIAL, b"who")
    assert await fabric.gateway(gateway.connection, kept).evaluate(TRIAL, b"who") == b"Org1MSP"

    done = await gateway.invoke(TRIAL, b"put", b"after", b"value")
    chain = fabric.chain()
    async for block in fabric.reader(gateway.connection).blocks(1, done.block):
        chain = chain.accept(block)
    assert chain.configuration.sequence == before.sequence + 1
    with pytest.raises(FabricIdentityRevoked):
        chain.configuration.member(gone.identity, None)
    chain.configuration.member(kept.identity, None)


@pytest.mark.parametrize("who", ["a user", "another organisation"])
async def test_only_its_own_administrator_changes_an_organisation(
    fabric: TrialNetwork, gateway: GatewayClient, orderer: PeerConnection, who: str
):
    signer = fabric.first.user.signer() if who == "a user" else fabric.second.admin.signer()
    before = await newest_configuration(gateway)
    update = revocation_update(before, CHANNEL, fabric.first.msp, [])
    with pytest.raises(FabricRefused):
        await submit_update(orderer, signer, CHANNEL, update)
    assert await newest_configuration(gateway) == before


async def test_an_update_of_what_has_changed_since_is_refused(
    fabric: TrialNetwork, gateway: GatewayClient, orderer: PeerConnection
):
    config = await newest_configuration(gateway)
    config.channel_group.groups["Application"].groups["Org1MSP"].values["MSP"].version += 1
    update = revocation_update(config, CHANNEL, fabric.first.msp, [])
    with pytest.raises(FabricRefused):
        await submit_update(orderer, fabric.first.admin.signer(), CHANNEL, update)


async def test_an_organisation_that_is_not_there_is_named(gateway: GatewayClient):
    config = await newest_configuration(gateway)
    with pytest.raises(FabricConfigurationInvalid, match="is not on"):
        revocation_update(config, CHANNEL, "EveMSP", [])


def list_that_names_no_key(fabric: TrialNetwork) -> bytes:
    """Sign what peers do not understand: they would admit nobody of the organisation any more."""
    authority = open_authority(fabric.first)
    own = x509.load_pem_x509_certificate(authority.pem)
    key = serialization.load_pem_private_key(authority.key_pem, None)
    now = datetime.now(UTC)
    builder = x509.CertificateRevocationListBuilder().issuer_name(own.subject)
    builder = builder.last_update(now).next_update(now + timedelta(days=1))
    return builder.sign(key, SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize("whose", ["nobody's", "another's", "nothing"])
async def test_a_list_that_would_lock_an_organisation_out_is_not_proposed(
    fabric: TrialNetwork, gateway: GatewayClient, whose: str
):
    lists = {
        "nobody's": list_that_names_no_key(fabric),
        "another's": open_authority(fabric.second).revoke(),
        "nothing": b"nothing",
    }
    config = await newest_configuration(gateway)
    with pytest.raises(FabricConfigurationInvalid, match="revocation list"):
        revocation_update(config, CHANNEL, fabric.first.msp, [lists[whose]])
