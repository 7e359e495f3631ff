"""Licences: the port's `Market` over LicenceMarket."""

from __future__ import annotations

from collections.abc import Sequence

from caimi.chains import InteroperableAddress
from caimi.hashing import keccak256
from caimi.ledgers.evm.abi import encode
from caimi.ledgers.evm.abi_codec import Value
from caimi.ledgers.evm.calls import EvmCall, Included
from caimi.ledgers.evm.contract import Contract, coin, word
from caimi.ledgers.evm.registry import version_id
from caimi.ledgers.port import (
    NEWEST,
    Account,
    At,
    Exactly,
    LedgerId,
    Licence,
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

    def set_prices(self, model_id: bytes, prices: Sequence[Price]) -> EvmCall[None]:
        """Set or withdraw prices of a model the sender owns."""
        entries = [
            (ledger_address(price.ledger), coin(price.currency), price.amount, price.offered)
            for price in prices
        ]
        return self._contract.call("Setting prices", "setPrices", word(model_id), entries)

    async def price(
        self, model_id: bytes, ledger: LedgerId, currency: bytes = b"", at: At = NEWEST
    ) -> int | None:
        """Give the price payable on `ledger`, or None when it is not for sale there."""
        offered, amount = await self._contract.read(
            "price", word(model_id), ledger_address(ledger), coin(currency), at=at
        )
        return int(amount) if offered else None

    def buy(self, model_id: bytes, version: str, currency: bytes, amount: int) -> EvmCall[bytes]:
        """Buy a licence where the model lives."""
        call = self._contract.call(
            f"Buying a licence of version {version}",
            "buy",
            word(model_id),
            version,
            coin(currency),
            amount,
            value=0 if currency else amount,
        )
        return call.giving(_licence_id)

    async def relay_deposit(self) -> int:
        """Give what a purchase from here pays, in wei, to whoever brings its end."""
        (deposit,) = await self._contract.read("relayDeposit")
        return int(deposit)

    async def buy_remote(
        self,
        client_id: str,
        model_id: bytes,
        version: str,
        currency: bytes,
        amount: int,
        expiry: int,
    ) -> EvmCall[bytes]:
        """Buy from here a licence of a model that lives behind `client_id`.

        The call pays the relay deposit that the market asks for now beside the amount.
        """
        deposit = await self.relay_deposit()
        call = self._contract.call(
            f"Buying a licence of version {version} over {client_id}",
            "buyRemote",
            client_id,
            word(model_id),
            version,
            coin(currency),
            amount,
            expiry,
            value=deposit if currency else deposit + amount,
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
        self, client_id: str, model_id: bytes, version: str, buyer: Account, at: At = NEWEST
    ) -> Purchase | None:
        """Read the buyer's pending or completed purchase of a version, if any, at one height."""
        if at is NEWEST:
            at = Exactly(await self._contract.chain.head_height())
        named = (client_id, word(model_id), version_id(version), self._contract.address_of(buyer))
        (purchase_id,) = await self._contract.read("purchaseOf", *named, at=at)
        return None if purchase_id == _NONE else await self.purchase(purchase_id, at)

    async def owed(self, who: Account, currency: bytes = b"", at: At = NEWEST) -> int:
        """Give what the market owes an account."""
        address = self._contract.address_of(who)
        (amount,) = await self._contract.read("owed", address, coin(currency), at=at)
        return int(amount)

    def withdraw(self, to: Account, currency: bytes = b"") -> EvmCall[None]:
        """Pay out to `to` what the market owes the sender."""
        address = self._contract.address_of(to)
        return self._contract.call("Withdrawing earnings", "withdraw", coin(currency), address)

    def _purchase(self, purchase_id: bytes, fields: Value) -> Purchase:
        buyer, state, _, _, model_id, version, currency, amount = fields
        return Purchase(
            purchase_id=purchase_id,
            buyer=self._contract.account(buyer) if any(buyer) else None,
            state=PurchaseState(state),
            model_id=int(model_id).to_bytes(32, "big"),
            version_id=version,
            currency=b"" if currency == bytes(20) else currency,
            amount=amount,
        )


def _licence_id(included: Included) -> bytes:
    return included.value("LicenceGranted", "licenceId", bytes)
