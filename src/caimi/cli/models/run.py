"""`caimi run`: a licensed model runs here, or at a worker that signs a receipt."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caimi.cli.answers import check_places, keep_answer
from caimi.cli.options import (
    ConfigOption,
    JsonOption,
    KeyOption,
    UriArgument,
    guarded,
    with_network,
)
from caimi.cli.waiting import progress_bars, stages

if TYPE_CHECKING:
    from caimi.client.network import AsyncNetwork


class RunEngine(StrEnum):
    """What runs a model here."""

    ONNX = "onnx"
    WASM = "wasm"
    WASM_MVP = "wasm-mvp"
    WASM_F64 = "wasm-f64"
    WASM_INT8 = "wasm-int8"
    REMOTE = "remote"


def run(
    uri: UriArgument,
    inputs: Annotated[Path, typer.Option("--input", "-i", help=".npy, .npz or .json")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help=".npz or .json; default: print JSON.")
    ] = None,
    worker: Annotated[
        str | None, typer.Option(help="URL of a worker, or 'any'; default: run here.")
    ] = None,
    receipt: Annotated[
        Path | None, typer.Option(help="Where to write the worker's receipt.")
    ] = None,
    max_price: Annotated[
        int | None, typer.Option(min=0, help="Refuse a worker that asks more, in smallest units.")
    ] = None,
    engine: Annotated[
        RunEngine, typer.Option(help="What runs it here; see `caimi engines`.")
    ] = RunEngine.ONNX,
    stream: Annotated[
        bool,
        typer.Option("--stream", help="With --engine wasm: weights are opened as they are used."),
    ] = False,
    server: Annotated[
        str | None,
        typer.Option(help="Of --engine remote: http(s):// or grpc(s):// host:port."),
    ] = None,
    server_model: Annotated[
        str | None, typer.Option(help="The model's name there, [name]@[version].")
    ] = None,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run a licensed model here, or have a worker run it and sign a receipt.

    Example: [bold]caimi run caimi:eip155:31337:0x…@1.0.0 -i rows.npy -k bob[/bold]
    """
    if receipt is not None and worker is None:
        raise typer.BadParameter("a receipt comes from a worker: add --worker any")
    if (engine is RunEngine.REMOTE) is (server is None) or (server and worker):
        raise typer.BadParameter("--engine remote needs --server, and nothing else takes it")

    if stream and engine is not RunEngine.WASM:
        raise typer.BadParameter("--stream goes with --engine wasm")

    async def work(net: AsyncNetwork) -> None:
        from caimi.inference.tensor_files import read_tensors

        signed = None
        if server is not None:
            session = await net.open_remote(uri, server, server_model)
            values = read_tensors(inputs, session.inputs)
            outputs = await asyncio.to_thread(session.run, values)
        elif stream:
            from caimi.inference.wasm.hosting.host import ModuleHost

            with ModuleHost() as host:
                session = await net.open_streamed(uri, host)
                values = read_tensors(inputs, session.inputs)
                outputs = await asyncio.to_thread(session.run, values)
        elif worker is None:
            with progress_bars(quiet=as_json) as progress:
                session = await net.load(uri, engine=engine.value, progress=progress)
            outputs = session.run(read_tensors(inputs, session.inputs))
        else:
            shown = await net.show(uri)
            with stages(quiet=as_json) as progress:
                answer = await net.ask(
                    uri,
                    read_tensors(inputs, shown.manifest.inputs),
                    worker=None if worker == "any" else worker,
                    max_price=max_price,
                    progress=progress,
                )
            outputs = answer.outputs
            signed = None if receipt is None else (receipt, answer.receipt)
        keep_answer(outputs, output, signed, as_json=as_json)

    guarded(as_json, lambda: check_places(output, receipt))
    with_network(config, key, as_json, work)
