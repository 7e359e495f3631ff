"""Bringing a local network up and down, and telling how it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from caimi.config import CONFIG_NAME
from caimi.devnet import processes
from caimi.devnet.processes import Process
from caimi.devnet.start import Start, Started
from caimi.errors.base import CaimiError
from caimi.errors.node import DevnetMissing, DevnetRunning
from caimi.ledgers.evm.anvil import find_anvil
from caimi.services.endpoint import Endpoint

FOLDER: Final = ".caimi"
HEALTH_TIMEOUT: Final = httpx.Timeout(3.0)
BLOCK_NUMBER: Final = '{"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}'


@dataclass(frozen=True, slots=True)
class Health:
    """One process's health."""

    name: str
    pid: int
    ok: bool
    detail: str


class Devnet:
    """The local network whose files are in `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.resolve()
        self.folder = self.directory / FOLDER
        self._list = self.folder / "processes.json"

    async def up(self, tell: Callable[[str], None]) -> Started:
        """Start everything and write `caimi.toml`; what was started is ended again on failure.

        Raises:
            DevnetRunning: a network is up here already.
            ProcessFailed: a process did not become ready; its log's end is in the message.
            AnvilMissing: Foundry's anvil is not installed.
        """
        if any(process.alive for process in processes.load(self._list)):
            raise DevnetRunning(f"A network is already up in {self.directory}.")
        config_file = self.directory / CONFIG_NAME
        if config_file.exists() and not self.folder.exists():
            raise DevnetRunning(
                f"{config_file} is there and was not written by `caimi devnet`.",
                why="It would be overwritten.",
                next_step="Choose another --directory.",
            )
        find_anvil()
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        start = Start(self.directory, self.folder, self._list, tell)
        try:
            return await start.run()
        except BaseException:
            processes.stop(start.processes)
            raise

    async def status(self) -> list[Health]:
        """Tell how every process is.

        Raises:
            DevnetMissing: no network was started here.
        """
        known = processes.load(self._list)
        if not known:
            raise DevnetMissing(f"No network was started in {self.directory}.")
        return await asyncio.gather(*(_health(process) for process in known))

    def down(self) -> list[str]:
        """End what `up` started, and say what was ended.

        Raises:
            DevnetMissing: no network was started here.
        """
        known = processes.load(self._list)
        if not known:
            raise DevnetMissing(f"No network was started in {self.directory}.")
        alive = [process.name for process in known if process.alive]
        processes.stop(list(reversed(known)))
        self._list.unlink()
        return alive


async def _health(process: Process) -> Health:
    if not process.alive:
        return Health(process.name, process.pid, False, "not running")
    if process.url is None:
        return Health(process.name, process.pid, True, "running")
    endpoint = Endpoint(process.url, timeout=HEALTH_TIMEOUT)
    try:
        if process.name.startswith("ledger-"):
            answer = await endpoint.post("/", BLOCK_NUMBER)
            return Health(
                process.name, process.pid, True, f"block {int(str(answer['result']), 16)}"
            )
        await endpoint.get("/health")
        return Health(process.name, process.pid, True, process.url)
    except (CaimiError, KeyError, ValueError) as error:
        return Health(process.name, process.pid, False, str(error))
    finally:
        await endpoint.aclose()
