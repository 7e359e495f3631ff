"""What facts come to: one model as a search lists it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from caimi.client.fact_file import KnownFact
from caimi.ledgers.port import (
    Account,
    Asset,
    ChangedOwner,
    ChangedPrices,
    ModelFact,
    Price,
    PublishedVersion,
    RegisteredModel,
)

Listed = RegisteredModel | PublishedVersion | ChangedOwner | ChangedPrices
"""What a listing is made of."""


@dataclass(slots=True)
class Listing:
    """One model: who registered it, its versions in order, and what it costs.

    `final` unless some of that is of blocks that may still be replaced.
    """

    model_id: bytes
    publisher: Account
    name: str
    owner: Account | None = None
    versions: list[str] = field(default_factory=list)
    offers: dict[Asset, tuple[Account, Price]] = field(default_factory=dict)
    final: bool = True

    def prices(self) -> list[Price]:
        """Give what a licence costs in each asset: as whoever holds the model set it."""
        return [price for seller, price in self.offers.values() if seller == self.owner]

    def take(self, fact: ModelFact) -> None:
        """Take the next fact about the model."""
        match fact:
            case PublishedVersion():
                self.versions.append(fact.version)
            case ChangedOwner():
                self.owner = fact.recipient
            case ChangedPrices():
                for price in fact.prices:
                    asset = price.amount.asset
                    if price.offered:
                        self.offers[asset] = (fact.seller, price)
                    else:
                        self.offers.pop(asset, None)


def listings(known: Iterable[KnownFact]) -> list[Listing]:
    """Give the models that facts tell of, those of each in order; in the order of registration."""
    found: dict[bytes, Listing] = {}
    early: dict[bytes, list[KnownFact]] = {}
    for each in known:
        fact = each.fact
        if not isinstance(fact, Listed):
            continue
        if isinstance(fact, RegisteredModel) and fact.model_id not in found:
            model = Listing(fact.model_id, fact.publisher, fact.name, final=each.final)
            found[fact.model_id] = model
            for before in early.pop(fact.model_id, ()):
                model.take(before.fact)
        elif fact.model_id in found:
            found[fact.model_id].take(fact)
            found[fact.model_id].final &= each.final
        else:
            # A model is somebody's before it is registered, in the same block.
            early.setdefault(fact.model_id, []).append(each)
    return list(found.values())
