"""`caimi estimate` and `caimi calibrate`: what a model will cost before it is run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from caimi.cli.options import JsonOption, guarded
from caimi.cli.output import err, facts, out, print_json, say, table

_MEGABYTE = 1_000_000


def estimate_command(
    model: Annotated[Path, typer.Argument(help="An ONNX file.")],
    rows: Annotated[int, typer.Option(min=1, max=1_000_000, help="Rows of the input.")] = 1,
    prices: Annotated[
        Path | None, typer.Option(help="A worker's price list: a TOML file, see docs/gas.md.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Tell fuel, time, memory and bytes of a run on each engine, and what a worker would ask.

    Fuel follows from the graph by the published schedule, and nothing is compiled or run; a model
    with steps that the schedule does not tell is run once on noise, and its fuel counted.

    Example: [bold]caimi estimate model.onnx --rows 100[/bold]
    """

    def work() -> None:
        from caimi.inference.calibration import load_rates
        from caimi.inference.estimate import estimate
        from caimi.inference.prices import read_prices

        listed = read_prices(prices) if prices is not None else None
        told = estimate(model, rows, load_rates())
        price = listed.price(told.usage) if listed is not None else None
        if as_json:
            print_json(
                {"ok": True, "estimate": told, "price": None if price is None else str(price)}
            )
            return
        each = "rows, one by one" if told.one_by_one else "rows at once"
        facts(
            f"{model.name}, {told.rows} {each}",
            {
                "multiply-adds": f"{told.multiplies:,}",
                "functions": f"{told.functions:,}",
                "operators": f"{sum(told.steps.values())}",
                "weights": f"{told.weight_bytes / _MEGABYTE:,.2f} MB",
                "moved in": f"{told.usage.bytes_in:,} bytes",
                "moved out": f"{told.usage.bytes_out:,} bytes",
                **({} if price is None else {"price": f"{price:,} of the smallest unit"}),
            },
        )
        table(
            "Engines",
            ("engine", "fuel", "time", "memory"),
            [
                (
                    engine.name,
                    "-" if engine.fuel is None else f"{engine.fuel:,}",
                    f"{engine.seconds * 1000:,.3f} ms" + ("" if engine.measured else " (default)"),
                    f"{engine.memory_bytes / _MEGABYTE:,.2f} MB",
                )
                for engine in told.engines
            ],
        )
        if not all(engine.measured for engine in told.engines):
            out.print(
                "Times marked default are another machine's: run [bold]caimi calibrate[/bold]."
            )
        for engine in told.engines:
            if engine.counted:
                say(
                    "{}: fuel counted in one run on noise, since the schedule does not tell {}.",
                    engine.name,
                    ", ".join(engine.counted),
                )

    guarded(as_json, work)


def calibrate(as_json: JsonOption = False) -> None:
    """Measure this machine in some seconds, so that estimates tell its own times.

    Example: [bold]caimi calibrate[/bold]
    """

    def work() -> None:
        from caimi.inference.calibration import ONNX, calibrate, default_file

        with err.status("Measuring…"):
            rates = calibrate()
        if as_json:
            print_json({"ok": True, "rates": dict(rates.rates), "file": default_file()})
            return
        facts(
            f"Measured, and kept in {default_file()}",
            {
                name: f"{rate / 1e9:,.1f} "
                + ("giga multiply-adds a second" if name == ONNX else "giga-fuel a second")
                for name, rate in rates.rates.items()
            },
        )

    guarded(as_json, work)
