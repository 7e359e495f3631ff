"""Tokens on EVM ledgers of tests: the contracts of tests/tokens, which compile.js compiled."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from caimi.ledgers.evm.abi.calls import EvmCall, contract_creation, nothing
from caimi.ledgers.evm.abi.interface import Interface, encode
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.port import Account, Asset, Signer

FILE = Path(__file__).parent / "tokens" / "tokens.json"


@cache
def _contracts() -> dict[str, tuple[Interface, bytes]]:
    made = json.loads(FILE.read_text("utf-8"))["contracts"]
    return {
        name: (Interface(each["abi"]), bytes.fromhex(each["bytecode"].removeprefix("0x")))
        for name, each in made.items()
    }


@dataclass(frozen=True)
class Token:
    """One of them on a ledger, and who made it there."""

    ledger: EvmLedger
    asset: Asset
    maker: Signer
    interface: Interface

    async def do(self, method: str, *arguments: object) -> None:
        """Have its maker call it."""
        data = self.interface[method].encode(*arguments)
        call = EvmCall(self.ledger.id, f"Token: {method}", self.asset.native, data, 0, nothing)
        await self.ledger.submit(call, self.maker)

    async def units(self, who: Account) -> int:
        """Tell how many of its smallest units an account has."""
        return (await self.ledger.tokens.balance(who, self.asset)).units

    async def allowed(self, who: Account) -> int:
        """Tell how many the market may take of an account."""
        return (await self.ledger.tokens.allowed(who, self.asset)).units

    def section(self, symbol: str = "", decimals: int | None = None) -> str:
        """Give its section of a caimi.toml."""
        said = self.asset.decimals if decimals is None else decimals
        return (
            f'[[assets]]\nsymbol = "{symbol or self.asset.symbol}"\nledger = "{self.ledger.id}"\n'
            f'address = "0x{self.asset.native.hex()}"\ndecimals = {said}\n'
        )


async def make_token(
    ledger: EvmLedger,
    maker: Signer,
    kind: str = "TestToken",
    symbol: str = "EURX",
    decimals: int = 6,
) -> Token:
    """Create a token; symbol and decimals are given to `TestToken`, and others have their own."""
    interface, code = _contracts()[kind]
    if interface.constructor:
        code += encode(interface.constructor, [symbol, decimals])
    made = await ledger.submit(contract_creation(ledger.id, f"Creating {kind}", code), maker)
    asset = await ledger.tokens.described(Asset(ledger.id, made.effect))
    return Token(ledger, asset, maker, interface)
