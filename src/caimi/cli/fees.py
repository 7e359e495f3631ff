"""`caimi fees`: what relayers ask for carrying a packet, and paying them."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caimi.cli.one_ledger import (
    UnsignedOption,
    identity_of,
    on_ledger,
    send,
    send_as,
    told,
)
from caimi.cli.options import ConfigOption, JsonOption, KeyOption, LedgerOption, guarded
from caimi.cli.output import facts, print_json
from caimi.errors.operations import UsageError

if TYPE_CHECKING:
    from caimi.ledgers.port import Account, Call, Ledger

app = typer.Typer(help="Pay relayers for carrying packets.", no_args_is_help=True)

ClientArgument = Annotated[str, typer.Argument(help="Client id of the packet's route.")]
SequenceArgument = Annotated[int, typer.Argument(min=1, help="The packet's sequence.")]


@app.command()
def quote(
    source: Annotated[str, typer.Argument(help="Ledger that sends, by CAIP-2 id or name.")],
    destination: Annotated[str, typer.Argument(help="Ledger that receives.")],
    relayer: Annotated[
        str | None, typer.Option(help="URL of a relayer's service; without it, what costs are.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what carrying one packet costs now, in the sending ledger's smallest coin.

    Example: [bold]caimi fees quote a b --relayer http://127.0.0.1:9200[/bold]
    """
    from caimi.client.fees import ask_quote
    from caimi.composition.ledgers import open_ledger
    from caimi.composition.trust import Trust
    from caimi.config import load_config
    from caimi.errors.operations import NoRoute
    from caimi.messaging.quote import Tariff
    from caimi.messaging.quote import quote as price
    from caimi.services.endpoint import Endpoint

    async def session() -> dict[str, object]:
        settings = load_config(config)
        sections = [settings.ledger(source), settings.ledger(destination)]
        async with AsyncExitStack() as stack:
            here, there = [await open_ledger(stack, section) for section in sections]
            for route in await here.gateway.routes():
                if route.counterparty != there.id:
                    continue
                if relayer is None:
                    return {"amount": str((await price(here, there, Tariff())).units)}
                service = Endpoint(relayer, tls=Trust(settings).of(relayer))
                stack.push_async_callback(service.aclose)
                asked = await ask_quote(service, here, route)
                return {
                    "amount": str(asked.amount.units),
                    "relayer": here.accounts.text(asked.relayer),
                }
            raise NoRoute(f"No route leads from {here.id} to {there.id}.")

    found = guarded(as_json, lambda: asyncio.run(session()))
    if as_json:
        print_json({"ok": True, **found})
    else:
        facts(f"A packet from {source} to {destination}", found)


@app.command()
def pay(
    client: ClientArgument,
    sequence: SequenceArgument,
    amount: Annotated[int, typer.Argument(min=1, help="In the ledger's smallest coin.")],
    relayer: Annotated[str, typer.Option(help="Account of the relayer that quoted.")],
    ledger: LedgerOption = None,
    key: KeyOption = None,
    unsigned: UnsignedOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set a fee aside for the relayer of a packet; it is earned by the packet's acknowledgement.

    Example: [bold]caimi fees pay caimi-31337-0 7 2000000000000000 --relayer 0x… -l a -k bob[/bold]
    """
    from caimi.client.fees import escrow
    from caimi.ledgers.port import offered

    async def work(opened: Ledger) -> dict[str, object]:
        fee = offered(opened.coins, opened.id, "coin").asset.of(amount)
        call = await escrow(opened, client, sequence, opened.accounts.parse(relayer), fee)
        return await send(opened, call, config, key, unsigned=unsigned)

    told(as_json, "Fee set aside", on_ledger(config, ledger, as_json, work))


@app.command()
def withdraw(
    to: Annotated[str | None, typer.Option(help="Account that is paid, not the key's.")] = None,
    licences: Annotated[
        bool, typer.Option("--licences", help="From the licence market: sales, refunds, deposits.")
    ] = False,
    ledger: LedgerOption = None,
    key: KeyOption = None,
    unsigned: UnsignedOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Withdraw what the key's account earned, or got back.

    Example: [bold]caimi fees withdraw -l a -k relayer[/bold]
    """
    from caimi.client.fees import fees_of

    async def work(opened: Ledger) -> dict[str, object]:
        books = opened.market if licences else fees_of(opened)
        if to is not None:
            payee = opened.accounts.parse(to)
            return await send(opened, books.withdraw(payee), config, key, unsigned=unsigned)
        if unsigned:
            raise UsageError("`--unsigned` needs `--to`: no key says whose account is to be paid.")
        identity = await identity_of(config, key)
        call = books.withdraw(identity.account(opened.id))
        return await send_as(opened, call, config, identity.signer_on(opened.id))

    told(as_json, "Fees withdrawn", on_ledger(config, ledger, as_json, work))


@app.command()
def refund(
    client: ClientArgument,
    sequence: SequenceArgument,
    relayer: Annotated[str, typer.Option(help="Account that the fee was for.")],
    payer: Annotated[str, typer.Option(help="Account that paid it.")],
    ledger: LedgerOption = None,
    abandoned: Annotated[
        bool, typer.Option(help="Prove nothing: 30 days have passed since the packet's timeout.")
    ] = False,
    key: KeyOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a fee back to its payer, by proof that its packet was not received in time.

    Example: [bold]caimi fees refund caimi-31337-0 7 --relayer 0x… --payer 0x… -l a -k bob[/bold]
    """
    from caimi.client.fees import fees_of

    async def work(opened: Ledger) -> dict[str, object]:
        parties = opened.accounts.parse(relayer), opened.accounts.parse(payer)
        call: Call[None]
        if abandoned:
            call = fees_of(opened).reclaim(client, sequence, *parties)
        else:
            call = await _proved_refund(opened, client, sequence, parties, config)
        return await send(opened, call, config, key, unsigned=False)

    told(as_json, "Fee given back", on_ledger(config, ledger, as_json, work))


async def _proved_refund(
    source: Ledger,
    client: str,
    sequence: int,
    parties: tuple[Account, Account],
    config: Path | None,
) -> Call[None]:
    from caimi.client.fees import refund as build
    from caimi.composition.committee import reach_nodes
    from caimi.composition.ledgers import open_ledger
    from caimi.config import load_config
    from caimi.errors.operations import NoRoute
    from caimi.services.validators import HttpValidator

    settings = load_config(config)
    route = next((r for r in await source.gateway.routes() if r.client_id == client), None)
    if route is None:
        raise NoRoute(f"{source.id} has no route {client}.")
    async with AsyncExitStack() as stack:
        destination = await open_ledger(stack, settings.ledger(route.counterparty))
        nodes = reach_nodes(stack, settings).values()
        validators = [HttpValidator(endpoint) for endpoint in nodes]
        return await build(source, destination, client, sequence, parties, validators)
