"""Calls through a real peer's gateway: what is done, what is refused, and by which name."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from trial_network import CHANNEL, TRIAL, TrialNetwork

from caimi.errors.fabric import (
    FabricAccessDenied,
    FabricChaincodeMissing,
    FabricChaincodeRefused,
    FabricChannelMissing,
    FabricEndorsersDisagree,
    FabricPeerNotTrusted,
    FabricPeersMissing,
    FabricPolicyNotMet,
    FabricReadConflict,
    FabricUnavailable,
)
from caimi.ledgers.fabric.local.authorities import LocalAuthority
from caimi.ledgers.fabric.local.material import open_authority
from caimi.ledgers.fabric.msp.identity import MspIdentity, MspSigner
from caimi.ledgers.fabric.msp.membership import MspRole
from caimi.ledgers.fabric.rpc.connection import CallPatience, PeerConnection
from caimi.ledgers.fabric.rpc.gateway import EndorsedTransaction, GatewayClient
from caimi.ledgers.fabric.verification.envelopes import StateRead, StateWrite


def fresh() -> bytes:
    return uuid4().hex.encode()


async def test_what_is_put_is_read_by_every_organisation(
    fabric: TrialNetwork, gateway: GatewayClient
):
    key = fresh()
    done = await gateway.invoke(TRIAL, b"put", key, b"value")
    assert done.result == b"put"
    for organisation in fabric.layout.organisations:
        async with fabric.connection(organisation) as connection:
            there = fabric.gateway(connection, organisation.user.signer())
            async with asyncio.timeout(10):
                while await there.evaluate(TRIAL, b"get", key) != b"=value":  # noqa: ASYNC110
                    await asyncio.sleep(0.02)


async def test_what_was_never_put_is_absent(gateway: GatewayClient):
    assert await gateway.evaluate(TRIAL, b"get", fresh()) == b"absent"


async def test_what_is_deleted_is_absent(gateway: GatewayClient):
    key = fresh()
    await gateway.invoke(TRIAL, b"put", key, b"value")
    await gateway.invoke(TRIAL, b"delete", key)
    assert await gateway.evaluate(TRIAL, b"get", key) == b"absent"


async def test_an_endorsement_has_no_effect_until_it_is_handed_in(gateway: GatewayClient):
    key = fresh()
    endorsed = await gateway.endorse(TRIAL, b"put", key, b"value")
    assert endorsed.outcome.writes == (StateWrite(TRIAL, key.decode(), b"value"),)
    assert await gateway.evaluate(TRIAL, b"get", key) == b"absent"


async def test_an_endorsement_that_was_written_down_takes_effect_once(gateway: GatewayClient):
    key = fresh()
    endorsed = await gateway.endorse(TRIAL, b"count", key)
    kept = EndorsedTransaction.read(endorsed.envelope)
    assert kept == endorsed
    for _ in range(3):
        await gateway.submit(kept)
    first = await gateway.committed(kept)
    await gateway.invoke(TRIAL, b"put", fresh(), b"later")
    assert await gateway.committed(kept) == first
    assert await gateway.evaluate(TRIAL, b"get", key) == b"=1"


async def test_an_absence_that_organisations_state_names_no_version(gateway: GatewayClient):
    key = fresh()
    endorsed = await gateway.endorse(TRIAL, b"get", key)
    mine = [read for read in endorsed.outcome.reads if read.namespace == TRIAL]
    assert mine == [StateRead(TRIAL, key.decode(), None)]


async def test_of_transactions_that_change_one_key_at_a_time_one_counts(gateway: GatewayClient):
    key = fresh()
    await gateway.invoke(TRIAL, b"count", key)
    done = await asyncio.gather(
        *(gateway.invoke(TRIAL, b"count", key) for _ in range(6)), return_exceptions=True
    )
    counted = [each for each in done if not isinstance(each, BaseException)]
    assert {type(each) for each in done if isinstance(each, BaseException)} == {FabricReadConflict}
    assert await gateway.evaluate(TRIAL, b"get", key) == b"=%d" % (1 + len(counted))


async def test_a_contracts_refusal_comes_with_its_words_and_does_nothing(gateway: GatewayClient):
    with pytest.raises(FabricChaincodeRefused) as refused:
        await gateway.invoke(TRIAL, b"refuse", b"because it is Tuesday")
    assert refused.value.said == "because it is Tuesday"
    assert await gateway.evaluate(TRIAL, b"get", b"refused") == b"absent"


async def test_a_contract_that_fails_tells_nothing_of_its_process(gateway: GatewayClient):
    with pytest.raises(FabricChaincodeRefused) as refused:
        await gateway.invoke(TRIAL, b"fail")
    assert "secret" not in str(refused.value)


async def test_organisations_that_answer_differently_do_nothing(gateway: GatewayClient):
    with pytest.raises(FabricEndorsersDisagree):
        await gateway.endorse(TRIAL, b"unlike")


async def test_one_organisations_endorsement_is_not_enough(gateway: GatewayClient):
    key = fresh()
    endorsed = await gateway.endorse(TRIAL, b"put", key, b"value", organisations=["Org1MSP"])
    await gateway.submit(endorsed)
    with pytest.raises(FabricPolicyNotMet):
        await gateway.committed(endorsed)
    assert await gateway.evaluate(TRIAL, b"get", key) == b"absent"


async def test_a_chaincode_that_is_not_there_is_named(gateway: GatewayClient):
    with pytest.raises(FabricChaincodeMissing):
        await gateway.evaluate("nothing", b"get", b"key")
    with pytest.raises(FabricChaincodeMissing):
        await gateway.endorse("nothing", b"get", b"key")


async def test_a_large_value_is_committed(gateway: GatewayClient):
    key = fresh()
    await gateway.invoke(TRIAL, b"fill", key, b"262144")
    assert len(await gateway.evaluate(TRIAL, b"get", key)) == 1 + 262_144


def stranger(fabric: TrialNetwork, msp: str) -> MspSigner:
    """Somebody certified by an authority of that name, and no authority of the channel."""
    keyed = LocalAuthority.create(msp, "ca").member("eve", MspRole.CLIENT)
    return MspSigner(MspIdentity.of(msp, keyed.pem), keyed.key)


async def test_a_certificate_of_an_unknown_organisation_is_refused(fabric: TrialNetwork):
    async with fabric.connection() as connection:
        with pytest.raises(FabricAccessDenied):
            await fabric.gateway(connection, stranger(fabric, "Org9MSP")).evaluate(TRIAL, b"who")


async def test_a_certificate_of_another_authority_is_refused(fabric: TrialNetwork):
    async with fabric.connection() as connection:
        with pytest.raises(FabricAccessDenied):
            await fabric.gateway(connection, stranger(fabric, "Org1MSP")).endorse(TRIAL, b"who")


async def test_an_unknown_channel_is_refused(fabric: TrialNetwork):
    async with fabric.connection() as connection:
        lost = GatewayClient(connection, fabric.first.user.signer(), f"{CHANNEL}-else")
        with pytest.raises(FabricChannelMissing):
            await lost.evaluate(TRIAL, b"who")


async def test_a_peer_of_another_tls_authority_is_not_believed(fabric: TrialNetwork):
    endpoint = replace(
        fabric.network.endpoint(fabric.first), tls_roots=fabric.second.tls_root.read_bytes()
    )
    async with PeerConnection(endpoint, CallPatience(reach=5)) as connection:
        with pytest.raises(FabricPeerNotTrusted):
            await fabric.gateway(connection).evaluate(TRIAL, b"who")


async def test_who_shows_no_certificate_gets_no_answer(fabric: TrialNetwork):
    endpoint = replace(fabric.network.endpoint(fabric.first), certificate=None, key=None)
    async with PeerConnection(endpoint, CallPatience(reach=1)) as connection:
        with pytest.raises((FabricUnavailable, FabricPeerNotTrusted)):
            await fabric.gateway(connection).evaluate(TRIAL, b"who")


async def test_a_peer_that_is_not_there_is_waited_for_and_then_named(fabric: TrialNetwork):
    endpoint = replace(fabric.network.endpoint(fabric.first), address="127.0.0.1:1")
    async with PeerConnection(endpoint, CallPatience(reach=0.5)) as connection:
        with pytest.raises(FabricUnavailable):
            await fabric.gateway(connection).evaluate(TRIAL, b"who")


async def test_an_expired_certificate_is_refused(fabric: TrialNetwork, expired: MspSigner):
    async with fabric.connection() as connection:
        with pytest.raises(FabricAccessDenied):
            await fabric.gateway(connection, expired).endorse(TRIAL, b"who")


@pytest.fixture
def expired(fabric: TrialNetwork) -> MspSigner:
    keyed = open_authority(fabric.first).member("late", MspRole.CLIENT, timedelta(seconds=1))
    return MspSigner(MspIdentity.of(fabric.first.msp, keyed.pem), keyed.key)


async def test_a_call_survives_its_peers_end(fabric: TrialNetwork, gateway: GatewayClient):
    await gateway.evaluate(TRIAL, b"who")
    fabric.kill(fabric.first.msp)
    asked = asyncio.create_task(gateway.evaluate(TRIAL, b"who"))
    await asyncio.sleep(0.3)
    await asyncio.to_thread(fabric.start, fabric.first.msp)
    assert await asked == b"Org1MSP"


async def test_a_transaction_survives_the_orderers_end(
    fabric: TrialNetwork, gateway: GatewayClient
):
    key = fresh()
    endorsed = await gateway.endorse(TRIAL, b"count", key)
    fabric.kill("orderer")
    submitted = asyncio.create_task(gateway.submit(endorsed))
    await asyncio.sleep(0.5)
    assert not submitted.done()
    await asyncio.to_thread(fabric.start, "orderer")
    await submitted
    await gateway.committed(endorsed)
    assert await gateway.evaluate(TRIAL, b"get", key) == b"=1"


async def test_orderers_that_are_not_there_are_named(fabric: TrialNetwork, gateway: GatewayClient):
    endorsed = await gateway.endorse(TRIAL, b"count", fresh())
    fabric.kill("orderer")
    try:
        async with fabric.connection(reach=0.5) as connection:
            with pytest.raises(FabricUnavailable, match="reaches no orderer"):
                await fabric.gateway(connection).submit(endorsed)
    finally:
        await asyncio.to_thread(fabric.start, "orderer")
    await gateway.submit(endorsed)
    await gateway.committed(endorsed)


async def test_an_organisation_whose_peer_is_down_is_missed_and_comes_back(
    fabric: TrialNetwork, gateway: GatewayClient
):
    fabric.kill(fabric.second.msp)
    try:
        async with fabric.connection(reach=0.5) as connection:
            with pytest.raises(FabricPeersMissing, match=r"Org2MSP|no combination"):
                await fabric.gateway(connection).endorse(TRIAL, b"count", fresh())
    finally:
        await asyncio.to_thread(fabric.start, fabric.second.msp)
    await gateway.invoke(TRIAL, b"count", fresh())
