"""Real networks for all tests of a session, each begun when the first asks for it."""

from collections.abc import AsyncIterator, Iterator

import pytest
from fabric_site import FabricSite, fabric_site
from trial_network import TrialNetwork, trial_network

from caimi.ledgers.fabric.rpc.gateway import GatewayClient


@pytest.fixture(scope="session")
def fabric(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrialNetwork]:
    with trial_network(tmp_path_factory.mktemp("fabric")) as network:
        yield network


@pytest.fixture
async def gateway(fabric: TrialNetwork) -> AsyncIterator[GatewayClient]:
    async with fabric.connection() as connection:
        yield fabric.gateway(connection)


@pytest.fixture(scope="session")
def coinless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FabricSite]:
    with fabric_site(tmp_path_factory.mktemp("coinless"), with_asset=False) as site:
        yield site


@pytest.fixture(scope="session")
def selling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FabricSite]:
    with fabric_site(tmp_path_factory.mktemp("selling"), with_asset=True) as site:
        yield site
