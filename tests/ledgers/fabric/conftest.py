"""One real network for all tests of a session, begun when the first asks for it."""

from collections.abc import AsyncIterator, Iterator

import pytest
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
