"""A contract account buys on one ledger, and its owner's key opens what it bought."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio

from caimi.chains import AccountId
from caimi.client.context import Context
from caimi.client.publish import publish
from caimi.client.pull import pull
from caimi.demo.world import World, start_world
from caimi.errors.custody import NotEnoughShares
from caimi.keystore import LocalSigner
from caimi.ledgers.port import Account, Asset, LedgerId
from caimi.models.package import Package
from contract_wallet import WALLET, creation, owned_by, through

pytestmark = pytest.mark.asyncio(loop_scope="module")
COIN = 10**18


@dataclass
class Bought:
    """What a wallet on `b` bought, and its owner's context."""

    world: World
    uri: str
    wallet: bytes
    owner: Context

    def signed_by(self, signer: LocalSigner) -> Context:
        return replace(self.owner, keys=replace(self.owner.identity, signer=signer))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bought(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bought]:
    """One purchase for all; the last test gives the wallet another owner."""
    tmp_path = tmp_path_factory.mktemp("bought")
    async with start_world("embedded", tmp_path) as world:
        file = tmp_path / "model.bin"
        file.write_bytes(b"weights")
        done = await publish(
            world.publisher,
            Package.from_path(file),
            ledger=world.a.id,
            name="m",
            version="1.0.0",
            price="5",
        )
        signer, b = world.consumer.identity.signer, world.b
        wallet = (await b.submit(creation(b, WALLET, signer.account), signer)).effect
        await b.submit(b.coins.transfer(Account(b.id, wallet), b.coins.asset.of(6 * COIN)), signer)
        route = await world.consumer.route(b.id, LedgerId(world.a.id))
        model = bytes.fromhex(done.model_id[2:])
        timeout = (await b.head()).time + 3600
        buying = await b.market.buy_remote(
            route.client_id, model, "1.0.0", Asset(b.id, b"").of(5 * COIN), timeout
        )
        await b.submit(through(b, wallet, buying), signer)
        for _ in range(3):
            await world.carry()
        consumer = Account(b.id, wallet)
        assert (await world.a.market.licence(model, "1.0.0", consumer)).live
        contract = str(AccountId(b.id, f"0x{wallet.hex()}"))
        owner = replace(world.consumer, keys=replace(world.consumer.identity, contract=contract))
        yield Bought(world, done.uri, wallet, owner)


async def test_the_owners_key_opens_what_the_contract_bought(
    bought: Bought, tmp_path: Path
) -> None:
    await pull(bought.owner, bought.uri, tmp_path / "out")
    assert (tmp_path / "out" / "model.bin").read_bytes() == b"weights"


async def test_nobody_elses_key_opens_it_nor_the_owners_own_account(
    bought: Bought, tmp_path: Path
) -> None:
    with pytest.raises(NotEnoughShares, match="CAIMI-K007"):
        await pull(bought.signed_by(LocalSigner.generate()), bought.uri, tmp_path / "out")
    with pytest.raises(NotEnoughShares, match="holds no live licence"):
        await pull(bought.world.consumer, bought.uri, tmp_path / "out")


async def test_a_former_owners_key_opens_nothing_once_that_is_final(
    bought: Bought, tmp_path: Path
) -> None:
    b, signer = bought.world.b, bought.owner.identity.signer
    heir = LocalSigner.generate()
    await b.submit(owned_by(b, bought.wallet, heir.account), signer)
    with pytest.raises(NotEnoughShares):
        await pull(bought.owner, bought.uri, tmp_path / "out")
    await pull(bought.signed_by(heir), bought.uri, tmp_path / "out")
