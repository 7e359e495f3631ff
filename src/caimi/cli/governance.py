"""`caimi governance`: who may change what on a ledger, and changes through its timelock."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from caimi.cli import batches, exits, proposals
from caimi.cli.batches import BatchOption, tell_written, write_calls
from caimi.cli.durations import seconds_of, span_of
from caimi.cli.one_ledger import (
    UnsignedOption,
    account_of,
    id_of,
    identity_of,
    on_governed_ledger,
    send,
    told,
)
from caimi.cli.options import ConfigOption, JsonOption, KeyOption, LedgerOption
from caimi.cli.output import facts, out, print_json, say, table
from caimi.times import time_text

if TYPE_CHECKING:
    from pathlib import Path

    from caimi.ledgers.evm.abi.calls import EvmCall
    from caimi.ledgers.evm.administration.governance import Governance
    from caimi.ledgers.evm.administration.timelock import Timelock, TimelockOperation
    from caimi.ledgers.evm.ledger import EvmLedger

app = typer.Typer(
    help="Who may change what on a ledger, and changes through its timelock.", no_args_is_help=True
)
app.add_typer(proposals.app, name="propose")
app.add_typer(exits.app, name="exit")
app.command("check-batch")(batches.check_batch)

OperationArgument = Annotated[
    str, typer.Argument(help="Id of a pending operation; see `caimi governance show`.")
]


@app.command()
def show(
    ledger: LedgerOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Show who holds which role, the delay, and the operations that wait.

    Example: [bold]caimi governance show --ledger eip155:31337[/bold]
    """
    from caimi.ledgers.evm.administration.governance import read_governance

    async def work(opened: EvmLedger) -> tuple[Governance, int]:
        return await read_governance(opened), (await opened.head()).time

    found, now = on_governed_ledger(config, ledger, as_json, work)
    if as_json:
        print_json({"ok": True, "time": now, **asdict(found)})
        return
    _print(found, now)


def _print(found: Governance, now: int) -> None:
    rows: list[tuple[str, str]] = []
    for role, accounts in (
        ("administrator", found.administrators),
        ("guardian", found.guardians),
        ("bridge", found.bridges),
        ("proposer", found.proposers),
        ("canceller", found.cancellers),
        ("executor", found.executors),
    ):
        rows += [(role, _named(found, who)) for who in accounts]
    table(f"Roles on {found.ledger}", ("role", "account"), rows)
    out.print(
        f"Whatever weakens security waits {span_of(found.delay)}."
        if found.timelock
        else "[yellow]Nothing waits: there is no timelock.[/yellow]"
    )
    for way in found.ways_around:
        said = "Around the timelock" if found.timelock else "Not behind one"
        say("[yellow]{}:[/yellow] {}", said, way)
    if found.pending:
        out.print("[bold]Pending operations[/bold]")
    elif found.timelock:
        out.print("[dim]Pending operations: nothing.[/dim]")
    else:
        out.print("Next: [bold]caimi governance hand-over --help[/bold]")
    for operation in found.pending:
        # An id is for copying: it is never broken over lines.
        due = _due(operation.ready_at, now)
        say("  0x{}  {}", operation.id.hex(), due)
        for does in operation.says:
            say("    {}", does)
    if found.exits:
        table(
            "Emergency exits",
            ("route", "committee heard", "list counts", "list"),
            [
                (
                    one.client_id,
                    _due(one.heard_from, now),
                    _due(one.counts_from, now) if one.counts_from else "not declared",
                    f"0x{one.heirs.hex()}" if one.heirs else "",
                )
                for one in found.exits
            ],
        )


def _named(found: Governance, who: bytes) -> str:
    if who == bytes(20):
        return "anyone"
    from caimi.signatures import account_text

    text = account_text(who)
    return f"{text} (the timelock)" if who == found.timelock else text


def _due(ready_at: int, now: int) -> str:
    if ready_at <= now:
        return "ready"
    return f"{time_text(ready_at)}, in {span_of(ready_at - now)}"


