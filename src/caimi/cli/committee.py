"""`caimi committee`: who attests for each route, and handing over to the next committee."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caimi.cli.ceremony import make_key
from caimi.cli.committee_creation import create
from caimi.cli.one_ledger import identity_of, members_of
from caimi.cli.options import ConfigOption, JsonOption, KeyOption, ask_passphrase, guarded
from caimi.cli.output import jsonable, print_json, say, table
from caimi.errors.operations import UsageError
from caimi.places import check_file_place, write_result

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from typing import TypeVar

    from caimi.client.committees import TrustedCommittee
    from caimi.ledgers.port import Ledger, LedgerId, Signer
    from caimi.messaging.handover import Handover

    T = TypeVar("T")

app = typer.Typer(
    help="Who attests for each route, handing over to the next committee, and the custodians' key.",
    no_args_is_help=True,
)

app.command("create")(create)
app.command("make-key")(make_key)

FileArgument = Annotated[Path, typer.Argument(help="The hand-over that members sign.")]


@app.command()
def show(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show the committee of every client of the configured ledgers.

    Example: [bold]caimi committee show[/bold]
    """
    from caimi.client.committees import committees

    async def work(ledgers: Mapping[LedgerId, Ledger]) -> list[tuple[TrustedCommittee, str]]:
        offices = await committees(ledgers)
        return [(each, ledgers[each.ledger].accounts.text(each.client)) for each in offices]

    found = _on_ledgers(config, as_json, work)
    if as_json:
        documents = [{**jsonable(each), "client": client} for each, client in found]
        print_json({"ok": True, "committees": documents})
        return
    table(
        "Committees in office",
        ("on", "route", "attests", "epoch", "threshold", "client"),
        [
            (
                each.ledger,
                each.route.client_id,
                each.route.counterparty,
                each.committee.epoch,
                f"{each.committee.threshold} of {len(each.committee.members)}",
                client + (" (frozen)" if each.frozen else ""),
            )
            for each, client in found
        ],
    )


@app.command()
def plan(
    member: Annotated[
        list[str],
        typer.Option(
            "--member", help="A new member's account, with =N if operator N runs several; again."
        ),
    ],
    threshold: Annotated[int, typer.Option(help="How many must sign: a majority, at least 2.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write it.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write down how every committee in office hands over to a new one, for members to sign.

    Example: [bold]caimi committee plan --threshold 2 --member 0x… --member 0x… -o next.json[/bold]
    """
    from caimi.client import committees

    async def work(ledgers: Mapping[LedgerId, Ledger]) -> list[dict[str, object]]:
        accounts, operators = members_of(member)
        handover = await committees.plan(ledgers, threshold, accounts, operators)
        write_result(output, handover.to_json().encode())
        return _status(handover)

    def place() -> None:
        check_file_place(output)
        if output.exists():  # others' signatures may be in it
            raise UsageError(f"{output} is already there.")

    guarded(as_json, place)
    _told(as_json, output, _on_ledgers(config, as_json, work))


@app.command()
def sign(
    file: FileArgument,
    keystore: Annotated[
        Path | None,
        typer.Option(help="A node's keystore, instead of a key of `caimi keys`."),
    ] = None,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sign a hand-over as a member of the committee in office. Read it first.

    Example: [bold]caimi committee sign next.json --keystore node-1/account.json[/bold]
    """
    import asyncio

    from caimi.messaging.handover import Handover

    def work() -> list[dict[str, object]]:
        handover = Handover.from_json(_read(file))
        signer = (
            asyncio.run(identity_of(config, key)).signer
            if keystore is None
            else _load(keystore, config)
        )
        signed = handover.sign(signer)
        write_result(file, signed.to_json().encode())  # whole: the others' signatures are in it
        return _status(signed)

    _told(as_json, file, guarded(as_json, work))


@app.command()
def apply(
    file: FileArgument,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring a signed hand-over to every configured ledger; run again, it goes on where it stopped.

    Example: [bold]caimi committee apply next.json -k alice[/bold]
    """
    from caimi.client.committees import RotationOutcome, carry_out
    from caimi.config import load_config
    from caimi.hashing import keccak256
    from caimi.messaging.handover import Handover
    from caimi.persistence import open_journal

    async def work(ledgers: Mapping[LedgerId, Ledger]) -> list[RotationOutcome]:
        text = _read(file)
        handover = Handover.from_json(text)
        signers = (await identity_of(config, key)).signers(ledgers)
        journal = open_journal(load_config(config))
        try:
            async with journal.operation("committee", keccak256(text).hex()) as operation:
                outcomes = await carry_out(handover, ledgers, signers, journal, operation.key)
                if all(each.outcome in ("handed over", "already") for each in outcomes):
                    await operation.finish()
                return outcomes
        finally:
            journal.close()

    found = _on_ledgers(config, as_json, work)
    if as_json:
        print_json({"ok": True, "clients": found})
        return
    rows = [(x.ledger, x.about, x.client, x.outcome, x.tx) for x in found]
    table("Clients", ("on", "attests", "client", "outcome", "transaction"), rows)


def _on_ledgers(
    config: Path | None, as_json: bool, work: Callable[[Mapping[LedgerId, Ledger]], Awaitable[T]]
) -> T:
    import asyncio
    from contextlib import AsyncExitStack

    from caimi.composition.ledgers import open_ledgers
    from caimi.config import load_config

    async def session() -> T:
        async with AsyncExitStack() as stack:
            return await work(await open_ledgers(stack, load_config(config).ledgers))

    return guarded(as_json, lambda: asyncio.run(session()))


def _load(keystore: Path, config: Path | None) -> Signer:
    from caimi.client.keyring import Keyring
    from caimi.config import load_config
    from caimi.keystore import LocalSigner

    passphrase = Keyring(load_config(config), ask_passphrase).passphrase(
        f"Passphrase for {keystore}"
    )
    return LocalSigner.load(keystore, passphrase)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.") from error


def _status(handover: Handover) -> list[dict[str, object]]:
    return [
        {
            "ledger": each.ledger,
            "from": each.rotation.current.epoch,
            "to": each.rotation.following.epoch,
            "signed": len(each.signatures),
            "missing": each.missing,
            "threshold": each.rotation.following.threshold,
            "members": each.rotation.following.members,
        }
        for each in handover.planned
    ]


def _told(as_json: bool, file: Path, status: list[dict[str, object]]) -> None:
    if as_json:
        print_json({"ok": True, "file": file, "rotations": status})
        return
    table(
        str(file),
        ("attests", "epoch", "signed", "missing"),
        [
            (each["ledger"], f"{each['from']} to {each['to']}", each["signed"], each["missing"])
            for each in status
        ],
    )
    for members in {each["members"]: each for each in status}.values():
        names = [(f"0x{member.hex()}",) for member in members["members"]]  # type: ignore[attr-defined]
        table(f"The next committee, {members['threshold']} of", ("member",), names)
    if any(each["missing"] for each in status):
        say("Next: members sign it with [bold]caimi committee sign {}[/bold]", file)
    else:
        say("Next: [bold]caimi committee apply {}[/bold]", file)
