"""What the roles' processes have in common: works that end together, a served port, signals.

SIGTERM and SIGINT have a process finish: it takes nothing new, answers what it was asked, within
`caimi.node.connections.DRAIN_SECONDS`, and closes what it has open; a second one ends it at once.
SIGHUP has it read its certificates, trusted authorities and log level again.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI

from caimi import __version__
from caimi.config import LoggingSection
from caimi.errors.base import CaimiError
from caimi.logs import logger, set_level
from caimi.loopback import is_loopback
from caimi.node.connections import make_server
from caimi.tls.contexts import ServerTls, all_warnings, reload_all

MEASURE_SECONDS: Final = 5.0
METRICS_HOST: Final = "127.0.0.1"
TELL_SECONDS: Final = 24 * 3600.0
"""Between two warnings of one certificate that expires soon."""

_log = logger(__name__)


class ServiceProcess:
    """What this process has been told by signals; see `told_by_signals`."""

    def __init__(self, read_logging: Callable[[], LoggingSection]) -> None:
        self._read_logging = read_logging
        self._stopping = asyncio.Event()
        self._main = asyncio.current_task()

    def stop(self) -> None:
        """Have everything finish; the second time, end."""
        if self._stopping.is_set() and self._main is not None:
            self._main.cancel()
            return
        _log.info("Told to stop: finishing what is under way.")
        self._stopping.set()

    def reload(self) -> None:
        """Read again what can be read again while the process runs; the rest stays as it was."""
        for error in reload_all():
            _log.error("Not read again, and as it was before: %s %s", error, error.next_step)
        try:
            set_level(self._read_logging().level)
        except CaimiError as error:
            _log.error("The log's level is as it was before: %s", error)
        _log.info("Read certificates and the log's level again.")

    async def run_all(self, *works: Coroutine[None, None, None]) -> None:
        """Run until one ends or fails or the process is told to stop, and then end the others."""
        tasks = [asyncio.create_task(work) for work in works]
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            done, _ = await asyncio.wait({*tasks, stopping}, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopping}:
                task.result()
        finally:
            for task in (stopping, *tasks):
                task.cancel()
            await asyncio.gather(stopping, *tasks, return_exceptions=True)

    async def serve(
        self, app: FastAPI, host: str, port: int, *, tls: ServerTls | None = None
    ) -> None:
        """Serve until the process is told to stop, and every request has its answer."""
        _log.info(
            "CAIMI %s serves %s on %s, port %d",
            __version__,
            "plain HTTP" if tls is None else "HTTPS",
            host,
            port,
        )
        if tls is None and not is_loopback(host):
            _log.warning(
                "Plain HTTP on %s: whoever is on the way reads and changes it. Set [tls].", host
            )
        server = make_server(app, host, port, tls=tls)
        serving = asyncio.create_task(server.serve())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            server.should_exit = True
            await serving
        finally:
            for task in (stopping, serving):
                task.cancel()
            await asyncio.gather(stopping, serving, return_exceptions=True)


@asynccontextmanager
async def told_by_signals(
    read_logging: Callable[[], LoggingSection],
) -> AsyncIterator[ServiceProcess]:
    """Listen to signals while the block runs; `read_logging` reads the settings again.

    Outside of a process's main thread there are no signals to listen to.
    """
    told, loop = ServiceProcess(read_logging), asyncio.get_running_loop()
    meanings = {
        signal.SIGTERM: told.stop,
        signal.SIGINT: told.stop,
        signal.SIGHUP: told.reload,
    }
    heard: list[signal.Signals] = []
    with contextlib.suppress(ValueError, RuntimeError):
        for number, meaning in meanings.items():
            loop.add_signal_handler(number, meaning)
            heard.append(number)
    telling = asyncio.create_task(_tell_of_ends())
    try:
        yield told
    finally:
        telling.cancel()
        for number in heard:
            loop.remove_signal_handler(number)


async def _tell_of_ends() -> None:
    """Say each day which certificates end soon; what is loaded says so itself."""
    while True:
        await asyncio.sleep(TELL_SECONDS)
        for text in all_warnings():
            _log.warning("%s", text)


async def measure_always(measure: Callable[[], Awaitable[None]]) -> None:
    """Measure for ever; a ledger that does not answer is asked again later."""
    while True:
        try:
            await measure()
        except CaimiError as error:
            _log.warning("%s", error)
        await asyncio.sleep(MEASURE_SECONDS)
