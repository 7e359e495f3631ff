"""The demonstration's world: three ledgers, five nodes, a relayer, a worker and two people.

The nodes are the real ones, spoken to over their HTTP API within this process.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import httpx

from caimi.client.context import Context
from caimi.client.keyring import Identity
from caimi.composition.sandboxes import LEDGERS, kinds_in, start_sandboxes
from caimi.custody.keys import GroupKey
from caimi.errors.operations import UsageError
from caimi.inference.batch import ReceiptWriter
from caimi.inference.onnx_engine import OnnxEngine
from caimi.inference.receipt_store import ReceiptStore
from caimi.inference.worker import Worker
from caimi.keystore import LocalSigner
from caimi.ledgers.port import Committee, Ledger, LedgerId, Sandbox, Signer
from caimi.messaging.checkpoint import make_committee
from caimi.messaging.relayer import Relayer
from caimi.models.signing import PackageSigner
from caimi.node.app import create_app
from caimi.node.consent import Consent
from caimi.node.coordinator import generate_group_key
from caimi.node.members import HttpMember
from caimi.node.node import Node
from caimi.node.serving import LicensedModels
from caimi.node.settings import MemberSection, NodeSettings
from caimi.node.worker_app import create_worker_app
from caimi.persistence import journal_in, open_receipt_store
from caimi.services.custodians import HttpCustodian
from caimi.services.endpoint import Endpoint
from caimi.services.validators import HttpValidator
from caimi.services.workers import HttpWorker
from caimi.storage.local import LocalStore
from caimi.uri import ModelUri

NAME: Final = "demo-model"
"""What the publisher calls the model, on the first ledger."""
NODES: Final = 5
THRESHOLD: Final = 3


@dataclass(slots=True)
class World:
    """Everything the steps act on. `publisher` and `consumer` are two people's contexts."""

    folder: Path
    ledgers: Mapping[LedgerId, Ledger]
    sandboxes: Mapping[LedgerId, Sandbox]
    nodes: Sequence[Node]
    group: GroupKey
    validators: Sequence[HttpValidator]
    relayer: Relayer
    publisher: Context
    consumer: Context
    worker: HttpWorker
    working: Context
    receipts: ReceiptStore
    store: LocalStore
    last_timeout: str = ""

    @property
    def a(self) -> Ledger:
        """The publisher's ledger."""
        return self._ledger(0)

    @property
    def b(self) -> Ledger:
        """The consumer's ledger."""
        return self._ledger(1)

    @property
    def c(self) -> Ledger:
        """A third ledger."""
        return self._ledger(2)

    def _ledger(self, place: int) -> Ledger:
        return list(self.ledgers.values())[place]

    @property
    def names(self) -> list[str]:
        """The ledgers' CAIP-2 ids."""
        return list(self.ledgers)

    async def store_holds(self, plain: bytes) -> bool:
        """Whether any stored object contains a stretch of `plain`."""
        needle = plain[len(plain) // 2 :][:64]
        async for cid in self.store.list():
            if needle in await self.store.get(cid):
                return True
        return False

    async def live_holders(self, model_id: bytes) -> list[str]:
        """Give the ledgers on which somebody holds the model, other than the bridge."""
        holders = []
        for ledger in self.ledgers.values():
            model = await ledger.registry.find(model_id)
            if model is not None and model.owner not in (None, ledger.bridge.account):
                holders.append(str(ledger.id))
        return holders

    async def carry(self) -> None:
        """Let the relayer do one step; rest a moment when there is nothing to carry."""
        if not (await self.relayer.step()).did_anything:
            await asyncio.sleep(0.05)

    async def carry_late(self, ledger: Ledger, seconds: int) -> None:
        """Carry only after `seconds` have passed on `ledger`, so that packets for it are late."""
        await self.sandboxes[ledger.id].pass_time(seconds)
        for carried in (await self.relayer.step()).carried:
            if carried.what == "time out":
                self.last_timeout = carried.receipt.tx


Starting: TypeAlias = Callable[
    [AsyncExitStack, Sequence[Signer], Committee], Awaitable[Sequence[Sandbox]]
]
"""Starts ledgers for some people, joined by routes that believe a committee."""


@asynccontextmanager
async def start_world(kinds: str, folder: Path) -> AsyncIterator[World]:
    """Bring a world up; `kinds` of its ledgers are joined by +, the last for all that remain.

    Raises:
        UsageError: there is no such kind, or there are more than ledgers.
        FamilyUnusable: what is installed for it starts none.
        AnvilMissing: Foundry's anvil is not installed.
    """
    named = _three(kinds)

    async def start(
        stack: AsyncExitStack, people: Sequence[Signer], committee: Committee
    ) -> Sequence[Sandbox]:
        return await start_sandboxes(stack, named, people, committee)

    async with world_over(start, folder) as world:
        yield world


@asynccontextmanager
async def world_over(start: Starting, folder: Path) -> AsyncIterator[World]:
    """Bring a world up over ledgers that somebody starts; raises as that does."""
    coordinator = LocalSigner.generate()
    names = ("publisher", "consumer", "worker", "relayer")
    keys = {name: LocalSigner.generate() for name in names}
    signers = sorted((LocalSigner.generate() for _ in range(NODES)), key=lambda s: s.account)
    committee = make_committee(0, THRESHOLD, [signer.account for signer in signers])
    async with AsyncExitStack() as stack:
        started = await start(stack, list(keys.values()), committee)
        sandboxes = {each.ledger.id: each for each in started}
        ledgers = {name: each.ledger for name, each in sandboxes.items()}
        people = {name: _identity(name, key, sandboxes) for name, key in keys.items()}
        nodes = [_node(at, signers, ledgers, folder, coordinator) for at in range(NODES)]
        endpoints = [
            _endpoint(stack, f"node-{at + 1}", create_app(nodes[at])) for at in range(NODES)
        ]
        ordered = [HttpMember(endpoint, coordinator) for endpoint in endpoints]
        group = await generate_group_key(ordered, THRESHOLD)
        validators = [HttpValidator(endpoint) for endpoint in endpoints]
        relayer = Relayer(ledgers, validators, people["relayer"].signers(ledgers))
        store = LocalStore(folder / "store")

        def context(person: Identity) -> Context:
            journal = journal_in(folder / person.name / "journal.sqlite")
            stack.callback(journal.close)
            return Context(
                ledgers=ledgers,
                store=store,
                journal=journal,
                keys=person,
                group=group,
                custodians=[
                    HttpCustodian(at + 1, signers[at].account, endpoint)
                    for at, endpoint in enumerate(endpoints)
                ],
                carry=lambda: world.carry(),  # noqa: PLW0108 - the world is made below
                index_folder=folder / person.name / "models",
                validators=lambda: validators,
            )

        receipts = open_receipt_store(None, folder / "worker" / "receipts.sqlite")
        stack.callback(receipts.close)
        working = context(people["worker"])
        first = next(iter(ledgers.values()))
        engine = OnnxEngine()
        worker = Worker(
            engine,
            LicensedModels(
                working, engine, folder / "worker" / "models", _consent(working, people)
            ),
            working.wallet(first.id),
            ReceiptWriter(receipts, first.accounts),
            time.time,
        )
        world = World(
            folder=folder,
            ledgers=ledgers,
            sandboxes=sandboxes,
            nodes=nodes,
            group=group,
            validators=validators,
            relayer=relayer,
            publisher=context(people["publisher"]),
            consumer=context(people["consumer"]),
            worker=HttpWorker(_endpoint(stack, "worker", create_worker_app(worker, receipts))),
            working=working,
            receipts=receipts,
            store=store,
        )
        yield world


def _consent(working: Context, people: Mapping[str, Identity]) -> Consent:
    """Have the worker's operator agree to the model by buying it, or by name where nobody sells."""
    home = next(iter(working.ledgers.values()))
    if home.coins is not None:
        return Consent(working, None)
    publisher = people["publisher"].account(home.id)
    model = ModelUri(home.id, home.registry.model_id(publisher, NAME), None)
    return Consent(working, [str(model)])


def _three(kinds: str) -> list[str]:
    named = kinds_in(kinds)
    if len(named) > LEDGERS:
        raise UsageError(f"There are {LEDGERS} ledgers, and {len(named)} kinds: {kinds}.")
    return named


def _identity(name: str, key: LocalSigner, sandboxes: Mapping[LedgerId, Sandbox]) -> Identity:
    keys = {ledger: each.key_of(key) for ledger, each in sandboxes.items()}
    elsewhere = {ledger: other for ledger, other in keys.items() if other is not key}
    return Identity(name, key, PackageSigner.generate(), elsewhere=elsewhere)


def _node(
    at: int,
    signers: Sequence[LocalSigner],
    ledgers: Mapping[LedgerId, Ledger],
    folder: Path,
    coordinator: LocalSigner,
) -> Node:
    members = [
        MemberSection(
            index=index,
            account=f"0x{signer.account.hex()}",
            public_key=f"0x{signer.private_key.public_key.format().hex()}",
        )
        for index, signer in enumerate(signers, start=1)
    ]
    home = folder / f"node-{at + 1}"
    home.mkdir()
    settings = NodeSettings(
        index=at + 1,
        port=1,
        threshold=THRESHOLD,
        committee=members,
        home=home,
        ledgers=[],
        coordinator=f"0x{coordinator.account.hex()}",
    )
    return Node(settings, signers[at], ledgers, secrets.token_bytes(32))


def _endpoint(stack: AsyncExitStack, name: str, app: object) -> Endpoint:
    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
    endpoint = Endpoint(f"http://{name}", transport=transport)
    stack.push_async_callback(endpoint.aclose)
    return endpoint
