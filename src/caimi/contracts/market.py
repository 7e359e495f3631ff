"""Sells licences to versions of models; the home ledger decides, any ledger pays. Port "licence".

- A purchase ends once: completed and owed to the payee, or refunded and owed to the buyer.
- A licence is granted only by the model's owner, or at the price that the present owner set.
- Over a route as much is paid, and as many licences are bought, as its limits allow: sending
  refuses what is over them or over the buyer's share, and what arrives over them is refunded.
- Acknowledgements, timeouts and withdrawals are never limited.

Each purchase from another ledger also pays the relay deposit, in the ledger's coin, to whoever
brings its end.

On a ledger without coins the market grants, revokes, and sells for what is paid elsewhere; it
refuses what would be paid there as ``NoCoins``. A call names no value to be sent along: `Coins`
takes exactly what is due, so there is no ``WrongValue``.
"""

from __future__ import annotations

from collections.abc import Sequence

from caimi.contracts.applications import PacketContext
from caimi.contracts.authority import Authority, AuthorityRole
from caimi.contracts.bounds import asset, number, word
from caimi.contracts.execution import Execution, require
from caimi.contracts.identifiers import (
    COIN,
    NOBODY,
    Account,
    ClientId,
    Currency,
    InteroperableAccount,
    LicenceId,
    PurchaseId,
    TokenId,
)
from caimi.contracts.interoperable import ledger_of, native_of
from caimi.contracts.licences import Licences, licence_id
from caimi.contracts.limits import RouteLimits
from caimi.contracts.naming import version_id
from caimi.contracts.offers import LicencePrice, Offers
from caimi.contracts.orders import LicenceAnswer, LicenceOrder
from caimi.contracts.packet_port import PacketPort
from caimi.contracts.paying import Paying
from caimi.contracts.purchases import (
    PurchaseCompleted,
    PurchaseOpened,
    PurchaseRecord,
    PurchaseReturned,
    Purchases,
    PurchaseStage,
    purchase_id,
)
from caimi.contracts.registry import ModelRegistry
from caimi.contracts.site import Accounts
from caimi.contracts.treasury import Treasury
from caimi.uri import is_version


