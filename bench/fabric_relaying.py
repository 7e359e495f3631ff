"""Relaying between a real Fabric network and a real anvil: models sent there, and sent home again.

Everything runs on this machine at once: orderer, two peers, two chaincode processes, the anvil, the
relayer, and five validators in its process. One client on either side is hot: all packets are its.
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.fabric_network import FabricPlace, fabric_place
from bench.messages import LocalValidator, Remembering
from bench.network import start_anvil
from bench.result import Result, p99
from caimi.composition.joining import join_ledgers
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.administration.administering import EvmAdministered
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.machine.administration import MachineAdministered
from caimi.ledgers.machine.ed25519_keys import Ed25519Key
from caimi.ledgers.machine.ledger import MachineLedger
from caimi.ledgers.port import Account, Call, Committee, Ledger, Signer
from caimi.messaging.checkpoint import make_committee
from caimi.messaging.progress import Carried
from caimi.messaging.relayer import Relayer
from caimi.messaging.signed_store import SignedStore
from caimi.messaging.validator import Validator

PEOPLE, MODELS = 20, 20
"""An account sends at most one in twenty of what a route carries."""
PER_SECOND, SECONDS = 10, 20
TIMEOUT = 6 * 3600
Step = Callable[[int, int], Call[object]]


@dataclass
class FabricAndEvm:
    """The two ledgers with a route both ways, and who acts on them.

    `here` and `there` are people of the Fabric ledger and of the anvil, `on_*` the routes' names.
    """

    fabric: MachineLedger
    evm: EvmLedger
    on_fabric: str
    on_evm: str
    here: list[Ed25519Key]
    there: list[LocalSigner]
    relaying: tuple[Ed25519Key, LocalSigner]
    members: list[LocalSigner]
    committee: Committee

    def relayer(self, observe: Callable[[Carried], None]) -> Relayer:
        """Make a relayer with all the committee's validators in its process."""
        ledgers: dict[str, Ledger] = {self.fabric.id: self.fabric, self.evm.id: self.evm}
        store: SignedStore = Remembering()
        validators = [
            LocalValidator(Validator(each, self.committee, ledgers, store))  # type: ignore[arg-type]
            for each in self.members
        ]
        signers = dict(zip(ledgers, self.relaying, strict=True))
        return Relayer(ledgers, validators, signers, observe=observe)  # type: ignore[arg-type]

    def model(self, person: int, number: int) -> bytes:
        """Name a person's model by its id at home."""
        account = Account(self.fabric.id, self.here[person].account)
        return self.fabric.registry.model_id(account, f"model-{number}")

    def visitor(self, person: int, number: int) -> bytes:
        """Name the same model where it visits."""
        return self.evm.registry.token_id(self.model(person, number), [])

    async def publish(self, models: int) -> None:
        """Publish so many of each person's, and let the bridge move them."""
        fabric = self.fabric
        await self._each(
            fabric,
            models,
            lambda _, number: fabric.registry.publish(f"model-{number}", "1", bytes([1]) * 32),
        )
        await self._each(
            fabric,
            models,
            lambda *which: fabric.registry.approve(self.model(*which), fabric.bridge.account),
        )

    def send(self, person: int, number: int) -> Call[object]:
        """Send a model to the anvil."""
        to = Account(self.evm.id, self.there[person].account)
        timeout = int(time.time()) + TIMEOUT
        return self.fabric.bridge.send(self.on_fabric, self.model(person, number), to, timeout)

    def send_home(self, person: int, number: int) -> Call[object]:
        """Send one home."""
        to = Account(self.fabric.id, self.here[person].account)
        timeout = int(time.time()) + TIMEOUT
        return self.evm.bridge.send(self.on_evm, self.visitor(person, number), to, timeout)

    async def send_all(self) -> None:
        """Send all models to the anvil."""
        await self._each(self.fabric, MODELS, self.send)

    async def send_all_home(self) -> None:
        """Send all models home."""
        await self._each(
            self.evm,
            MODELS,
            lambda *which: self.evm.registry.approve(self.visitor(*which), self.evm.bridge.account),
        )
        await self._each(self.evm, MODELS, self.send_home)

    async def _each(self, on: Ledger, models: int, step: Step) -> None:
        people: list[Signer] = list(self.here if on is self.fabric else self.there)

        async def steps(person: int) -> None:
            if on is self.fabric:
                done = (on.submit(step(person, number), people[person]) for number in range(models))
                await asyncio.gather(*done)
            else:
                for number in range(models):
                    await on.submit(step(person, number), people[person])

        await asyncio.gather(*map(steps, range(PEOPLE)))


