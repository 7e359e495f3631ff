"""`caimi publish`: a version, sealed, signed, stored and registered."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caimi.cli.options import ConfigOption, JsonOption, KeyOption, LedgerOption, with_network
from caimi.cli.output import err, facts, fields_of, plain, print_json
from caimi.cli.waiting import progress_bars
from caimi.errors.operations import UsageError

if TYPE_CHECKING:
    from caimi.client.network import AsyncNetwork
    from caimi.models.ancestry import Contributor


def publish(
    path: Annotated[Path, typer.Argument(help="A model file or a directory.")],
    name: Annotated[str, typer.Option("--name", "-n", help="The model's name.")],
    version: Annotated[str, typer.Option("--version", "-v", help="Such as 1.0.0.")],
    ledger: LedgerOption = None,
    price: Annotated[
        str | None, typer.Option(help="Licence price, on every ledger that has the asset.")
    ] = None,
    asset: Annotated[
        str | None,
        typer.Option(help="Symbol of the token that is asked, of [[assets]]; else coins."),
    ] = None,
    payee: Annotated[
        list[str] | None,
        typer.Option(help="CAIP-10 account that is paid on its ledger; else your own there."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="URI of an existing model you own, for a further version.")
    ] = None,
    licence: Annotated[str, typer.Option(help="SPDX licence id.")] = "Apache-2.0",
    description: Annotated[str, typer.Option(help="What the model is for.")] = "",
    alias: Annotated[str | None, typer.Option(help="Also point this alias at the version.")] = None,
    include: Annotated[
        list[str] | None,
        typer.Option(help="A hidden or secret-looking file that does belong to the model."),
    ] = None,
    parent: Annotated[
        list[str] | None,
        typer.Option(help="URI of a version it was made from; default: the model's newest."),
    ] = None,
    contributor: Annotated[
        list[str] | None,
        typer.Option(metavar="ROLE=ACCOUNT", help="Who had a part in it, by CAIP-10 account."),
    ] = None,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Seal, sign, store and publish a version of a model.

    Example: [bold]caimi publish model.onnx -n tumour-mlp -v 1.0.0 -l a --price 5[/bold]
    """
    if price is None and (asset is not None or payee):
        raise typer.BadParameter("--asset and --payee go with --price")

    async def work(net: AsyncNetwork) -> None:
        from caimi.client.publish import Description
        from caimi.models.card import ModelCard
        from caimi.models.package import Package
        from caimi.names import check_alias

        if alias is not None:
            check_alias(alias)
        package = await asyncio.to_thread(Package.from_path, path, include=include or ())
        said = Description(
            licence=licence,
            card=ModelCard(description=description),
            parents=parent,
            contributors=[_contributor(text) for text in contributor or ()],
        )
        with progress_bars(quiet=as_json) as progress:
            done = await net.publish(
                package,
                name=name,
                version=version,
                ledger=ledger,
                price=price,
                asset=asset,
                payees=payee or (),
                model=model,
                description=said,
                progress=progress,
            )
        if alias is not None:
            await net.set_alias(done.uri, alias)
        if as_json:
            print_json({"ok": True, **fields_of(done)})
            return
        for warning in done.warnings:
            err.print(f"[yellow]Warning:[/yellow] {plain(warning)}")
        facts(
            "Published",
            {"uri": done.uri, "manifest": f"0x{done.manifest}", "cid": done.cid, "tx": done.tx},
        )

    with_network(config, key, as_json, work)


def _contributor(text: str) -> Contributor:
    from caimi.models.ancestry import Contributor

    role, equals, account = text.partition("=")
    if not equals:
        raise UsageError(f"--contributor {text[:80]!r} is not ROLE=ACCOUNT.")
    return Contributor(account, role)
