"""What a route's client is made of is read off the ledger, bounded, once."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from eth_abi.abi import encode
from ledger_site import COIN

from caimi.composition.joining import join_ledgers
from caimi.errors.ledgers import LedgerAnswerInvalid
from caimi.errors.messaging import UnprovableClient
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.abi.calls import contract_creation
from caimi.ledgers.evm.administration.administering import EvmAdministered
from caimi.ledgers.evm.administration.deploying import deploy
from caimi.ledgers.evm.artifacts import artifact
from caimi.ledgers.evm.facets.market import ledger_address
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.local.embedded import EmbeddedChain
from caimi.ledgers.evm.local.in_process import embedded_chain
from caimi.ledgers.port import Account
from caimi.ledgers.port.clients import COMMITTEE, COMPOSITE
from caimi.messaging.checkpoint import make_committee

# A contract whose code is one byte, a STOP: it answers every call with nothing.
ANSWERS_NOTHING = bytes.fromhex("60016000f3")


class Site:
    """An embedded ledger with a route to another, and clients made by hand."""

    def __init__(self, ledger: EvmLedger, other: EvmLedger, rich: LocalSigner, own: bytes) -> None:
        self.ledger = ledger
        self.other = other
        self.rich = rich
        self.own = own

    async def create(self, code: bytes) -> bytes:
        call = contract_creation(self.ledger.id, "Deploying", code)
        return (await self.ledger.submit(call, self.rich)).effect

    async def composite(self, members: list[bytes], threshold: int = 1) -> bytes:
        made = artifact("CompositeClient")
        return await self.create(
            made.bytecode + encode(["uint256", "address[]"], [threshold, members])
        )

    async def route(self, client: bytes) -> str:
        call = self.ledger.gateway.add_client(client, ledger_address(self.other.id))
        added = await self.ledger.submit(call, self.rich)
        return added.effect


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    rich = LocalSigner.generate()
    chains = [EmbeddedChain(31701 + n, {rich.account: 1000 * COIN}) for n in range(2)]
    a, b = [
        EvmLedger(embedded_chain(chain), await deploy(embedded_chain(chain), rich))
        for chain in chains
    ]
    members = tuple(LocalSigner.generate().account for _ in range(3))
    client, _ = await join_ledgers(
        EvmAdministered(a, rich), EvmAdministered(b, rich), make_committee(0, 2, members)
    )
    yield Site(a, b, rich, (await a.clients.of(client)).account.native)
    await a.aclose()
    await b.aclose()


async def test_clients_in_clients_are_read_as_deep_as_four(site: Site) -> None:
    client = site.own
    for _ in range(3):
        client = await site.composite([client])
    found = await site.ledger.clients.of(await site.route(client))
    for _ in range(3):
        assert (found.kind, found.threshold) == (COMPOSITE, 1)
        (found,) = found.inner
    assert (found.kind, found.account.native) == (COMMITTEE, site.own)
    deeper = await site.route(await site.composite([client]))
    with pytest.raises(UnprovableClient, match="deep"):
        await site.ledger.clients.of(deeper)


async def test_more_clients_in_a_client_than_64_are_refused(site: Site) -> None:
    leaves = [await site.composite([site.own]) for _ in range(16)]
    half = [await site.composite(leaves), await site.composite(leaves)]
    found = await site.ledger.clients.of(await site.route(half[0]))
    assert len(found.inner) == 16
    with pytest.raises(UnprovableClient, match="64"):
        await site.ledger.clients.of(await site.route(await site.composite(half)))


async def test_a_client_that_answers_nothing_is_named(site: Site) -> None:
    strange = await site.route(await site.create(ANSWERS_NOTHING))
    with pytest.raises(LedgerAnswerInvalid, match="clientType"):
        await site.ledger.clients.of(strange)


async def test_which_clients_are_frozen_is_read_each_time(site: Site) -> None:
    composite = await site.composite([site.own])
    clients = [Account(site.ledger.id, address) for address in (site.own, composite)]
    assert await site.ledger.clients.frozen(clients) == [False, False]
    guarded = site.ledger.clients._contract(clients[0], "CommitteeClient")
    await site.ledger.submit(guarded.call("Freezing", "freeze"), site.rich)
    assert await site.ledger.clients.frozen(clients) == [True, True]
