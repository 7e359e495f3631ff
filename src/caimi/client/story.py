"""A model's history for people: who did what, for what price, in one line an event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from caimi.client.amounts import said
from caimi.client.context import Context
from caimi.client.parties import interoperable_party, party
from caimi.client.pricing import AskedPrice, asked
from caimi.ledgers.port import (
    Account,
    ApprovedMover,
    ArrivedModel,
    Asset,
    ChangedAlias,
    ChangedOwner,
    ChangedPrices,
    CompletedPurchase,
    CompletedTransfer,
    DepartedModel,
    DeprecatedVersion,
    GrantedLicence,
    LedgerId,
    ModelFact,
    Money,
    OpenedPurchase,
    Price,
    PublishedVersion,
    ReceivedModel,
    RefundedPurchase,
    RefundedTransfer,
    RegisteredModel,
    RevokedLicence,
    SentModel,
    UnlockedModel,
)
from caimi.line_text import one_line

_NOBODY: Final = ""


@dataclass(frozen=True, slots=True)
class StoryLine:
    """What a fact comes to: who (CAIP-10; empty where nobody is named), what, at which prices."""

    who: str
    what: str
    prices: tuple[AskedPrice, ...] = ()


class Storyteller:
    """Tells the facts of one model on one ledger, in their order.

    What was said of a licence or a purchase when it began is remembered for what comes after.
    """

    def __init__(self, context: Context, ledger: LedgerId) -> None:
        self._context = context
        self._ledger = ledger
        self._purchases: dict[bytes, OpenedPurchase] = {}
        self._licences: dict[bytes, GrantedLicence] = {}
        self._prices: dict[tuple[Account, Asset], Price] = {}

    def tell(self, fact: ModelFact) -> StoryLine:
        """Tell the next fact."""
        match fact:
            case ChangedPrices() | OpenedPurchase() | CompletedPurchase() | RefundedPurchase():
                return self._money(fact)
            case GrantedLicence() | RevokedLicence():
                return self._licence(fact)
            case RegisteredModel() | PublishedVersion() | ChangedAlias() | DeprecatedVersion():
                return self._version(fact)
            case _:
                return self._owner(fact)

    def _version(
        self, fact: RegisteredModel | PublishedVersion | ChangedAlias | DeprecatedVersion
    ) -> StoryLine:
        match fact:
            case RegisteredModel(_, publisher, name):
                return self._line(publisher, f"registered the model {one_line(name)}")
            case PublishedVersion(_, publisher, version):
                return self._line(publisher, f"published version {one_line(version)}")
            case ChangedAlias(_, name, version):
                return self._line(None, f"alias {one_line(name)} means {one_line(version)} now")
            case DeprecatedVersion(_, version, reason):
                what = f"version {one_line(version)} is deprecated: {one_line(reason)}"
                return self._line(None, what)

    def _money(
        self, fact: ChangedPrices | OpenedPurchase | CompletedPurchase | RefundedPurchase
    ) -> StoryLine:
        match fact:
            case ChangedPrices(_, seller, prices):
                told = ", ".join(map(self._price, prices)) or "nothing that is known here"
                self._prices.update({(seller, each.amount.asset): each for each in prices})
                offered = tuple(
                    asked(self._context, Price(self._known(each.amount), each.payee))
                    for each in prices
                    if each.offered
                )
                return self._line(seller, f"asks {told}", offered)
            case OpenedPurchase():
                self._purchases[fact.purchase_id] = fact
                reader = "" if fact.reader == fact.buyer else f" for {self._name(fact.reader)}"
                version, paid = one_line(fact.version), self._paid(fact)
                way = f"{one_line(fact.client_id)}/{fact.sequence}"
                return self._line(
                    fact.buyer, f"buys version {version}{reader} for {paid}, by packet {way}"
                )
            case CompletedPurchase(purchase_id, _, payee):
                opened = self._purchases.get(purchase_id)
                paid = "what was paid" if opened is None else self._paid(opened)
                return self._line(payee, f"is owed {paid}: the purchase is done")
            case RefundedPurchase(purchase_id, buyer):
                opened = self._purchases.get(purchase_id)
                paid = "what was paid" if opened is None else self._paid(opened)
                return self._line(buyer, f"is owed {paid} back: the purchase failed")

    def _licence(self, fact: GrantedLicence | RevokedLicence) -> StoryLine:
        if isinstance(fact, GrantedLicence):
            self._licences[fact.licence_id] = fact
            consumer = interoperable_party(self._context, fact.consumer)
            what = f"may use version {one_line(fact.version)}"
            if not fact.payee:
                return StoryLine(consumer, what)
            payee = interoperable_party(self._context, fact.payee)
            price = self._price_paid_to(payee)
            amount = "" if price is None else f" {price.said}"
            what = f"{what}; {self._short(payee)} is paid{amount}"
            return StoryLine(consumer, what, () if price is None else (price,))
        granted = self._licences.get(fact.licence_id)
        if granted is None:
            return StoryLine(_NOBODY, f"licence 0x{fact.licence_id.hex()} is revoked")
        consumer = interoperable_party(self._context, granted.consumer)
        return StoryLine(consumer, f"may use version {one_line(granted.version)} no more")

    def _owner(self, fact: ModelFact) -> StoryLine:
        match fact:
            case ChangedOwner(_, None, recipient):
                return self._line(recipient, "holds it now")
            case ChangedOwner(_, sender, None):
                return self._line(sender, "holds it no more")
            case ChangedOwner(_, sender, recipient):
                to = "nobody" if recipient is None else self._name(recipient)
                return self._line(sender, f"handed it to {to}")
            case ApprovedMover(_, owner, approved):
                may = "nobody else" if approved is None else self._name(approved)
                return self._line(owner, f"lets {may} move it")
            case ArrivedModel(_, home, recipient):
                registry = interoperable_party(self._context, home)
                return self._line(recipient, f"has it here, from its home {registry}")
            case _:
                return self._way(fact)

    def _way(self, fact: ModelFact) -> StoryLine:
        match fact:
            case DepartedModel():
                return self._line(None, "it is here no more")
            case SentModel(_, client, sequence, sender):
                return self._line(sender, f"sent it on, by packet {one_line(client)}/{sequence}")
            case ReceivedModel(_, client, sequence, recipient):
                way = f"over {one_line(client)}, by its packet {sequence}"
                return self._line(recipient, f"received it {way}")
            case CompletedTransfer(_, client, sequence):
                return self._line(None, f"packet {one_line(client)}/{sequence} was taken")
            case RefundedTransfer(_, client, sequence, recipient):
                way = f"packet {one_line(client)}/{sequence} was not taken"
                return self._line(recipient, f"has it back: {way}")
            case UnlockedModel(_, client, recipient):
                return self._line(recipient, f"has it back: what is behind {one_line(client)} died")
        raise AssertionError("All kinds of facts about models are told.")

    def _line(
        self, who: Account | None, what: str, prices: tuple[AskedPrice, ...] = ()
    ) -> StoryLine:
        return StoryLine(_NOBODY if who is None else party(self._context, who), what, prices)

    def _name(self, who: Account) -> str:
        """Name an account in a line, which says of which ledger it is: shorter for its own."""
        return self._short(party(self._context, who))

    def _short(self, name: str) -> str:
        return name.removeprefix(f"{self._ledger}:")

    def _price(self, price: Price) -> str:
        if not price.offered:
            asset = self._known(price.amount).asset
            return f"nothing in {asset.symbol or asset} on {asset.ledger} any more"
        return f"{said(self._known(price.amount))} on {price.amount.asset.ledger}"

    def _price_paid_to(self, payee: str) -> AskedPrice | None:
        """Give what a licence was sold for: a market takes its price and nothing else.

        None where more than one price was asked for this payee: a licence does not say for which.
        """
        might_be = [
            each
            for each in self._prices.values()
            if each.offered and party(self._context, each.payee) == payee
        ]
        if len(might_be) != 1:
            return None
        return asked(self._context, Price(self._known(might_be[0].amount), might_be[0].payee))

    def _paid(self, opened: OpenedPurchase) -> str:
        return said(self._known(opened.paid))

    def _known(self, amount: Money) -> Money:
        """Give an amount in its asset as it is called and counted here."""
        asset = amount.asset
        ledger = self._context.ledgers.get(asset.ledger)
        if not asset.native and ledger is not None and ledger.coins is not None:
            return ledger.coins.asset.of(amount.units)
        return self._context.assets.known(asset).of(amount.units)
