"""Running a model one holds, and having a worker run it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from caimi.client.context import Context
from caimi.client.pull import Pulled
from caimi.client.resolve import fetch_manifest, resolve
from caimi.errors.inference import ModelNotRunnable, PriceTooHigh, ReceiptInvalid
from caimi.inference.engine import DEFAULT_ENGINE, Session
from caimi.inference.engines import engine_named
from caimi.inference.inclusion import Inclusion
from caimi.inference.oip.names import protocol_name
from caimi.inference.prices import Offer
from caimi.inference.receipt import NONCE_BYTES, SignedReceipt
from caimi.inference.tensors import Array, Tensors, hash_tensors
from caimi.uri import ModelUri


@dataclass(frozen=True, slots=True)
class WorkerAnswer:
    """A worker's outputs and receipt, the receipt checked against both."""

    outputs: dict[str, Array]
    receipt: SignedReceipt


class WorkerClient(Protocol):
    """A way to one worker; raises `CaimiError` when it gives no answer."""

    async def infer(
        self, uri: ModelUri, inputs: Tensors, nonce: bytes
    ) -> tuple[dict[str, Array], SignedReceipt]:
        """Have the version run."""
        ...

    async def offer(self, uri: ModelUri, inputs: Tensors) -> Offer:
        """Ask what the answer would cost."""
        ...

    async def inclusion(self, digest: bytes) -> Inclusion:
        """Ask for the proof that the receipt of a digest is in an anchored batch."""
        ...


def onnx_file(pulled: Pulled) -> Path:
    """Give the one ONNX file of a pulled version.

    Raises:
        ModelNotRunnable: there is none, or several.
    """
    found = [path for path in pulled.files if path.endswith(".onnx")]
    if len(found) != 1:
        raise ModelNotRunnable(f"{pulled.uri} holds {len(found)} ONNX files, not one.")
    return pulled.directory / found[0]


def open_session(pulled: Pulled, engine: str = DEFAULT_ENGINE) -> Session:
    """Open a pulled version in an engine of this machine, by its name in commands; blocking.

    Raises:
        ModelNotRunnable: the engine does not take it, or there is no such engine.
        CompilerFailed: it could not be compiled for the engine.
    """
    return engine_named(engine).load(onnx_file(pulled))


async def open_remote(
    context: Context, uri: str | ModelUri, server: str, model: str | None = None
) -> Session:
    """Open a version that a server of the Open Inference Protocol runs; no licence is needed.

    `model` is its name there, ``name`` or ``name@version``; by default what a worker calls it. The
    server's signature must be the one of the version's manifest.

    Raises:
        UsageError: `server` is no URL of one.
        RemoteModelDiffers: it has no such model, or one of another signature.
        RemoteUnreachable, RemoteAnswerInvalid: it gives no answer, or none that is one.
    """
    resolved = await resolve(context, uri)
    manifest = await fetch_manifest(context, resolved)
    if model is None:
        model = f"{protocol_name(resolved.uri)}@{resolved.uri.selector}"
    name, _, version = model.partition("@")
    from caimi.inference.oip.remote import RemoteEngine  # noqa: PLC0415 - loads slowly

    engine = RemoteEngine(server, name, version)
    return await asyncio.to_thread(engine.open, manifest.inputs, manifest.outputs)


async def ask_worker(
    context: Context,
    worker: WorkerClient,
    uri: str | ModelUri,
    inputs: Tensors,
    *,
    max_price: int | None = None,
) -> WorkerAnswer:
    """Have a worker run a version, and check that its receipt is about exactly this answer.

    With `max_price`, in the smallest unit, the worker is asked for its offer first: nothing is sent
    to one that asks more, and the receipt must say the price that was offered.

    Raises:
        PriceTooHigh: the worker asks more than `max_price`.
        ReceiptInvalid: the receipt is of another model, input, output, request or price, or not
            signed.
        UnknownLedger: the worker's account is of a ledger that is not configured.
        NodeUnreachable, NodeRefused: the worker gave no answer.
    """
    resolved = await resolve(context, uri)
    offered: int | None = None
    if max_price is not None:
        offered = (await worker.offer(resolved.uri, inputs)).price
        if offered > max_price:
            raise PriceTooHigh(f"The worker asks {offered}; at most {max_price} is allowed.")
    nonce = secrets.token_bytes(NONCE_BYTES)
    outputs, signed = await worker.infer(resolved.uri, inputs, nonce)
    said = signed.receipt
    signed.verify(context.ledger(said.worker_ledger).accounts)
    wrong = _differences(
        (
            ("ledger", said.ledger, resolved.uri.ledger),
            ("model", said.model_id, resolved.model.model_id),
            ("version", said.version, resolved.version.version),
            ("manifest", said.manifest, resolved.version.manifest),
            ("input", said.input_hash, hash_tensors(inputs)),
            ("output", said.output_hash, hash_tensors(outputs)),
            ("request", said.nonce, nonce),
            ("price", said.price, said.price if offered is None else offered),
        )
    )
    if wrong:
        raise ReceiptInvalid(f"The worker's receipt is of another {', '.join(wrong)}.")
    return WorkerAnswer(outputs, signed)


def _differences(facts: Sequence[tuple[str, object, object]]) -> list[str]:
    return [name for name, said, expected in facts if said != expected]
