"""What an account has, and what it is owed: by licence markets and by the escrow of relayers' fees.

Reading needs an account and no key. A ledger that does not answer hides none of the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, TypeVar

from caimi.client.amounts import format_amount
from caimi.client.context import Context
from caimi.errors.base import CaimiError
from caimi.errors.ledgers import NotOffered
from caimi.ledgers.port import Account, Call, Ledger, Money, name_of

Source: TypeAlias = Literal["licences", "fees"]
"""Who owes: the licence market (sales, refunds, deposits), or the escrow of fees for relayers."""

SOURCES: Final[tuple[Source, ...]] = ("licences", "fees")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account (CAIP-10) has of a coin: as people read it, and in smallest units."""

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
    """A ledger of which nothing could be read, and why."""

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
    holders: Iterable[tuple[Ledger, Account]],
) -> tuple[list[Balance], list[Unread]]:
    """Tell what accounts have, each on its ledger; ledgers without a coin are left out."""

    async def held(ledger: Ledger, who: Account) -> list[Balance]:
        if ledger.coins is None:
            return []
        coins = await ledger.coins.balance(who)
        return [Balance(ledger.id, name_of(who, ledger.accounts), *_said(coins))]

    return await _everywhere(holders, held)


async def dues(holders: Iterable[tuple[Ledger, Account]]) -> tuple[list[Due], list[Unread]]:
    """Tell what accounts are owed, each on its ledger; who owes nothing is left out."""

    async def owing(ledger: Ledger, who: Account) -> list[Due]:
        owed = await _owed(ledger, who)
        name = name_of(who, ledger.accounts)
        return [Due(ledger.id, source, name, *_said(money)) for source, money in owed]

    return await _everywhere(holders, owing)


async def withdraw(
    context: Context,
    ledgers: Sequence[Ledger],
    *,
    sources: Sequence[Source] = SOURCES,
    payee: Account | None = None,
    told: Callable[[Withdrawn], None] = lambda done: None,
) -> list[Withdrawn]:
    """Have everything paid out that some ledgers owe to the key's account there.

    It goes to that account, or to a `payee` of the one ledger there is. Of several ledgers those
    where there is no key are left out. `told` is called after each payment. Running it again
    finishes what was killed, and pays nothing twice.

    Raises:
        KeyMissing: there is no key on the one ledger.
        InsufficientFunds: the account cannot pay for the transaction.
        TransactionReverted: the payee does not take the coin.
    """
    paid: list[Withdrawn] = []
    for ledger in ledgers:
        if len(ledgers) > 1 and not context.identity.holds(ledger.id):
            continue
        to = payee or context.identity.account(ledger.id)
        for source in sources:
            # First what an earlier run had begun, if any, and then what is owed besides.
            while (done := await _pay(context, ledger, source, to)) is not None:
                paid.append(done)
                told(done)
                if done.amount:
                    break
    return paid


async def _pay(context: Context, ledger: Ledger, source: Source, to: Account) -> Withdrawn | None:
    """Pay out once; None when nothing is owed. What was begun before has no amount."""
    who = context.identity.account(ledger.id)
    intent = (ledger.id, source, who.native.hex(), to.native.hex())
    async with context.journal.once("withdraw", *intent) as operation:
        begun = await context.journal.sent(operation.outbox_key("withdraw")) is not None
        owed = None if begun else dict(await _owed(ledger, who)).get(source)
        if owed is None and not begun:
            return None
        done = await context.submit(operation, "withdraw", _paying(ledger, source, to))
    amount, symbol, _ = ("", "", "") if owed is None else _said(owed)
    return Withdrawn(ledger.id, source, context.name(to), amount, symbol, done.tx)


async def _owed(ledger: Ledger, who: Account) -> list[tuple[Source, Money]]:
    owed: list[tuple[Source, Money]] = []
    if ledger.coins is not None:
        with suppress(NotOffered):  # a ledger may have a coin and sell nothing
            owed.append(("licences", await ledger.market.owed(who)))
    if ledger.fees is not None:
        owed.append(("fees", await ledger.fees.owed(who)))
    return [(source, money) for source, money in owed if money]


def _paying(ledger: Ledger, source: Source, to: Account) -> Call[None]:
    if source == "licences":
        return ledger.market.withdraw(to)
    assert ledger.fees is not None, "it owes something"
    return ledger.fees.withdraw(to)


def _said(money: Money) -> tuple[str, str, str]:
    return format_amount(money), money.asset.symbol, str(money.units)


async def _everywhere(
    holders: Iterable[tuple[Ledger, Account]],
    read: Callable[[Ledger, Account], Awaitable[list[T]]],
) -> tuple[list[T], list[Unread]]:
    """Check and read all ledgers at once; gives what was read, in order, and which were not."""

    async def checked(ledger: Ledger, who: Account) -> list[T]:
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
            found += answer
    return found, unread
