"""The first time of a local network, step by step: keys, contracts, routes, a committee's key."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from caimi.client.keyring import Keyring
from caimi.config import (
    CONFIG_NAME,
    CommitteeSection,
    Config,
    CustodianSection,
    DeliverySection,
    KeysSection,
    LedgerSection,
    WorkerSection,
)
from caimi.credentials import read_secret_file
from caimi.devnet import processes
from caimi.devnet.ledgers import deploy_and_join, fund_people, written_account
from caimi.devnet.plan import NODES, THRESHOLD, NetworkPlan
from caimi.devnet.processes import Process
from caimi.devnet.programs import (
    GUARDIAN,
    Program,
    ledger_program,
    ledger_services,
    local_url,
    node_program,
    service_programs,
)
from caimi.errors.base import CaimiError
from caimi.errors.node import ProcessFailed
from caimi.keystore import LocalSigner
from caimi.ledgers.port import LastingKind, LedgerService
from caimi.messaging.checkpoint import make_committee
from caimi.node.coordinator import generate_group_key
from caimi.node.members import HttpMember
from caimi.node.settings import MemberSection, NodeSettings
from caimi.places import write_result
from caimi.services.endpoint import Endpoint
from caimi.stored_keys import write_key

READY_SECONDS: Final = 60.0
PASSPHRASE: Final = "passphrase"  # noqa: S105 - the name of a file
USERS: Final = ("alice", "bob", "worker", "relayer", GUARDIAN)
Tell = Callable[[str], None]


class Founding:
    """Makes the network of `plan` in `directory`.

    Each process is in `listed` as soon as it is started.
    """

    def __init__(self, directory: Path, folder: Path, listed: Path, tell: Tell) -> None:
        self._directory = directory
        self._folder = folder
        self._listed = listed
        self._tell = tell
        self.processes: list[Process] = []
        self._passphrase = secrets.token_urlsafe(24).encode()
        self._coordinator = LocalSigner.generate()

    async def run(self, plan: NetworkPlan, kinds: Sequence[LastingKind]) -> None:
        """Do it all, in order.

        Raises:
            ProcessFailed: a process did not become ready.
        """
        processes.save(self._listed, [])
        self._write_passphrase()
        self._tell("making keys")
        keys = KeysSection(
            directory="keys", default="alice", passphrase_file=f"{self._folder.name}/{PASSPHRASE}"
        )
        keyring = Keyring(Config(keys=keys, home=self._directory))
        await asyncio.to_thread(self._make_users, keyring)
        signers = sorted((LocalSigner.generate() for _ in range(NODES)), key=lambda s: s.account)
        async with AsyncExitStack() as stack:
            services = ledger_services(plan, kinds, self._folder)
            sections = await self._start_ledgers(services, keyring, signers)
            members = await self._start_nodes(stack, plan, sections, signers)
            self._tell(f"{NODES} nodes make a key, any {THRESHOLD} of them can use it")
            ordered = [HttpMember(member, self._coordinator) for member in members]
            group = await generate_group_key(ordered, THRESHOLD)
        config = Config(
            ledgers=sections,
            committee=CommitteeSection(
                group_key=f"0x{group.to_bytes().hex()}",
                custodians=[
                    CustodianSection(
                        index=at + 1, url=member.url, account=f"0x{signers[at].account.hex()}"
                    )
                    for at, member in enumerate(members)
                ],
            ),
            keys=keys,
            delivery=DeliverySection(mode="service"),
            workers=[
                WorkerSection(
                    url=local_url(plan.worker),
                    account=written_account(keyring, "worker", sections[0]),
                    ledger=sections[0].id,
                )
            ],
        )
        write_result(self._directory / CONFIG_NAME, config.dump().encode())
        await self._start_services(plan)

    def _write_passphrase(self) -> None:
        file = self._folder / PASSPHRASE
        if file.exists():
            self._passphrase = read_secret_file(file)
            return
        write_key(file, self._passphrase)

    def _make_users(self, keyring: Keyring) -> None:
        known = keyring.names()
        for name in USERS:
            if name not in known:
                keyring.new(name)

    def _start(self, program: Program) -> Process:
        process = processes.start(
            program.name,
            program.command,
            self._folder,
            url=program.url,
            secret=self._passphrase if program.secret else None,
        )
        self.processes.append(process)
        processes.save(self._listed, self.processes)
        return process

    async def _start_ledgers(
        self, services: Sequence[LedgerService], keyring: Keyring, signers: Sequence[LocalSigner]
    ) -> list[LedgerSection]:
        started = []
        for service in services:
            self._tell(f"ledger {service.name}: {service.said}")
            started.append((self._start(ledger_program(service)), service))
        await asyncio.gather(*(self._ready(each, it.wait_ready()) for each, it in started))
        ledgers = [await fund_people(service, keyring, USERS, GUARDIAN) for service in services]
        self._tell("deploying contracts")
        committee = make_committee(0, THRESHOLD, [signer.account for signer in signers])
        return await deploy_and_join(ledgers, committee)

    async def _start_nodes(
        self,
        stack: AsyncExitStack,
        plan: NetworkPlan,
        sections: Sequence[LedgerSection],
        signers: Sequence[LocalSigner],
    ) -> list[Endpoint]:
        members = [
            MemberSection(
                index=at + 1,
                account=f"0x{signer.account.hex()}",
                public_key=f"0x{signer.private_key.public_key.format().hex()}",
            )
            for at, signer in enumerate(signers)
        ]
        started = []
        for number, (port, signer) in enumerate(zip(plan.nodes, signers, strict=True), start=1):
            settings = NodeSettings(
                index=number,
                port=port,
                threshold=THRESHOLD,
                committee=members,
                ledgers=list(sections),
                coordinator=f"0x{self._coordinator.account.hex()}",
            )
            program = node_program(number, port, self._folder)
            await asyncio.to_thread(self._write_node, self._folder / program.name, settings, signer)
            self._tell(f"node {number}: {program.url}")
            endpoint = Endpoint(local_url(port))
            stack.push_async_callback(endpoint.aclose)
            started.append((self._start(program), endpoint))
        for process, endpoint in started:
            await self._ready(process, _answers(endpoint))
        return [endpoint for _, endpoint in started]

    def _write_node(self, home: Path, settings: NodeSettings, signer: LocalSigner) -> None:
        home.mkdir(mode=0o700, exist_ok=True)
        for leftover in home.iterdir():
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        signer.save(home / settings.keystore, self._passphrase)
        write_result(home / "node.toml", settings.dump().encode())

    async def _start_services(self, plan: NetworkPlan) -> None:
        self._tell("relayer, watcher and worker")
        started = [self._start(each) for each in service_programs(plan, self._directory)]
        endpoint = Endpoint(local_url(plan.worker))
        try:
            await self._ready(started[-1], _answers(endpoint))
        finally:
            await endpoint.aclose()
        for process in started:
            if not process.alive:
                raise ProcessFailed(f"{process.name} ended: {process.log_tail()}")

    async def _ready(self, process: Process, answering: Coroutine[None, None, None]) -> None:
        waiting = asyncio.create_task(answering)
        deadline = time.monotonic() + READY_SECONDS
        try:
            while not waiting.done():
                if not process.alive or time.monotonic() > deadline:
                    raise ProcessFailed(f"{process.name} is not ready: {process.log_tail()}")
                await asyncio.wait({waiting}, timeout=0.2)
            await waiting
        finally:
            waiting.cancel()


async def _answers(endpoint: Endpoint) -> None:
    while True:
        try:
            await endpoint.get("/health")
        except CaimiError:
            await asyncio.sleep(0.1)
        else:
            return
