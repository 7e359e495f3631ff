"""`caimi deploy`: CAIMI's contracts on a configured ledger, planned, done once, and checked."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from caimi.cli.one_ledger import identity_of
from caimi.cli.options import ConfigOption, JsonOption, KeyOption, guarded
from caimi.cli.output import facts, out, print_json, say
from caimi.cli.plans import (
    PlanConsent,
    PlanOption,
    YesOption,
    check_funds,
    plan_document,
    show_plan,
)
from caimi.cli.waiting import doing

if TYPE_CHECKING:
    from pathlib import Path

    from caimi.config import LedgerSection
    from caimi.ledgers.port import LedgerPlace


def deploy(
    ledger: Annotated[str, typer.Argument(help="Ledger, by CAIP-2 id or name.")],
    guardian: Annotated[
        str | None,
        typer.Option("--guardian", help="Account that may stop things; else the key's own."),
    ] = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="Leave what was begun before, and deploy once more.")
    ] = False,
    plan: PlanOption = False,
    yes: YesOption = False,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put CAIMI's contracts on a ledger, and write where they are into caimi.toml.

    Run again, it goes on where it stopped. What is there already is checked.

    Example: [bold]caimi deploy mainnet -k deployer[/bold]
    """
    from caimi.composition.deploying import check_deployed, end_deployment, find_place
    from caimi.config import LedgerSection, load_config
    from caimi.persistence import open_journal

    async def work() -> None:
        settings = load_config(config)
        found = find_place(settings, ledger)
        if isinstance(found, LedgerSection):
            consent = PlanConsent(plan, yes, as_json)
            if await _upgrade(config, found, key, consent):
                return
            await check_deployed(found)
            if settings.journal_path.exists() or settings.database is not None:
                with closing(open_journal(settings)) as journal:
                    await end_deployment(journal, found)
            _told(found, as_json, "already")
            return
        await _deploy(config, found, guardian, key, PlanConsent(plan, yes, as_json, anew))

    guarded(as_json, lambda: asyncio.run(work()))


async def _upgrade(
    config: Path | None, section: LedgerSection, key: str | None, consent: PlanConsent
) -> bool:
    """Do what a ledger lacks of what its section says by now; tells whether the plan is all."""
    from caimi.client.keyring import Keyring
    from caimi.composition.joining import administration_of
    from caimi.config import load_config
    from caimi.errors.ledgers import NotOffered
    from caimi.ledgers.port import LedgerId, Upgrading

    try:
        office = administration_of(section)
    except NotOffered:
        return False
    if not isinstance(office, Upgrading):
        return False
    keyring = Keyring(load_config(config))
    account = keyring.account_on(LedgerId(section.id), keyring.chosen(key))
    planned = await office.plan_upgrade(section, account.native)
    if all(step.begun for step in planned.steps):
        return False
    if not consent.as_json:
        show_plan(planned)
    if consent.ends_with_plan(plan=plan_document(planned)):
        return True
    consent.ask()
    await office.upgrade(section)
    return False


async def _deploy(
    config: Path | None,
    place: LedgerPlace,
    guardian: str | None,
    key: str | None,
    consent: PlanConsent,
) -> None:
    from caimi.client.keyring import Keyring
    from caimi.composition.deploying import KIND, Deploying, native_on
    from caimi.config import config_source, load_config
    from caimi.persistence import open_journal

    stops = None if guardian is None else native_on(place, guardian)
    settings = load_config(config)
    keyring = Keyring(settings)
    account = keyring.account_on(place.id, keyring.chosen(key))
    journal = open_journal(settings)
    try:
        async with journal.operation(KIND, place.id) as operation:
            run = Deploying(operation, journal, place, config_source(config))
            section = None if consent.anew else await run.known()
            if section is not None:
                await run.configure(section)
                _told(section, consent.as_json, "already")
                return
            anew = consent.anew or run.gone
            planned = await run.plan(account, stops, anew=anew)
            if not consent.as_json:
                if run.gone:
                    out.print(f"Nothing is left on {place.id} of what was deployed there before.")
                show_plan(planned)
                out.print(f"Guardian: {guardian or 'the account itself'}", highlight=False)
            if consent.ends_with_plan(plan=plan_document(planned)):
                return
            check_funds(planned)
            consent.ask()
            if anew:
                await run.begin_anew()
            signer = (await identity_of(config, key)).signer_on(place.id)
            section = await run.carry_out(signer, stops, doing)
            _told(section, consent.as_json, "now", plan_document(planned))
    finally:
        journal.close()


def _told(
    section: LedgerSection, as_json: bool, how: str, planned: dict[str, object] | None = None
) -> None:
    said = section.model_dump(mode="json", exclude_none=True)
    if as_json:
        done = {} if planned is None else {"plan": planned}
        print_json({"ok": True, "deployed": planned is not None, "ledger": said, **done})
        return
    contracts = said.get("contracts")
    shown_pairs = contracts if isinstance(contracts, dict) else {"name": section.name}
    facts(f"CAIMI is on {section.id} {how}", shown_pairs)
    say("Next: [bold]caimi route add[/bold], or [bold]caimi doctor[/bold]")
