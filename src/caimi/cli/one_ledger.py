"""How commands about one ledger run: its connection, who signs, and what they print of a call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from caimi.cli.options import ask_passphrase, guarded
from caimi.cli.output import facts, print_json
from caimi.errors.operations import UsageError
from caimi.hex_text import read_either_case

if TYPE_CHECKING:
    from caimi.client.keyring import Identity
    from caimi.ledgers.evm.ledger import EvmLedger
    from caimi.ledgers.port import Call, Ledger, Signer

T = TypeVar("T")

UnsignedOption = Annotated[
    bool,
    typer.Option("--unsigned", help="Send nothing; print the call for a multi-signature account."),
]


def account_of(text: str) -> bytes:
    """Read an account's address.

    Raises:
        UsageError: it is something else.
    """
    try:
        return read_either_case(text, 20)
    except ValueError:
        raise UsageError(
            f"{text!r:.60} is no address; write 0x and 40 hexadecimal digits."
        ) from None


def members_of(texts: Sequence[str]) -> tuple[list[bytes], dict[bytes, int] | None]:
    """Read a committee's members, ACCOUNT or ACCOUNT=OPERATOR; with the operators where named.

    Raises:
        UsageError: one is no address, or not all are of the same form.
    """
    parts = [text.partition("=") for text in texts]
    accounts = [account_of(account) for account, _, _ in parts]
    numbers = [number for _, _, number in parts]
    if not any(numbers):
        return accounts, None
    if not all(number.isdecimal() and len(number) <= 3 for number in numbers):
        raise UsageError("Give every member an operator, as in 0x…=1, or none.")
    return accounts, dict(zip(accounts, map(int, numbers), strict=True))


def id_of(text: str) -> bytes:
    """Read the id of an operation or a model: 32 bytes.

    Raises:
        UsageError: it is something else.
    """
    try:
        return read_either_case(text, 32)
    except ValueError:
        raise UsageError(f"{text!r:.80} is no id; write 0x and 64 hexadecimal digits.") from None


def on_ledger(
    config: Path | None,
    ledger: str | None,
    as_json: bool,
    work: Callable[[Ledger], Awaitable[T]],
) -> T:
    """Connect to one configured ledger, work, and disconnect."""
    from caimi.composition.ledgers import open_ledger
    from caimi.config import load_config

    async def session() -> T:
        settings = load_config(config)
        if ledger is None and len(settings.ledgers) != 1:
            known = ", ".join(section.id for section in settings.ledgers)
            raise UsageError(f"Name a ledger with --ledger; there are: {known}.")
        section = settings.ledgers[0] if ledger is None else settings.ledger(ledger)
        async with AsyncExitStack() as stack:
            return await work(await open_ledger(stack, section))

    return guarded(as_json, lambda: asyncio.run(session()))


def on_governed_ledger(
    config: Path | None,
    ledger: str | None,
    as_json: bool,
    work: Callable[[EvmLedger], Awaitable[T]],
) -> T:
    """Connect to one whose contracts have administrators, as `on_ledger` does."""
    from caimi.errors.ledgers import NotOffered
    from caimi.ledgers.evm.ledger import EvmLedger

    async def narrowed(opened: Ledger) -> T:
        if not isinstance(opened, EvmLedger):
            raise NotOffered(f"{opened.id} is not administered with this command.")
        return await work(opened)

    return on_ledger(config, ledger, as_json, narrowed)


async def identity_of(config: Path | None, key: str | None) -> Identity:
    """Open the keys of the name that is given, or of the only one; raises as `Keyring.open`."""
    from caimi.client.keyring import Keyring
    from caimi.config import load_config

    return await asyncio.to_thread(Keyring(load_config(config), ask_passphrase).open, key)


async def send(
    ledger: Ledger, call: Call[object], config: Path | None, key: str | None, *, unsigned: bool
) -> dict[str, object]:
    """Send a call with the named key, or only give what a multi-signature account would send."""
    if unsigned:
        return {"ledger": ledger.id, **ledger.describe(call)}
    signer = (await identity_of(config, key)).signer_on(ledger.id)
    return await send_as(ledger, call, config, signer)


async def send_as(
    ledger: Ledger, call: Call[object], config: Path | None, signer: Signer
) -> dict[str, object]:
    """Send a call once, journalled by what it is: a run that was killed is finished by the next."""
    from caimi.config import load_config
    from caimi.persistence import open_journal

    journal = open_journal(load_config(config))
    intent = [ledger.id, signer.account.hex(), *ledger.describe(call).values()]
    try:
        async with journal.once("send", *intent) as operation:
            done = await ledger.submit(
                call, signer, outbox=journal, key=operation.outbox_key("send")
            )
    finally:
        journal.close()
    return {"ledger": ledger.id, "tx": done.tx, "height": done.height}


def told(as_json: bool, title: str, sent: dict[str, object]) -> None:
    """Print what was sent, or is to be sent."""
    if as_json:
        print_json({"ok": True, **sent})
    else:
        facts(title, sent)
