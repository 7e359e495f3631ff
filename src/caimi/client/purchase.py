"""Buying a licence, on the model's home ledger or from any other.

The money leaves the buyer in one transaction that the journal records before it is sent. From
another ledger it is held there by the market until the home ledger's answer comes back; a refusal
or a timeout returns it.
"""

from __future__ import annotations

from dataclasses import dataclass

from caimi.client.amounts import format_amount, parse_amount
from caimi.client.context import Context
from caimi.client.resolve import Resolved, resolve
from caimi.errors.ledgers import TransactionReverted
from caimi.errors.operations import (
    AlreadyLicensed,
    NotForSale,
    PriceAboveLimit,
    PurchaseRefunded,
)
from caimi.journal import Operation
from caimi.ledgers.port import Ledger, Purchase, PurchaseState
from caimi.uri import ModelUri

PACKET_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Bought:
    """A licence that the home ledger has recorded."""

    uri: str
    consumer: str
    ledger: str
    price: str
    tx: str
    licence_id: str


async def buy(
    context: Context,
    uri: str | ModelUri,
    *,
    ledger: str,
    max_price: str | None = None,
    timeout_seconds: int = PACKET_SECONDS,
) -> Bought:
    """Buy a licence of the version `uri` names, paying on `ledger`; running it again finishes it.

    Raises:
        NotForSale: no price is set for that ledger.
        PriceAboveLimit: the price is above `max_price`.
        AlreadyLicensed: this account already holds a licence.
        PurchaseRefunded: the purchase failed and the money is back.
        StillInFlight: no relayer carried it in time; run again to go on waiting.
        InsufficientFunds: the account cannot pay.
    """
    resolved = await resolve(context, uri)
    paying = context.ledger(ledger)
    account = context.identity.signer.account
    async with context.journal.operation("buy", str(resolved.uri), ledger, account.hex()) as op:
        try:
            return await _buy(context, op, resolved, paying, max_price, timeout_seconds)
        except TransactionReverted:
            await op.reopen()
            raise


async def _buy(
    context: Context,
    operation: Operation,
    resolved: Resolved,
    paying: Ledger,
    max_price: str | None,
    timeout_seconds: int,
) -> Bought:
    home = resolved.ledger
    account = context.identity.signer.account
    consumer = paying.address_of(account)
    begun = "amount" in operation.facts
    licence = await home.market.licence(resolved.model.model_id, resolved.version.version, consumer)
    if licence.live and (operation.finished or not begun):
        raise AlreadyLicensed(f"0x{account.hex()} already holds a licence of {resolved.uri}.")
    if not begun or operation.finished:
        await operation.reopen()
        amount = await _agreed_price(resolved, paying, max_price)
        await operation.note(amount=str(amount))
    amount = int(str(operation.facts["amount"]))
    if home.id == paying.id:
        tx = await _buy_at_home(context, operation, resolved, amount)
    else:
        tx = await _buy_from_afar(context, operation, resolved, paying, amount, timeout_seconds)
    await operation.finish()
    licence = await home.market.licence(resolved.model.model_id, resolved.version.version, consumer)
    return Bought(
        uri=str(resolved.uri),
        consumer=context.identity.account_on(paying.id),
        ledger=paying.id,
        price=format_amount(amount),
        tx=tx,
        licence_id=f"0x{licence.licence_id.hex()}",
    )


async def _agreed_price(resolved: Resolved, paying: Ledger, max_price: str | None) -> int:
    amount = await resolved.ledger.market.price(resolved.model.model_id, paying.id)
    if amount is None:
        raise NotForSale(f"{resolved.uri} is not for sale on {paying.id}.")
    if max_price is not None and amount > parse_amount(max_price):
        raise PriceAboveLimit(
            f"{resolved.uri} costs {format_amount(amount)} on {paying.id}, "
            f"more than the {max_price} agreed to."
        )
    return amount


async def _buy_at_home(
    context: Context, operation: Operation, resolved: Resolved, amount: int
) -> str:
    call = resolved.ledger.market.buy(
        resolved.model.model_id, resolved.version.version, b"", amount
    )
    receipt = await context.submit(operation, "buy", call)
    return receipt.tx


async def _buy_from_afar(
    context: Context,
    operation: Operation,
    resolved: Resolved,
    paying: Ledger,
    amount: int,
    timeout_seconds: int,
) -> str:
    route = await context.route(paying.id, resolved.ledger.id)
    model_id, version = resolved.model.model_id, resolved.version.version
    account = context.identity.signer.account
    if "timeout" not in operation.facts:
        head = await paying.head()
        await operation.note(timeout=head.time + timeout_seconds)
    purchase = await paying.market.purchase_of(route.client_id, model_id, version, account)
    if purchase is None or await context.journal.sent(operation.outbox_key("buy")) is not None:
        receipt = await context.submit(
            operation,
            "buy",
            await paying.market.buy_remote(
                route.client_id,
                model_id,
                version,
                b"",
                amount,
                int(str(operation.facts["timeout"])),
            ),
        )
        opened = next(event for event in receipt.events if event.name == "PurchaseOpened")
        await operation.note(purchase=_hex(opened.values["purchaseId"]), tx=receipt.tx)
    else:
        await operation.note(purchase=purchase.purchase_id.hex())
    purchase_id = bytes.fromhex(str(operation.facts["purchase"]))

    async def ended() -> Purchase | None:
        now = await paying.market.purchase(purchase_id)
        return None if now.state is PurchaseState.PENDING else now

    if (await context.wait_for(ended, f"The purchase of {resolved.uri}")).state is (
        PurchaseState.REFUNDED
    ):
        await _take_refund(context, operation, paying, account)
        await operation.reopen()
        raise PurchaseRefunded(
            f"The purchase of {resolved.uri} did not take effect; "
            f"{format_amount(amount)} came back on {paying.id}."
        )
    return str(operation.facts.get("tx", ""))


async def _take_refund(
    context: Context, operation: Operation, paying: Ledger, account: bytes
) -> None:
    if await paying.market.owed(account) > 0:
        await context.submit(operation, "refund", paying.market.withdraw(account))


def _hex(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value).removeprefix("0x")
