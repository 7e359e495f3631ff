"""A relayer: it carries packets between the configured ledgers, and quotes what that costs."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial
from typing import Final

from caimi.client.keyring import Keyring
from caimi.client.network import AsyncNetwork
from caimi.composition.committee import reach_nodes
from caimi.config import Config, load_config
from caimi.ledgers.port import LedgerId
from caimi.logs import logger
from caimi.messaging.progress import Carried
from caimi.messaging.relayer import Relayer
from caimi.node.http import service
from caimi.node.metrics import RelayerMetrics
from caimi.node.relaying import RelayingPolicy, serve_quotes
from caimi.node.roles.processes import METRICS_HOST, measure_always, told_by_signals
from caimi.services.validators import HttpValidator

POLL_SECONDS: Final = 0.25

_log = logger(__name__)


async def run_relayer(config: Config, key: str, metrics_port: int | None = None) -> None:
    """Carry packets between the configured ledgers until the process is told to stop.

    Raises:
        KeyMissing: there is no such key, or it has none on one of the ledgers.
        UnknownLedger, InvalidTurns…: what `[relayer]` says cannot be followed.
    """
    keyring, ids = Keyring(config), [LedgerId(section.id) for section in config.ledgers]
    accounts = {ledger: keyring.account_on(ledger, key) for ledger in ids}
    relaying = RelayingPolicy(config, accounts)
    caps = relaying.policy.price_caps
    async with (
        told_by_signals(lambda: load_config(config.file).logging) as told,
        AsyncNetwork.connect(config, key=key, price_caps=caps) as network,
        AsyncExitStack() as stack,
    ):
        nodes = reach_nodes(stack, config).values()
        validators = [HttpValidator(endpoint) for endpoint in nodes]
        metrics = RelayerMetrics()

        def observe(carried: Carried) -> None:
            metrics.carried(carried)
            _log.info(
                "%s: %d packets of %s, %s on %s",
                carried.what,
                carried.packets,
                carried.route.client_id,
                carried.receipt.tx,
                carried.receipt.ledger,
            )

        ledgers = network.context.ledgers
        relayer = Relayer(
            ledgers,
            metrics.counted(validators),
            network.context.identity.signers(ledgers),
            policy=relaying.policy,
            observe=observe,
        )

        works = [
            relayer.run(POLL_SECONDS, partial(metrics.stepped, list(ledgers))),
            measure_always(lambda: metrics.measure(relayer.open_packets)),
        ]
        if metrics_port is not None:
            app = service("CAIMI relayer", metrics.registry)
            serve_quotes(app, accounts, ledgers, relaying)
            works.append(told.serve(app, METRICS_HOST, metrics_port))
        await told.run_all(*works)
