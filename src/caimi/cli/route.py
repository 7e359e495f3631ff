"""`caimi route`: joining configured ledgers, the routes there are, and closing one."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caimi.cli.batches import BatchFolder, tell_written
from caimi.cli.durations import seconds_of
from caimi.cli.endorsers import ENDORSED, endorsers_of
from caimi.cli.one_ledger import account_of, identity_of, members_of
from caimi.cli.options import ConfigOption, JsonOption, KeyOption, guarded
from caimi.cli.output import err, facts, out, print_json, say, shown, table
from caimi.cli.plans import (
    PlanConsent,
    PlanOption,
    YesOption,
    check_funds,
    plan_document,
    show_plan,
)
from caimi.cli.waiting import doing
from caimi.errors.deploying import ChangeWaits
from caimi.errors.operations import UsageError
from caimi.times import time_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from caimi.composition.routing import Joined, ListedRoute, Unlisted
    from caimi.config import Config, LedgerSection
    from caimi.ledgers.port import ClientTerms, Committee, Ledger

app = typer.Typer(
    help="Routes between ledgers: adding them, listing them, and closing them.",
    no_args_is_help=True,
)

OneArgument = Annotated[str, typer.Argument(help="A ledger, by CAIP-2 id or name.")]
OtherArgument = Annotated[str, typer.Argument(help="The other one.")]


@app.command()
def add(
    one: OneArgument,
    other: OtherArgument,
    client: Annotated[
        list[str] | None,
        typer.Option(
            "--client",
            help="What each end's client believes: committee (unless given), storage-proof, "
            "optimistic or endorsed-reads; again for a composite of several.",
        ),
    ] = None,
    back: Annotated[
        list[str] | None,
        typer.Option("--back", help="The same for the other ledger's end, where it differs."),
    ] = None,
    needed: Annotated[
        int, typer.Option("--needed", min=0, help="How many of several must prove; 0: all.")
    ] = 0,
    member: Annotated[
        list[str] | None,
        typer.Option(
            "--member", help="An attesting account, with =N of operator N; else of [committee]."
        ),
    ] = None,
    signers: Annotated[
        int | None,
        typer.Option("--signers", help="How many members must sign; the custodians' unless given."),
    ] = None,
    epoch: Annotated[int, typer.Option("--epoch", min=0, help="The committee's epoch.")] = 0,
    bond: Annotated[
        str | None, typer.Option("--bond", help="Of an optimistic claim, in the ledger's coin.")
    ] = None,
    window: Annotated[
        str | None,
        typer.Option("--window", help="How long claims lie open, 10m to 12h; 1h unless given."),
    ] = None,
    proposer: Annotated[
        list[str] | None,
        typer.Option("--proposer", help="May make optimistic claims, a relayer's account; again."),
    ] = None,
    endorser: Annotated[
        list[str] | None,
        typer.Option(
            "--endorser",
            help="Whose endorsed reads count: ORGANISATION=CERTIFICATE.pem of a peer; again.",
        ),
    ] = None,
    endorsements: Annotated[
        int,
        typer.Option("--endorsements", min=0, help="How many organisations must sign; 0: all."),
    ] = 0,
    channel: Annotated[
        str, typer.Option("--channel", help="The Fabric channel that endorsed reads are of.")
    ] = "caimi",
    chaincode: Annotated[
        str, typer.Option("--chaincode", help="The chaincode there that is read.")
    ] = "caimi",
    anew: Annotated[
        bool, typer.Option("--anew", help="Add another one beside what there is, or was begun.")
    ] = False,
    batch: Annotated[
        Path | None,
        typer.Option(
            "--batch",
            help="A directory for what a multi-signature account is to propose to a timelock.",
        ),
    ] = None,
    plan: PlanOption = False,
    yes: YesOption = False,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Join two ledgers: a light client and a route on each. Run again, it goes on.

    Where a timelock administers, it is proposed to it, with a proposer's key or by --batch, and
    goes on with the run that comes when it has waited: once to add it, once to name the other end.

    Example: [bold]caimi route add a b -k deployer[/bold]
    """
    from caimi.config import load_config

    async def work() -> None:
        settings = load_config(config)
        sections = [settings.ledger(name) for name in (one, other)]
        if sections[0].id == sections[1].id:
            raise UsageError("A route leads from one ledger to another one.")
        believed = [client or ["committee"], back or client or ["committee"]]
        _check_of_use(believed, needed, bond, window, proposer)
        if endorser and not any(ENDORSED in names for names in believed):
            raise UsageError(f"--endorser is of endorsed reads; add --client {ENDORSED}.")
        reads = endorsers_of(endorser or (), channel, chaincode, endorsements)
        committee = _committee(settings, member or (), signers, epoch)

        def terms(ledger: Ledger, names: list[str]) -> ClientTerms:
            made = _terms(names, needed, ledger, bond, window or "1h", proposer or ())
            return replace(made, endorsers=reads) if ENDORSED in names else made

        chosen = [partial(terms, names=names) for names in believed]
        drafts = None if batch is None else BatchFolder(batch)
        consent = PlanConsent(plan, yes, as_json, anew)
        await _add(config, settings, sections, committee, chosen, key, consent, drafts)

    guarded(as_json, lambda: asyncio.run(work()))


