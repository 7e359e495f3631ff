"""Putting chaincode on a real channel, again and again."""

from dataclasses import replace

import pytest
from trial_network import TRIAL, TrialNetwork, trial_chaincode

from caimi.errors.fabric import FabricAccessDenied, FabricPackageInvalid, FabricRefused
from caimi.ledgers.fabric.lifecycle.definitions import (
    approvals,
    approve,
    approved_package,
    commit,
    committed_definition,
    install,
)
from caimi.ledgers.fabric.lifecycle.packages import ChaincodeService, package_service
from caimi.ledgers.fabric.local.chaincodes import package_for
from caimi.ledgers.fabric.rpc.gateway import GatewayClient

SERVICE = ChaincodeService("127.0.0.1:7052", b"-----BEGIN CERTIFICATE-----")


def test_one_service_is_packaged_into_the_same_bytes():
    assert package_service("a_1", SERVICE) == package_service("a_1", SERVICE)
    other = replace(SERVICE, address="127.0.0.1:7053")
    assert package_service("a_1", SERVICE).id != package_service("a_1", other).id


@pytest.mark.parametrize("label", ["", "a/b", "../a", "a b", "a" * 65, "_a", "ä"])
def test_what_is_no_label_is_not_packaged(label: str):
    with pytest.raises(FabricPackageInvalid):
        package_service(label, SERVICE)


@pytest.mark.parametrize("address", ["", "host", "host:port", "a b:1", "x" * 300 + ":1"])
def test_what_is_no_address_is_not_packaged(address: str):
    with pytest.raises(FabricPackageInvalid):
        package_service("a", replace(SERVICE, address=address))


async def test_every_step_may_be_done_again(fabric: TrialNetwork):
    chaincode = trial_chaincode()
    package = package_for(chaincode, fabric.first)
    admin = fabric.first.admin.signer()
    async with fabric.connection() as connection:
        gateway = fabric.gateway(connection, admin)
        before = await fabric.reader(connection, admin).newest()
        for _ in range(2):
            assert await install(connection, admin, package) == package.id
            await approve(gateway, chaincode.definition, package.id)
            await commit(gateway, chaincode.definition)
        assert await fabric.reader(connection, admin).newest() == before
        assert await committed_definition(gateway, TRIAL) == chaincode.definition
        assert await approved_package(gateway, chaincode.definition) == package.id


async def test_what_nobody_defined_has_no_definition(gateway: GatewayClient):
    assert await committed_definition(gateway, "nothing") is None


async def test_a_user_installs_and_approves_nothing(fabric: TrialNetwork):
    user = fabric.first.user.signer()
    async with fabric.connection() as connection:
        package = package_service("other_1", SERVICE)
        with pytest.raises((FabricAccessDenied, FabricRefused)):
            await install(connection, user, package)
        gateway = fabric.gateway(connection, user)
        definition = replace(trial_chaincode().definition, name="other")
        with pytest.raises(FabricRefused):
            await approve(gateway, definition, package.id)


async def test_a_definition_that_one_organisation_approved_is_not_committed(
    fabric: TrialNetwork,
):
    definition = replace(trial_chaincode().definition, name="lonely")
    package = package_for(trial_chaincode(), fabric.first)
    async with fabric.connection() as connection:
        gateway = fabric.gateway(connection, fabric.first.admin.signer())
        await approve(gateway, definition, package.id)
        assert await approvals(gateway, definition) == {"Org1MSP": True, "Org2MSP": False}
        with pytest.raises(FabricRefused):
            await commit(gateway, definition)
        assert await committed_definition(gateway, "lonely") is None


async def test_a_sequence_that_is_not_the_next_is_refused(fabric: TrialNetwork):
    definition = replace(trial_chaincode().definition, sequence=5)
    async with fabric.connection() as connection:
        gateway = fabric.gateway(connection, fabric.first.admin.signer())
        with pytest.raises(FabricRefused):
            await approve(gateway, definition, package_for(trial_chaincode(), fabric.first).id)
