"""`caimi search`: models by a part of their name or id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from caimi.cli.options import ConfigOption, JsonOption, LedgerOption, with_network
from caimi.cli.output import block_bars, facts, print_json, say

if TYPE_CHECKING:
    from caimi.client.catalogue import FoundModel
    from caimi.client.network import AsyncNetwork


def search(
    text: Annotated[str, typer.Argument(help="A part of the name or id.")] = "",
    exact: Annotated[bool, typer.Option("--exact", help="The text is the whole name.")] = False,
    publisher: Annotated[
        str | None, typer.Option(help="Only models of this account, as its ledger writes it.")
    ] = None,
    for_sale: Annotated[
        bool, typer.Option("--for-sale", help="Only models that have a price.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="Show so many at most.")] = 50,
    page: Annotated[int, typer.Option(min=1, help="Which of the pages of that many.")] = 1,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find models, on one ledger or on all. Anybody can publish under any name.

    Example: [bold]caimi search tumour --for-sale[/bold]
    """

    async def work(net: AsyncNetwork) -> None:
        with block_bars(quiet=as_json) as progress:
            every = await net.search(
                text,
                ledger,
                exact=exact,
                publisher=publisher,
                for_sale=for_sale,
                progress=progress,
            )
        found = every[(page - 1) * limit : page * limit]
        if as_json:
            print_json({"ok": True, "models": found, "total": len(every)})
            return
        for model in found:
            facts(_heading(model), _told(model))
        if not every:
            narrowed = exact or for_sale or publisher is not None
            say("[dim]{}[/dim]", _none(text, narrowed=narrowed))
        elif len(found) < len(every):
            more = f"; `--page {page + 1}` shows more" if page * limit < len(every) else ""
            say("[dim]Page {} with {} of {} models{}.[/dim]", page, len(found), len(every), more)

    with_network(config, None, as_json, work, reading=True)


def _none(text: str, *, narrowed: bool) -> str:
    if narrowed:
        return "No model fits all of that."
    return "No model has that in its name or id." if text else "There is no model here."


def _heading(model: FoundModel) -> str:
    return f"{model.name} {model.latest}" + ("" if model.final else " (not final yet)")


def _told(model: FoundModel) -> dict[str, object]:
    sold = ", ".join(f"{price.said} on {price.ledger}" for price in model.prices)
    others = f"{model.namesakes} other models have this name" if model.namesakes else ""
    if model.namesakes == 1:
        others = "another model has this name"
    return {
        "uri": model.uri,
        "publisher": model.publisher,
        "price": sold or "not for sale",
        "beware": others,
    }
