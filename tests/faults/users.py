"""Users who move models and buy licences at random, and whose programs die as well."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from caimi.errors.base import CaimiError
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.port import Account, Asset, LedgerId, Price, SignedCall
from faults.actors import Actor
from faults.genesis import PRICE, VERSION, Key, Model
from faults.process import Killed

if TYPE_CHECKING:
    from faults.world import World


class OutboxOnDisk:
    """What the user's journal keeps of signed transactions (port `Outbox`); it outlives them."""

    def __init__(self) -> None:
        self.calls: dict[str, SignedCall] = {}
        self.actor: Actor | None = None

    async def sent(self, key: str) -> SignedCall | None:
        return self.calls.get(key)

    async def record(self, key: str, call: SignedCall) -> None:
        assert self.actor is not None
        self.actor.process.step()
        self.calls[key] = call
        self.actor.process.step()


class UserActor(Actor):
    """One user on all ledgers: an operation that a kill interrupts is run again to its end."""

    def __init__(self, world: World, key: Key, number: int) -> None:
        super().__init__(world, f"user {number}", list(world.genesis.chains))
        self.key = key
        self.outbox = OutboxOnDisk()
        self.outbox.actor = self
        self._operations = 0
        self._ledgers: dict[LedgerId, EvmLedger] = {}

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self.rng.expovariate(1 / 25.0))
            self._operations += 1
            await self._operation(f"{self.name}/{self._operations}")

    async def _operation(self, key: str) -> None:
        plan = self.rng.choices(("transfer", "buy", "withdraw", "price"), (6, 4, 1, 1))[0]
        model = self.rng.choice(self.world.genesis.models)
        ledger = self.rng.choice(list(self.faults))
        lasts = self.rng.choice([25, 60, 120, 400])
        target = self.rng.choice([name for name in self.faults if name != ledger])
        recipient = self.rng.choice(self.world.genesis.users)
        for _ in range(4):
            fuse = self.rng.randint(1, 40) if self.world.crashes(self.rng) else None
            self.next_life(fuse)
            self._ledgers = self.open_all()  # type: ignore[assignment]
            try:
                match plan:
                    case "transfer":
                        await self._transfer(key, model, target, recipient, lasts)
                    case "buy":
                        await self._buy(key, model, ledger, lasts)
                    case "withdraw":
                        here = self._ledgers[ledger]
                        if (await here.market.owed(self._account(here.id))).units:
                            await self._submit(
                                here, here.market.withdraw(self._account(here.id)), key
                            )
                    case "price":
                        home = self._ledgers[model.home]
                        amount = Asset(ledger, b"").of(PRICE * self.rng.randint(1, 2))
                        price = Price(amount, self._account(ledger))
                        call = home.market.set_prices(model.model_id, [price])
                        await self._submit(home, call, key)
            except CaimiError:
                return
            except Killed:
                await asyncio.sleep(self.rng.uniform(1.0, 10.0))
                continue
            return

    async def _submit(self, ledger: EvmLedger, call: object, key: str) -> None:
        signer = self.world.genesis.signer(ledger.id, self.key)
        await ledger.submit(call, signer, outbox=self.outbox, key=key)  # type: ignore[arg-type]

    def _account(self, ledger: LedgerId) -> Account:
        return self.world.genesis.account(ledger, self.key)

    async def _transfer(
        self, key: str, model: Model, to: LedgerId, recipient: Key, lasts: int
    ) -> None:
        for token in model.tokens(self._ledgers):
            ledger = self._ledgers[token.ledger]
            found = await ledger.registry.find(token.token_id)
            if found is not None and found.owner == self._account(ledger.id) and ledger.id != to:
                break
        else:
            return
        weak = self.world.genesis.weak
        back = (model.home, *token.path)[-1]
        if ledger.id != model.home and to != back and {ledger.id, to} == weak:
            return  # whoever goes on over a ledger trusts it
        client = self.world.client(ledger.id, to)
        await self._submit(
            ledger, ledger.registry.approve(token.token_id, ledger.bridge.account), f"{key}/approve"
        )
        timeout = (await ledger.head()).time + lasts
        depth = self.rng.choice([0, 0, 0, 1, 4, 200])
        whom = self.world.genesis.account(to, recipient)
        call = ledger.bridge.send(client, token.token_id, whom, timeout, depth)
        await self._submit(ledger, call, f"{key}/send")

    async def _buy(self, key: str, model: Model, ledger: LedgerId, lasts: int) -> None:
        here, home = self._ledgers[ledger], self._ledgers[model.home]
        price = await home.market.price(model.model_id, Asset(ledger, b""))
        if price is None:
            return
        amount = price.amount
        if ledger == model.home:
            call = here.market.buy(model.model_id, VERSION, amount)
        else:
            client = self.world.client(ledger, model.home)
            timeout = (await here.head()).time + lasts
            call = await here.market.buy_remote(client, model.model_id, VERSION, amount, timeout)
        await self._submit(here, call, key)
