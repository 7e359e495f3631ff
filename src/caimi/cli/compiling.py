"""`caimi compile` and `caimi engines`: models as WebAssembly, and what can run models here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from caimi.cli.options import JsonOption, guarded
from caimi.cli.output import err, facts, print_json, table
from caimi.places import check_file_place, write_result

_MEGABYTE = 1_000_000


def compile_command(
    model: Annotated[Path, typer.Argument(help="An ONNX file.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Where to write; default: model.wasm beside it."),
    ] = None,
    variant: Annotated[str, typer.Option(help="simd, mvp, f64 or int8; see `caimi engines`.")] = (
        "simd"
    ),
    sizes: Annotated[
        list[str] | None,
        typer.Option("--size", help="A size for an open dimension: rows=8. Repeatable."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compile an ONNX file to one WebAssembly module: the same answers, bit for bit, everywhere.

    The module reads its weights from the ONNX file: keep and publish both together. A model that
    treats the rows of its input one by one takes any number of rows.

    Example: [bold]caimi compile model.onnx[/bold]
    """

    def work() -> None:
        from time import perf_counter

        from caimi.inference.wasm.compiling.apart import compile_apart
        from caimi.inference.wasm.compiling.sizes import sizes_of
        from caimi.inference.wasm.compiling.variants import VARIANTS

        if variant not in VARIANTS:
            raise typer.BadParameter(f"{variant!r} is none of {', '.join(VARIANTS)}")
        target = output or model.with_suffix(".wasm")
        if target.resolve().parent != model.resolve().parent:
            raise typer.BadParameter("the module must lie beside its ONNX file")
        check_file_place(target)
        began = perf_counter()
        with err.status("Compiling…"):
            made = compile_apart(model, VARIANTS[variant], shapes=sizes_of(model, sizes or []))
        for name, data in made.beside.items():
            write_result(target.parent / name, data)
        write_result(target, made.module.wasm)
        said = made.module.metadata
        seconds = perf_counter() - began
        if as_json:
            print_json(
                {
                    "ok": True,
                    "module": target,
                    "sha256": made.module.sha256,
                    "engine": said.engine,
                    "bytes": len(made.module.wasm),
                    "rows": said.rows,
                    "inputs": [tensor.to_json() for tensor in said.inputs],
                    "outputs": [tensor.to_json() for tensor in said.outputs],
                    "weight_bytes": said.weight_bytes,
                    "arena_bytes": said.arena_bytes,
                    "seconds": seconds,
                }
            )
            return
        facts(
            f"Compiled {target} in {seconds:.1f} s",
            {
                "engine": said.engine,
                "sha256": made.module.sha256.hex(),
                "takes": ", ".join(map(str, said.inputs)),
                "gives": ", ".join(map(str, said.outputs)),
                "rows": f"any number of {said.rows}, one by one" if said.rows else "as above",
                "code": f"{len(made.module.wasm) / 1000:,.1f} kB",
                "weights": f"{said.weight_bytes / _MEGABYTE:,.2f} MB, read from files beside it",
                "memory": f"{said.arena_bytes / _MEGABYTE:,.2f} MB between operators",
            },
        )

    guarded(as_json, work)


def engines(as_json: JsonOption = False) -> None:
    """Show what can run models on this machine, with the ids that receipts name.

    Engines of one answer id give the same bits, on every machine.

    Example: [bold]caimi engines[/bold]
    """

    def work() -> None:
        from caimi.inference.engines import available_engines

        engines_here = available_engines()
        if as_json:
            print_json({"ok": True, "engines": engines_here})
            return
        rows = [
            (
                engine.name,
                engine.id,
                engine.answer or "none",
                engine.state,
                engine.use,
            )
            for engine in engines_here
        ]
        table("Engines", ("--engine", "id in receipts", "answer id", "state", "for"), rows)

    guarded(as_json, work)
