"""`caimi packet`: what became of one packet, on both ledgers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from caimi.cli.options import ConfigOption, JsonOption, LedgerOption, with_network
from caimi.cli.output import facts, print_json
from caimi.cli.waiting import stages
from caimi.times import time_text

if TYPE_CHECKING:
    from caimi.client.network import AsyncNetwork
    from caimi.client.packet_events import PacketStep
    from caimi.client.packets import FollowedPacket

app = typer.Typer(help="Packets between ledgers.", no_args_is_help=True)


@app.command()
def show(
    packet: Annotated[
        str, typer.Argument(help="CLIENT/SEQUENCE, or a transaction that sent or carried it.")
    ],
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Follow a packet over both ledgers: what happened, what it waits for, what to do next.

    Example: [bold]caimi packet show caimi-31337-0/7[/bold]
    """

    async def work(net: AsyncNetwork) -> None:
        with stages(quiet=as_json) as progress:
            progress("looking on both ledgers", 0, None)
            found = await net.packets(packet, ledger)
        if as_json:
            print_json({"ok": True, "packets": found})
            return
        for each in found:
            facts(f"Packet {each.id}", _told(each))

    with_network(config, None, as_json, work, reading=True)


def _told(packet: FollowedPacket) -> dict[str, object]:
    fees = [
        f"{fee.amount} by {fee.payer} for {fee.relayer}" + ("" if fee.held else " (ended)")
        for fee in packet.fees
    ]
    return {
        "from": packet.source,
        "to": f"{packet.destination}, by its client {packet.dest_client}",
        "carries": "; ".join(packet.carries),
        **{step.what: _step(step) for step in packet.steps},
        "answer": packet.answer,
        "fees": "; ".join(fees),
        "outcome": packet.outcome,
        "times out": "" if packet.steps[1:] else time_text(packet.timeout),
        "signatures": packet.signatures or "",
        "waits for": packet.waits_for,
        "next": packet.next_step,
    }


def _step(step: PacketStep) -> str:
    sure = "" if step.final else ", not final yet"
    return f"{time_text(step.time)} in block {step.height} of {step.ledger}{sure}, tx {step.tx}"
