"""`caimi devnet`: a local network of real processes; `caimi logs` reads what they say."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from caimi.cli.durations import span_of
from caimi.cli.options import INTERRUPTED, KINDS_HELP, JsonOption, guarded
from caimi.cli.output import err, facts, out, plain, print_json, shown, table

if TYPE_CHECKING:
    from caimi.devnet.health import Health
    from caimi.devnet.network import Started

T = TypeVar("T")

app = typer.Typer(help="A local network of real processes on loopback.", no_args_is_help=True)

DirectoryOption = Annotated[
    Path, typer.Option("--directory", "-d", help="Where its files are; default: here.")
]


@app.command()
def up(
    directory: DirectoryOption = Path(),
    ledgers: Annotated[
        str | None,
        typer.Option(
            help=f"{KINDS_HELP} anvil (the default), or what a family of ledgers brings that "
            "stays. They are called a, b, c…"
        ),
    ] = None,
    ports: Annotated[
        int | None,
        typer.Option(
            help="Listen on this port and those after it; default: wherever some are free."
        ),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start anew: ledgers, nodes and journals are removed.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Start ledgers, five nodes, a relayer, a watcher and a worker, or go on where they were.

    The first time it writes caimi.toml and keys. What ends later is started again by a supervisor.

    Example: [bold]caimi devnet up && caimi devnet status[/bold]
    """
    from caimi.composition.sandboxes import kinds_in
    from caimi.devnet.network import Devnet

    def start() -> None:
        chosen = None if ledgers is None else kinds_in(ledgers)
        bringing = Devnet(directory).up(_tell(as_json), chosen, base=ports, fresh=fresh)
        _show_started(_interruptible(bringing, directory), as_json=as_json)

    guarded(as_json, start)


@app.command()
def restart(
    names: Annotated[
        list[str] | None, typer.Argument(help="Processes, as `status` names them; default: all.")
    ] = None,
    directory: DirectoryOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Start processes again, and whatever is down besides.

    Example: [bold]caimi devnet restart relayer node-2[/bold]
    """
    from caimi.devnet.network import Devnet

    def start() -> None:
        bringing = Devnet(directory).restart(_tell(as_json), names or ())
        _show_started(_interruptible(bringing, directory), as_json=as_json)

    guarded(as_json, start)


@app.command()
def status(directory: DirectoryOption = Path(), as_json: JsonOption = False) -> None:
    """Show the health of every process. Exits 1 when something is not well.

    Example: [bold]caimi devnet status[/bold]
    """
    from caimi.devnet.network import Devnet

    health = guarded(as_json, lambda: asyncio.run(Devnet(directory).status()))
    well = all(line.ok for line in health)
    if as_json:
        print_json({"ok": well, "processes": health})
    else:
        columns = ("process", "state", "pid", "port", "up for", "restarts", "detail")
        table("Local network", columns, [_row(line) for line in health])
        if not well:
            out.print(
                "Next: [bold]caimi devnet logs NAME[/bold] says why; "
                "[bold]caimi devnet up[/bold] starts what is down."
            )
    if not well:
        raise typer.Exit(1)


@app.command()
def down(directory: DirectoryOption = Path(), as_json: JsonOption = False) -> None:
    """End exactly the processes that `up` started. The next `up` goes on where they were.

    Example: [bold]caimi devnet down[/bold]
    """
    from caimi.devnet.network import Devnet

    ended = guarded(as_json, Devnet(directory).down)
    if as_json:
        print_json({"ok": True, "ended": ended})
    else:
        out.print(
            f"Ended {len(ended)} processes. [bold]caimi devnet up[/bold] goes on where they were."
        )


@app.command()
def logs(
    name: Annotated[str, typer.Argument(help="A process, as `caimi devnet status` names it.")],
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, help="How many of its last lines.")
    ] = 50,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what it writes from now on.")
    ] = False,
    directory: DirectoryOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Show what a process of the local network has logged.

    With --json each line is a JSON document of its own.

    Example: [bold]caimi logs relayer --follow[/bold]
    """
    from caimi.devnet.log_files import last_lines, new_lines
    from caimi.devnet.network import Devnet

    def show(line: str) -> None:
        if as_json:
            out.file.write(json.dumps({"process": name, "line": line}) + "\n")
        else:
            out.print(shown(line), soft_wrap=True)

    def show_all() -> None:
        file = Devnet(directory).log_file(name)
        for line in last_lines(file, lines):
            show(line)
        with suppress(KeyboardInterrupt):  # which ends following, and is no failure
            for line in new_lines(file) if follow else ():
                show(line)

    guarded(as_json, show_all)


def _tell(as_json: bool) -> Callable[[str], None]:
    def tell(text: str) -> None:
        if not as_json:
            err.print(f"  {plain(text)}")

    return tell


def _interruptible(bringing: Coroutine[None, None, T], directory: Path) -> T:
    """Run it; Ctrl-C says what runs now and what to type."""
    from caimi.devnet.network import Devnet

    try:
        return asyncio.run(bringing)
    except KeyboardInterrupt:
        alive = Devnet(directory).running()
        if alive:
            err.print(f"Interrupted. These run: {plain(', '.join(alive))}.")
        else:
            err.print("Interrupted. Nothing of the network runs: what was started is ended again.")
        err.print("Next: [bold]caimi devnet up[/bold] goes on.")
        raise typer.Exit(INTERRUPTED) from None


def _show_started(started: Started, *, as_json: bool) -> None:
    if as_json:
        print_json({"ok": True, "config": started.config, "keys": started.accounts})
        return
    facts("The network is up", {"config": started.config, **started.accounts})
    out.print("Next: [bold]caimi publish model.onnx -n my-model -v 1.0.0 -l a --price 5[/bold]")


def _row(line: Health) -> tuple[object, ...]:
    port = (line.url or "").rpartition(":")[2]
    up_for = "" if line.uptime_seconds is None else span_of(line.uptime_seconds)
    return (
        line.name,
        "up" if line.ok else "DOWN",
        line.pid,
        port,
        up_for,
        line.restarts,
        line.detail,
    )
