"""What a buyer allows a purchase to cost, and whether it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from caimi.client.amounts import format_amount, said
from caimi.client.context import Context, Progress, no_progress
from caimi.client.pricing import offers
from caimi.client.resolve import Resolved
from caimi.errors.operations import BegunOtherwise, NotForSale, PriceAboveLimit
from caimi.ledgers.port import Asset, Money
from caimi.uri import ModelUri


@dataclass(frozen=True, slots=True)
class PurchaseTerms:
    """What the buyer allows now, whatever an earlier run was told: in what, and how much of it.

    `most` bounds the price, and with it the relay deposit where both are in coins.
    """

    asset: Asset
    most: Money | None
    timeout_seconds: int
    told: Callable[[str], None]
    progress: Progress = no_progress

    def check(self, uri: ModelUri, price: Money, deposit: Money | None) -> None:
        """Check what a purchase is to cost.

        Raises:
            PriceAboveLimit: it is more than is agreed to.
        """
        if self.most is not None and _whole(price, deposit) > self.most:
            raise PriceAboveLimit(
                f"{uri} costs {_both(price, deposit)} on {self.asset.ledger}, "
                f"more than the {said(self.most)} agreed to."
            )

    def check_begun(self, uri: ModelUri, price: Money, deposit: Money | None) -> None:
        """Check what a purchase that was begun costs.

        Raises:
            BegunOtherwise: it is in another asset, or more than is allowed now.
        """
        begun = f"A purchase of {uri} on {self.asset.ledger} was begun for"
        if price.asset != self.asset:
            raise BegunOtherwise(
                f"{begun} {said(price)}, and not in {self.asset.symbol}.",
                next_step="Run `caimi buy URI` with the asset it was begun in to finish it: it is "
                "paid once, and comes back if it fails.",
            )
        whole = _whole(price, deposit)
        if self.most is not None and whole > self.most:
            raise BegunOtherwise(
                f"{begun} {_both(price, deposit)}, more than the {said(self.most)} that are "
                "allowed now.",
                next_step=f"Run it with --max-price {format_amount(whole)} to finish it: it is "
                "paid once, and comes back if it fails.",
            )


async def asked_price(context: Context, resolved: Resolved, asset: Asset) -> Money:
    """Give what a version costs now in an asset.

    Raises:
        NotForSale: it is not for sale in it.
    """
    model_id = resolved.model.model_id
    price = await resolved.ledger.market.price(model_id, asset)
    if price is None:
        others = await offers(context, resolved.ledger.id, model_id)
        there = [said(each.amount) for each in others if each.amount.asset.ledger == asset.ledger]
        raise NotForSale(
            f"{resolved.uri} is not for sale on {asset.ledger} in {asset.symbol}.",
            next_step=f"It is for sale there for {' or '.join(there)}: name that asset behind the "
            "URI, as in `caimi buy URI EURX`."
            if there
            else None,
        )
    return price.amount


def _both(amount: Money, deposit: Money | None) -> str:
    beside = f" and a relay deposit of {said(deposit)}" if deposit else ""
    return f"{said(amount)}{beside}"


def _whole(amount: Money, deposit: Money | None) -> Money:
    """Give what a limit of the price bounds: with the deposit where both are in coins."""
    return amount + deposit if deposit and deposit.asset == amount.asset else amount
