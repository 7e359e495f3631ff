"""What is priced and paid in: each ledger's coin, and the tokens that a configuration names.

A token's symbol and decimals are the configuration's. They are compared with what its contract says
when the token is first used, once a process: a contract can change, and lie, and then is not paid.
"""

from __future__ import annotations

from collections.abc import Iterable

from caimi.config import COIN
from caimi.errors.operations import AssetMismatch, AssetUnknown
from caimi.ledgers.port import Asset, Ledger, LedgerId, name_of, offered
from caimi.ledgers.port.accounts import Account


class Assets:
    """The tokens that a configuration names, and which of them are checked."""

    def __init__(self, named: Iterable[Asset] = ()) -> None:
        self._named = list(named)
        self._checked: set[Asset] = set()

    def on(self, ledger: LedgerId) -> list[Asset]:
        """Give the tokens of a ledger, unchecked, in the configuration's order."""
        return [asset for asset in self._named if asset.ledger == ledger]

    def symbols(self) -> list[str]:
        """Give every symbol, once."""
        return list(dict.fromkeys(asset.symbol for asset in self._named))

    def known(self, asset: Asset) -> Asset:
        """Give an asset as it is configured, or as it is where it is not; unchecked."""
        return next((each for each in self._named if each == asset), asset)

    def find(self, ledger: Ledger, symbol: str | None) -> Asset | None:
        """Give what a symbol names on a ledger, unchecked; its coin for none or `coin`."""
        if symbol in (None, COIN):
            return None if ledger.coins is None else ledger.coins.asset
        return next((each for each in self.on(ledger.id) if each.symbol == symbol), None)

    async def used(self, ledger: Ledger, symbol: str | None) -> Asset:
        """Give what a symbol names on a ledger, checked against its contract.

        Raises:
            NotOffered: the ledger has no coin, or no tokens.
            AssetUnknown: no token of that symbol is configured there.
            AssetMismatch, TokenUnusable: as `checked`.
        """
        if symbol in (None, COIN):
            return offered(ledger.coins, ledger.id, "coin").asset
        found = self.find(ledger, symbol)
        if found is None:
            there = ", ".join([COIN, *(each.symbol for each in self.on(ledger.id))])
            raise AssetUnknown(f"No asset {symbol!r:.80} on {ledger.id}; there are: {there}.")
        return await self.checked(ledger, found)

    async def checked(self, ledger: Ledger, asset: Asset) -> Asset:
        """Compare one of these tokens with what its contract says, and give it.

        Raises:
            NotOffered: the ledger has no tokens.
            AssetMismatch: it says another symbol or other decimals.
            TokenUnusable: it says none.
        """
        if not asset.native or asset in self._checked:
            return asset
        told = await offered(ledger.tokens, ledger.id, "tokens").described(asset)
        if (told.symbol, told.decimals) != (asset.symbol, asset.decimals):
            contract = name_of(Account(ledger.id, asset.native), ledger.accounts)
            raise AssetMismatch(
                f"{asset.symbol} is configured as {contract} with {asset.decimals} decimals; its "
                f"contract calls itself {told.symbol!r:.80} with {told.decimals}."
            )
        self._checked.add(asset)
        return asset
