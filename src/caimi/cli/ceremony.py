"""`caimi committee make-key`: the nodes make the committee's key, ordered by their coordinator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from caimi.cli.one_ledger import identity_of
from caimi.cli.options import ConfigOption, JsonOption, KeyOption, guarded
from caimi.cli.output import facts, out, print_json

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from caimi.client.keyring import Identity
    from caimi.config import Config
    from caimi.node.coordinator import LedgerBroadcast

LedgerOption = Annotated[
    str | None,
    typer.Option("--ledger", "-l", help="Write each round down there; default: relay only."),
]


def make_key(
    node: Annotated[list[str], typer.Option("--node", help="A node's URL, in their order; again.")],
    threshold: Annotated[int, typer.Option(help="How many nodes together can use the key.")],
    ledger: LedgerOption = None,
    abort: Annotated[
        bool, typer.Option("--abort", help="Put an unfinished one aside, and make none.")
    ] = False,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have the nodes make the committee's key; run again, it goes on where it stopped.

    The key in use must be the account that the nodes' settings name as coordinator.

    Example: [bold]caimi committee make-key --threshold 2 --node http://… --node http://…[/bold]
    """
    import asyncio
    from contextlib import AsyncExitStack

    from caimi.composition.trust import Trust
    from caimi.config import load_config
    from caimi.node.coordinator import abandon, generate_group_key
    from caimi.node.members import HttpMember
    from caimi.services.endpoint import Endpoint

    async def work() -> str | None:
        identity = await identity_of(config, key)
        async with AsyncExitStack() as stack:
            settings = load_config(config)
            trust = Trust(settings)
            endpoints = [Endpoint(url, tls=trust.of(url)) for url in node]
            for endpoint in endpoints:
                stack.push_async_callback(endpoint.aclose)
            members = [HttpMember(endpoint, identity.signer) for endpoint in endpoints]
            if abort:
                await abandon(members, [await member.status() for member in members])
                return None
            public = await broadcast_on(stack, settings, identity, ledger)
            group = await generate_group_key(members, threshold, public)
            return f"0x{group.to_bytes().hex()}"

    said = bound(threshold, len(node), ledger)
    if not (as_json or abort):
        out.print(said)
    made = guarded(as_json, lambda: asyncio.run(work()))
    if as_json:
        print_json({"ok": True, "group_key": made, "bound": said})
    elif made is None:
        out.print("What was unfinished is put aside; no key was made.")
    else:
        facts("The committee has a key", {"group_key": made})
        out.print("Next: write it into caimi.toml, as group_key under \\[committee].")


async def broadcast_on(
    stack: AsyncExitStack, settings: Config, identity: Identity, ledger: str | None
) -> LedgerBroadcast | None:
    """Give where each round is written down: on a ledger of the configuration, or nowhere."""
    from caimi.composition.ledgers import open_ledger
    from caimi.node.coordinator import LedgerBroadcast

    if ledger is None:
        return None
    opened = await open_ledger(stack, settings.ledger(ledger))
    return LedgerBroadcast(opened, identity.signer_on(opened.id))


def bound(threshold: int, total: int, ledger: str | None) -> str:
    """Say how many members may cheat without effect."""
    from caimi.custody.dkg.ceremony import most_faults

    faults = most_faults(threshold, total, broadcast=ledger is not None)
    channel = (
        "this command alone relays (fewer than a third)"
        if ledger is None
        else f"each round is written down on {ledger}"
    )
    return (
        f"Up to {faults} of the {total} nodes may cheat, and this command with them, without "
        f"learning, choosing or splitting the key: {channel}. Any node can stop it."
    )
