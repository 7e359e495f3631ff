"""Asking a price: one amount on the ledgers that have a coin, paid to an account of each.

That somebody holds accounts on several ledgers is never told from their bytes: who is paid on a
ledger is named, or is the account there of the key that asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from caimi.client.amounts import format_amount, parse_amount
from caimi.client.context import Context
from caimi.client.resolve import as_uri
from caimi.errors.ledgers import NotOffered
from caimi.errors.operations import UsageError
from caimi.journal import Operation
from caimi.ledgers.home import home_model
from caimi.ledgers.port import Account, Ledger, Price
from caimi.uri import ModelUri

_OFFER = "offer"
_OFFERS = 3
"""How often a price is set before it is as wanted: an interrupted run's own, then this one's."""


@dataclass(frozen=True, slots=True)
class PricedModel:
    """What a licence of a model costs now: by ledger the coins, and who is paid (CAIP-10)."""

    uri: str
    prices: dict[str, str]
    payees: dict[str, str]


def asked_prices(context: Context, price: str, payees: Sequence[Account] = ()) -> list[Price]:
    """Give one price on every ledger that has a coin, paid to a payee there or to one's own key.

    Raises:
        UsageError: it is no amount, or a payee is one of two on a ledger, or of one without a coin.
        NotOffered: none has a coin.
        KeyMissing: one has, and there is neither a payee nor a key of one's own.
    """
    coins = [each.coins.asset for each in context.ledgers.values() if each.coins is not None]
    if not coins:
        raise NotOffered("None of the configured ledgers has a coin to ask a price in.")
    paid = {payee.ledger: payee for payee in payees}
    if len(paid) != len(payees):
        raise UsageError("Two payees are of one ledger; name one for each.")
    for ledger in paid.keys() - {coin.ledger for coin in coins}:
        raise UsageError(f"Nothing is paid on {ledger}, where a payee is named: it has no coin.")
    return [
        Price(
            parse_amount(price, coin),
            paid.get(coin.ledger) or context.identity.account(coin.ledger),
        )
        for coin in coins
    ]


async def offer(
    context: Context, operation: Operation, ledger: Ledger, model_id: bytes, wanted: Sequence[Price]
) -> None:
    """Ask these prices, whatever an earlier run of this operation asked."""
    for _ in range(_OFFERS):
        asked = [await ledger.market.price(model_id, each.amount.asset) for each in wanted]
        if asked == list(wanted):
            return
        # Under one step an earlier run's transaction, of another price perhaps, ends first.
        await context.submit(operation, _OFFER, ledger.market.set_prices(model_id, wanted))
        await operation.forget(_OFFER)


async def set_price(
    context: Context, uri: str | ModelUri, price: str, payees: Sequence[Account] = ()
) -> PricedModel:
    """Ask another price for licences of a model, from its owner's key.

    Raises:
        UsageError, NotOffered: as `asked_prices`.
        UnknownModel: there is no such model.
        NotAllowed: it belongs to somebody else.
    """
    model = as_uri(uri)
    wanted = asked_prices(context, price, payees)
    ledger = context.ledger(model.ledger)
    await home_model(ledger, model.model_id)
    who = context.identity.account(ledger.id).native.hex()
    whole = str(model.with_selector(None))
    async with context.journal.once("price", whole, who) as operation:
        await offer(context, operation, ledger, model.model_id, wanted)
    return PricedModel(
        whole,
        {str(each.payee.ledger): format_amount(each.amount) for each in wanted},
        {str(each.payee.ledger): context.name(each.payee) for each in wanted},
    )
