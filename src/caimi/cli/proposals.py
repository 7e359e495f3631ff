"""`caimi governance propose`: the changes that an administrator makes, by name.

Nothing is journalled: the timelock knows a change by its id, so that proposing it again while it
waits is refused and names the operation there is.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caimi.cli.one_ledger import (
    LedgerOption,
    UnsignedOption,
    account_of,
    on_governed_ledger,
    send,
    told,
)
from caimi.cli.options import ConfigOption, JsonOption, KeyOption

if TYPE_CHECKING:
    from caimi.ledgers.evm.calls import EvmCall
    from caimi.ledgers.evm.ledger import EvmLedger

app = typer.Typer(
    help="Propose a change to the timelock: it is published, waits, and is carried out after.",
    no_args_is_help=True,
)

RouteOption = Annotated[
    str, typer.Option("--route", "-r", help="The route's client id there, such as caimi-31337-0.")
]
ClientOption = Annotated[str, typer.Option("--client", help="Address of the new light client.")]


def _propose(
    change: Callable[[EvmLedger], EvmCall[None]],
    unsigned: bool,
    ledger: str | None,
    config: Path | None,
    key: str | None,
    as_json: bool,
) -> None:
    from caimi.ledgers.evm.governance import timelock_of

    async def work(opened: EvmLedger) -> dict[str, object]:
        timelock = await timelock_of(opened)
        operation, call = await timelock.propose(change(opened))
        sent = await send(opened, call, config, key, unsigned=unsigned)
        return {"operation": f"0x{operation.hex()}", **sent}

    told(
        as_json,
        "To send" if unsigned else "Proposed",
        on_governed_ledger(config, ledger, as_json, work),
    )


@app.command("unpause-route")
def unpause_route(
    route: RouteOption,
    unsigned: UnsignedOption = False,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a paused route send and receive again.

    Example: [bold]caimi governance propose unpause-route --route caimi-31337-0[/bold]
    """
    from caimi.ledgers.evm import changes

    _propose(
        lambda at: changes.unpause_route(at, route),
        unsigned,
        ledger,
        config,
        key,
        as_json,
    )


