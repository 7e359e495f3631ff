"""Options that many commands share, and how a command runs."""

from __future__ import annotations

import asyncio
import sys
import warnings
from collections.abc import Awaitable, Callable
from getpass import GetPassWarning
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from caimi.cli import completing
from caimi.cli.output import print_error
from caimi.cli.waiting import IN_FLIGHT
from caimi.errors.base import CaimiError
from caimi.errors.machine import SystemRefused
from caimi.errors.operations import Interrupted, KeyLocked
from caimi.extras import extra_named

if TYPE_CHECKING:
    from caimi.client.network import AsyncNetwork

T = TypeVar("T")
INTERRUPTED: Final = 130
"""The exit status of what Ctrl-C ended, as shells have it."""


def key_option(said: str) -> Any:  # noqa: ANN401 - what typer has as an option
    """Give the option of a key's name, with what is said of it."""
    return typer.Option("--key", "-k", help=said, autocompletion=completing.keys)


ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Configuration file; default $CAIMI_CONFIG or caimi.toml."),
]
KeyOption = Annotated[str | None, key_option("Name of the key to act with; see `caimi keys`.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
LedgerOption = Annotated[
    str | None,
    typer.Option(
        "--ledger",
        "-l",
        help="Ledger, by CAIP-2 id or short name.",
        autocompletion=completing.ledgers,
    ),
]
AccountOption = Annotated[
    list[str] | None,
    typer.Option("--account", help="Account to tell of (CAIP-10), and not the key's own."),
]
KINDS_HELP: Final = (
    "Kind of each ledger, joined by commas, the last one for all that remain of three:"
)
UriArgument = Annotated[
    str,
    typer.Argument(
        help="caimi:<CAIP-2 ledger>:<model id>[@<version or alias>]",
        autocompletion=completing.uris,
    ),
]


def guarded(as_json: bool, work: Callable[[], T], *, reading: bool = False) -> T:
    """Run `work`; print an error the way the user asked for, and exit with status 1.

    What the operating system refuses is an error of the user's surroundings, and named like ours.
    Ctrl-C says what was in flight, and exits with status 130; `reading` changes nothing.
    """
    try:
        with extra_named():
            return work()
    except CaimiError as error:
        print_error(error, as_json=as_json)
    except OSError as error:
        if error.errno is None:  # a timeout, say, that our own code should have caught
            raise
        print_error(SystemRefused.of(error), as_json=as_json)
    except KeyboardInterrupt:
        print_error(Interrupted.of(IN_FLIGHT.doing, reading=reading), as_json=as_json)
        raise typer.Exit(INTERRUPTED) from None
    raise typer.Exit(1)


def with_network(
    config: Path | None,
    key: str | None,
    as_json: bool,
    work: Callable[[AsyncNetwork], Awaitable[T]],
    *,
    reading: bool = False,
) -> T:
    """Connect, run `work` on the network, and disconnect; for `reading` no key is opened."""
    from caimi.client.network import AsyncNetwork
    from caimi.config import load_config

    async def session() -> T:
        opening = AsyncNetwork.connect(
            load_config(config), key=key, ask=ask_passphrase, reading=reading
        )
        async with opening as net:
            return await work(net)

    return guarded(as_json, lambda: asyncio.run(session()), reading=reading)


def somebody_there() -> bool:
    """Whether a person can be asked."""
    return sys.stdin is not None and sys.stdin.isatty()


def ask_passphrase(prompt: str) -> str:
    """Ask at the terminal, by standard error, without showing what is typed.

    Raises:
        KeyLocked: there is nobody to ask.
    """
    new = prompt.startswith("New")
    nobody = KeyLocked(
        "No passphrase was given, and there is nobody to ask.",
        why="It is typed at a terminal, and this program has none.",
    )
    if sys.stdin is None:
        raise nobody
    try:
        with warnings.catch_warnings(action="ignore", category=GetPassWarning):
            return str(typer.prompt(prompt, hide_input=True, confirmation_prompt=new, err=True))
    except typer.Abort:
        if somebody_there():
            raise
        raise nobody from None
