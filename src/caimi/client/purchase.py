"""Buying a licence, on the model's home ledger or from any other.

The money leaves the buyer in one transaction that the journal records before it is sent. From
another ledger it is held there by the market until the home ledger's answer comes back; a refusal
or a timeout returns it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from caimi.client.allowance import allowance
from caimi.client.amounts import format_amount, parse_amount, said
from caimi.client.awaiting import Awaited
from caimi.client.context import Context, Progress, no_progress
from caimi.client.packets import sent_in
from caimi.client.purchase_terms import PurchaseTerms, asked_price
from caimi.client.resolve import Resolved, resolve
from caimi.errors.base import CaimiError
from caimi.errors.ledgers import TransactionReverted
from caimi.errors.operations import (
    AlreadyLicensed,
    BegunOtherwise,
    LicensedElsewhere,
    NoRoute,
    PurchaseRefunded,
)
from caimi.journal import Operation, operation_key
from caimi.ledgers.port import (
    Account,
    Asset,
    Exactly,
    Ledger,
    Money,
    PurchaseState,
    offered,
)
from caimi.ledgers.present import present_time
from caimi.uri import ModelUri

PACKET_SECONDS = 3600
_BUY = "buy"


@dataclass(frozen=True, slots=True)
class Bought:
    """A licence that the home ledger has recorded, and its price in what `symbol` names.

    `deposit` is what was paid beside it, in coins, to whoever brought the answer from afar.
    """

    uri: str
    consumer: str
    ledger: str
    price: str
    symbol: str
    deposit: str
    tx: str
    licence_id: str


def tell_nobody(_text: str) -> None:
    """Say nothing."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is bought, where it is paid, and for whom."""

    resolved: Resolved
    paying: Ledger
    reader: Account


async def buy(
    context: Context,
    uri: str | ModelUri,
    *,
    ledger: str,
    asset: str | None = None,
    max_price: str | None = None,
    reader: Account | None = None,
    timeout_seconds: int = PACKET_SECONDS,
    again: bool = False,
    told: Callable[[str], None] = tell_nobody,
    progress: Progress = no_progress,
) -> Bought:
    """Buy a licence of the version `uri` names, paying on `ledger`; running it again finishes it.

    It is paid in the ledger's coin, or in the token whose symbol is `asset`: then the market is
    first allowed to take exactly the price, and nothing else.

    It is for the `reader`, an account of the paying ledger, or for oneself; what comes back is
    one's own. Where a reader who is somebody else has licences elsewhere is not looked up.

    From another ledger its market's relay deposit is paid, too, in coins: `told` hears of it before
    anything is signed, it counts within a `max_price` in coins, and no other is paid.

    `progress` is told what it waits for: see `caimi.client.awaiting`.

    A second licence of a version, paid on another ledger, is bought only `again`. All of it holds
    for what an interrupted run began, too.

    Raises:
        NotForSale: no price is set for that ledger.
        PriceAboveLimit: the price, with the deposit if both are in coins, is above `max_price`.
        AlreadyLicensed: the reader already holds a licence.
        LicensedElsewhere: it holds one on another ledger, or is buying one there.
        BegunOtherwise: an interrupted run signed a purchase that these terms do not allow.
        PurchaseRefunded: the purchase failed and the money is back.
        StillInFlight: no relayer carried it in time; run again to go on waiting.
        InsufficientFunds: the account cannot pay.
        AssetUnknown, AssetMismatch, TokenUnusable: as `Assets.used`.
    """
    paying = context.ledger(ledger)
    paid_in = await context.asset(ledger, asset)
    most = None if max_price is None else parse_amount(max_price, paid_in)
    terms = PurchaseTerms(paid_in, most, timeout_seconds, told, progress)
    resolved = await resolve(context, uri)
    account = context.identity.account(paying.id)
    wanted = _Wanted(resolved, paying, account if reader is None else reader)
    async with context.journal.operation(*intent(resolved, account, wanted.reader)) as op:
        if not again and wanted.reader == account:
            await _check_elsewhere(context, resolved, paying)
        try:
            return await _buy(context, op, wanted, terms)
        except TransactionReverted:
            await op.reopen()
            raise


def intent(resolved: Resolved, buyer: Account, reader: Account) -> tuple[str, ...]:
    """Give what a purchase is in the journal: of a version, by an account, for a reader."""
    return ("buy", str(resolved.uri), buyer.ledger, buyer.native.hex(), reader.native.hex())


