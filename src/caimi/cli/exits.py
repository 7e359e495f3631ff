"""`caimi governance exit`: giving back what is locked towards a dead ledger, once it is open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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
from caimi.cli.proposals import RouteOption
from caimi.errors.operations import UsageError
from caimi.hex_text import read_either_case
from caimi.json_text import read_json

if TYPE_CHECKING:
    from caimi.ledgers.evm.administration.exits import Beneficiaries
    from caimi.ledgers.evm.ledger import EvmLedger

app = typer.Typer(
    help="Give back what is locked towards a dead ledger; read docs/governance.md first.",
    no_args_is_help=True,
)
HeirsArgument = Annotated[
    Path, typer.Argument(help='The list: [{"model": "0x…", "sequence": 1, "to": "0x…"}, …].')
]
HeightOption = Annotated[
    int, typer.Option(min=0, max=2**64 - 1, help="The dead ledger's last final block.")
]
ModelOption = Annotated[str, typer.Option("--model", help="The model's id on this ledger.")]


def heirs_in(file: Path) -> Beneficiaries:
    """Read a list of heirs from a file."""
    from caimi.ledgers.evm.administration.exits import read_heirs

    try:
        return read_heirs(read_json(file.read_bytes()))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"The list of heirs {file} cannot be read: {error}.") from error


@app.command()
def stop(
    route: RouteOption,
    unsigned: UnsignedOption = False,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """End an exit, as a guardian, until its list counts.

    Example: [bold]caimi governance exit stop --route caimi-31337-0 -k guardian[/bold]
    """
    from caimi.ledgers.evm.administration.exits import EmergencyExit

    async def work(at: EvmLedger) -> dict[str, object]:
        return await send(at, EmergencyExit(at).stop(route), config, key, unsigned=unsigned)

    told(
        as_json,
        "To send" if unsigned else "Stopped",
        on_governed_ledger(config, ledger, as_json, work),
    )


@app.command()
def sign(
    heirs: HeirsArgument,
    route: RouteOption,
    height: HeightOption,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sign, as a member of the route's committee, who gets what; prints the signature.

    Example: [bold]caimi governance exit sign heirs.json -r caimi-1-0 --height 99[/bold]
    """
    from caimi.ledgers.evm.administration.exits import EmergencyExit

    async def work(at: EvmLedger) -> dict[str, object]:
        death = await EmergencyExit(at).death(route, height, heirs_in(heirs))
        signer = (await identity_of(config, key)).signer
        return {
            "list": f"0x{death.heirs.hex()}",
            "digest": f"0x{death.digest.hex()}",
            "signature": f"0x{signer.account.hex()}:0x{signer.sign_digest(death.digest).hex()}",
        }

    told(as_json, "Signed, not sent", on_governed_ledger(config, ledger, as_json, work))


@app.command()
def declare(
    heirs: HeirsArgument,
    route: RouteOption,
    height: HeightOption,
    signature: Annotated[
        list[str], typer.Option("--signature", help="As `exit sign` printed it; once a member.")
    ],
    unsigned: UnsignedOption = False,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hand in what the committee's members signed.

    Example: [bold]caimi governance exit declare heirs.json -r caimi-1-0 --height 99[/bold]
    """
    from caimi.ledgers.evm.administration.exits import EmergencyExit

    async def work(at: EvmLedger) -> dict[str, object]:
        leaving = EmergencyExit(at)
        death = await leaving.death(route, height, heirs_in(heirs))
        committee = await at.gateway.committee(route)
        signers, joined = death.collect(committee, dict(map(_signature, signature)))
        call = leaving.declare(death, signers, joined)
        return await send(at, call, config, key, unsigned=unsigned)

    told(
        as_json,
        "To send" if unsigned else "Declared",
        on_governed_ledger(config, ledger, as_json, work),
    )


@app.command()
def unlock(
    heirs: HeirsArgument,
    route: RouteOption,
    model: ModelOption,
    unsigned: UnsignedOption = False,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a model that had arrived to whom the list names.

    Example: [bold]caimi governance exit unlock heirs.json -r caimi-1-0 --model 0x…[/bold]
    """
    from caimi.ledgers.evm.administration.exits import EmergencyExit

    async def work(at: EvmLedger) -> dict[str, object]:
        call = EmergencyExit(at).unlock(route, heirs_in(heirs), id_of(model))
        return await send(at, call, config, key, unsigned=unsigned)

    told(
        as_json,
        "To send" if unsigned else "Given",
        on_governed_ledger(config, ledger, as_json, work),
    )


@app.command("refund-purchase")
def refund_purchase(
    route: RouteOption,
    packet: Annotated[
        int, typer.Option("--packet", min=1, max=2**64 - 1, help="Sequence of the packet.")
    ],
    unsigned: UnsignedOption = False,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give what was paid for a licence, and did not end, back to its buyer.

    Example: [bold]caimi governance exit refund-purchase -r caimi-1-0 --packet 7[/bold]
    """
    from caimi.ledgers.evm.administration.exits import EmergencyExit

    async def work(at: EvmLedger) -> dict[str, object]:
        call = EmergencyExit(at).refund_purchase(route, packet)
        return await send(at, call, config, key, unsigned=unsigned)

    told(
        as_json,
        "To send" if unsigned else "Given",
        on_governed_ledger(config, ledger, as_json, work),
    )


@app.command()
def refund(
    route: RouteOption,
    model: ModelOption,
    sender: Annotated[str, typer.Option("--sender", help="Who sent it, and gets it back.")],
    unsigned: UnsignedOption = False,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a model that is not known to have arrived back to who sent it.

    Example: [bold]caimi governance exit refund -r caimi-1-0 --model 0x… --sender 0x…[/bold]
    """
    from caimi.ledgers.evm.administration.exits import EmergencyExit

    async def work(at: EvmLedger) -> dict[str, object]:
        call = EmergencyExit(at).refund(route, id_of(model), account_of(sender))
        return await send(at, call, config, key, unsigned=unsigned)

    told(
        as_json,
        "To send" if unsigned else "Given",
        on_governed_ledger(config, ledger, as_json, work),
    )


def _signature(text: str) -> tuple[bytes, bytes]:
    who, _, signature = text.partition(":")
    if not signature.startswith("0x"):
        raise UsageError(
            f"{text!r:.60} is no account and signature as `caimi governance exit sign` prints them."
        )
    try:
        return account_of(who), read_either_case(signature)
    except ValueError:
        raise UsageError(f"The signature of {who} is not hexadecimal.") from None
