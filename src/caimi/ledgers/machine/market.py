"""Licences (port `Market`): granted, and sold here or elsewhere; without a coin nothing is paid."""

from __future__ import annotations

from collections.abc import Sequence

from caimi.chains import InteroperableAddress
from caimi.contracts.identifiers import (
    Currency,
    InteroperableAccount,
    InteroperableLedger,
    PurchaseId,
    TokenId,
)
from caimi.contracts.licences import licence_id
from caimi.contracts.naming import version_id
from caimi.errors.ledgers import CallInvalid, NotOffered
from caimi.ledgers.machine.calls import MachineCall, nothing, same
from caimi.ledgers.machine.fresh import answering_freshly
from caimi.ledgers.machine.machine import Machine
from caimi.ledgers.machine.refusing import named
from caimi.ledgers.port import (
    NEWEST,
    Account,
    Asset,
    At,
    Licence,
    Money,
    Price,
    Purchase,
    PurchaseState,
)


@answering_freshly
class MachineMarket:
    """The market of one ledger."""

    def __init__(self, chain: Machine) -> None:
        self._chain = chain
        self._market = chain.contracts.market
        self._licences = self._market.licences

    # --- granting -------------------------------------------------------------------------------

    def grant(self, model_id: bytes, version: str, consumer: Account) -> MachineCall[bytes]:
        return self._call("Granting a licence", "grant", model_id, version, consumer.interoperable)

    def revoke(self, licence_id: bytes) -> MachineCall[None]:
        return MachineCall(self._chain.id, "Revoking a licence", "revoke", (licence_id,), nothing)

    async def licence(
        self, model_id: bytes, version: str, consumer: Account, at: At = NEWEST
    ) -> Licence:
        account = InteroperableAccount(consumer.interoperable)
        licence = licence_id(TokenId(model_id), version_id(version), account)
        found = self._licences.get(self._chain.at(at), licence)
        if found is None:
            return Licence(licence, 0, False)
        return Licence(licence, found.granted_at, found.revoked)

    async def tally(self, model_id: bytes, at: At = NEWEST) -> tuple[int, bytes]:
        tally = self._licences.tally(self._chain.at(at), TokenId(model_id))
        return tally.live, tally.digest

    # --- selling --------------------------------------------------------------------------------

    def set_prices(self, model_id: bytes, prices: Sequence[Price]) -> MachineCall[None]:
        entries = tuple(
            (
                each.payee.interoperable,
                each.amount.asset.native,
                each.amount.units,
                each.offered,
            )
            for each in prices
        )
        what = "Setting prices"
        return MachineCall(self._chain.id, what, "set prices", (model_id, entries), nothing)

    async def price(self, model_id: bytes, asset: Asset, at: At = NEWEST) -> Price | None:
        offers, token = self._chain.contracts.market.offers, TokenId(model_id)
        ledger = InteroperableAddress.from_caip(asset.ledger).to_bytes()
        paying, paid_in = InteroperableLedger(ledger), Currency(asset.native)
        with named("The price"):
            now = offers.price(self._chain.at(at), token, paying, paid_in)
        if now is None:
            return None
        return Price(asset.of(now.amount), Account.from_interoperable(now.payee))

    # --- what takes a coin: where there is none, the contracts refuse it -------------------------

    def buy(
        self, model_id: bytes, version: str, price: Money, reader: Account | None = None
    ) -> MachineCall[bytes]:
        paid = self._currency(price.asset), price.units
        return self._call(
            "Buying a licence", "buy", model_id, version, paid, self._licensee(reader)
        )

    async def relay_deposit(self) -> Money:
        return self._coin.of(self._market.treasury.relay_deposit(self._chain.state))

    async def buy_remote(
        self,
        client_id: str,
        model_id: bytes,
        version: str,
        price: Money,
        expiry: int,
        reader: Account | None = None,
        *,
        deposit: Money | None = None,
    ) -> MachineCall[bytes]:
        wanted, paid = (model_id, version), (self._currency(price.asset), price.units)
        arguments = (client_id, wanted, paid, expiry, self._licensee(reader))
        return self._call("Buying a licence", "buy remote", *arguments)

    async def purchase(self, purchase_id: bytes, at: At = NEWEST) -> Purchase:
        found = self._market.purchases.get(self._chain.at(at), PurchaseId(purchase_id))
        if found is None:
            return Purchase(purchase_id, None, None, PurchaseState.NONE, b"", b"", None)
        return Purchase(
            purchase_id,
            self._chain.account(found.buyer),
            self._chain.account(found.reader),
            PurchaseState(found.stage.value),
            found.token,
            found.version,
            Asset(self._chain.id, found.currency).of(found.amount),
        )

    async def purchase_of(
        self,
        client_id: str,
        model_id: bytes,
        version: str,
        buyer: Account,
        reader: Account | None = None,
        at: At = NEWEST,
    ) -> Purchase | None:
        consumer = self._chain.native(buyer if reader is None else reader)
        bought = (version_id(version), self._chain.native(buyer), consumer)
        state = self._chain.at(at)
        found = self._market.purchases.of(state, client_id, TokenId(model_id), bought)
        return None if found is None else await self.purchase(found, at)

    async def owed(self, account: Account, asset: Asset | None = None, at: At = NEWEST) -> Money:
        state = self._chain.at(at)
        wanted = self._coin if asset is None else asset
        native, currency = self._chain.native(account), self._currency(wanted)
        return wanted.of(self._market.treasury.owed(state, native, currency))

    def withdraw(self, to: Account, asset: Asset | None = None) -> MachineCall[None]:
        currency = b"" if asset is None else self._currency(asset)
        arguments = (currency, self._chain.native(to))
        return MachineCall(self._chain.id, "Withdrawing", "withdraw", arguments, nothing)

    @property
    def _coin(self) -> Asset:
        coins = self._chain.coins
        if coins is None or self._market.treasury.coins is None:
            raise NotOffered(f"{self._chain.id} has no coin.")
        return coins.asset

    def _currency(self, asset: Asset) -> Currency:
        if asset.ledger != self._chain.id:
            raise CallInvalid(f"{asset} is no asset of {self._chain.id}.")
        return Currency(asset.native)

    def _licensee(self, reader: Account | None) -> bytes:
        return b"" if reader is None else self._chain.native(reader)

    def _call(self, what: str, act: str, *arguments: object) -> MachineCall[bytes]:
        return MachineCall(self._chain.id, what, act, arguments, same)
