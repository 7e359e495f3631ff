"""What runs on the hosts of `bench.wan`: a publisher, a worker, and who asks it.

Each prints a JSON list of seconds, but the worker, which serves until it is killed. The worker
waits for `asked.json` in the folder, which says what the version is that it will be asked for.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import tempfile
import time
from pathlib import Path

import onnx

from bench.inference import OneModel
from bench.network import anvil_at
from bench.publishing import publish_many
from caimi.client.batch import PublicationBatcher
from caimi.client.inference import ask_worker
from caimi.datasets import train
from caimi.errors.node import NodeUnreachable
from caimi.inference.batch import ReceiptWriter
from caimi.inference.onnx_engine import OnnxEngine
from caimi.inference.worker import ServedModel, Worker
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.abi.accounts import EvmAccounts
from caimi.ledgers.port import LedgerId
from caimi.node.connections import make_server
from caimi.node.worker_app import create_worker_app
from caimi.persistence import open_receipt_store
from caimi.services.endpoint import Endpoint
from caimi.services.workers import HttpWorker
from caimi.tls.contexts import ServerTls, TlsFiles
from caimi.uri import ModelUri
from organisations import Organisation

QUESTIONS = 200
PUBLICATIONS, AT_ONCE = 20_000, 2_000
HOST = "worker.example"


async def publish(url: str, folder: Path) -> list[float]:
    """Publish thousands at once on the ledger at `url`."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        async with anvil_at(url, Path(name)) as (context, ledger):
            batcher = PublicationBatcher(context, ledger.id)
            seconds, _ = await publish_many(batcher, PUBLICATIONS, AT_ONCE)
    return seconds


async def ask(url: str, folder: Path, port: int) -> list[float]:
    """Ask the worker one question after another."""
    trained = train("breast-cancer", seed=0)
    rows = trained.holdout_x
    name_of_rows = onnx.load_from_string(trained.onnx).graph.input[0].name
    ours = Organisation(folder, "Ours")
    with tempfile.TemporaryDirectory(dir=folder) as name:
        async with anvil_at(url, Path(name)) as (context, ledger):
            manifest = secrets.token_bytes(32)
            signer = context.identity.signer
            await ledger.submit(ledger.registry.publish("asked", "1.0.0", manifest), signer)
            wallet = context.wallet(LedgerId(ledger.id))
            model = ledger.registry.model_id(wallet.account, "asked")
            uri = ModelUri(ledger.id, model, "1.0.0")
            said = {"uri": str(uri), "manifest": manifest.hex()}
            ours.issue("worker", HOST)
            folder.joinpath("asked.part").write_text(json.dumps(said))
            folder.joinpath("asked.part").rename(folder / "asked.json")
            endpoint = Endpoint(f"https://{HOST}:{port}", tls=ours.client(name=None))
            await _answers(endpoint)
            await endpoint.aclose()
            endpoint = Endpoint(f"https://{HOST}:{port}", tls=ours.client(name=None))
            worker, seconds = HttpWorker(endpoint), []
            for number in range(QUESTIONS):
                row = number % len(rows)
                began = time.perf_counter()
                await ask_worker(context, worker, uri, {name_of_rows: rows[row : row + 1]})
                seconds.append(time.perf_counter() - began)
            await endpoint.aclose()
    return seconds


async def serve(folder: Path, port: int) -> None:
    """Serve the version that `asked.json` names, as a worker does: receipts signed and on disk."""
    said = json.loads(await asyncio.to_thread(_wait_for, folder / "asked.json"))
    uri = ModelUri.parse(said["uri"])
    file = folder / "model.onnx"
    file.write_bytes(train("breast-cancer", seed=0).onnx)
    engine = OnnxEngine()
    served = ServedModel(uri, bytes.fromhex(said["manifest"]), engine.load(file), False)
    store = open_receipt_store(None, folder / "receipts.sqlite")
    accounts = EvmAccounts(LedgerId(uri.ledger))
    worker = Worker(
        engine,
        OneModel(served),
        accounts.wallet(LocalSigner.generate()),
        ReceiptWriter(store, accounts),
        time.time,
    )
    own = TlsFiles(folder / "Ours" / "worker.pem", folder / "Ours" / "worker.key")
    app = create_worker_app(worker, store)
    await make_server(app, "0.0.0.0", port, tls=ServerTls(own, ())).serve()


def _wait_for(file: Path) -> str:
    while not file.exists():
        time.sleep(0.05)
    return file.read_text()


async def _answers(endpoint: Endpoint) -> None:
    while True:
        try:
            await endpoint.get("/health")
        except NodeUnreachable:
            await asyncio.sleep(0.1)
        else:
            return


async def main(what: str, *words: str) -> None:
    """Run one of them."""
    if what == "publish":
        seconds = await publish(words[0], Path(words[1]))
    elif what == "ask":
        seconds = await ask(words[0], Path(words[1]), int(words[2]))
    else:
        await serve(Path(words[0]), int(words[1]))
        return
    sys.stdout.write(json.dumps(seconds))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
