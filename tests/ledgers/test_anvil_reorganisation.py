"""A validator on a real node (Foundry's anvil) that reorganises, within and beyond the policy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ledger_site import COIN
from subprocess_anvil import anvil_process

from caimi.errors.messaging import EndpointsDisagree, LedgerReorganised, NotFinal, SigningStopped
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.administration.deploying import deploy
from caimi.ledgers.evm.deployment import Deployment
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.local.anvil import AnvilOptions
from caimi.ledgers.evm.rpc.connect import http_chain
from caimi.ledgers.evm.rpc.finality import Depth
from caimi.ledgers.port import LedgerId
from caimi.loopback import free_port
from caimi.messaging.checkpoint import make_committee
from caimi.messaging.validator import Validator
from caimi.messaging.witnesses import Witnesses
from caimi.persistence import open_signed_store

pytestmark = pytest.mark.anvil

NUMBER = 31339
LEDGER = LedgerId(f"eip155:{NUMBER}")
DEPTH = 3


@dataclass
class Site:
    urls: list[str]
    deployment: Deployment

    def ledger(self, place: int) -> EvmLedger:
        return EvmLedger(http_chain(LEDGER, self.urls[place], Depth(DEPTH)), self.deployment)


@pytest.fixture
def site() -> Iterator[Site]:
    """Two anvils of one chain id, whose blocks differ: one ledger's honest and forked node."""
    rich = LocalSigner.generate()
    options = [AnvilOptions(NUMBER, free_port()) for _ in range(2)]

    async def prepare() -> Deployment:
        honest, forked = (http_chain(LEDGER, each.url, Depth(0)) for each in options)
        deployment = await deploy(honest, rich)
        for _ in range(10):
            await honest.rpc.ask("evm_mine")
        await forked.rpc.ask("anvil_mine", (await honest.head_height()))
        await honest.rpc.aclose()
        await forked.rpc.aclose()
        return deployment

    coins = {rich.account: 1_000_000 * COIN}
    with anvil_process(options[0], coins), anvil_process(options[1], coins):
        yield Site([each.url for each in options], asyncio.run(prepare()))


@dataclass
class Watch:
    ledgers: list[EvmLedger]
    validator: Validator
    alarms: list[str] = field(default_factory=list)

    async def final(self) -> int:
        return (await self.ledgers[0].finalized()).height

    async def reorganise(self, depth: int) -> None:
        await self.ledgers[0].chain.rpc.ask("anvil_reorg", depth, [])


@pytest.fixture
async def watch(site: Site, tmp_path: Path) -> AsyncIterator[Watch]:
    async with AsyncExitStack() as stack:
        ledgers = [site.ledger(0), site.ledger(1)]
        for ledger in ledgers:
            stack.push_async_callback(ledger.aclose)
        store = open_signed_store(None, tmp_path / "signed.sqlite")
        stack.callback(store.close)
        members = [LocalSigner.generate() for _ in range(3)]
        committee = make_committee(0, 2, [member.account for member in members])
        alarms: list[str] = []
        validator = Validator(
            members[0],
            committee,
            {LEDGER: ledgers[0]},
            store,
            alarm=lambda _, error: alarms.append(error.code),
        )
        yield Watch(ledgers, validator, alarms)


async def test_a_reorganisation_within_the_policy_changes_nothing_that_was_signed(
    watch: Watch,
) -> None:
    height = await watch.final()
    before = await watch.validator.attest(LEDGER, height - 1, height)
    hash_of_head = (await watch.ledgers[0].head()).hash
    await watch.reorganise(DEPTH)
    assert (await watch.ledgers[0].head()).hash != hash_of_head
    await watch.validator.look_back()
    assert await watch.validator.attest(LEDGER, height - 1, height) == before
    with pytest.raises(NotFinal):
        await watch.validator.attest(LEDGER, height, height + 1)
    await watch.ledgers[0].chain.rpc.ask("evm_mine")
    await watch.validator.attest(LEDGER, height, height + 1)
    assert watch.alarms == []


async def test_a_reorganisation_beyond_the_policy_stops_signing(watch: Watch) -> None:
    height = await watch.final()
    await watch.validator.attest(LEDGER, height - 1, height)
    await watch.reorganise(DEPTH + 1)
    with pytest.raises(LedgerReorganised):
        await watch.validator.attest(LEDGER, height - 1, height)
    await watch.ledgers[0].chain.rpc.ask("evm_mine")
    with pytest.raises(SigningStopped):
        await watch.validator.attest(LEDGER, height, height + 1)
    assert watch.alarms == ["CAIMI-M020"]


async def test_two_nodes_on_two_forks_of_one_chain_id_get_nothing_signed(
    watch: Watch, tmp_path: Path
) -> None:
    store = open_signed_store(None, tmp_path / "other.sqlite")
    one = LocalSigner.generate()
    committee = make_committee(0, 2, [one.account, LocalSigner.generate().account])
    views = Witnesses(dict(zip(("honest", "forked"), watch.ledgers, strict=True)))
    validator = Validator(one, committee, {LEDGER: views}, store)
    height = await watch.final()
    with pytest.raises(EndpointsDisagree, match="honest: block 0x"):
        await validator.attest(LEDGER, height - 1, height)
    store.close()
