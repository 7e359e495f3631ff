"""Which accounts a treasury keeps in coins, and on whose word."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from caimi.chains import AccountId
from caimi.client.amounts import parse_amount
from caimi.client.keyring import Keyring
from caimi.client.refilling.planning import RefillLimits
from caimi.composition.keys import codecs_of
from caimi.config import Config
from caimi.config.sections.treasuries import TreasurySection
from caimi.errors.ids import InvalidAccountId, InvalidLedgerId
from caimi.errors.operations import UsageError
from caimi.errors.treasury import TreasuryInvalid
from caimi.ledgers.port import Account, AccountCodec, Ledger, LedgerId, offered


@dataclass(frozen=True, slots=True)
class Recipient:
    """An account that is kept in coins, and why it is."""

    account: Account
    why: str


@dataclass(frozen=True, slots=True)
class TreasuryTerms:
    """A ledger's treasury: the name of the key that pays, its account, limits and recipients."""

    key: str
    account: Account
    limits: RefillLimits
    recipients: tuple[Recipient, ...]


def terms_of(config: Config, section: TreasurySection, ledger: Ledger) -> TreasuryTerms:
    """Give what a treasury is told, in its ledger's coins; opens no key.

    Raises:
        NotOffered: the ledger has no coin.
        TreasuryInvalid: the amounts do not fit each other, or nobody is paid, or the treasury.
        KeyMissing: a name has no key on the ledger.
    """
    coin = offered(ledger.coins, ledger.id, "coin").asset
    try:
        floor, ceiling, cap, low = (
            parse_amount(text, coin)
            for text in (
                section.floor,
                section.ceiling,
                section.daily_cap,
                section.low or section.daily_cap,
            )
        )
    except UsageError as error:
        raise TreasuryInvalid(f"The treasury of {ledger.id}: {error.what}") from error
    if not floor.asset.of(0) < floor < ceiling <= cap:
        raise TreasuryInvalid(
            f"The treasury of {ledger.id} has the floor {section.floor}, the ceiling "
            f"{section.ceiling} and the daily cap {section.daily_cap}."
        )
    keyring = Keyring(config)
    account = keyring.account_on(ledger.id, section.key)
    recipients = _recipients(config, section, keyring, ledger.id)
    if not recipients:
        raise TreasuryInvalid(
            f"The treasury of {ledger.id} pays nobody.",
            next_step="Name whom it keeps: add keys or accounts to its [[treasuries]].",
        )
    if any(each.account == account for each in recipients):
        raise TreasuryInvalid(f"The treasury of {ledger.id} would pay itself.")
    return TreasuryTerms(section.key, account, RefillLimits(floor, ceiling, cap, low), recipients)


def _recipients(
    config: Config, section: TreasurySection, keyring: Keyring, ledger: LedgerId
) -> tuple[Recipient, ...]:
    """Give each account once, with the first reason for it.

    Workers and relayers that the file lists may be other people's: of them, those are kept whose
    keys are here.
    """
    codec = codecs_of([config.ledger(ledger)])[ledger]
    found = [Recipient(keyring.account_on(ledger, name), f"key {name}") for name in section.keys]
    own = _held(keyring, ledger)
    found += [each for each in _listed_services(config, codec, ledger) if each.account in own]
    found += [Recipient(_account(text, codec, ledger), "listed") for text in section.accounts]
    kept: dict[Account, Recipient] = {}
    for each in found:
        kept.setdefault(each.account, each)
    return tuple(kept.values())


def _held(keyring: Keyring, ledger: LedgerId) -> set[Account]:
    accounts = (account for name in keyring.names() for account in keyring.accounts(name))
    return {account for account in accounts if account.ledger == ledger}


def _listed_services(config: Config, codec: AccountCodec, ledger: LedgerId) -> list[Recipient]:
    workers = [
        (each.account, f"worker {each.url}") for each in config.workers if each.ledger == ledger
    ]
    turns = config.relayer.turns
    listed = [(text, "relayer") for text in (turns.accounts if turns else ())]
    found = []
    for text, why in (*workers, *listed):
        with suppress(TreasuryInvalid):  # an account of another ledger, or of another's form
            found.append(Recipient(_account(text, codec, ledger), why))
    return found


def _account(text: str, codec: AccountCodec, ledger: LedgerId) -> Account:
    """Take an account of the ledger, as that writes it or as a CAIP-10 id."""
    try:
        named = AccountId.parse(text) if ":" in text else AccountId(ledger, text)
        if named.ledger == ledger:
            return codec.parse(named.address)
    except (InvalidAccountId, InvalidLedgerId) as error:
        raise TreasuryInvalid(f"The treasury of {ledger}: {error.what}") from error
    raise TreasuryInvalid(f"The treasury of {ledger}: {text} is no account there.")
