"""`caimi devnet`: a local network of real processes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from caimi.cli.options import JsonOption, guarded
from caimi.cli.output import err, facts, out, plain, print_json, table

app = typer.Typer(help="A local network of real processes on loopback.", no_args_is_help=True)

DirectoryOption = Annotated[
    Path, typer.Option("--directory", "-d", help="Where its files are; default: here.")
]


@app.command()
def up(
    directory: DirectoryOption = Path(),
    ledgers: Annotated[
        str, typer.Option(help="The kind of each ledger, joined by commas; they are a, b, c….")
    ] = "anvil,anvil,anvil",
    as_json: JsonOption = False,
) -> None:
    """Start ledgers (anvil), five nodes, a relayer, a watcher, a worker; write caimi.toml and keys.

    Example: [bold]caimi devnet up && caimi devnet status[/bold]
    """
    from caimi.devnet.network import Devnet

    def start() -> None:
        def tell(text: str) -> None:
            if not as_json:
                err.print(f"  {plain(text)}")

        started = asyncio.run(Devnet(directory).up(tell, ledgers.split(",")))
        if as_json:
            print_json({"ok": True, "config": started.config, "keys": started.accounts})
            return
        facts("The network is up", {"config": started.config, **started.accounts})
        out.print("Next: [bold]caimi publish model.onnx -n my-model -v 1.0.0 -l a --price 5[/bold]")

    guarded(as_json, start)


@app.command()
def status(directory: DirectoryOption = Path(), as_json: JsonOption = False) -> None:
    """Show the health of every process. Exits 1 when something is not well.

    Example: [bold]caimi devnet status[/bold]
    """
    from caimi.devnet.network import Devnet

    health = guarded(as_json, lambda: asyncio.run(Devnet(directory).status()))
    if as_json:
        print_json({"ok": all(line.ok for line in health), "processes": health})
    else:
        rows = [(ln.name, "up" if ln.ok else "DOWN", ln.pid, ln.detail) for ln in health]
        table("Local network", ("process", "state", "pid", "detail"), rows)
    if not all(line.ok for line in health):
        raise typer.Exit(1)


@app.command()
def down(directory: DirectoryOption = Path(), as_json: JsonOption = False) -> None:
    """End exactly the processes that `up` started. Keys, store and logs stay.

    Example: [bold]caimi devnet down[/bold]
    """
    from caimi.devnet.network import Devnet

    ended = guarded(as_json, Devnet(directory).down)
    if as_json:
        print_json({"ok": True, "ended": ended})
    else:
        out.print(f"Ended {len(ended)} processes.")
