"""`caimi demo`: one model, three ledgers, everything proved."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from caimi.cli.options import KINDS_HELP, JsonOption, guarded
from caimi.cli.output import err, out, print_json
from caimi.demo.report import DemoStep, Report
from caimi.errors.operations import UsageError
from caimi.extras import extra_named


def demo(
    dataset: Annotated[
        str, typer.Option(help="scikit-learn's data to train on: breast-cancer or digits.")
    ] = "breast-cancer",
    model: Annotated[
        Path | None, typer.Option(help="Publish this ONNX file instead of training one.")
    ] = None,
    inputs: Annotated[
        Path | None,
        typer.Option("--input", "-i", help="What --model runs on: .npy, .npz or .json."),
    ] = None,
    ledgers: Annotated[
        str,
        typer.Option(
            help=f"{KINDS_HELP} embedded (in this process), anvil (real node processes), or what "
            "a family of ledgers brings."
        ),
    ] = "embedded",
    as_json: JsonOption = False,
) -> None:
    """Carry one real model all the way: publish, license, unlock, run, check, move, roll back.

    A model of your own runs on --input, or on noise of sizes that fit it.

    Example: [bold]caimi demo --dataset digits --ledgers anvil[/bold]
    """
    progress = Progress(
        SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=err
    )
    tasks: dict[str, TaskID] = {}

    def announce(step: DemoStep) -> None:
        if step.proved or step.missing:
            colour = "green" if step.proved else "yellow"
            progress.update(
                tasks[step.name], completed=1, description=f"[{colour}]{step.name}[/{colour}]"
            )
        else:
            tasks[step.name] = progress.add_task(step.name, total=1)

    async def prove() -> Report:
        if inputs is not None and model is None:
            raise UsageError("--input goes with --model: the trained model has its own data.")
        with extra_named("demo"):
            from caimi.demo.steps import run_steps
            from caimi.demo.subject import own_subject, trained_subject
            from caimi.demo.world import start_world

        with tempfile.TemporaryDirectory(prefix="caimi-demo-") as temporary:
            folder = Path(temporary)
            if not as_json:
                what = f"Training on {dataset}" if model is None else f"Reading {model}"
                err.print(f"{what}, starting {ledgers} ledgers …")
            subject = (
                trained_subject(dataset, folder / "trained")
                if model is None
                else own_subject(model, inputs)
            )
            report = Report(announce)
            async with start_world(ledgers, folder) as world:
                if as_json:
                    await run_steps(world, subject, report)
                else:
                    with progress:
                        await run_steps(world, subject, report)
            return report

    report = guarded(as_json, lambda: asyncio.run(prove()))
    if as_json:
        print_json(report.as_document())
    else:
        _show(report)


def _show(report: Report) -> None:
    ids = list(dict.fromkeys(name for step in report.steps for name in _ledgers(step)))
    letters = {name: chr(ord("A") + place) for place, name in enumerate(ids)}
    table = Table(title="What was proved", title_justify="left", header_style="bold", expand=True)
    table.add_column("step", no_wrap=True)
    table.add_column("ledger", no_wrap=True)
    table.add_column("transaction", no_wrap=True)
    table.add_column("s", justify="right", no_wrap=True)
    table.add_column("proof", overflow="fold", ratio=1)
    for step in report.steps:
        where = " → ".join(letters[name] for name in _ledgers(step))
        short = f"{step.tx[:8]}…" if step.tx else ""
        table.add_row(
            step.name,
            where if len(_ledgers(step)) < len(ids) else "all",
            short,
            f"{step.seconds:.2f}",
            escape(step.proved) or f"[yellow]not proved:[/yellow] {escape(step.missing)}",
        )
    out.print(table)
    named = ", ".join(f"{letter} is {name}" for name, letter in letters.items())
    out.print(f"Ledgers: {named}.", highlight=False)
    out.print(report.summary, highlight=False)


def _ledgers(step: DemoStep) -> list[str]:
    return [name for name in step.ledger.replace(" → ", ", ").split(", ") if name]
