"""What packets of the port "licence" say, and what answers them.

The order is abi.encode(uint8 tag = 2, uint256 model, string version, bytes consumer, bytes
asset, uint256 amount), the answer abi.encode(uint8 tag = 2, bytes32 licence, bytes payee).

The asset is what the ledger that pays has for it, empty for its coin and at most 64 bytes. The
payee is an ERC-7930 account of that ledger.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError

from caimi.contracts.bounds import MAX_ASSET
from caimi.contracts.execution import refuse
from caimi.contracts.identifiers import Currency, LicenceId, TokenId

_TAG: Final = 2
_ORDER: Final = ("uint8", "bytes32", "string", "bytes", "bytes", "uint256")
_ANSWER: Final = ("uint8", "bytes32", "bytes")


@dataclass(frozen=True, slots=True)
class LicenceOrder:
    """An order of a licence, and what the buyer has paid for it. `consumer` is ERC-7930."""

    token: TokenId
    version: str
    consumer: bytes
    asset: Currency
    amount: int

    def encode(self) -> bytes:
        """Give the payload's value."""
        return encode(
            _ORDER, (_TAG, self.token, self.version, self.consumer, self.asset, self.amount)
        )

    @classmethod
    def decode(cls, value: bytes) -> LicenceOrder:
        """Read a payload's value, which has one encoding; refuses ``InvalidPayload``."""
        try:
            tag, token, version, consumer, asset, amount = decode(_ORDER, value)
            order = cls(TokenId(token), version, consumer, Currency(asset), amount)
            strict = tag == _TAG and len(asset) <= MAX_ASSET and order.encode() == value
        except (DecodingError, OverflowError, ValueError):
            strict = False
        if not strict:
            refuse("InvalidPayload")
        return order


@dataclass(frozen=True, slots=True)
class LicenceAnswer:
    """What the home ledger answers: the licence it gave, and whom the payment is for (ERC-7930)."""

    licence: LicenceId
    payee: bytes

    def encode(self) -> bytes:
        """Give the acknowledgement."""
        return encode(_ANSWER, (_TAG, self.licence, self.payee))

    @classmethod
    def decode(cls, acknowledgement: bytes) -> LicenceAnswer | None:
        """Read an acknowledgement; None where it is not byte for byte what our own kind answers."""
        try:
            tag, licence, payee = decode(_ANSWER, acknowledgement)
            answer = cls(LicenceId(licence), payee)
            strict = tag == _TAG and answer.encode() == acknowledgement
        except (DecodingError, OverflowError, ValueError):
            return None
        return answer if strict else None
