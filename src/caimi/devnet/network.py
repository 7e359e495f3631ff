"""Bringing a local network up and down, and telling how it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from caimi.composition.ledgers import prepare_ledger
from caimi.composition.sandboxes import lasting_kind
from caimi.config import CONFIG_NAME, LedgerSection, load_config
from caimi.devnet import processes
from caimi.devnet.processes import Process
from caimi.devnet.start import NAMES, Start, Started
from caimi.errors.base import CaimiError
from caimi.errors.node import DevnetMissing, DevnetRunning
from caimi.errors.operations import UsageError
from caimi.extras import check_extras
from caimi.services.endpoint import Endpoint

FOLDER: Final = ".caimi"
LEDGER: Final = "ledger-"
LEDGERS: Final = ("anvil",) * 3
HEALTH_SECONDS: Final = 3.0


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

    async def up(self, tell: Callable[[str], None], ledgers: Sequence[str] = LEDGERS) -> Started:
        """Start everything, with `ledgers` of these kinds, and write `caimi.toml`.

        What was started is ended again on failure.

        Raises:
            UsageError: there is no such kind, its ledgers do not last, or there are too many.
            DevnetRunning: a network is up here already.
            ProcessFailed: a process did not become ready; its log's end is in the message.
            ExtraMissing, AnvilMissing…: what it needs is not installed.
        """
        if not 1 <= len(ledgers) <= len(NAMES):
            raise UsageError(f"A network has 1 to {len(NAMES)} ledgers, not {len(ledgers)}.")
        kinds = [lasting_kind(name) for name in ledgers]
        if any(process.alive for process in processes.load(self._list)):
            raise DevnetRunning(f"A network is already up in {self.directory}.")
        config_file = self.directory / CONFIG_NAME
        if config_file.exists() and not self.folder.exists():
            raise DevnetRunning(
                f"{config_file} is there and was not written by `caimi devnet`.",
                why="It would be overwritten.",
                next_step="Choose another --directory.",
            )
        check_extras("service", "wasm")  # which its nodes and its worker need
        for kind in kinds:
            kind.check()
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        start = Start(self.directory, self.folder, self._list, kinds, tell)
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
        return await asyncio.gather(
            *(_health(process, self._section(process)) for process in known)
        )

    def _section(self, process: Process) -> LedgerSection | None:
        """Give the section of a ledger that runs as `process`; there is none before all of them do.

        Until then the file is none, or of the last time.
        """
        try:
            config = load_config(self.directory / CONFIG_NAME)
        except CaimiError:
            return None
        for section in config.ledgers:
            told = section.model_dump().values()
            if process.name == f"{LEDGER}{section.name}" and process.url in (None, *told):
                return section
        return None

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


async def _health(process: Process, ledger: LedgerSection | None) -> Health:
    if not process.alive:
        return Health(process.name, process.pid, False, "not running")
    try:
        if ledger is not None:
            detail = await _height(ledger)
        elif process.url is None or process.name.startswith(LEDGER):
            detail = "running"
        else:
            detail = await _answered(process.url)
    except (CaimiError, TimeoutError) as error:
        said = str(error) or f"did not answer within {HEALTH_SECONDS:g} s"
        return Health(process.name, process.pid, False, said)
    return Health(process.name, process.pid, True, detail)


async def _height(section: LedgerSection) -> str:
    ledger = prepare_ledger(section)
    try:
        async with asyncio.timeout(HEALTH_SECONDS):
            return f"block {(await ledger.head()).height}"
    finally:
        await ledger.aclose()


async def _answered(url: str) -> str:
    endpoint = Endpoint(url, timeout=httpx.Timeout(HEALTH_SECONDS))
    try:
        await endpoint.get("/health")
    finally:
        await endpoint.aclose()
    return url