async def _add(
    config: Path | None,
    settings: Config,
    sections: list[LedgerSection],
    committee: Committee,
    terms: Sequence[Callable[[Ledger], ClientTerms]],
    key: str | None,
    consent: PlanConsent,
    drafts: BatchFolder | None,
) -> None:
    from caimi.client.keyring import Keyring
    from caimi.composition.deploying import TellingOutbox
    from caimi.composition.ledgers import open_ledger
    from caimi.composition.routing import KIND, Routing
    from caimi.ledgers.port import LedgerId, RouteEnd
    from caimi.persistence import open_journal

    keyring = Keyring(settings)
    name = keyring.chosen(key)
    async with AsyncExitStack() as stack:
        opened = [await open_ledger(stack, section) for section in sections]
        ends = [
            (section, RouteEnd(here, of, committee, choose(here)))
            for section, here, of, choose in zip(
                sections, opened, reversed(opened), terms, strict=True
            )
        ]
        ends.sort(key=lambda each: each[0].id)
        ids = [LedgerId(section.id) for section, _ in ends]
        journal = open_journal(settings)
        stack.callback(journal.close)
        operation = await stack.enter_async_context(journal.operation(KIND, *ids))
        run = Routing(operation, journal, ends, drafts)
        found = None if consent.anew else await run.there()
        if found is not None:
            _told(found, consent.as_json, "There is a route of these terms already", added=False)
            return
        accounts = [keyring.account_on(ledger, name) for ledger in ids]
        plans = await run.plan(accounts, anew=consent.anew)
        if not consent.as_json:
            _show_committee(committee)
            for each in plans:
                show_plan(each)
        documents = [plan_document(each) for each in plans]
        if consent.ends_with_plan(committee=committee, plans=documents):
            return
        for each in plans:
            check_funds(each)
        consent.ask()
        if consent.anew:
            await operation.reopen()
        identity = await identity_of(config, name)
        tell = TellingOutbox(journal, doing)
        try:
            joined = await run.carry_out([identity.signer_on(ledger) for ledger in ids], tell)
        except ChangeWaits as waits:
            known = {LedgerId(section.id): end.here for section, end in ends}
            written = [] if drafts is None else await drafts.write(known)
            _told_waiting(waits, written, consent.as_json)
            return
        _told(joined, consent.as_json, "The ledgers are joined", added=True)


