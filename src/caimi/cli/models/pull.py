"""`caimi pull`: a licensed version's plain files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caimi.cli.options import (
    ConfigOption,
    JsonOption,
    KeyOption,
    UriArgument,
    guarded,
    with_network,
)
from caimi.cli.output import err, facts, print_json, say, table
from caimi.cli.waiting import progress_bars
from caimi.places import check_directory_place, check_file_place, write_result

if TYPE_CHECKING:
    from caimi.client.network import AsyncNetwork
    from caimi.client.pull import Pulled


def pull(
    uri: UriArgument,
    directory: Annotated[Path, typer.Argument(help="Where to put the plain files.")],
    bundle: Annotated[
        Path | None,
        typer.Option(help="Also write BUNDLE.sig and BUNDLE.pem, for `model_signing verify key`."),
    ] = None,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Unlock a licensed version and write its plain files, all hashes and the signature checked.

    Example: [bold]caimi pull caimi:eip155:31337:0x…@1.0.0 ./model -k bob[/bold]
    """
    signature, public_key = Path(f"{bundle}.sig"), Path(f"{bundle}.pem")

    async def work(net: AsyncNetwork) -> Pulled:
        with progress_bars(quiet=as_json) as progress:
            done = await net.pull(uri, directory, progress=progress)
        if bundle is not None:
            write_result(signature, done.bundle)
            write_result(public_key, done.public_key.encode())
        return done

    def places() -> None:
        check_directory_place(directory)
        if bundle is not None:
            check_file_place(signature)
            check_file_place(public_key)

    guarded(as_json, places)
    done = with_network(config, key, as_json, work)
    if as_json:
        print_json(
            {
                "ok": True,
                "uri": done.uri,
                "directory": done.directory,
                "files": done.files,
                "custodians": [str(outcome) for outcome in done.outcomes],
            }
        )
        return
    for warning in done.warnings:
        err.print(f"[yellow]Warning:[/yellow] {warning}")
    facts("Pulled", {"uri": done.uri, "directory": done.directory})
    table("Custodians", ("outcome",), [(outcome,) for outcome in done.outcomes])
    if bundle is not None:
        say(
            "Check: model_signing verify key {} --signature {} --public_key {}",
            directory,
            signature,
            public_key,
        )
