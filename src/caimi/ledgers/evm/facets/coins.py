"""The coin of an EVM ledger: the port's `Coins`."""

from __future__ import annotations

from caimi.errors.ledgers import CallInvalid
from caimi.ledgers.evm.abi.assets import coin_of
from caimi.ledgers.evm.abi.calls import EvmCall, nothing
from caimi.ledgers.evm.rpc.chain import Chain
from caimi.ledgers.evm.rpc.contract import address_on
from caimi.ledgers.evm.transactions.pricing import market_price
from caimi.ledgers.port import NEWEST, Account, At, Money
from caimi.signatures import account_text


class EvmCoins:
    """Who holds how much of one EVM ledger's coin, and what gas costs in it."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self.asset = coin_of(chain.ledger)

    async def balance(self, account: Account, at: At = NEWEST) -> Money:
        """Give an account's coins."""
        address = address_on(self._chain.ledger, account)
        return self.asset.of(await self._chain.balance(address, at))

    async def work_price(self) -> Money:
        """Give what a unit of gas costs now: the base fee and the suggested tip."""
        return self.asset.of(await market_price(self._chain))

    def transfer(self, recipient: Account, amount: Money) -> EvmCall[None]:
        """Send coins."""
        if amount.asset != self.asset:
            raise CallInvalid(f"The {amount.asset} is not the coin of {self._chain.ledger}.")
        address = address_on(self._chain.ledger, recipient)
        what = f"Sending {amount.units} wei to {account_text(address)}"
        return EvmCall(self._chain.ledger, what, address, b"", amount.units, nothing)