@app.command("unpause-bridge")
def unpause_bridge(
    unsigned: UnsignedOption = False,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let models move again after the bridge was paused.

    Example: [bold]caimi governance propose unpause-bridge[/bold]
    """
    from caimi.ledgers.evm import changes

    _propose(
        changes.unpause_bridge,
        unsigned,
        ledger,
        config,
        key,
        as_json,
    )


@app.command("close-breaker")
def close_breaker(
    route: RouteOption,
    licences: Annotated[
        bool, typer.Option("--licences", help="Of the market, instead of the bridge.")
    ] = False,
    unsigned: UnsignedOption = False,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let models move, or licences be sold, again over a route whose limits were reached.

    Example: [bold]caimi governance propose close-breaker --route caimi-31337-0[/bold]
    """
    from caimi.ledgers.evm import changes

    _propose(
        lambda at: changes.close_breaker(at, route, licences=licences),
        unsigned,
        ledger,
        config,
        key,
        as_json,
    )


@app.command("set-limits")
def set_limits(
    route: RouteOption,
    count: Annotated[int, typer.Option(min=1, max=2**32 - 1, help="Models at once.")],
    per_day: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Models that a day refills.")],
    receiving: Annotated[
        bool, typer.Option("--receiving/--sending", help="Which direction of the route.")
    ],
    unsigned: UnsignedOption = False,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set how many models may pass in one direction of a route.

    Example: [bold]caimi governance propose set-limits -r caimi-1-0 --count 2 --per-day 9 --sending[/bold]
    """  # noqa: E501 - an example is one line
    from caimi.ledgers.evm import changes

    _propose(
        lambda at: changes.set_limits(at, route, receiving=receiving, count=count, per_day=per_day),
        unsigned,
        ledger,
        config,
        key,
        as_json,
    )


@app.command("set-sales")
def set_sales(
    route: RouteOption,
    count: Annotated[int, typer.Option(min=1, max=2**32 - 1, help="Licences at once.")],
    per_day: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="Licences that a day refills.")
    ],
    unsigned: UnsignedOption = False,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set how many licences may be bought here over a route.

    Example: [bold]caimi governance propose set-sales -r caimi-1-0 --count 100 --per-day 500[/bold]
    """
    from caimi.ledgers.evm import changes

    _propose(
        lambda at: changes.set_sales(at, route, count=count, per_day=per_day),
        unsigned,
        ledger,
        config,
        key,
        as_json,
    )


@app.command("set-payments")
def set_payments(
    route: RouteOption,
    count: Annotated[int, typer.Option(min=1, max=2**32 - 1, help="Payments at once.")],
    per_day: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="Payments that a day refills.")
    ],
    most: Annotated[str, typer.Option(help="The most that one payment may be, in coins.")],
    amount: Annotated[str, typer.Option(help="The most at once, in coins.")],
    amount_per_day: Annotated[str, typer.Option(help="What a day refills, in coins.")],
    token: Annotated[
        str | None, typer.Option(help="Address of a token; the ledger's coin unless given.")
    ] = None,
    unsigned: UnsignedOption = False,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set how much may be paid from here over a route, in one currency (of 18 decimals).

    Example: [bold]caimi governance propose set-payments -r caimi-1-0 --count 100 --per-day 500 --most 10 --amount 100 --amount-per-day 200[/bold]
    """  # noqa: E501 - an example is one line
    from caimi.client.amounts import parse_amount
    from caimi.ledgers.evm import changes

    _propose(
        lambda at: changes.set_payments(
            at,
            route,
            account_of(token) if token else b"",
            count=(count, per_day),
            most=parse_amount(most),
            amount=(parse_amount(amount), parse_amount(amount_per_day)),
        ),
        unsigned,
        ledger,
        config,
        key,
        as_json,
    )


@app.command("set-supply-cap")
def set_supply_cap(
    route: RouteOption,
    cap: Annotated[int, typer.Option(min=0, max=2**128 - 1, help="Models away at once.")],
    unsigned: UnsignedOption = False,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bound how many home models may be away over a route at once.

    Example: [bold]caimi governance propose set-supply-cap -r caimi-31337-0 --cap 50[/bold]
    """
    from caimi.ledgers.evm import changes

    _propose(
        lambda at: changes.set_supply_cap(at, route, cap),
        unsigned,
        ledger,
        config,
        key,
        as_json,
    )


@app.command("recover-client")
def recover_client(
    route: RouteOption,
    client: ClientOption,
    unsigned: UnsignedOption = False,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a route whose client is frozen another one.

    Example: [bold]caimi governance propose recover-client -r caimi-31337-0 --client 0x…[/bold]
    """
    from caimi.ledgers.evm import changes

    _propose(
        lambda at: changes.recover_client(at, route, account_of(client)),
        unsigned,
        ledger,
        config,
        key,
        as_json,
    )


@app.command("migrate-client")
def migrate_client(
    route: RouteOption,
    client: ClientOption,
    unsigned: UnsignedOption = False,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a route another client; the old one counts for a day longer.

    Example: [bold]caimi governance propose migrate-client -r caimi-31337-0 --client 0x…[/bold]
    """
    from caimi.ledgers.evm import changes

    _propose(
        lambda at: changes.migrate_client(at, route, account_of(client)),
        unsigned,
        ledger,
        config,
        key,
        as_json,
    )


@app.command("open-exit")
def open_exit(
    route: RouteOption,
    unsigned: UnsignedOption = False,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Begin to give back what is locked towards a dead ledger; read docs/governance.md first.

    Example: [bold]caimi governance propose open-exit --route caimi-31337-0[/bold]
    """
    from caimi.ledgers.evm import changes

    _propose(
        lambda at: changes.open_exit(at, route),
        unsigned,
        ledger,
        config,
        key,
        as_json,
    )
