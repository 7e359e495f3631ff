"""One bring-up of a local network, step by step."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
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
from caimi.devnet.processes import Process
from caimi.errors.base import CaimiError
from caimi.errors.node import ProcessFailed
from caimi.keystore import LocalSigner
from caimi.ledgers.port import LastingKind
from caimi.loopback import free_port
from caimi.messaging.checkpoint import make_committee
from caimi.node.coordinator import generate_group_key
from caimi.node.members import HttpMember
from caimi.node.settings import MemberSection, NodeSettings
from caimi.services.endpoint import Endpoint

NAMES: Final = "abcdefghijklmnopqrstuvwxyz"
"""Of the ledgers, in order."""
NODES: Final = 5
THRESHOLD: Final = 3
READY_SECONDS: Final = 60.0
GUARDIAN: Final = "guardian"
USERS: Final = ("alice", "bob", "worker", "relayer", GUARDIAN)


@dataclass(frozen=True, slots=True)
class Started:
    """What a user needs to know of a network that is up."""

    config: Path
    accounts: dict[str, str]


class Start:
    """Brings a network with ledgers of some `kinds` up in `directory`.

    Each process is in `listed` as soon as it is started.
    """

    def __init__(
        self,
        directory: Path,
        folder: Path,
        listed: Path,
        kinds: Sequence[LastingKind],
        tell: Callable[[str], None],
    ) -> None:
        self._directory = directory
        self._folder = folder
        self._listed = listed
        self._kinds = kinds
        self._tell = tell
        self.processes: list[Process] = []
        self._passphrase = secrets.token_urlsafe(24).encode()
        self._coordinator = LocalSigner.generate()

    async def run(self) -> Started:
        """Do it all, in order.

        Raises:
            ProcessFailed: a process did not become ready.
        """
        processes.save(self._listed, [])
        self._write_passphrase()
        self._tell("making keys")
        keys = KeysSection(
            directory="keys", default="alice", passphrase_file=f"{self._folder.name}/passphrase"
        )
        keyring = Keyring(Config(keys=keys, home=self._directory))
        accounts = await asyncio.to_thread(self._make_users, keyring)
        signers = sorted((LocalSigner.generate() for _ in range(NODES)), key=lambda s: s.account)
        async with AsyncExitStack() as stack:
            sections = await self._start_ledgers(keyring, signers)
            members = await self._start_nodes(stack, sections, signers)
            self._tell(f"{NODES} nodes make a key, any {THRESHOLD} of them can use it")
            ordered = [HttpMember(member, self._coordinator) for member in members]
            group = await generate_group_key(ordered, THRESHOLD)
        port = free_port()
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
                    url=f"http://127.0.0.1:{port}",
                    account=written_account(keyring, "worker", sections[0]),
                    ledger=sections[0].id,
                )
            ],
        )
        file = self._directory / CONFIG_NAME
        file.write_text(config.dump(), encoding="utf-8")
        await self._start_services(file, port)
        return Started(file, {name: accounts[name] for name in ("alice", "bob")})

    def _write_passphrase(self) -> None:
        file = self._folder / "passphrase"
        if file.exists():
            self._passphrase = read_secret_file(file)
            return
        file.touch(mode=0o600)
        file.write_bytes(self._passphrase)

    def _make_users(self, keyring: Keyring) -> dict[str, str]:
        known = keyring.names()
        return {
            name: keyring.account(name)
            if name in known
            else f"0x{keyring.new(name).signer.account.hex()}"
            for name in USERS
        }

    def _start(
        self, name: str, command: Sequence[str], url: str | None, secret: bytes | None = None
    ) -> Process:
        process = processes.start(name, command, self._folder, url=url, secret=secret)
        self.processes.append(process)
        processes.save(self._listed, self.processes)
        return process

    async def _start_ledgers(
        self, keyring: Keyring, signers: Sequence[LocalSigner]
    ) -> list[LedgerSection]:
        ledgers = []
        for place, kind in enumerate(self._kinds):
            service = kind.service(place, NAMES[place])
            self._tell(f"ledger {NAMES[place]}: {service.said}")
            process = self._start(f"ledger-{NAMES[place]}", service.command, service.url)
            await self._ready(process, service.wait_ready())
            ledgers.append(await fund_people(service, keyring, USERS, GUARDIAN))
        self._tell("deploying contracts")
        committee = make_committee(0, THRESHOLD, [signer.account for signer in signers])
        return await deploy_and_join(ledgers, committee)

    async def _start_nodes(
        self,
        stack: AsyncExitStack,
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
        endpoints = []
        for at, signer in enumerate(signers):
            settings = NodeSettings(
                index=at + 1,
                port=free_port(),
                threshold=THRESHOLD,
                committee=members,
                ledgers=list(sections),
                coordinator=f"0x{self._coordinator.account.hex()}",
            )
            home = self._folder / f"node-{at + 1}"
            await asyncio.to_thread(self._write_node, home, settings, signer)
            url = f"http://127.0.0.1:{settings.port}"
            self._tell(f"node {at + 1}: {url}")
            command = [*_caimi(), "service", "node", str(home / "node.toml")]
            process = self._start(f"node-{at + 1}", command, url, self._passphrase)
            endpoint = Endpoint(url)
            stack.push_async_callback(endpoint.aclose)
            endpoints.append(endpoint)
        for process, endpoint in zip(self.processes[-NODES:], endpoints, strict=True):
            await self._ready(process, _answers(endpoint))
        return endpoints

    def _write_node(self, home: Path, settings: NodeSettings, signer: LocalSigner) -> None:
        home.mkdir(mode=0o700, exist_ok=True)
        for leftover in home.iterdir():
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        signer.save(home / settings.keystore, self._passphrase)
        (home / "node.toml").write_text(settings.dump(), encoding="utf-8")

    async def _start_services(self, config: Path, port: int) -> None:
        self._tell("relayer, watcher and worker")
        common = ["--config", str(config), "--key"]
        relayer = self._start(
            "relayer", [*_caimi(), "service", "relayer", *common, "relayer"], None
        )
        watcher = self._start("watcher", [*_caimi(), "service", "watcher", *common, GUARDIAN], None)
        url = f"http://127.0.0.1:{port}"
        worker = self._start(
            "worker", [*_caimi(), "service", "worker", *common, "worker", f"--port={port}"], url
        )
        endpoint = Endpoint(url)
        try:
            await self._ready(worker, _answers(endpoint))
        finally:
            await endpoint.aclose()
        for process in (relayer, watcher):
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


def _caimi() -> list[str]:
    return [sys.executable, "-m", "caimi.cli"]
