"""Asking a price: one amount, in coins or in a token, paid to an account of each ledger.

That somebody holds accounts on several ledgers is never told from their bytes: who is paid on a
ledger is named, or is the account there of the key that asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from caimi.client.amounts import format_amount, parse_amount
from caimi.client.context import Context, Progress, no_progress
from caimi.client.model_index import ModelIndex
from caimi.client.parties import party
from caimi.client.resolve import as_uri
from caimi.config import COIN
from caimi.errors.ledgers import NotOffered
from caimi.errors.operations import AssetUnknown, UsageError
from caimi.journal import Operation
from caimi.ledgers.home import home_model
from caimi.ledgers.port import Account, Asset, ChangedPrices, Ledger, LedgerId, Price
from caimi.uri import ModelUri

_OFFER = "offer"
_OFFERS = 3
"""How often a price is set before it is as wanted: an interrupted run's own, then this one's."""

_AT_ONCE = 32
"""A ledger takes no more prices in a transaction."""


@dataclass(frozen=True, slots=True)
class AskedPrice:
    """What a licence costs on one ledger in one asset, and which account (CAIP-10) is paid.

    `amount` is as people write it, `units` the same in the asset's smallest.
    """

    ledger: str
    amount: str
    symbol: str
    units: str
    payee: str

    @property
    def said(self) -> str:
        """The amount with its symbol."""
        return f"{self.amount} {self.symbol}"


@dataclass(frozen=True, slots=True)
class PricedModel:
    """What a licence of a model costs now, in each asset on each ledger.

    `unpriced` are the configured ledgers (CAIP-2) on which nothing that is known is asked for it.
    """

    uri: str
    prices: tuple[AskedPrice, ...]
    unpriced: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UnpricedModel:
    """What was asked for a model and is no longer (`withdrawn`), and what still is (`prices`)."""

    uri: str
    withdrawn: tuple[AskedPrice, ...]
    prices: tuple[AskedPrice, ...]


async def priced_in(
    context: Context, symbol: str | None, on: LedgerId | None = None
) -> list[Asset]:
    """Give what a symbol names on all ledgers, or `on` one, checked; without one their coins.

    Raises:
        NotOffered: no ledger has a coin.
        AssetUnknown: no token of that symbol is configured on any.
        AssetMismatch, TokenUnusable: as `Assets.checked`.
    """
    if on is not None:
        return [await context.asset(on, symbol)]
    return [await context.assets.checked(*each) for each in _named(context, symbol)]


def _named(context: Context, symbol: str | None) -> list[tuple[Ledger, Asset]]:
    """Give what a symbol names on each ledger, unchecked; raises as `priced_in`."""
    named = [(each, context.assets.find(each, symbol)) for each in context.ledgers.values()]
    found = [(ledger, asset) for ledger, asset in named if asset is not None]
    if found:
        return found
    if symbol in (None, COIN):
        raise NotOffered("None of the configured ledgers has a coin to ask a price in.")
    known = ", ".join([COIN, *context.assets.symbols()])
    raise AssetUnknown(f"No asset {symbol!r:.80} on any configured ledger; there are: {known}.")


def asked_prices(
    context: Context, price: str, assets: Sequence[Asset], payees: Sequence[Account] = ()
) -> list[Price]:
    """Give one price in assets, at most one a ledger, paid to a payee there or to one's own key.

    Raises:
        UsageError: it is no amount, or a payee is one of two on a ledger, or of one where it is
            not paid.
        KeyMissing: it is paid on a ledger where there is neither a payee nor a key of one's own.
    """
    paid = {payee.ledger: payee for payee in payees}
    if len(paid) != len(payees):
        raise UsageError("Two payees are of one ledger; name one for each.")
    for ledger in paid.keys() - {asset.ledger for asset in assets}:
        raise UsageError(f"Nothing is paid on {ledger}, where a payee is named: it has no coin.")
    return [
        Price(
            parse_amount(price, asset),
            paid.get(asset.ledger) or context.identity.account(asset.ledger),
        )
        for asset in assets
    ]


async def offer(
    context: Context, operation: Operation, ledger: Ledger, model_id: bytes, wanted: Sequence[Price]
) -> None:
    """Ask these prices, or withdraw them, whatever an earlier run of this operation asked."""
    for _ in range(_OFFERS):
        now = [await ledger.market.price(model_id, each.amount.asset) for each in wanted]
        if now == [each if each.offered else None for each in wanted]:
            return
        # Under one step an earlier run's transaction, of another price perhaps, ends first.
        await context.submit(operation, _OFFER, ledger.market.set_prices(model_id, wanted))
        await operation.forget(_OFFER)


async def set_price(
    context: Context,
    uri: str | ModelUri,
    price: str,
    payees: Sequence[Account] = (),
    symbol: str | None = None,
    *,
    on: LedgerId | None = None,
) -> PricedModel:
    """Ask another price for licences of a model, from its owner's key.

    It is asked in what `symbol` names, on every ledger that has it or `on` one alone; without one,
    in coins. Other prices stay as they are.

    Raises:
        UsageError, KeyMissing: as `asked_prices`.
        NotOffered, AssetUnknown, AssetMismatch, TokenUnusable: as `priced_in`.
        UnknownModel: there is no such model.
        NotAllowed: it belongs to somebody else.
    """
    model = as_uri(uri)
    wanted = asked_prices(context, price, await priced_in(context, symbol, on), payees)
    await home_model(context.ledger(model.ledger), model.model_id)
    await _ask(context, model, wanted)
    whole = str(model.with_selector(None))
    return PricedModel(whole, tuple(asked(context, each) for each in wanted))


async def withdraw_price(
    context: Context,
    uri: str | ModelUri,
    symbol: str | None = None,
    *,
    on: LedgerId | None = None,
    progress: Progress = no_progress,
) -> UnpricedModel:
    """Take a model off sale, from its owner's key: licences that were bought stay.

    Every price is withdrawn, also in tokens that are not configured; or those in what `symbol`
    names, or `on` one ledger. What is not for sale there stays so. Contracts of tokens are not
    asked: one that says something else by now is no reason to go on selling for it.

    Raises:
        NotOffered, AssetUnknown: as `priced_in`.
        UnknownModel: there is no such model.
        NotAllowed: it belongs to somebody else.
    """
    model = as_uri(uri)
    home = context.ledger(model.ledger)
    await home_model(home, model.model_id)
    if on is not None:
        context.ledger(on)
    meant = None if symbol is None else {asset for _, asset in _named(context, symbol)}
    found = await _all_offers(context, home, model.model_id, progress)
    ended = [
        each
        for each in found
        if on in (None, each.amount.asset.ledger) and (meant is None or each.amount.asset in meant)
    ]
    if ended:
        await _ask(context, model, [replace(each, offered=False) for each in ended])
    return UnpricedModel(
        str(model.with_selector(None)),
        tuple(asked(context, each) for each in ended),
        tuple(asked(context, each) for each in found if each not in ended),
    )


async def _ask(context: Context, model: ModelUri, wanted: Sequence[Price]) -> None:
    """Set or withdraw prices, in the one operation that there is of a model's."""
    ledger = context.ledger(model.ledger)
    who = context.identity.account(ledger.id).native.hex()
    whole = str(model.with_selector(None))
    async with context.journal.once("price", whole, who) as operation:
        for first in range(0, len(wanted), _AT_ONCE):
            some = wanted[first : first + _AT_ONCE]
            await offer(context, operation, ledger, model.model_id, some)


