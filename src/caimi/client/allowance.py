"""What a market may take of a token: exactly one purchase's price, while that is being made.

The market takes only from whoever calls it, so that what a purchase which failed leaves allowed
buys nothing but what its owner buys next, who sets it anew. One purchase of a token at a time: two
would use each other's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from caimi.client.amounts import said
from caimi.client.context import Context
from caimi.errors.ledgers import InsufficientFunds, TokenUnusable
from caimi.journal import Operation
from caimi.ledgers.port import Exactly, Ledger, Money, offered

_ALLOW: Final = "allow"
_CHANGES: Final = 4
"""How often it is changed before it is as wanted: an interrupted run's own, then to nothing, then
to the amount; and once more."""


@asynccontextmanager
async def allowance(context: Context, ledger: Ledger, amount: Money) -> AsyncIterator[None]:
    """Have the market allowed to take exactly `amount` from the key's account in the block.

    What an interrupted run had signed is finished first, whatever it allowed.

    Raises:
        InsufficientFunds: the account has not so much of the token.
        TokenUnusable: the token's contract does not allow it.
        JournalBusy: another purchase with this token is being made by the same account.
    """
    account = context.identity.account(ledger.id)
    intent = (ledger.id, account.native.hex(), amount.asset.native.hex())
    async with context.journal.once("allowance", *intent) as operation:
        await _allow(context, operation, ledger, amount)
        yield


async def _allow(context: Context, operation: Operation, ledger: Ledger, amount: Money) -> None:
    tokens = offered(ledger.tokens, ledger.id, "tokens")
    account, asset = context.identity.account(ledger.id), amount.asset
    has = await tokens.balance(account, asset)
    if has < amount:
        raise InsufficientFunds(
            f"{context.name(account)} has {said(has)}, less than the {said(amount)} to pay."
        )
    allowed = await tokens.allowed(account, asset)
    for _ in range(_CHANGES):
        begun = await operation.sent(_ALLOW)
        if allowed == amount and not begun:
            return
        # Some tokens change what is allowed by way of nothing only.
        wanted = asset.of(0) if allowed and allowed != amount else amount
        done = await context.submit(operation, _ALLOW, tokens.allow(wanted))
        await operation.forget(_ALLOW)

        async def now(height: int = done.height) -> Money:
            return await tokens.allowed(account, asset, Exactly(height))

        allowed = await context.wait_for(now, f"What the market may take of {asset.symbol}")
    if allowed == amount:
        return
    raise TokenUnusable(
        f"The contract of {asset.symbol} on {ledger.id} lets the market take {said(allowed)}, "
        f"whatever it is asked for."
    )
