"""Two anvils joined by routes with clients of every type, and a relayer with real validators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eth_abi.abi import encode
from ledger_site import COIN
from test_ledger_crossing import A, B, Pair

from caimi.ibc.packet import Packet
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.abi.calls import contract_creation
from caimi.ledgers.evm.artifacts import artifact
from caimi.ledgers.evm.facets.market import ledger_address
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.port import Account, Asset, LedgerId, Price, Signer
from caimi.messaging.checkpoint import Attestation, make_committee
from caimi.messaging.progress import Progress
from caimi.messaging.relayer import Relayer
from caimi.messaging.validator import Validator
from caimi.persistence import open_signed_store


class LocalValidator:
    """A validator in this process (port `ValidatorClient`)."""

    def __init__(self, validator: Validator) -> None:
        self._validator = validator
        self.name = validator.account.hex()

    async def attest(self, ledger: LedgerId, from_height: int, height: int) -> Attestation:
        return await self._validator.attest(ledger, from_height, height)

    async def attest_absence(
        self, ledger: LedgerId, height: int, packets: Sequence[tuple[str, int]]
    ) -> Attestation:
        return await self._validator.attest_absence(ledger, height, packets)


@dataclass
class Sent:
    """A purchase on its way from B to A."""

    purchase: bytes
    packet: Packet


class Joined:
    """The two ledgers, a model on A, a buyer on B, and relayers."""

    def __init__(self, pair: Pair, folder) -> None:
        self.pair = pair
        self.a, self.b = pair.ledger(A), pair.ledger(B)
        self.alice, self.bob, self.carrier = (LocalSigner.generate() for _ in range(3))
        self.model_id = self.a.registry.model_id(Account(self.a.id, self.alice.account), "m")
        committee = make_committee(1, 3, [member.account for member in pair.members])
        self.stores = [
            open_signed_store(None, folder / f"{n}.sqlite") for n in range(len(pair.members))
        ]
        self.validators = [
            LocalValidator(Validator(member, committee, self.ledgers, store))
            for member, store in zip(pair.members, self.stores, strict=True)
        ]

    @property
    def ledgers(self) -> dict[LedgerId, EvmLedger]:
        return {self.a.id: self.a, self.b.id: self.b}

    async def prepare(self, versions: int = 8) -> None:
        for ledger in self.ledgers.values():
            for account in (self.alice, self.bob, self.carrier):
                await ledger.submit(
                    ledger.coins.transfer(
                        Account(ledger.id, account.account), ledger.coins.asset.of(10 * COIN)
                    ),
                    self.pair.rich,
                )
        await self.a.submit(self.a.registry.publish("m", "1.0.0", b"\1" * 32), self.alice)
        for minor in range(1, versions):
            await self.a.submit(
                self.a.registry.publish_version(self.model_id, f"1.{minor}.0", b"\2" * 32),
                self.alice,
            )
        await self.a.submit(
            self.a.market.set_prices(
                self.model_id,
                [Price(Asset(self.b.id, b"").of(500), Account(self.b.id, self.alice.account))],
            ),
            self.alice,
        )

    def relayer(self, **settings) -> Relayer:
        signer: Signer = settings.pop("signer", self.carrier)
        return Relayer(
            self.ledgers, self.validators, dict.fromkeys(self.ledgers, signer), **settings
        )

    async def create(self, at: EvmLedger, name: str, types: list[str], *values: object) -> bytes:
        made = artifact(name)
        call = contract_creation(at.id, f"Deploying {name}", made.bytecode + encode(types, values))
        return (await at.submit(call, self.pair.rich)).effect

    async def committee_client(self, at: EvmLedger) -> bytes:
        """The address of the committee client that the pair's own route has."""
        (first, *_) = await at.gateway.routes()
        return (await at.clients.of(first.client_id)).account.native

    async def storage_client(self, at: EvmLedger, of: EvmLedger) -> bytes:
        gateway = of.deployment.contracts["gateway"]
        inner = await self.committee_client(at)
        return await self.create(at, "StorageProofClient", ["address", "address"], inner, gateway)

    async def composite(self, at: EvmLedger, threshold: int, members: list[bytes]) -> bytes:
        types = ["uint256", "address[]"]
        return await self.create(at, "CompositeClient", types, threshold, members)

    async def join(self, on_a: bytes, on_b: bytes) -> tuple[str, str]:
        """Add a route with a client at each end; gives the client ids."""
        ids = []
        for here, there, client in ((self.a, self.b, on_a), (self.b, self.a, on_b)):
            call = here.gateway.add_client(client, ledger_address(there.id))
            added = await here.submit(call, self.pair.rich)
            ids.append(added.effect)
        for here, mine, other in ((self.a, *ids), (self.b, *reversed(ids))):
            await here.submit(here.gateway.set_counterparty(mine, other), self.pair.rich)
        return ids[0], ids[1]

    async def buy(self, on_b: str, version: str = "1.0.0", seconds: int = 3600) -> Sent:
        timeout = (await self.b.head()).time + seconds
        call = await self.b.market.buy_remote(
            on_b, self.model_id, version, Asset(self.b.id, b"").of(500), timeout
        )
        receipt = await self.b.submit(call, self.bob)
        (sent,) = await self.b.gateway.sent(receipt.height - 1, receipt.height)
        return Sent(receipt.effect, sent.packet)

    async def pass_time(self, seconds: int) -> None:
        for ledger in self.ledgers.values():
            await ledger.chain.rpc.ask("evm_increaseTime", seconds)
            await ledger.chain.rpc.ask("evm_mine")

    async def settle(self, relayer: Relayer, steps: int = 4) -> Progress:
        done = Progress()
        for _ in range(steps):
            progress = await relayer.step()
            done.carried += progress.carried
            done.failures += progress.failures
        return done

    async def aclose(self) -> None:
        await self.a.aclose()
        await self.b.aclose()
        for store in self.stores:
            store.close()