async def _all_offers(
    context: Context, home: Ledger, model_id: bytes, progress: Progress
) -> list[Price]:
    """Read a model's prices now: in every asset that is known, and that was ever asked for it."""
    known = await offers(context, home.id, model_id)
    facts = await ModelIndex(home, context.index_folder, progress).history(model_id)
    ever = {
        price.amount.asset: None
        for each in facts
        if isinstance(each.fact, ChangedPrices)
        for price in each.fact.prices
    }
    strange = [asset for asset in ever if all(asset != each.amount.asset for each in known)]
    others = [await home.market.price(model_id, asset) for asset in strange]
    return [*known, *(each for each in others if each is not None)]


async def prices_of(context: Context, uri: str | ModelUri) -> PricedModel:
    """Tell what a licence of a model costs now, in coins and in all configured tokens.

    Raises:
        UnknownModel: there is no such model.
        AssetMismatch, TokenUnusable: it is sold for a token that is not what is configured.
    """
    model = as_uri(uri)
    await home_model(context.ledger(model.ledger), model.model_id)
    found = await asked_now(context, model.ledger, model.model_id)
    priced = {each.ledger for each in found}
    unpriced = tuple(str(each) for each in context.ledgers if str(each) not in priced)
    return PricedModel(str(model.with_selector(None)), found, unpriced)


async def asked_now(context: Context, home: str, model_id: bytes) -> tuple[AskedPrice, ...]:
    """Tell what a licence costs now, in every asset that is known; raises as `prices_of`."""
    found = await offers(context, home, model_id)
    for price in found:
        asset = price.amount.asset
        await context.assets.checked(context.ledger(asset.ledger), asset)
    return tuple(asked(context, each) for each in found)


async def offers(context: Context, home: str, model_id: bytes) -> list[Price]:
    """Read a model's prices in every asset that is known, none of them checked."""
    market, found = context.ledger(home).market, []
    for ledger in context.ledgers.values():
        coin = [] if ledger.coins is None else [ledger.coins.asset]
        for asset in [*coin, *context.assets.on(ledger.id)]:
            price = await market.price(model_id, asset)
            if price is not None:
                found.append(price)
    return found


def asked(context: Context, price: Price) -> AskedPrice:
    """Tell a price as people read it."""
    asset, units = price.amount.asset, str(price.amount.units)
    amount, payee = format_amount(price.amount), party(context, price.payee)
    return AskedPrice(str(asset.ledger), amount, asset.symbol, units, payee)