async def _check_elsewhere(context: Context, resolved: Resolved, paying: Ledger) -> None:
    """Refuse to pay where this account has a licence by another ledger, or is buying it there."""
    market, model_id = resolved.ledger.market, resolved.model.model_id
    version = resolved.version.version
    for other in context.ledgers.values():
        if other.id == paying.id or not context.identity.holds(other.id):
            continue
        account = context.identity.account(other.id)
        licence = await market.licence(model_id, version, account)
        if licence.live:
            raise LicensedElsewhere(
                f"{context.text(account)} already holds a licence of {resolved.uri}, by {other.id}."
            )
        if await _is_buying(context, resolved, other):
            raise LicensedElsewhere(
                f"{context.text(account)} has begun to buy a licence of {resolved.uri} on "
                f"{other.id}.",
                why="The purchase there has not ended; it may still bring the licence.",
                next_step=f"Run `caimi buy URI --ledger {other.id}` to end it, or add --again to "
                "pay here as well.",
            )


async def _is_buying(context: Context, resolved: Resolved, ledger: Ledger) -> bool:
    account = context.identity.account(ledger.id)
    key = operation_key(*intent(resolved, account, account))
    record = await context.journal.find(key)
    signed = await context.journal.sent(f"{key}/{_BUY}") is not None
    if record is not None and not record.finished and signed:
        return True
    if ledger.id == resolved.ledger.id:
        return False
    try:
        route = await context.route(ledger.id, resolved.ledger.id)
    except NoRoute:
        return False
    known = await ledger.market.purchase_of(
        route.client_id, resolved.model.model_id, resolved.version.version, account
    )
    return known is not None and known.state is PurchaseState.PENDING


async def _buy(
    context: Context, operation: Operation, wanted: _Wanted, terms: PurchaseTerms
) -> Bought:
    resolved, paying, consumer = wanted.resolved, wanted.paying, wanted.reader
    home = resolved.ledger
    signed = await operation.sent(_BUY)
    licence = await home.market.licence(resolved.model.model_id, resolved.version.version, consumer)
    if licence.live and (operation.finished or not signed):
        raise AlreadyLicensed(
            f"{context.text(consumer)} already holds a licence of {resolved.uri}."
        )
    if operation.finished:
        await operation.reopen()
        signed = False
    if signed:
        await _check_terms(context, operation, resolved, paying, terms)
    else:  # whatever an earlier run noted, it did nothing yet: today's price and terms count
        agreed = await asked_price(context, resolved, terms.asset)
        deposit = None
        if home.id != paying.id:
            asked = await paying.market.relay_deposit()
            deposit = offered(paying.coins, paying.id, "coin").asset.of(asked.units)
        terms.check(resolved.uri, agreed, deposit)
        deadline = await present_time(paying) + terms.timeout_seconds
        beside = "" if deposit is None else str(deposit.units)
        await operation.note(timeout=deadline, deposit=beside, **_money(agreed))
        if deposit:
            terms.told(
                f"Beside the price {said(deposit)} are paid on {paying.id} to whoever carries the "
                "purchase."
            )
    if home.id == paying.id:
        terms.progress(f"payment on {paying.id}", 0, 1)
        tx = await _buy_at_home(context, operation, wanted, _noted(operation, context, paying))
        terms.progress(f"payment on {paying.id}", 1, 1)
    else:
        tx = await _buy_from_afar(context, operation, wanted, terms)
    amount, deposit = _noted(operation, context, paying), _deposit(operation, paying)
    await operation.finish()
    licence = await home.market.licence(resolved.model.model_id, resolved.version.version, consumer)
    return Bought(
        uri=str(resolved.uri),
        consumer=context.name(consumer),
        ledger=paying.id,
        price=format_amount(amount),
        symbol=amount.asset.symbol,
        deposit=format_amount(deposit) if deposit else "0",
        tx=tx,
        licence_id=f"0x{licence.licence_id.hex()}",
    )


def _money(amount: Money) -> dict[str, object]:
    """Give an amount as the journal has it."""
    return {"amount": str(amount.units), "asset": amount.asset.native.hex()}


def _noted(operation: Operation, context: Context, paying: Ledger) -> Money:
    native = bytes.fromhex(str(operation.facts.get("asset", "")))
    if native:
        asset = context.assets.known(Asset(paying.id, native))
    else:
        asset = offered(paying.coins, paying.id, "coin").asset
    return asset.of(int(str(operation.facts["amount"])))


def _deposit(operation: Operation, paying: Ledger) -> Money | None:
    """Give the deposit that was agreed to; None where none is paid, or no run wrote it down."""
    units = str(operation.facts.get("deposit", ""))
    return offered(paying.coins, paying.id, "coin").asset.of(int(units)) if units else None


