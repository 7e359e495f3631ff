"""What an account has, and what it is owed: by licence markets and by the escrow of relayers' fees.

Reading needs an account and no key. A ledger that does not answer hides none of the others, nor
does a token whose contract is not what it is configured as hide the coin.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, TypeVar

from caimi.client.amounts import format_amount
from caimi.client.assets import Assets
from caimi.client.context import Context, Progress, no_progress
from caimi.errors.base import CaimiError
from caimi.errors.ledgers import NotOffered, TokenUnusable, TransactionReverted
from caimi.errors.operations import AssetMismatch
from caimi.ledgers.port import Account, Asset, Call, Ledger, Money, name_of, offered

Source: TypeAlias = Literal["licences", "fees"]
"""Who owes: the licence market (sales, refunds, deposits), or the escrow of fees for relayers."""

SOURCES: Final[tuple[Source, ...]] = ("licences", "fees")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account (CAIP-10) has of an asset: as people read it, and in smallest units."""

    ledger: str
    account: str
    amount: str
    symbol: str
    units: str


@dataclass(frozen=True, slots=True)
class Due:
    """What one source on a ledger owes an account; amounts as in `Balance`."""

    ledger: str
    source: Source
    account: str
    amount: str
    symbol: str
    units: str


@dataclass(frozen=True, slots=True)
class Unread:
    """A ledger of which something could not be read, and why."""

    ledger: str
    error: str


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What was paid out, to whom, and the transaction that did it.

    Of what an earlier run had begun the amount is empty: the ledger knows it.
    """

    ledger: str
    source: Source
    payee: str
    amount: str
    symbol: str
    tx: str


async def balances(
    holders: Iterable[tuple[Ledger, Account]], assets: Assets | None = None
) -> tuple[list[Balance], list[Unread]]:
    """Tell what accounts have of the coin and of `assets`, each on its ledger.

    Ledgers that have neither are left out.
    """
    tokens = assets or Assets()

    async def held(ledger: Ledger, who: Account) -> list[Balance | Unread]:
        name = name_of(who, ledger.accounts)

        async def of(asset: Asset) -> list[Balance]:
            if not asset.native:
                coins = await offered(ledger.coins, ledger.id, "coin").balance(who)
                return [Balance(ledger.id, name, *_said(coins))]
            await tokens.checked(ledger, asset)
            amount = await offered(ledger.tokens, ledger.id, "tokens").balance(who, asset)
            return [Balance(ledger.id, name, *_said(amount))]

        return await _of_each(ledger, tokens, of)

    return await _everywhere(holders, held)


async def dues(
    holders: Iterable[tuple[Ledger, Account]], assets: Assets | None = None
) -> tuple[list[Due], list[Unread]]:
    """Tell what accounts are owed, each on its ledger; who owes nothing is left out."""
    tokens = assets or Assets()

    async def owing(ledger: Ledger, who: Account) -> list[Due | Unread]:
        name = name_of(who, ledger.accounts)

        async def of(asset: Asset) -> list[Due]:
            await tokens.checked(ledger, asset)
            owed = await _owed(ledger, who, asset)
            return [Due(ledger.id, source, name, *_said(money)) for source, money in owed]

        return await _of_each(ledger, tokens, of)

    return await _everywhere(holders, owing)


async def withdraw(
    context: Context,
    ledgers: Sequence[Ledger],
    *,
    sources: Sequence[Source] = SOURCES,
    payee: Account | None = None,
    told: Callable[[Withdrawn], None] = lambda done: None,
    progress: Progress = no_progress,
) -> list[Withdrawn]:
    """Have everything paid out that some ledgers owe to the key's account there.

    It goes to that account, or to a `payee` of the one ledger there is. Of several ledgers those
    where there is no key are left out. `told` is called after each payment. Running it again
    finishes what was killed, and pays nothing twice. A token that refuses keeps nothing else back:
    its refusal is raised when the rest is paid.

    Raises:
        KeyMissing: there is no key on the one ledger.
        InsufficientFunds: the account cannot pay for the transaction.
        TransactionReverted: the payee does not take the coin, or a token does not move.
        AssetMismatch, TokenUnusable: a token's contract is not what is configured.
    """
    paid: list[Withdrawn] = []
    refusals: list[CaimiError] = []

    async def pay(ledger: Ledger, source: Source, asset: Asset, to: Account) -> None:
        # First what an earlier run had begun, if any, and then what is owed besides.
        while (done := await _pay(context, ledger, source, asset, to)) is not None:
            paid.append(done)
            told(done)
            if done.amount:
                break

    for ledger in ledgers:
        if len(ledgers) > 1 and not context.identity.holds(ledger.id):
            continue
        progress(f"what {ledger.id} owes", 0, 1)
        to = payee or context.identity.account(ledger.id)
        for asset in _assets(ledger, context.assets):
            for source in sources:
                if asset.native and source != "licences":
                    continue  # relayers are paid in coins
                try:
                    await pay(ledger, source, asset, to)
                except (AssetMismatch, TokenUnusable, TransactionReverted) as error:
                    if not asset.native:
                        raise
                    refusals.append(error)
        progress(f"what {ledger.id} owes", 1, 1)
    if refusals:
        raise refusals[0]
    return paid


async def _pay(
    context: Context, ledger: Ledger, source: Source, asset: Asset, to: Account
) -> Withdrawn | None:
    """Pay out once; None when nothing is owed. What was begun before has no amount."""
    who = context.identity.account(ledger.id)
    token = [asset.native.hex()] if asset.native else []
    intent = (ledger.id, source, who.native.hex(), to.native.hex(), *token)
    async with context.journal.once("withdraw", *intent) as operation:
        begun = await context.journal.sent(operation.outbox_key("withdraw")) is not None
        owed = None if begun else dict(await _owed(ledger, who, asset)).get(source)
        if owed is None and not begun:
            return None
        await context.assets.checked(ledger, asset)
        done = await context.submit(operation, "withdraw", _paying(ledger, source, asset, to))
    amount, symbol, _ = ("", "", "") if owed is None else _said(owed)
    return Withdrawn(ledger.id, source, context.name(to), amount, symbol, done.tx)


def _assets(ledger: Ledger, assets: Assets) -> list[Asset]:
    """Give what accounts of a ledger can have: its coin, if it has one, and the tokens."""
    coin = [] if ledger.coins is None else [ledger.coins.asset]
    return [*coin, *assets.on(ledger.id)]


async def _owed(ledger: Ledger, who: Account, asset: Asset) -> list[tuple[Source, Money]]:
    owed: list[tuple[Source, Money]] = []
    with suppress(NotOffered):  # a ledger may have a coin and sell nothing
        owed.append(("licences", await ledger.market.owed(who, asset)))
    if ledger.fees is not None and not asset.native:
        owed.append(("fees", await ledger.fees.owed(who)))
    return [(source, money) for source, money in owed if money]


def _paying(ledger: Ledger, source: Source, asset: Asset, to: Account) -> Call[None]:
    if source == "licences":
        return ledger.market.withdraw(to, asset)
    return offered(ledger.fees, ledger.id, "fees").withdraw(to)


async def _of_each(
    ledger: Ledger, assets: Assets, read: Callable[[Asset], Awaitable[list[T]]]
) -> list[T | Unread]:
    """Read of each asset of a ledger; of a token that is none it is told why."""
    found: list[T | Unread] = []
    for asset in _assets(ledger, assets):
        try:
            found += await read(asset)
        except (AssetMismatch, TokenUnusable, NotOffered) as error:
            if not asset.native:
                raise
            found.append(Unread(ledger.id, str(error)))
    return found


def _said(money: Money) -> tuple[str, str, str]:
    return format_amount(money), money.asset.symbol, str(money.units)


async def _everywhere(
    holders: Iterable[tuple[Ledger, Account]],
    read: Callable[[Ledger, Account], Awaitable[list[T | Unread]]],
) -> tuple[list[T], list[Unread]]:
    """Check and read all ledgers at once; gives what was read, in order, and what was not."""

    async def checked(ledger: Ledger, who: Account) -> list[T | Unread]:
        await ledger.check()
        return await read(ledger, who)

    asked = list(holders)
    answers = await asyncio.gather(
        *(checked(ledger, who) for ledger, who in asked), return_exceptions=True
    )
    found: list[T] = []
    unread: list[Unread] = []
    for (ledger, _), answer in zip(asked, answers, strict=True):
        if isinstance(answer, CaimiError):
            unread.append(Unread(ledger.id, str(answer)))
        elif isinstance(answer, BaseException):
            raise answer
        else:
            unread += [each for each in answer if isinstance(each, Unread)]
            found += [each for each in answer if not isinstance(each, Unread)]
    return found, unread