@app.command("hand-over")
def hand_over(
    delay: Annotated[str, typer.Option("--delay", help="How long changes wait: 1d to 30d.")],
    proposer: Annotated[
        list[str],
        typer.Option(
            "--proposer", help="May propose and cancel; again for more. A multi-signature account."
        ),
    ],
    canceller: Annotated[
        list[str] | None, typer.Option("--canceller", help="May only cancel; again for more.")
    ] = None,
    executor: Annotated[
        list[str] | None,
        typer.Option("--executor", help="May carry out what has waited; anyone unless given."),
    ] = None,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give the administration of a ledger to a new timelock, for good.

    Example: [bold]caimi governance hand-over --delay 3d --proposer 0x… -l eip155:1[/bold]
    """
    from caimi.config import load_config
    from caimi.ledgers.evm.administration import governance
    from caimi.persistence import open_journal

    async def work(opened: EvmLedger) -> Governance:
        proposers, cancellers, executors = (
            sorted({account_of(text) for text in given or ()})
            for given in (proposer, canceller, executor)
        )
        intent = [[f"0x{who.hex()}" for who in each] for each in (proposers, cancellers, executors)]
        wait = seconds_of(delay)
        signer = (await identity_of(config, key)).signer_on(opened.id)
        journal = open_journal(load_config(config))
        try:
            async with journal.operation(
                "hand-over", opened.id, str(wait), *(" ".join(each) for each in intent)
            ) as operation:
                await operation.note(ledger=opened.id)
                found = await governance.hand_over(
                    opened,
                    signer,
                    proposers=proposers,
                    executors=executors or (governance.ANYONE,),
                    cancellers=cancellers,
                    delay=wait,
                    outbox=journal,
                    key=operation.key,
                )
                await operation.finish()
                return found
        finally:
            journal.close()

    found = on_governed_ledger(config, ledger, as_json, work)
    if as_json:
        print_json({"ok": True, **asdict(found)})
        return
    facts(
        f"{found.ledger} is handed over",
        {"timelock": f"0x{found.timelock.hex()}", "delay": span_of(found.delay)},
    )
    out.print("Next: [bold]caimi governance show[/bold], and keep looking at it.")


@app.command()
def execute(
    operation: OperationArgument,
    unsigned: UnsignedOption = False,
    batch: BatchOption = None,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Carry out an operation that has waited long enough.

    Example: [bold]caimi governance execute 0x… -l eip155:31337 -k anyone[/bold]
    """

    async def work(opened: EvmLedger) -> dict[str, object]:
        timelock, found = await _found(opened, operation)
        call = timelock.execute(found)
        return await _handed_over(opened, call, config, key, unsigned=unsigned, batch=batch)

    sent = on_governed_ledger(config, ledger, as_json, work)
    _tell(sent, "To send" if unsigned else "Carried out", batch, as_json=as_json)


@app.command()
def cancel(
    operation: OperationArgument,
    unsigned: UnsignedOption = False,
    batch: BatchOption = None,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take back an operation that waits.

    Example: [bold]caimi governance cancel 0x… -l eip155:31337 -k canceller[/bold]
    """

    async def work(opened: EvmLedger) -> dict[str, object]:
        timelock, found = await _found(opened, operation)
        call = timelock.cancel(found)
        return await _handed_over(opened, call, config, key, unsigned=unsigned, batch=batch)

    sent = on_governed_ledger(config, ledger, as_json, work)
    _tell(sent, "To send" if unsigned else "Cancelled", batch, as_json=as_json)


async def _handed_over(
    ledger: EvmLedger,
    call: EvmCall[None],
    config: Path | None,
    key: str | None,
    *,
    unsigned: bool,
    batch: Path | None,
) -> dict[str, object]:
    """Write a call into a file where one is named, or else send it or give what is to be sent."""
    if batch is not None:
        return await write_calls(ledger, [call], batch)
    return await send(ledger, call, config, key, unsigned=unsigned)


def _tell(sent: dict[str, object], title: str, batch: Path | None, *, as_json: bool) -> None:
    if batch is not None and not as_json:
        tell_written([sent])
    else:
        told(as_json, title, sent)


async def _found(ledger: EvmLedger, operation: str) -> tuple[Timelock, TimelockOperation]:
    from caimi.ledgers.evm.administration.governance import timelock_of

    timelock = await timelock_of(ledger)
    return timelock, await timelock.operation(id_of(operation))
