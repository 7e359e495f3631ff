"""What a deployment offers at its ports is what is declared, no more and no less."""

from __future__ import annotations

import pytest

from caimi.ibc.applications import APPLICATIONS
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.administration.deploying import deploy
from caimi.ledgers.evm.artifacts import artifact
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.local.in_process import new_embedded_chain
from caimi.ledgers.evm.rpc.contract import Contract
from caimi.ledgers.evm.rpc.logs import EventReader

ARTIFACTS = {"bridge": "ModelBridge", "market": "LicenceMarket", "messages": "MessagePort"}


@pytest.fixture
async def ledger() -> EvmLedger:
    deployer = LocalSigner.generate()
    chain = new_embedded_chain(31337, {deployer.account: 10**21})
    return EvmLedger(chain, await deploy(chain, deployer))


async def test_a_deployment_registers_exactly_the_declared_applications(ledger: EvmLedger):
    contracts, gateway = ledger.deployment.contracts, artifact("Gateway").interface
    reader = EventReader(ledger.chain, {contracts["gateway"]: gateway})
    topic = gateway.events["ApplicationAdded"].topic
    newest = (await ledger.head()).height
    added = await reader.events([contracts["gateway"]], [topic], 0, newest)
    found = {event.values["port"]: event.values["application"] for event in added}
    assert found == {each.port: contracts[each.contract] for each in APPLICATIONS}


async def test_the_contract_behind_each_port_speaks_what_is_declared(ledger: EvmLedger):
    for application in APPLICATIONS:
        address = ledger.deployment.contracts[application.contract]
        interface = artifact(ARTIFACTS[application.contract]).interface
        contract = Contract(ledger.chain, address, interface)
        (port,), (version,) = await contract.read("PORT"), await contract.read("VERSION")
        assert (port, version) == (application.port, application.version)
        assert application.speaks(port, version)
        assert not application.speaks(port, f"{version}0")


def test_no_port_is_declared_twice():
    assert len({each.port for each in APPLICATIONS}) == len(APPLICATIONS)