async def _check_terms(
    context: Context, operation: Operation, resolved: Resolved, paying: Ledger, terms: PurchaseTerms
) -> None:
    """Refuse to go on with a signed purchase that the terms of today do not allow."""
    noted, deposit = _noted(operation, context, paying), _deposit(operation, paying)
    terms.check_begun(resolved.uri, noted, deposit)
    latest = await present_time(paying) + terms.timeout_seconds
    if paying.id != resolved.ledger.id and int(str(operation.facts["timeout"])) > latest:
        raise BegunOtherwise(
            f"A purchase of {resolved.uri} on {paying.id} was begun that times out later than the "
            f"{terms.timeout_seconds} s that are allowed now."
        )


async def _buy_at_home(
    context: Context, operation: Operation, wanted: _Wanted, amount: Money
) -> str:
    model_id, version = wanted.resolved.model.model_id, wanted.resolved.version.version
    async with _payable(context, operation, wanted.paying, amount):
        call = wanted.paying.market.buy(model_id, version, amount, wanted.reader)
        receipt = await context.submit(operation, _BUY, call)
    return receipt.tx


@asynccontextmanager
async def _payable(
    context: Context, operation: Operation, paying: Ledger, amount: Money
) -> AsyncIterator[None]:
    """Have the market allowed to take the amount, unless a signed purchase had that before."""
    if not (amount and amount.asset.native) or await operation.sent(_BUY):
        yield
        return
    async with allowance(context, paying, amount):
        yield


async def _buy_from_afar(
    context: Context, operation: Operation, wanted: _Wanted, terms: PurchaseTerms
) -> str:
    resolved, paying, reader = wanted.resolved, wanted.paying, wanted.reader
    route = await context.route(paying.id, resolved.ledger.id)
    model_id, version = resolved.model.model_id, resolved.version.version
    account = context.identity.account(paying.id)
    purchase = await paying.market.purchase_of(route.client_id, model_id, version, account, reader)
    if purchase is None or await operation.sent(_BUY):
        terms.progress(f"payment on {paying.id}", 0, 1)
        amount, timeout = _noted(operation, context, paying), int(str(operation.facts["timeout"]))
        async with _payable(context, operation, paying, amount):
            call = await paying.market.buy_remote(
                route.client_id,
                model_id,
                version,
                amount,
                timeout,
                reader,
                deposit=_deposit(operation, paying),
            )
            receipt = await context.submit(operation, _BUY, call)
        await operation.note(purchase=receipt.effect.hex(), tx=receipt.tx)
        terms.progress(f"payment on {paying.id}", 1, 1)
    else:  # made from here by this key, and not by this journal
        assert purchase.paid is not None
        paid = context.assets.known(purchase.paid.asset).of(purchase.paid.units)
        terms.check_begun(resolved.uri, paid, None)
        await operation.note(purchase=purchase.purchase_id.hex(), deposit="", **_money(paid))
    amount = _noted(operation, context, paying)
    purchase_id = bytes.fromhex(str(operation.facts["purchase"]))

    async def ended() -> tuple[PurchaseState, Money] | None:
        # A node that lags shows no purchase at all, or none of its money: one height for both.
        height = Exactly((await paying.head()).height)
        state = (await paying.market.purchase(purchase_id, height)).state
        owed = await paying.market.owed(account, amount.asset, at=height)
        ends = (PurchaseState.COMPLETED, PurchaseState.REFUNDED)
        return (state, owed) if state in ends else None

    look = await _awaited(context, paying, str(operation.facts.get("tx", "")), terms.progress)
    state, owed = await context.wait_for(ended, f"The purchase of {resolved.uri}", look)
    if state is PurchaseState.REFUNDED:
        failed = f"The purchase of {resolved.uri} did not take effect"
        try:
            if owed:
                withdrawal = paying.market.withdraw(account, amount.asset)
                await context.submit(operation, "refund", withdrawal)
        except TransactionReverted as refusal:  # by the token: what it owes is not paid again
            await operation.reopen()
            raise PurchaseRefunded(
                f"{failed}; {said(amount)} is owed to {account} and cannot be paid out now: "
                f"{refusal.what}",
                next_step="Run `caimi withdraw` when the token lets it, before you buy again.",
            ) from refusal
        await operation.reopen()
        raise PurchaseRefunded(f"{failed}; {said(amount)} came back on {paying.id}.")
    return str(operation.facts.get("tx", ""))


async def _awaited(
    context: Context, paying: Ledger, tx: str, progress: Progress
) -> Callable[[], Awaitable[None]] | None:
    """Give what tells of the packet that a transaction sent, where that is known."""
    if not tx or progress is no_progress:
        return None
    try:
        ((_, sent),) = await sent_in(context, [paying], tx)
    except (CaimiError, ValueError):  # it is waited for all the same
        return None
    name = (sent.packet.source_client, sent.packet.sequence)
    return Awaited(context, paying, name, progress).look
