"""How the processes of a local network are."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import httpx

from caimi.composition.ledgers import prepare_ledger
from caimi.config import CONFIG_NAME, LedgerSection, load_config
from caimi.devnet.processes import Process
from caimi.devnet.programs import LEDGER, SUPERVISOR
from caimi.errors.base import CaimiError
from caimi.ledgers.port import LedgerService
from caimi.services.endpoint import Endpoint

HEALTH_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Health:
    """One process's health. `uptime_seconds` is for how long it has run, `height` a
    ledger's newest block.

    `restarts` is how often it was started again after it had ended by itself.
    """

    name: str
    pid: int | None
    ok: bool
    detail: str
    url: str | None = None
    uptime_seconds: int | None = None
    restarts: int = 0
    height: int | None = None


NO_SUPERVISOR: Final = Health(
    SUPERVISOR, None, ok=False, detail="not running: `up` was interrupted"
)
"""Processes that run without one were started by a command that ended before its time."""


async def health_of(
    known: Sequence[Process], directory: Path, services: Sequence[LedgerService] = ()
) -> list[Health]:
    """Tell how each process is, by asking it; ledgers are found in the directory's `caimi.toml`.

    Of the ledgers of `services` it is told, too, when what they keep gets large.
    """
    sections = _sections(directory)
    health = await asyncio.gather(*(_health(process, sections) for process in known))
    large = {f"{LEDGER}{each.name}": each.outgrown() for each in services}
    return [
        replace(each, detail=f"{each.detail}; {said}") if (said := large.get(each.name)) else each
        for each in health
    ]


async def _health(process: Process, sections: Sequence[LedgerSection]) -> Health:
    def told(detail: str, *, ok: bool = True, height: int | None = None) -> Health:
        seconds = int(process.seconds) if process.alive else None
        return Health(
            process.name, process.pid, ok, detail, process.url, seconds, process.restarts, height
        )

    if not process.alive:
        if process.name == SUPERVISOR:
            return told("not running: nothing is started again", ok=False)
        return told(f"not running: it {process.said}" if process.said else "not running", ok=False)
    section = _section(process, sections)
    try:
        if section is not None:
            height = await _height(section)
            return told(f"block {height}", height=height)
        if process.url is not None and not process.name.startswith(LEDGER):
            await _answered(process.url)
    except (CaimiError, TimeoutError) as error:
        return told(str(error) or f"did not answer within {HEALTH_SECONDS:g} s", ok=False)
    return told("running")


def _sections(directory: Path) -> list[LedgerSection]:
    try:
        return list(load_config(directory / CONFIG_NAME).ledgers)
    except CaimiError:
        return []


def _section(process: Process, sections: Sequence[LedgerSection]) -> LedgerSection | None:
    """Give the section of a ledger that runs as `process`; there is none before all of them do.

    Until then the file is none, or of the last time.
    """
    for section in sections:
        told = section.model_dump().values()
        if process.name == f"{LEDGER}{section.name}" and process.url in (None, *told):
            return section
    return None


async def _height(section: LedgerSection) -> int:
    ledger = prepare_ledger(section)
    try:
        async with asyncio.timeout(HEALTH_SECONDS):
            return (await ledger.head()).height
    finally:
        await ledger.aclose()


async def _answered(url: str) -> None:
    endpoint = Endpoint(url, timeout=httpx.Timeout(HEALTH_SECONDS))
    try:
        await endpoint.get("/health")
    finally:
        await endpoint.aclose()
