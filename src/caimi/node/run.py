"""Running services as processes: a node, a relayer, a worker."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from caimi.client.keyring import Keyring, read_secret_file
from caimi.client.network import AsyncNetwork
from caimi.composition.ledgers import family_of, open_ledgers, open_views, prepare_ledger
from caimi.config import Config, read_toml
from caimi.errors.base import CaimiError
from caimi.errors.operations import UnknownLedger
from caimi.hashing import keccak256
from caimi.inference.batch import ReceiptLog, anchor_receipts
from caimi.inference.batching import BatchLimits
from caimi.inference.confined.limits import OnnxLimits
from caimi.inference.engine import Engine
from caimi.inference.engines import DEFAULT_ENGINE, engine_named
from caimi.inference.onnx_engine import OnnxEngine
from caimi.inference.prices import PriceList
from caimi.inference.worker import Worker
from caimi.ledgers.evm.remote_signer import RemoteSigner
from caimi.ledgers.evm.signer import LocalSigner
from caimi.ledgers.port import Ledger, LedgerId
from caimi.logs import logger
from caimi.messaging.progress import Carried
from caimi.messaging.relayer import Relayer
from caimi.messaging.watcher import PATIENCE_SECONDS, Watcher
from caimi.messaging.witnesses import Witnesses
from caimi.node.app import create_app
from caimi.node.bodies import Bodies
from caimi.node.connections import make_server
from caimi.node.consent import Consent
from caimi.node.http import service
from caimi.node.metrics import RelayerMetrics, WatcherMetrics
from caimi.node.node import Node
from caimi.node.relaying import RelayingPolicy, serve_quotes
from caimi.node.serving import LicensedModels, ServingOptions
from caimi.node.settings import NodeSettings
from caimi.node.worker_app import create_worker_app, grpc_beside
from caimi.persistence import open_receipt_store, open_signed_store
from caimi.services.endpoint import Endpoint
from caimi.services.validators import HttpValidator

_log = logger(__name__)
RELAY_POLL_SECONDS = 0.25
LOOK_BACK_SECONDS = 10.0
MEASURE_SECONDS = 5.0
WATCH_POLL_SECONDS = 2.0


async def run_node(settings_file: Path, passphrase: bytes) -> None:
    """Serve a validator and custodian until the process is told to stop.

    Raises:
        ConfigInvalid, KeyLocked, LedgerUnavailable…: it cannot start.
    """
    settings = read_toml(settings_file, NodeSettings)
    signer = await asyncio.to_thread(LocalSigner.load, settings.path(settings.keystore), passphrase)
    async with AsyncExitStack() as stack:
        ledgers: dict[LedgerId, Ledger] = {}
        witnesses: dict[LedgerId, Witnesses] = {}
        for section in settings.ledgers:
            views = await open_views(stack, section)
            ledgers[LedgerId(section.id)] = next(iter(views.values()))
            witnesses[LedgerId(section.id)] = Witnesses(views, family_of(section).quorum(section))
        attestor = _attestor(settings)
        if attestor is not None:
            stack.callback(attestor.close)
        ibc_signers = {
            LedgerId(section.ledger): await asyncio.to_thread(
                LocalSigner.load, settings.path(section.keystore), passphrase
            )
            for section in settings.ibc_attestors
        }
        node = Node(
            settings,
            signer,
            ledgers,
            passphrase,
            witnesses=witnesses,
            attestor=attestor,
            ibc_signers=ibc_signers,
        )
        await node.open()
        looking = asyncio.create_task(node.look_back(LOOK_BACK_SECONDS))
        try:
            await _serve(create_app(node), settings.host, settings.port)
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)


def _attestor(settings: NodeSettings) -> RemoteSigner | None:
    if settings.signer is None:
        return None
    file = settings.signer.token_file
    token = read_secret_file(settings.path(file)).decode() if file else ""
    account = settings.committee[settings.index - 1].account
    return RemoteSigner(settings.signer.url, bytes.fromhex(account[2:]), token)


def clear_ledger(settings_file: Path, ledger: str) -> str | None:
    """Let a validator sign `ledger` again, and give the reason why it had stopped.

    Raises:
        UnknownLedger: the settings do not list it.
    """
    settings = read_toml(settings_file, NodeSettings)
    section = next((each for each in settings.ledgers if ledger in (each.id, each.name)), None)
    if section is None:
        raise UnknownLedger(f"{settings_file} lists no ledger {ledger!r}.")
    origin = keccak256(prepare_ledger(section).gateway.address)
    store = open_signed_store(settings.database, settings.path(settings.signed))
    try:
        why = store.stopped(origin)
        store.clear(origin)
    finally:
        store.close()
    return why


async def run_relayer(config: Config, key: str, metrics_port: int | None = None) -> None:
    """Carry packets between the configured ledgers until the process is told to stop.

    Raises:
        UnknownLedger, InvalidTurns…: what `[relayer]` says cannot be followed.
    """
    me = Keyring(config).account(key)
    relaying = RelayingPolicy(config, bytes.fromhex(me.removeprefix("0x")))
    caps = relaying.policy.price_caps
    async with (
        AsyncNetwork.connect(config, key=key, price_caps=caps) as network,
        AsyncExitStack() as stack,
    ):
        validators = []
        for custodian in config.committee.custodians if config.committee else ():
            endpoint = Endpoint(custodian.url)
            stack.push_async_callback(endpoint.aclose)
            validators.append(HttpValidator(endpoint))
        metrics = RelayerMetrics()
        signer = network.context.identity.signer

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
            signer,
            policy=relaying.policy,
            observe=observe,
        )

        works = [
            relayer.run(RELAY_POLL_SECONDS, partial(metrics.stepped, list(ledgers))),
            _measure(lambda: metrics.measure(relayer.open_packets, signer.account)),
        ]
        if metrics_port is not None:
            app = service("CAIMI relayer", metrics.registry)
            serve_quotes(app, signer.account, ledgers, relaying)
            works.append(_serve(app, "127.0.0.1", metrics_port))
        await _run_all(*works)


async def run_watcher(
    config: Config,
    key: str,
    patience_seconds: float = PATIENCE_SECONDS,
    metrics_port: int | None = None,
) -> None:
    """Watch the configured ledgers, pausing routes as guardian `key`, until told to stop."""
    async with AsyncExitStack() as stack:
        signer = await asyncio.to_thread(lambda: Keyring(config).open(key).signer)
        ledgers = await open_ledgers(stack, config.ledgers)
        metrics = WatcherMetrics()
        watcher = Watcher(ledgers, signer, patience_seconds=patience_seconds, observe=metrics.found)
        await _run_all(
            watcher.run(WATCH_POLL_SECONDS, metrics.stepped),
            _measure(lambda: metrics.measure(ledgers.values())),
            *_metrics_server("CAIMI watcher", metrics.registry, metrics_port),
        )


async def _measure(measure: Callable[[], Awaitable[None]]) -> None:
    """Measure for ever; a ledger that does not answer is asked again later."""
    while True:
        try:
            await measure()
        except CaimiError as error:
            _log.warning("%s", error)
        await asyncio.sleep(MEASURE_SECONDS)


def _metrics_server(
    title: str, registry: CollectorRegistry, port: int | None
) -> list[Coroutine[None, None, None]]:
    return [] if port is None else [_serve(service(title, registry), "127.0.0.1", port)]


async def _run_all(*works: Coroutine[None, None, None]) -> None:
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

    With `grpc_port` the Open Inference Protocol is served over gRPC, too. `engine` is the name in
    commands of what runs the models.
    """
    async with _network(config, key) as network:
        context = network.context
        home = config.path(config.state) / f"worker-{key}"
        receipts = open_receipt_store(config.database, home / "receipts.sqlite", key)
        serving = config.worker
        prices = PriceList.from_document(serving.prices)
        running: Engine = (
            OnnxEngine(
                serving.threads,
                provider=serving.provider,
                memory_bytes=serving.arena_mib << 20 if serving.arena_mib else None,
                limits=OnnxLimits(
                    run_seconds=serving.run_seconds,
                    memory_bytes=serving.memory_mib << 20 if serving.memory_mib else None,
                ),
            )
            if engine == DEFAULT_ENGINE
            else engine_named(engine, processes=os.cpu_count() or 1)
        )
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
            context.identity.signer,
            ReceiptLog(receipts),
            time.time,
            prices=prices,
            at_once=serving.at_once,
            batches=BatchLimits(
                serving.batch_rows, serving.batch_wait_ms / 1000, serving.batch_kib << 10
            ),
        )

        async def anchor() -> None:
            while True:
                for ledger in context.ledgers.values():
                    try:
                        signer = context.identity.signer_on(ledger.id)
                        await anchor_receipts(receipts, ledger, signer)
                    except CaimiError as error:
                        _log.warning("%s", error)
                await asyncio.sleep(anchor_seconds)

        anchoring = asyncio.create_task(anchor())
        try:
            app = create_worker_app(worker, receipts, bodies=Bodies(serving.at_once))
            async with grpc_beside(app, worker, host, grpc_port, at_once=serving.at_once):
                await _serve(app, host, port)
        finally:
            anchoring.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await anchoring
            receipts.close()


@asynccontextmanager
async def _network(config: Config, key: str) -> AsyncIterator[AsyncNetwork]:
    async with AsyncNetwork.connect(config, key=key) as network:
        yield network


async def _serve(app: FastAPI, host: str, port: int) -> None:
    await make_server(app, host, port).serve()
