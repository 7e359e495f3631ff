"""Names of chains and accounts: CAIP-2 and CAIP-10 as text, ERC-7930 as bytes.

An ERC-7930 address is: version ``0x0001``, chain type (2 bytes), reference length (1), reference,
address length (1), address. Chain types for Cosmos, Polkadot and Fabric are not registered; those
here are provisional, taken from the end of the range, and so is that of ledgers that live on one
machine (``local``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from eth_utils.address import is_checksum_formatted_address, to_checksum_address

from caimi.errors.ids import InvalidAccountId, InvalidInteroperableAddress, InvalidLedgerId

LEDGER: Final = r"[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}"
"""The form of a CAIP-2 chain id, as an expression."""
EIP155_REFERENCE: Final = r"[1-9][0-9]{0,31}"
EVM_ADDRESS: Final = r"0x[0-9a-fA-F]{40}"

_LEDGER = re.compile(LEDGER)
_ADDRESS = re.compile(r"[-.%a-zA-Z0-9]{1,128}")
_EIP155_REFERENCE = re.compile(EIP155_REFERENCE)
_EVM_ADDRESS = re.compile(EVM_ADDRESS)
_VERSION = b"\x00\x01"

EIP155 = 0x0000
PROVISIONAL_CHAIN_TYPES = {
    "cosmos": 0xFF01,
    "polkadot": 0xFF02,
    "fabric": 0xFF03,
    "local": 0xFF04,
}
"""Chain types that no registry has assigned yet; they change when one does."""

_NAMESPACES = {"eip155": EIP155, **PROVISIONAL_CHAIN_TYPES}
_BY_TYPE = {number: namespace for namespace, number in _NAMESPACES.items()}


def parse_ledger_id(text: str) -> str:
    """Give `text` back when it is a CAIP-2 chain id.

    Raises:
        InvalidLedgerId: it is not. An eip155 reference is a decimal number, no leading zeros.
    """
    if _LEDGER.fullmatch(text) is None:
        raise InvalidLedgerId(f"{text[:60]!r} is not a CAIP-2 chain id.")
    namespace, reference = text.split(":")
    if namespace == "eip155" and _EIP155_REFERENCE.fullmatch(reference) is None:
        raise InvalidLedgerId(f"{text!r} has no EIP-155 chain number.")
    return text


@dataclass(frozen=True, slots=True)
class AccountId:
    """A CAIP-10 account. EVM addresses are kept with their EIP-55 checksum.

    Construction raises `InvalidLedgerId` or `InvalidAccountId`.
    """

    ledger: str
    address: str

    def __post_init__(self) -> None:
        parse_ledger_id(self.ledger)
        if _ADDRESS.fullmatch(self.address) is None:
            raise InvalidAccountId(f"{self.address[:60]!r} is no account address.")
        if self.ledger.startswith("eip155:"):
            if _EVM_ADDRESS.fullmatch(self.address) is None:
                raise InvalidAccountId(f"{self.address[:60]!r} is no EVM address.")
            if is_checksum_formatted_address(self.address) and self.address != (
                to_checksum_address(self.address)
            ):
                raise InvalidAccountId(f"{self.address} has a wrong checksum: it is mistyped.")
            object.__setattr__(self, "address", to_checksum_address(self.address))

    @classmethod
    def parse(cls, text: str) -> AccountId:
        """Parse ``<ledger>:<address>``; raises as construction does."""
        ledger, colon, address = text.rpartition(":")
        if not colon:
            raise InvalidAccountId(f"{text[:60]!r} is not <ledger>:<address>.")
        return cls(ledger, address)

    def __str__(self) -> str:
        return f"{self.ledger}:{self.address}"


@dataclass(frozen=True, slots=True)
class InteroperableAddress:
    """An ERC-7930 address: a chain, an account, or both. `reference` and `address` are raw bytes.

    Construction raises `InvalidInteroperableAddress`.
    """

    chain_type: int
    reference: bytes
    address: bytes

    def __post_init__(self) -> None:
        if not 0 <= self.chain_type < 1 << 16:
            raise InvalidInteroperableAddress(f"{self.chain_type} is no chain type.")
        if len(self.reference) > 255 or len(self.address) > 255:
            raise InvalidInteroperableAddress("The reference or the address exceeds 255 bytes.")
        if not self.reference and not self.address:
            raise InvalidInteroperableAddress("Neither a chain nor an account is named.")
        if self.chain_type == EIP155:
            if self.reference[:1] == b"\x00":
                raise InvalidInteroperableAddress("The chain number has leading zeros.")
            if len(self.address) not in (0, 20):
                raise InvalidInteroperableAddress(
                    f"An EVM account has 20 bytes, not {len(self.address)}."
                )

    @classmethod
    def from_bytes(cls, data: bytes) -> InteroperableAddress:
        """Parse the one canonical form.

        Raises:
            InvalidInteroperableAddress: truncated, trailing bytes, or not canonical.
        """
        if data[:2] != _VERSION or len(data) < 6:
            raise InvalidInteroperableAddress(f"0x{data[:40].hex()} is not ERC-7930 version 1.")
        split = 5 + data[4]
        if len(data) <= split or len(data) != split + 1 + data[split]:
            raise InvalidInteroperableAddress(f"0x{data[:40].hex()} has wrong lengths.")
        return cls(int.from_bytes(data[2:4]), data[5:split], data[split + 1 :])

    @classmethod
    def from_caip(cls, text: str) -> InteroperableAddress:
        """Convert a CAIP-2 chain id or a CAIP-10 account id.

        Raises:
            InvalidLedgerId, InvalidAccountId: it is neither, or its namespace has no chain type.
        """
        if text.count(":") < 2:
            ledger, address = parse_ledger_id(text), b""
        else:
            account = AccountId.parse(text)
            ledger = account.ledger
            address = (
                bytes.fromhex(account.address[2:])
                if ledger.startswith("eip155:")
                else account.address.encode()
            )
        namespace, reference = ledger.split(":")
        if namespace not in _NAMESPACES:
            raise InvalidLedgerId(f"Namespace {namespace!r} has no ERC-7930 chain type.")
        raw = _minimal(int(reference)) if namespace == "eip155" else reference.encode()
        return cls(_NAMESPACES[namespace], raw, address)

    def to_bytes(self) -> bytes:
        """Give the canonical bytes."""
        return (
            _VERSION
            + self.chain_type.to_bytes(2)
            + bytes([len(self.reference)])
            + self.reference
            + bytes([len(self.address)])
            + self.address
        )

    @property
    def ledger(self) -> str:
        """The CAIP-2 id of its chain; raises `InvalidLedgerId` when it names none we know."""
        namespace = _BY_TYPE.get(self.chain_type)
        if namespace is None or not self.reference:
            raise InvalidLedgerId(f"0x{self.to_bytes().hex()} names no chain known here.")
        if namespace == "eip155":
            reference = str(int.from_bytes(self.reference))
        else:
            reference = self.reference.decode("ascii", "replace")
        return parse_ledger_id(f"{namespace}:{reference}")

    @property
    def chain(self) -> InteroperableAddress:
        """Its chain without the account; raises as construction does when it names no chain."""
        return InteroperableAddress(self.chain_type, self.reference, b"")


def _minimal(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8)
