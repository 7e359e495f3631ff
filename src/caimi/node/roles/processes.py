"""What the roles' processes have in common: works that end together, metrics, a served port."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Final

from fastapi import FastAPI

from caimi.errors.base import CaimiError
from caimi.logs import logger
from caimi.node.connections import make_server

MEASURE_SECONDS: Final = 5.0
METRICS_HOST: Final = "127.0.0.1"

_log = logger(__name__)


async def run_all(*works: Coroutine[None, None, None]) -> None:
    """Run until one ends or fails, and then end the others."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def measure_always(measure: Callable[[], Awaitable[None]]) -> None:
    """Measure for ever; a ledger that does not answer is asked again later."""
    while True:
        try:
            await measure()
        except CaimiError as error:
            _log.warning("%s", error)
        await asyncio.sleep(MEASURE_SECONDS)


async def serve(app: FastAPI, host: str, port: int) -> None:
    """Serve until the process is told to stop."""
    await make_server(app, host, port).serve()