@asynccontextmanager
async def joined(place: FabricPlace) -> AsyncIterator[FabricAndEvm]:
    """Start an anvil, deploy there, and join it to a Fabric network."""
    deployer, relayer = LocalSigner.generate(), LocalSigner.generate()
    there = [LocalSigner.generate() for _ in range(PEOPLE)]
    members = [LocalSigner(secrets.token_bytes(32)) for _ in range(5)]
    committee = make_committee(0, 3, [each.account for each in members])
    async with AsyncExitStack() as stack:
        fabric = place.open()
        stack.push_async_callback(fabric.aclose)
        funded = [relayer.account, *(each.account for each in there)]
        evm = await start_anvil(stack, 31337, deployer, funded)
        on_fabric, on_evm = await join_ledgers(
            MachineAdministered(fabric, place.admin), EvmAdministered(evm, deployer), committee
        )
        here = [Ed25519Key() for _ in range(PEOPLE)]
        relaying = (Ed25519Key(), relayer)
        yield FabricAndEvm(
            fabric, evm, on_fabric, on_evm, here, there, relaying, members, committee
        )


def measure() -> list[Result]:
    """Relay hundreds of models at once, there and home; then ten a second for a while."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measure(Path(folder)))


async def _measure(folder: Path) -> list[Result]:
    async with fabric_place(folder) as place, joined(place) as pair:
        await pair.publish(MODELS)
        await pair.send_all()
        out = await _relay(pair, PEOPLE * MODELS)
        await pair.send_all_home()
        home = await _relay(pair, PEOPLE * MODELS)
        added = await _added(pair)
    packets = PEOPLE * MODELS
    return [
        Result(
            "fabric_relay_packets_per_second",
            2 * packets / (out + home),
            "packets/s, delivered and acknowledged, half of them each way",
            floor=50,
        ),
        Result("fabric_relay_out_per_second", packets / out, "packets/s, from Fabric"),
        Result("fabric_relay_home_per_second", packets / home, "packets/s, to Fabric"),
        Result("fabric_relay_p99_seconds", p99(added), "s from a packet's block to its delivery's"),
        Result("fabric_relay_median_seconds", median(added), "s"),
    ]


async def _relay(
    pair: FabricAndEvm, packets: int, observe: Callable[[Carried], None] = lambda carried: None
) -> float:
    """Run a relayer until so many packets have been acknowledged; give the seconds."""
    done, ended = asyncio.Event(), 0

    def count(each: Carried) -> None:
        nonlocal ended
        observe(each)
        ended += each.packets * (each.what == "acknowledge")
        if ended >= packets:
            done.set()

    began = time.perf_counter()
    running = asyncio.create_task(pair.relayer(count).run(0.01))
    waiting = asyncio.create_task(done.wait())
    try:
        async with asyncio.timeout(300):
            await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
    finally:
        for task in (running, waiting):
            task.cancel()
        await asyncio.gather(running, waiting, return_exceptions=True)
    return time.perf_counter() - began


async def _added(pair: FabricAndEvm) -> list[float]:
    """Send ten a second; give each packet's seconds from its block to that of its delivery."""
    committed: list[float] = []
    delivered: list[float] = []

    def observe(each: Carried) -> None:
        if each.what == "deliver":
            delivered.extend([time.perf_counter()] * each.packets)

    async def send(turn: int) -> None:
        call = pair.send(turn % PEOPLE, turn // PEOPLE)
        await pair.fabric.submit(call, pair.here[turn % PEOPLE])
        committed.append(time.perf_counter())

    async def send_steadily() -> None:
        at = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for turn in range(PER_SECOND * SECONDS):
                group.create_task(send(turn))
                at += 1 / PER_SECOND
                await asyncio.sleep(max(0.0, at - time.perf_counter()))

    await _again(pair)
    sending = asyncio.create_task(send_steadily())
    await _relay(pair, PER_SECOND * SECONDS, observe)
    await sending
    return [after - before for before, after in zip(committed, sorted(delivered), strict=True)]


async def _again(pair: FabricAndEvm) -> None:
    """Let the bridge move the models that came home once more."""
    await pair._each(
        pair.fabric,
        PER_SECOND * SECONDS // PEOPLE,
        lambda *which: pair.fabric.registry.approve(pair.model(*which), pair.fabric.bridge.account),
    )