class LicenceMarket:
    """The market of one ledger."""

    def __init__(
        self,
        port: PacketPort,
        registry: ModelRegistry,
        treasury: Treasury,
        accounts: Accounts,
        authority: Authority,
    ) -> None:
        self.account = port.site.market
        self.limits = RouteLimits("market", authority)
        self._paying = Paying(self.limits)
        self.licences = Licences(registry)
        self.offers = Offers(registry, self.licences, port.site.ledger, accounts)
        self.purchases = Purchases()
        self.treasury = treasury
        self._port = port
        self._accounts = accounts
        self._authority = authority

    # --- selling and buying ---------------------------------------------------------------------

    def set_prices(self, call: Execution, token: TokenId, prices: Sequence[LicencePrice]) -> None:
        """Set prices. The model's owner only, at home."""
        here = self._port.site.ledger
        if any(ledger_of(price.payee) == here for price in prices):
            self.treasury.require_coins()
        self.offers.set_prices(call, token, prices)

    def buy(
        self,
        call: Execution,
        token: TokenId,
        version: str,
        paid: tuple[Currency, int],
        reader: Account = NOBODY,
    ) -> LicenceId:
        """Buy where the model lives, at the present price, for a reader or for oneself.

        `paid` are the currency and the amount.
        """
        self.treasury.require_coins()
        paid_in, amount = paid
        with call.locked("market"):
            site = self._port.site
            offered = (site.ledger, paid_in, number(amount, 256, "amount"))
            payee = self.offers.require_price(call.state, token, offered)
            consumer = site.here(self._licensee(call, reader))
            licence = self.licences.issue(call, token, version, (consumer, payee))
            self.treasury.owe(call, native_of(payee), paid_in, amount)
            self.treasury.take(call, paid_in, amount, 0)
        return licence

    def buy_remote(
        self,
        call: Execution,
        client_id: ClientId,
        wanted: tuple[TokenId, str],
        paid: tuple[Currency, int],
        timeout: int,
        reader: Account = NOBODY,
    ) -> PurchaseId:
        """Buy from here a licence of a model that lives behind a client.

        `wanted` are the model and the version, `paid` the currency and the amount, which is held
        until the home ledger answers. `timeout` is in seconds. It is for a reader, or for oneself.
        """
        self.treasury.require_coins()
        (token, version), (paid_in, amount) = wanted, paid
        with call.locked("market"):
            word(token, "token")
            require(is_version(version), "InvalidVersion", version=version)
            identity = version_id(version)
            reader = self._licensee(call, reader)
            bought = (identity, call.caller, reader)
            self.purchases.check_new(call.state, client_id, token, bought)
            asset(paid_in, self._port.site.ledger)
            number(amount, 256, "amount")
            counted = self._paying.send(call, client_id, paid_in, amount)
            deposit = self.treasury.relay_deposit(call.state)
            self.treasury.hold(call, paid_in, amount)
            self.treasury.hold(call, COIN, deposit)
            self.treasury.take(call, paid_in, amount, deposit)
            consumer = self._port.site.here(reader)
            order = LicenceOrder(token, version, consumer, paid_in, amount)
            sequence = self._port.send(call, self.account, client_id, timeout, order.encode())
            record = PurchaseRecord(
                call.caller,
                reader,
                PurchaseStage.PENDING,
                counted,
                deposit,
                token,
                identity,
                paid_in,
                amount,
            )
            purchase = self.purchases.open(call, client_id, sequence, record)
            call.emit(
                PurchaseOpened(
                    purchase,
                    (call.caller, token, reader, version),
                    client_id,
                    sequence,
                    (paid_in, amount),
                )
            )
        return purchase

    def withdraw(self, call: Execution, paid_in: Currency, to: Account) -> int:
        """Pay out to `to` what the market owes the caller; gives how much."""
        with call.locked("market"):
            return self.treasury.withdraw(call, paid_in, to)

    # --- administration -------------------------------------------------------------------------

    def refund_dead(self, call: Execution, client_id: ClientId, sequence: int) -> None:
        """Give a purchase on its way to a ledger that died back to its buyer, deposit and all.

        The route is closed for good. Exits only.
        """
        self._authority.check(call, AuthorityRole.EXIT)
        purchase = purchase_id(client_id, sequence)
        record = self.purchases.get(call.state, purchase)
        pending = record is not None and record.stage is PurchaseStage.PENDING
        require(pending, "NotPending", purchase_id=purchase)
        assert record is not None
        self.limits.kill(call, client_id)
        self.treasury.release(call, record.buyer, COIN, record.deposit)
        self._refund(call, client_id, purchase, record)

    # --- callbacks (`PacketApplication`) ----------------------------------------------------------

    def receive(self, call: Execution, context: PacketContext) -> bytes:
        """Grant the licence at the seller's present price, or refuse, which refunds the buyer."""
        self._port.check_caller(call)
        self._port.check_envelope(context)
        self.limits.receive(call, context.dest_client, 0)
        order = LicenceOrder.decode(context.payload.value)
        ledger = self._port.gateway.routes.get(call.state, context.dest_client).ledger
        require(
            ledger_of(order.consumer) == ledger,
            "ConsumerNotBehindClient",
            consumer=order.consumer,
            client_id=context.dest_client,
        )
        paid = (ledger, order.asset, order.amount)
        payee = self.offers.require_price(call.state, order.token, paid)
        parties = (InteroperableAccount(order.consumer), payee)
        licence = self.licences.issue(call, order.token, order.version, parties)
        return LicenceAnswer(licence, payee).encode()

    def acknowledge(self, call: Execution, context: PacketContext, acknowledgement: bytes) -> None:
        """Credit the payee whom the home ledger names.

        An acknowledgement that is neither an error nor exactly what our own kind answers, with an
        account of this ledger, refunds the buyer: nobody knows whom to pay, holding the money for
        ever would punish a buyer who did nothing wrong, and only the seller's own ledger can have
        written it.
        """
        self._port.check_caller(call)
        client_id = ClientId(context.source_client)
        purchase, record = self.purchases.sent(call.state, client_id, context.sequence)
        if record is None:
            return
        self.treasury.release(call, context.relayer, COIN, record.deposit)
        answer = LicenceAnswer.decode(acknowledgement)
        consumer = self._port.site.here(record.reader)
        expected = licence_id(record.token, record.version, consumer)
        payee = None if answer is None else self._account_here(answer.payee)
        if answer is None or answer.licence != expected or payee is None:
            self._refund(call, client_id, purchase, record)
            return
        self.purchases.complete(call, purchase, record)
        self._paying.end(call, client_id, record, refunded=False)
        self.treasury.release(call, payee, record.currency, record.amount)
        call.emit(PurchaseCompleted(purchase, answer.licence, payee))

    def time_out(self, call: Execution, context: PacketContext) -> None:
        """Refund the buyer."""
        self._port.check_caller(call)
        client_id = ClientId(context.source_client)
        purchase, record = self.purchases.sent(call.state, client_id, context.sequence)
        if record is None:
            return
        self.treasury.release(call, context.relayer, COIN, record.deposit)
        self._refund(call, client_id, purchase, record)

    # --- parts ----------------------------------------------------------------------------------

    def _licensee(self, call: Execution, reader: Account) -> Account:
        if reader == NOBODY:
            return call.caller
        require(self._accounts.is_account(reader), "InvalidReader", reader=reader)
        return reader

    def _account_here(self, interoperable: bytes) -> Account | None:
        if ledger_of(interoperable) != self._port.site.ledger:
            return None
        native = native_of(InteroperableAccount(interoperable))
        return native if self._accounts.is_account(native) else None

    def _refund(
        self, call: Execution, client_id: ClientId, purchase: PurchaseId, record: PurchaseRecord
    ) -> None:
        self.purchases.refund(call, client_id, purchase, record)
        self._paying.end(call, client_id, record, refunded=True)
        self.treasury.release(call, record.buyer, record.currency, record.amount)
        call.emit(PurchaseReturned(purchase, record.buyer))
