"""Licences: the port's `Market` over LicenceMarket."""

from __future__ import annotations

from collections.abc import Sequence

from caimi.chains import InteroperableAddress
from caimi.errors.ids import InvalidInteroperableAddress, InvalidLedgerId
from caimi.errors.ledgers import CallInvalid, LedgerAnswerInvalid
from caimi.hashing import keccak256
from caimi.ledgers.evm.abi.assets import coin_of
from caimi.ledgers.evm.abi.calls import EvmCall, Included
from caimi.ledgers.evm.abi.codec import Value
from caimi.ledgers.evm.abi.interface import encode
from caimi.ledgers.evm.facets.registry import version_id
from caimi.ledgers.evm.rpc.contract import NO_ADDRESS, Contract, coin, word
from caimi.ledgers.port import (
    NEWEST,
    Account,
    Asset,
    At,
    Exactly,
    LedgerId,
    Licence,
    Money,
    Price,
    Purchase,
    PurchaseState,
)

_NONE = bytes(32)


def ledger_address(ledger: LedgerId) -> bytes:
    """Give a ledger as contracts name it: ERC-7930 without an account."""
    return InteroperableAddress.from_caip(ledger).to_bytes()


class EvmMarket:
    """The licence market of one EVM ledger."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._coin = coin_of(contract.chain.ledger)

    def set_prices(self, model_id: bytes, prices: Sequence[Price]) -> EvmCall[None]:
        """Set or withdraw prices of a model the sender owns."""
        entries = [_entry(price) for price in prices]
        return self._contract.call("Setting prices", "setPrices", word(model_id), entries)

    async def price(self, model_id: bytes, asset: Asset, at: At = NEWEST) -> Price | None:
        """Give the price payable in `asset`, or None when it is not for sale for that.

        Raises:
            LedgerAnswerInvalid: the contract names a payee that is no account.
        """
        offered, amount, payee = await self._contract.read(
            "price", word(model_id), ledger_address(asset.ledger), asset.native, at=at
        )
        if not offered:
            return None
        try:
            return Price(asset.of(amount), Account.from_interoperable(payee))
        except (InvalidInteroperableAddress, InvalidLedgerId, CallInvalid) as error:
            raise LedgerAnswerInvalid(f"0x{payee.hex()} is paid on no {asset.ledger}.") from error

    def buy(
        self, model_id: bytes, version: str, price: Money, reader: Account | None = None
    ) -> EvmCall[bytes]:
        """Buy a licence where the model lives."""
        call = self._contract.call(
            f"Buying a licence of version {version}",
            "buy",
            word(model_id),
            version,
            self._native(price.asset),
            price.units,
            self._licensee(reader),
            value=0 if price.asset.native else price.units,
        )
        return call.giving(_licence_id)

    async def relay_deposit(self) -> Money:
        """Give what a purchase from here pays, in coins, to whoever brings its end."""
        (deposit,) = await self._contract.read("relayDeposit")
        return self._coin.of(deposit)

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
    ) -> EvmCall[bytes]:
        """Buy from here a licence of a model that lives behind `client_id`.

        The call pays the relay deposit beside the amount: `deposit`, or what is asked now.
        """
        beside = (await self.relay_deposit() if deposit is None else deposit).units
        call = self._contract.call(
            f"Buying a licence of version {version} over {client_id}",
            "buyRemote",
            client_id,
            word(model_id),
            version,
            self._native(price.asset),
            price.units,
            expiry,
            self._licensee(reader),
            value=beside if price.asset.native else beside + price.units,
        )
        return call.giving(lambda included: included.value("PurchaseOpened", "purchaseId", bytes))

    def grant(self, model_id: bytes, version: str, consumer: Account) -> EvmCall[bytes]:
        """Give a licence without payment."""
        call = self._contract.call(
            f"Granting a licence of version {version}",
            "grant",
            word(model_id),
            version,
            consumer.interoperable,
        )
        return call.giving(_licence_id)

    def revoke(self, licence_id: bytes) -> EvmCall[None]:
        """Take a licence back."""
        return self._contract.call("Revoking a licence", "revoke", licence_id)

    async def licence(
        self, model_id: bytes, version: str, consumer: Account, at: At = NEWEST
    ) -> Licence:
        """Read a consumer's licence; one that was never granted is not live."""
        licence_id = keccak256(
            encode(
                ["uint256", "bytes32", "bytes32"],
                [word(model_id), version_id(version), keccak256(consumer.interoperable)],
            )
        )
        ((granted_at, revoked),) = await self._contract.read("licence", licence_id, at=at)
        return Licence(licence_id, granted_at, revoked)

    async def tally(self, model_id: bytes, at: At = NEWEST) -> tuple[int, bytes]:
        """Read how many licences are live, and the digest of all grants and revocations."""
        live, digest = await self._contract.read("tally", word(model_id), at=at)
        return live, digest

    async def purchase(self, purchase_id: bytes, at: At = NEWEST) -> Purchase:
        """Read a purchase made from here."""
        (fields,) = await self._contract.read("purchase", purchase_id, at=at)
        return self._purchase(purchase_id, fields)

    async def purchase_of(
        self,
        client_id: str,
        model_id: bytes,
        version: str,
        buyer: Account,
        reader: Account | None = None,
        at: At = NEWEST,
    ) -> Purchase | None:
        """Read the buyer's pending or completed purchase for a reader, if any, at one height."""
        if at is NEWEST:
            at = Exactly(await self._contract.chain.head_height())
        parties = [self._contract.address_of(each) for each in (buyer, reader or buyer)]
        named = (client_id, word(model_id), version_id(version), *parties)
        (purchase_id,) = await self._contract.read("purchaseOf", *named, at=at)
        return None if purchase_id == _NONE else await self.purchase(purchase_id, at)

    async def owed(self, who: Account, asset: Asset | None = None, at: At = NEWEST) -> Money:
        """Give what the market owes an account."""
        address = self._contract.address_of(who)
        asset = asset or self._coin
        (amount,) = await self._contract.read("owed", address, self._native(asset), at=at)
        return asset.of(amount)

    def withdraw(self, to: Account, asset: Asset | None = None) -> EvmCall[None]:
        """Pay out to `to` what the market owes the sender."""
        address = self._contract.address_of(to)
        currency = self._native(asset or self._coin)
        return self._contract.call("Withdrawing earnings", "withdraw", currency, address)

    def _native(self, asset: Asset) -> bytes:
        """Give an asset of this ledger as contracts name it."""
        if asset.ledger != self._coin.ledger:
            raise CallInvalid(f"The {asset} is not of {self._coin.ledger}.")
        return coin(asset.native)

    def _licensee(self, reader: Account | None) -> bytes:
        return NO_ADDRESS if reader is None else self._contract.address_of(reader)

    def _purchase(self, purchase_id: bytes, fields: Value) -> Purchase:
        buyer, reader, state, _, _, model_id, version, currency, amount = fields
        ledger = self._contract.chain.ledger
        paid = Asset(ledger, currency) if any(currency) else self._coin
        return Purchase(
            purchase_id=purchase_id,
            buyer=self._contract.account(buyer) if any(buyer) else None,
            reader=self._contract.account(reader) if any(reader) else None,
            state=PurchaseState(state),
            model_id=int(model_id).to_bytes(32, "big"),
            version_id=version,
            paid=paid.of(amount),
        )


def _entry(price: Price) -> tuple[bytes, bytes, int, bool]:
    amount = price.amount
    return price.payee.interoperable, amount.asset.native, amount.units, price.offered


def _licence_id(included: Included) -> bytes:
    return included.value("LicenceGranted", "licenceId", bytes)
