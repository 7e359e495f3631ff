"""`caimi governance propose`: the changes that an administrator makes, by name.

Nothing is journalled: the timelock knows a change by its id, so that proposing it again while it
waits is refused and names the operation there is.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, Signature, signature
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from caimi.cli.batches import BatchOption, tell_written, write_calls
from caimi.cli.one_ledger import (
    UnsignedOption,
    account_of,
    on_governed_ledger,
    send,
    told,
)
from caimi.cli.options import ConfigOption, JsonOption, KeyOption, LedgerOption

if TYPE_CHECKING:
    from caimi.ledgers.evm.abi.calls import EvmCall
    from caimi.ledgers.evm.ledger import EvmLedger

app = typer.Typer(
    help="Propose a change to the timelock: it is published, waits, and is carried out after.",
    no_args_is_help=True,
)

Change: TypeAlias = "Callable[[EvmLedger], EvmCall[None]]"
RouteOption = Annotated[
    str, typer.Option("--route", "-r", help="The route's client id there, such as caimi-31337-0.")
]
ClientOption = Annotated[str, typer.Option("--client", help="Address of the new light client.")]


def _proposes(name: str) -> Callable[[Callable[..., Change]], Callable[..., Change]]:
    """Make a command that proposes the change which the function below gives.

    Its options are the function's, and after them those of every proposal.
    """

    def add(change: Callable[..., Change]) -> Callable[..., Change]:
        def command(
            *,
            unsigned: UnsignedOption = False,
            batch: BatchOption = None,
            ledger: LedgerOption = None,
            config: ConfigOption = None,
            key: KeyOption = None,
            as_json: JsonOption = False,
            **options: object,
        ) -> None:
            async def work(opened: EvmLedger) -> dict[str, object]:
                from caimi.ledgers.evm.administration.governance import timelock_of

                timelock = await timelock_of(opened)
                operation, call = await timelock.propose(change(**options)(opened))
                sent = (
                    await send(opened, call, config, key, unsigned=unsigned)
                    if batch is None
                    else await write_calls(opened, [call], batch)
                )
                return {"operation": f"0x{operation.hex()}", **sent}

            sent = on_governed_ledger(config, ledger, as_json, work)
            if batch is not None and not as_json:
                tell_written([sent])
                return
            told(as_json, "To send" if unsigned else "Proposed", sent)

        own = signature(change, eval_str=True).parameters.values()
        shared = signature(command, eval_str=True).parameters.values()
        parameters = [each.replace(kind=Parameter.KEYWORD_ONLY) for each in own]
        parameters += [each for each in shared if each.kind is Parameter.KEYWORD_ONLY]
        command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
        command.__doc__ = change.__doc__
        app.command(name)(command)
        return change

    return add


@_proposes("unpause-route")
def unpause_route(route: RouteOption) -> Change:
    """Let a paused route send and receive again.

    Example: [bold]caimi governance propose unpause-route --route caimi-31337-0[/bold]
    """
    from caimi.ledgers.evm.administration import changes

    return lambda at: changes.unpause_route(at, route)


@_proposes("unpause-bridge")
def unpause_bridge() -> Change:
    """Let models move again after the bridge was paused.

    Example: [bold]caimi governance propose unpause-bridge[/bold]
    """
    from caimi.ledgers.evm.administration import changes

    return changes.unpause_bridge


@_proposes("close-breaker")
def close_breaker(
    route: RouteOption,
    licences: Annotated[
        bool, typer.Option("--licences", help="Of the market, instead of the bridge.")
    ] = False,
) -> Change:
    """Let models move, or licences be sold, again over a route whose limits were reached.

    Example: [bold]caimi governance propose close-breaker --route caimi-31337-0[/bold]
    """
    from caimi.ledgers.evm.administration import changes

    return lambda at: changes.close_breaker(at, route, licences=licences)


@_proposes("set-limits")
def set_limits(
    route: RouteOption,
    count: Annotated[int, typer.Option(min=1, max=2**32 - 1, help="Models at once.")],
    per_day: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Models that a day refills.")],
    receiving: Annotated[
        bool, typer.Option("--receiving/--sending", help="Which direction of the route.")
    ],
) -> Change:
    """Set how many models may pass in one direction of a route.

    Example: [bold]caimi governance propose set-limits -r caimi-1-0 --count 2 --per-day 9 --sending[/bold]
    """  # noqa: E501 - an example is one line
    from caimi.ledgers.evm.administration import changes

    return lambda at: changes.set_limits(
        at, route, receiving=receiving, count=count, per_day=per_day
    )


@_proposes("set-sales")
def set_sales(
    route: RouteOption,
    count: Annotated[int, typer.Option(min=1, max=2**32 - 1, help="Licences at once.")],
    per_day: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="Licences that a day refills.")
    ],
) -> Change:
    """Set how many licences may be bought here over a route.

    Example: [bold]caimi governance propose set-sales -r caimi-1-0 --count 100 --per-day 500[/bold]
    """
    from caimi.ledgers.evm.administration import changes

    return lambda at: changes.set_sales(at, route, count=count, per_day=per_day)


@_proposes("set-payments")
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
) -> Change:
    """Set how much may be paid from here over a route, in one currency (of 18 decimals).

    Example: [bold]caimi governance propose set-payments -r caimi-1-0 --count 100 --per-day 500 --most 10 --amount 100 --amount-per-day 200[/bold]
    """  # noqa: E501 - an example is one line
    from caimi.client.amounts import parse_amount
    from caimi.ledgers.evm.administration import changes

    return lambda at: changes.set_payments(
        at,
        route,
        account_of(token) if token else b"",
        count=(count, per_day),
        most=parse_amount(most, at.coins.asset).units,
        amount=(
            parse_amount(amount, at.coins.asset).units,
            parse_amount(amount_per_day, at.coins.asset).units,
        ),
    )


@_proposes("set-supply-cap")
def set_supply_cap(
    route: RouteOption,
    cap: Annotated[int, typer.Option(min=0, max=2**128 - 1, help="Models away at once.")],
) -> Change:
    """Bound how many home models may be away over a route at once.

    Example: [bold]caimi governance propose set-supply-cap -r caimi-31337-0 --cap 50[/bold]
    """
    from caimi.ledgers.evm.administration import changes

    return lambda at: changes.set_supply_cap(at, route, cap)


@_proposes("recover-client")
def recover_client(route: RouteOption, client: ClientOption) -> Change:
    """Give a route whose client is frozen another one.

    Example: [bold]caimi governance propose recover-client -r caimi-31337-0 --client 0x…[/bold]
    """
    from caimi.ledgers.evm.administration import changes

    return lambda at: changes.recover_client(at, route, account_of(client))


@_proposes("migrate-client")
def migrate_client(route: RouteOption, client: ClientOption) -> Change:
    """Give a route another client; the old one counts for a day longer.

    Example: [bold]caimi governance propose migrate-client -r caimi-31337-0 --client 0x…[/bold]
    """
    from caimi.ledgers.evm.administration import changes

    return lambda at: changes.migrate_client(at, route, account_of(client))


@_proposes("open-exit")
def open_exit(route: RouteOption) -> Change:
    """Begin to give back what is locked towards a dead ledger; read docs/governance.md first.

    Example: [bold]caimi governance propose open-exit --route caimi-31337-0[/bold]
    """
    from caimi.ledgers.evm.administration import changes

    return lambda at: changes.open_exit(at, route)
