"""Tokens of an EVM ledger (port `Tokens`): contracts of ERC-20.

A token's contract is anybody's code: it is asked with bounded gas, and read strictly.
"""

from __future__ import annotations

from typing import Final

from caimi.errors.ledgers import (
    CallInvalid,
    HistoryGone,
    LedgerAnswerInvalid,
    LedgerUnavailable,
    TokenUnusable,
)
from caimi.ledgers.evm.abi.calls import EvmCall, nothing
from caimi.ledgers.evm.abi.codec import Value
from caimi.ledgers.evm.abi.interface import AbiEntry, Interface
from caimi.ledgers.evm.abi.quantities import data, hexed
from caimi.ledgers.evm.rpc.chain import Chain
from caimi.ledgers.evm.rpc.client import RpcRefusal
from caimi.ledgers.evm.rpc.contract import account, address_on
from caimi.ledgers.port import NEWEST, Account, Asset, At, Money
from caimi.signatures import account_text

GAS: Final = 1_000_000
MAX_SYMBOL: Final = 64
"""Characters of a symbol that is read: what is longer is no symbol."""


def _function(name: str, inputs: tuple[str, ...], output: str) -> AbiEntry:
    return {
        "type": "function",
        "name": name,
        "inputs": [{"type": kind} for kind in inputs],
        "outputs": [{"type": output}],
    }


ERC20: Final = Interface(
    [
        _function("symbol", (), "string"),
        _function("decimals", (), "uint8"),
        _function("balanceOf", ("address",), "uint256"),
        _function("allowance", ("address", "address"), "uint256"),
        _function("approve", ("address", "uint256"), "bool"),
    ]
)


class EvmTokens:
    """The tokens of one EVM ledger, as its `market` takes them."""

    def __init__(self, chain: Chain, market: bytes) -> None:
        self._chain = chain
        self._market = market

    async def described(self, asset: Asset) -> Asset:
        """Give the token with the symbol and decimals that its own contract tells.

        Raises:
            TokenUnusable: it tells none.
        """
        token = self._address(asset)
        symbol = await self._read(token, "symbol")
        decimals = await self._read(token, "decimals")
        if not (0 < len(symbol) <= MAX_SYMBOL and symbol.isprintable()):
            raise TokenUnusable(f"{account_text(token)} on {asset.ledger} tells no symbol.")
        return Asset(asset.ledger, token, symbol, decimals)

    async def balance(self, account: Account, asset: Asset, at: At = NEWEST) -> Money:
        """Give an account's tokens."""
        holder = address_on(self._chain.ledger, account)
        return asset.of(await self._read(self._address(asset), "balanceOf", holder, at=at))

    async def allowed(self, account: Account, asset: Asset, at: At = NEWEST) -> Money:
        """Tell how much the market may take from an account."""
        holder = address_on(self._chain.ledger, account)
        asked = ("allowance", holder, self._market)
        return asset.of(await self._read(self._address(asset), *asked, at=at))

    def allow(self, amount: Money) -> EvmCall[None]:
        """Let the market take exactly `amount` from the sender."""
        token = self._address(amount.asset)
        call = ERC20["approve"].encode(self._market, amount.units)
        what = f"Letting the market take {amount.units} of the token {account_text(token)}"
        return EvmCall(self._chain.ledger, what, token, call, 0, nothing)

    def _address(self, asset: Asset) -> bytes:
        if asset.ledger != self._chain.ledger or not asset.native:
            raise CallInvalid(f"The {asset} is no token of {self._chain.ledger}.")
        return account(asset.native)

    async def _read(self, token: bytes, name: str, *arguments: Value, at: At = NEWEST) -> Value:
        method = ERC20[name]
        asked = {"to": hexed(token), "data": hexed(method.encode(*arguments)), "gas": hex(GAS)}
        what = f"{account_text(token)} on {self._chain.ledger} gives no {name} of a token"
        try:
            answer = await self._chain.rpc.ask("eth_call", asked, await self._chain.tag(at))
        except RpcRefusal as refusal:
            error = self._chain.refused("Asking a token", refusal)
            if isinstance(error, (LedgerUnavailable, HistoryGone)):
                raise error from refusal
            raise TokenUnusable(f"{what}: {error}") from refusal
        try:
            (value,) = method.decode(data(answer))
        except LedgerAnswerInvalid as error:
            raise TokenUnusable(f"{what}.") from error
        return value
