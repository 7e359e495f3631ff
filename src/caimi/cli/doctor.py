"""`caimi doctor`: what is well, what is not, and what to do about it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Final

import typer

from caimi.cli.options import ConfigOption, JsonOption, guarded
from caimi.cli.output import out, print_json, shown

if TYPE_CHECKING:
    from caimi.client.doctor.finding import Finding

_STYLES: Final = {"ok": "green", "warning": "yellow", "wrong": "red"}


def doctor(
    key: Annotated[
        list[str] | None,
        typer.Option("--key", "-k", help="A key whose accounts should have coins; again for more."),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check everything that can be wrong here; exits with 1 when something is.

    No passphrase is asked for, and nothing is changed.

    Example: [bold]caimi doctor -k relayer[/bold]
    """
    from caimi.client.doctor.checkup import check_all
    from caimi.config import config_source, load_config

    async def work() -> list[Finding]:
        source = config_source(config)
        return await check_all(load_config(config), source.file, key or ())

    found = guarded(as_json, lambda: asyncio.run(work()))
    well = all(each.state != "wrong" for each in found)
    if as_json:
        print_json({"ok": well, "checks": found})
    else:
        for each in found:
            line = shown(f"{each.state:<8}", _STYLES[each.state])
            line.append(f"{each.subject}: {each.said}", "")
            if each.next_step and each.state != "ok":
                line.append(f" Next: {each.next_step}", "dim")
            out.print(line, soft_wrap=True)
    if not well:
        raise typer.Exit(1)