@app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the routes of the configured ledgers, and how each is.

    Example: [bold]caimi route list[/bold]
    """
    from caimi.config import load_config

    listed, unread = guarded(as_json, lambda: asyncio.run(_list(load_config(config))))
    if as_json:
        print_json(
            {
                "ok": not unread,
                "routes": listed,
                "unread": [{"ledger": each.ledger, **each.error.as_dict()} for each in unread],
            }
        )
    else:
        rows = [
            (
                each.ledger,
                each.route.client_id,
                each.route.counterparty,
                each.client,
                each.signers,
                _state(each),
            )
            for each in listed
        ]
        table("Routes", ("on", "client", "to", "believes", "signers", "state"), rows)
        for each in unread:
            err.print(shown(f"{each.ledger}: {each.error}", "red"))
    if unread:
        raise typer.Exit(1)


async def _list(settings: Config) -> tuple[list[ListedRoute], list[Unlisted]]:
    from caimi.composition.ledgers import prepare_ledger
    from caimi.composition.routing import list_routes
    from caimi.ledgers.port import LedgerId

    async with AsyncExitStack() as stack:
        ledgers = {}
        for section in settings.ledgers:
            ledger = prepare_ledger(section)
            stack.push_async_callback(ledger.aclose)
            ledgers[LedgerId(section.id)] = ledger
        return await list_routes(ledgers)


@app.command()
def remove(
    one: OneArgument,
    other: OtherArgument,
    route: Annotated[
        str | None, typer.Option("--route", "-r", help="Which of several, by its client id.")
    ] = None,
    yes: YesOption = False,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Close a route at both ends: nothing more is sent or taken over it. A guardian's key does it.

    Gateways forget no route: it is paused, and what is under way ends by its acknowledgement or its
    timeout. Governance may open it again with `caimi governance propose unpause-route`.

    Example: [bold]caimi route remove a b -k guardian[/bold]
    """
    from caimi.config import load_config

    async def work() -> None:
        settings = load_config(config)
        sections = [settings.ledger(name) for name in (one, other)]
        await _remove(config, settings, sections, route, key, PlanConsent(yes=yes, as_json=as_json))

    guarded(as_json, lambda: asyncio.run(work()))


async def _remove(
    config: Path | None,
    settings: Config,
    sections: list[LedgerSection],
    route: str | None,
    key: str | None,
    consent: PlanConsent,
) -> None:
    from caimi.composition.deploying import TellingOutbox
    from caimi.composition.ledgers import open_ledger
    from caimi.composition.routing import list_routes, pause_routes, routes_between
    from caimi.ledgers.port import LedgerId
    from caimi.persistence import open_journal

    async with AsyncExitStack() as stack:
        ledgers = {LedgerId(section.id): await open_ledger(stack, section) for section in sections}
        listed, unread = await list_routes(ledgers)
        for each in unread:
            raise each.error
        here, there = ledgers
        ends = routes_between(listed, here, there, route)
        open_ends = [end for end in ends if not end.paused]
        if not consent.as_json:
            for end in ends:
                what = "is paused already" if end.paused else "will be paused"
                out.print(shown(f"{end.route.client_id} on {end.ledger} {what}"), soft_wrap=True)
        if open_ends:
            consent.ask()
            identity = await identity_of(config, key)
            journal = open_journal(settings)
            stack.callback(journal.close)
            names = [f"{end.ledger}/{end.route.client_id}" for end in ends]
            async with journal.once("route-remove", *names) as operation:
                await operation.note(ends=names)
                await pause_routes(
                    ends,
                    ledgers,
                    identity.signers(ledgers),
                    TellingOutbox(journal, doing),
                    operation.key,
                )
    if consent.as_json:
        closed = {end.ledger: end.route.client_id for end in ends}
        print_json({"ok": True, "paused": closed, "changed": bool(open_ends)})
    else:
        out.print("It is closed at both ends; what was sent over it ends as it would have.")


def _show_committee(committee: Committee) -> None:
    facts(
        f"The committee that both ends believe, {committee.threshold} of "
        f"{len(committee.members)}, epoch {committee.epoch}",
        {f"member {n}": f"0x{who.hex()}" for n, who in enumerate(committee.members, start=1)},
    )


