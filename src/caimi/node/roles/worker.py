"""A worker: it answers inference requests, and anchors the receipts of its answers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time

from caimi.client.context import Context
from caimi.client.network import AsyncNetwork
from caimi.composition.trust import Trust
from caimi.config import Config, ServingSection, load_config
from caimi.errors.base import CaimiError
from caimi.errors.operations import ConfigInvalid
from caimi.inference.batch import ReceiptWriter, anchor_receipts
from caimi.inference.batching import BatchLimits
from caimi.inference.confined.limits import OnnxLimits
from caimi.inference.engine import DEFAULT_ENGINE, Engine
from caimi.inference.engines import engine_named
from caimi.inference.onnx_engine import OnnxEngine
from caimi.inference.prices import PriceList
from caimi.inference.receipt_store import ReceiptStore
from caimi.inference.worker import Worker
from caimi.ledgers.port import LedgerId
from caimi.logs import logger
from caimi.node.bodies import Bodies
from caimi.node.consent import Consent
from caimi.node.roles.processes import told_by_signals
from caimi.node.serving import LicensedModels, ServingOptions
from caimi.node.worker_app import create_worker_app, grpc_beside
from caimi.persistence import open_receipt_store
from caimi.tls.contexts import ServerTls

_log = logger(__name__)


async def run_worker(
    config: Config,
    key: str,
    host: str,
    port: int,
    anchor_seconds: float,
    grpc_port: int | None = None,
    *,
    engine: str = DEFAULT_ENGINE,
) -> None:
    """Serve inference with the models this key is licensed for, anchoring receipts in batches.

    They are signed and anchored by the key's account on the ledger that ``[serving]`` names, or
    else on the first one. With `grpc_port` the Open Inference Protocol is served over gRPC, too,
    and as the rest: over TLS where the configuration names a certificate.
    `engine` is the name in commands of what runs the models.
    """
    own = Trust(config).own()
    tls = ServerTls(own, ()) if own is not None else None
    async with (
        told_by_signals(lambda: load_config(config.file).logging) as told,
        AsyncNetwork.connect(config, key=key) as network,
    ):
        context = network.context
        home = config.path(config.state) / f"worker-{key}"
        receipts = open_receipt_store(config.database, home / "receipts.sqlite", key)
        serving = config.serving
        prices = PriceList.from_document(serving.prices)
        ledger = _ledger(config)
        running = _engine(serving, engine)
        models = LicensedModels(
            context,
            running,
            home / "models",
            Consent(context, serving.models),
            ServingOptions(
                together=serving.batch_rows > 1 and engine == DEFAULT_ENGINE,
                metered=not prices.is_constant,
                max_bytes=serving.models_mib << 20,
                max_models=serving.models_open,
            ),
        )
        worker = Worker(
            running,
            models,
            context.wallet(ledger),
            ReceiptWriter(receipts, context.ledger(ledger).accounts),
            time.time,
            prices=prices,
            at_once=serving.at_once,
            batches=BatchLimits(
                serving.batch_rows, serving.batch_wait_ms / 1000, serving.batch_kib << 10
            ),
        )
        anchoring = asyncio.create_task(_anchor_always(context, receipts, anchor_seconds))
        try:
            app = create_worker_app(worker, receipts, bodies=Bodies(serving.at_once))
            async with grpc_beside(app, worker, host, grpc_port, at_once=serving.at_once, tls=tls):
                await told.serve(app, host, port, tls=tls)
        finally:
            anchoring.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await anchoring
            receipts.close()


def _ledger(config: Config) -> LedgerId:
    named = config.serving.ledger
    if named is not None:
        return LedgerId(config.ledger(named).id)
    if not config.ledgers:
        raise ConfigInvalid("A worker needs a ledger to anchor receipts on, and there is none.")
    return LedgerId(config.ledgers[0].id)


def _engine(serving: ServingSection, name: str) -> Engine:
    if name != DEFAULT_ENGINE:
        return engine_named(name, processes=os.cpu_count() or 1)
    return OnnxEngine(
        serving.threads,
        provider=serving.provider,
        memory_bytes=serving.arena_mib << 20 if serving.arena_mib else None,
        limits=OnnxLimits(
            run_seconds=serving.run_seconds,
            memory_bytes=serving.memory_mib << 20 if serving.memory_mib else None,
        ),
    )


async def _anchor_always(context: Context, receipts: ReceiptStore, every_seconds: float) -> None:
    """Anchor for ever; what failed on one ledger is tried again with the next batch."""
    while True:
        for ledger in context.ledgers.values():
            try:
                signer = context.identity.signer_on(ledger.id)
                await anchor_receipts(receipts, ledger, signer)
            except CaimiError as error:
                _log.warning("%s", error)
        await asyncio.sleep(every_seconds)
