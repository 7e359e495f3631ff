"""A watcher: it compares deliveries with their sources, and pauses a route where they differ."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Final

from caimi.client.keyring import Keyring
from caimi.composition.ledgers import open_ledgers
from caimi.config import Config, load_config
from caimi.ledgers.port import LedgerId
from caimi.messaging.watcher import PATIENCE_SECONDS, Watcher
from caimi.node.http import service
from caimi.node.metrics import WatcherMetrics
from caimi.node.roles.processes import METRICS_HOST, measure_always, told_by_signals

POLL_SECONDS: Final = 2.0


async def run_watcher(
    config: Config,
    key: str,
    patience_seconds: float = PATIENCE_SECONDS,
    metrics_port: int | None = None,
) -> None:
    """Watch the configured ledgers, pausing routes as guardian `key`, until told to stop.

    Raises:
        KeyMissing, KeyLocked: the key cannot be opened, or there is none for one of the ledgers.
    """
    identity = await asyncio.to_thread(Keyring(config).open, key)
    signers = identity.signers(LedgerId(section.id) for section in config.ledgers)
    async with (
        told_by_signals(lambda: load_config(config.file).logging) as told,
        AsyncExitStack() as stack,
    ):
        ledgers = await open_ledgers(stack, config.ledgers)
        metrics = WatcherMetrics()
        watcher = Watcher(
            ledgers, signers, patience_seconds=patience_seconds, observe=metrics.found
        )
        works = [
            watcher.run(POLL_SECONDS, metrics.stepped),
            measure_always(lambda: metrics.measure(ledgers.values())),
        ]
        if metrics_port is not None:
            app = service("CAIMI watcher", metrics.registry)
            works.append(told.serve(app, METRICS_HOST, metrics_port))
        await told.run_all(*works)