def _told(joined: Joined, as_json: bool, how: str, *, added: bool) -> None:
    if as_json:
        print_json({"ok": True, "added": added, "clients": joined.clients})
        return
    facts(how, {str(ledger): client for ledger, client in joined.clients.items()})
    say("Next: [bold]caimi route list[/bold], and [bold]caimi governance hand-over[/bold]")


def _told_waiting(
    waits: ChangeWaits, written: Sequence[Mapping[str, object]], as_json: bool
) -> None:
    if as_json:
        print_json({"ok": True, "added": False, "waits": waits.changes, "written": written})
        return
    for change in waits.changes:
        due = f"from {time_text(change.ready_at)} on" if change.ready_at else "once it is proposed"
        title = f"{change.what} waits on {change.ledger}"
        facts(title, {"operation": f"0x{change.operation.hex()}", "may be carried out": due})
    tell_written(written)
    out.print("Run the same command again then; it goes on from here.")


def _state(each: ListedRoute) -> str:
    states = [
        *(["frozen"] if each.frozen else []),
        *(["paused"] if each.paused else []),
        *(["the other end names another"] if each.joined is False else []),
    ]
    return ", ".join(states) or "open"


def _committee(
    settings: Config, members: list[str] | tuple[()], signers: int | None, epoch: int
) -> Committee:
    from caimi.custody.keys import GroupKey
    from caimi.errors.deploying import RouteUnfit
    from caimi.hex_text import read_either_case
    from caimi.messaging.checkpoint import make_committee

    section = settings.committee
    operators = None
    if members:
        accounts, operators = members_of(members)
    elif section is not None:
        accounts = [read_either_case(each.account, 20) for each in section.custodians]
    else:
        raise RouteUnfit(
            "There is no committee: caimi.toml has no [committee], and no --member is given.",
            next_step="Make one with `caimi committee create`, or name its members with --member.",
        )
    if signers is None:
        if members or section is None:
            raise UsageError("Say with --signers how many of the members must sign.")
        signers = GroupKey.from_bytes(bytes.fromhex(section.group_key[2:])).threshold
    return make_committee(epoch, signers, accounts, operators)


def _check_of_use(
    believed: list[list[str]],
    needed: int,
    bond: str | None,
    window: str | None,
    proposers: list[str] | None,
) -> None:
    """Refuse what neither end's clients would make use of.

    Raises:
        UsageError: it names the option, and says what it is for.
    """
    if needed and all(len(names) == 1 for names in believed):
        raise UsageError("--needed is of several clients; name each with --client.")
    of_claims = {"--bond": bond, "--window": window, "--proposer": proposers}
    given = [option for option, value in of_claims.items() if value is not None]
    if given and not any("optimistic" in names for names in believed):
        raise UsageError(f"{given[0]} is of optimistic clients; add --client optimistic.")


def _terms(
    names: list[str],
    needed: int,
    ledger: Ledger,
    bond: str | None,
    window: str,
    proposers: list[str] | tuple[()],
) -> ClientTerms:
    from caimi.client.amounts import parse_amount
    from caimi.ledgers.port import CHOSEN_KINDS, ClientTerms, kind_name

    kinds = {kind_name(kind): kind for kind in CHOSEN_KINDS}
    unknown = [name for name in names if name not in kinds]
    if unknown:
        raise UsageError(f"{unknown[0]!r:.40} is no client; there are: {', '.join(kinds)}.")
    coins = ledger.coins
    units = 0 if bond is None or coins is None else parse_amount(bond, coins.asset).units
    seconds = seconds_of(window)
    return ClientTerms(
        tuple(kinds[name] for name in names),
        needed if len(names) > 1 else 0,
        units,
        seconds,
        seconds,
        tuple(account_of(who) for who in proposers),
    )
