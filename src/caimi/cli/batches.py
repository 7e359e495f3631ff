"""Files for multi-signature accounts: written by commands that send nothing, and checked."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caimi.cli.one_ledger import on_governed_ledger
from caimi.cli.options import ConfigOption, JsonOption, LedgerOption
from caimi.cli.output import facts, out, print_json, say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from caimi.ledgers.evm.abi.calls import EvmCall
    from caimi.ledgers.evm.ledger import EvmLedger
    from caimi.ledgers.port import Call, Ledger, LedgerId

BatchOption = Annotated[
    Path | None,
    typer.Option(
        "--batch", help="Send nothing; write a file that Safe's Transaction Builder imports."
    ),
]


async def write_calls(
    ledger: EvmLedger, calls: Sequence[EvmCall[None]], file: Path
) -> dict[str, object]:
    """Write calls on a ledger into one file for who proposes there; tells what is in it.

    Raises:
        UnknownCall: one of them is no change that CAIMI makes.
        OutputUnusable: the file cannot be written.
    """
    from caimi.ledgers.evm.administration.batches import SafeBatch, write_batch
    from caimi.ledgers.evm.administration.explaining import Explainer
    from caimi.ledgers.evm.administration.proposing import sole_proposer, timelock_if_any
    from caimi.ledgers.evm.administration.timelock import TimelockCall
    from caimi.places import check_file_place, write_result

    check_file_place(file)
    timelock = await timelock_if_any(ledger)
    steps = tuple(TimelockCall(each.target, each.value, each.data) for each in calls)
    explainer = Explainer(ledger, timelock.address if timelock else b"")
    says = [line for step in steps for line in explainer.explain(step)]
    name = "; ".join(each.what for each in calls)[:200]
    safe = await sole_proposer(timelock) if timelock else b""
    batch = SafeBatch(ledger.chain.number, name, safe, int(time.time() * 1000), steps)
    write_result(file, write_batch(batch).encode())
    return {"ledger": ledger.id, "file": str(file), "says": says}


class BatchFolder:
    """Takes what a route's ends are to propose, for a file of each ledger (port `Drafts`)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._calls: dict[LedgerId, list[Call[object]]] = {}

    def draft(self, call: Call[object]) -> None:
        """Keep a call until `write`."""
        self._calls.setdefault(call.ledger, []).append(call)

    async def write(self, ledgers: Mapping[LedgerId, Ledger]) -> list[dict[str, object]]:
        """Write what was kept; raises as `write_calls`."""
        from caimi.ledgers.evm.ledger import EvmLedger

        written = []
        for name, calls in self._calls.items():
            ledger = ledgers[name]
            assert isinstance(ledger, EvmLedger), "no other ledger's changes are drafted"
            self._folder.mkdir(parents=True, exist_ok=True)
            file = self._folder / f"{name.replace(':', '-')}.json"
            written.append(await write_calls(ledger, calls, file))  # type: ignore[arg-type]
        return written


def check_batch(
    file: Annotated[Path, typer.Argument(help="A batch for a multi-signature account.")],
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what a batch for a multi-signature account does, before anybody signs it.

    A call that is no change which CAIMI makes is refused, whatever else is in the file.

    Example: [bold]caimi governance check-batch change.json -l eip155:1[/bold]
    """

    async def work(opened: EvmLedger) -> dict[str, object]:
        from caimi.errors.batches import BatchInvalid
        from caimi.ledgers.evm.administration.batches import MAX_BATCH_BYTES, read_batch
        from caimi.ledgers.evm.administration.explaining import Explainer
        from caimi.ledgers.evm.administration.proposing import holds, timelock_if_any
        from caimi.ledgers.evm.administration.timelock import PROPOSER

        try:
            with file.open("rb") as content:
                data = content.read(MAX_BATCH_BYTES + 1)
        except OSError as error:
            raise BatchInvalid(f"{file} cannot be read: {error.strerror}.") from error
        batch = read_batch(data, opened.chain.number)
        timelock = await timelock_if_any(opened)
        explainer = Explainer(opened, timelock.address if timelock else b"")
        proposes = timelock is not None and await holds(timelock, PROPOSER, batch.safe)
        return {
            "ledger": opened.id,
            "account": f"0x{batch.safe.hex()}" if batch.safe else None,
            "proposes": proposes if batch.safe else None,
            "transactions": [explainer.explain(call) for call in batch.calls],
        }

    found = on_governed_ledger(config, ledger, as_json, work)
    if as_json:
        print_json({"ok": True, **found})
        return
    transactions = found["transactions"]
    assert isinstance(transactions, list)
    for number, lines in enumerate(transactions, start=1):
        say("[bold]{}[/bold]  {}", number, lines[0])
        for line in lines[1:]:
            say("   {}", line)
    if found["account"]:
        proposes = "proposes here" if found["proposes"] else "is no proposer here"
        say("For {}, which {}.", found["account"], proposes)


def tell_written(written: Sequence[Mapping[str, object]]) -> None:
    """Print which files were written, and what is to be done with them."""
    for each in written:
        facts(f"Written for {each['ledger']}", {"file": each["file"]})
        says = each["says"]
        assert isinstance(says, list)
        for line in says:
            say("  {}", line)
    if written:
        out.print(
            "Next: [bold]caimi governance check-batch FILE[/bold], and have it signed and sent."
        )
