"""All checks of one configuration, side by side."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable
from pathlib import Path

from caimi import __version__
from caimi.client.doctor import ledgers as on_ledgers
from caimi.client.doctor import machine
from caimi.client.doctor.certificates import check_certificates
from caimi.client.doctor.clocks import check_clock
from caimi.client.doctor.committee import check_committee
from caimi.client.doctor.finding import Finding, failed, within_time
from caimi.client.doctor.treasury import check_treasury, named_treasuries
from caimi.client.keyring import Keyring
from caimi.composition.keys import codecs_of
from caimi.config import Config
from caimi.errors.base import CaimiError
from caimi.ledgers.port import Account, LedgerId


async def check_all(config: Config, file: Path, names: Iterable[str] = ()) -> list[Finding]:
    """Check everything; beside configured accounts those of keys of some `names`."""
    accounts, unknown = _accounts(config, names)
    treasuries, doubtful = named_treasuries(config)
    checks = [
        *(
            within_time(f"ledger {each.name}", on_ledgers.check_endpoints(each))
            for each in config.ledgers
        ),
        *(
            within_time(
                f"contracts {each.name}", on_ledgers.told_once(on_ledgers.check_contracts(each))
            )
            for each in config.ledgers
        ),
        within_time("routes", on_ledgers.check_routes(config.ledgers)),
        *(
            within_time(
                f"accounts {each.name}",
                on_ledgers.told_once(
                    on_ledgers.check_balances(each, accounts.get(LedgerId(each.id), []))
                ),
            )
            for each in config.ledgers
        ),
        within_time("journal", machine.check_journal(config)),
        *(
            within_time(f"treasury {name}", on_ledgers.told_once(check_treasury(config, section)))
            for name, section in treasuries
        ),
    ]
    committee = config.committee
    asked, (nodes, clocks) = await asyncio.gather(
        asyncio.gather(*checks), check_committee(config, committee) if committee else _nobody()
    )
    return [
        Finding("version", "ok", f"caimi {__version__}, Python {sys.version.split()[0]}."),
        *machine.check_config(config, file),
        *machine.check_keys(config),
        *check_certificates(config),
        *machine.check_disk(config),
        *check_clock(clocks),
        *map(on_ledgers.check_place, config.places),
        *(finding for found in asked for finding in found),
        *unknown,
        *doubtful,
        *nodes,
    ]


async def _nobody() -> tuple[list[Finding], dict[str, float]]:
    said = "caimi.toml has no [committee]: no sealed model is opened, and nothing is carried."
    finding = Finding("committee", "warning", said, "Make one: `caimi committee create --help`.")
    return [finding], {}


def _accounts(
    config: Config, names: Iterable[str]
) -> tuple[dict[LedgerId, list[Account]], list[Finding]]:
    """Give the accounts that services use on each ledger, and what names none."""
    found: dict[LedgerId, list[Account]] = {}
    wrong: list[Finding] = []
    codecs = codecs_of(config.ledgers)

    def add(account: Account) -> None:
        listed = found.setdefault(account.ledger, [])
        if account not in listed:
            listed.append(account)

    keyring = Keyring(config)
    chosen = [*names, *([config.keys.default] if config.keys.default else [])]
    for name in dict.fromkeys(chosen):
        try:
            for account in keyring.accounts(name):
                add(account)
        except CaimiError as error:
            wrong.append(failed(f"key {name}", error))
    for worker in config.workers:
        ledger = LedgerId(worker.ledger)
        try:
            if ledger in codecs:
                add(codecs[ledger].parse(worker.account))
        except CaimiError as error:
            wrong.append(failed(f"worker {worker.url}", error))
    return found, wrong
