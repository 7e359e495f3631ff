"""Accounts: who somebody is on one ledger, and how that ledger writes it.

An account is of one ledger. That somebody holds accounts on several is never told from their bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from caimi.chains import AccountId, InteroperableAddress
from caimi.errors.ids import InvalidAccountId, InvalidInteroperableAddress
from caimi.ledgers.port.blocks import LedgerId
from caimi.ledgers.port.heights import NEWEST, At
from caimi.ledgers.port.statements import Statement

if TYPE_CHECKING:
    from caimi.ledgers.port.keys import Signer, Wallet


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody, or a contract, on one ledger. `native` is what the ledger itself has for it."""

    ledger: LedgerId
    native: bytes

    @property
    def interoperable(self) -> bytes:
        """Its ERC-7930 form; raises `InvalidLedgerId` where the ledger has no chain type."""
        chain = _chain(self.ledger)
        return InteroperableAddress(chain.chain_type, chain.reference, self.native).to_bytes()

    @classmethod
    def from_interoperable(cls, data: bytes) -> Account:
        """Read the one ERC-7930 form of an account.

        Raises:
            InvalidInteroperableAddress: it is not in that form, or names a ledger alone.
            InvalidLedgerId: its ledger is none that is known here.
        """
        found = InteroperableAddress.from_bytes(data)
        if not found.address:
            raise InvalidInteroperableAddress(f"0x{data.hex()} names a ledger, and no account.")
        return cls(LedgerId(found.ledger), found.address)

    @classmethod
    def from_caip(cls, text: str) -> Account:
        """Read a CAIP-10 account; raises `InvalidAccountId` or `InvalidLedgerId` as it is wrong."""
        return cls.from_interoperable(InteroperableAddress.from_caip(text).to_bytes())

    def __str__(self) -> str:
        """Show it to whoever does not know its ledger's own writing."""
        return f"{self.ledger}:0x{self.native.hex()}"


class AccountCodec(Protocol):
    """How one ledger writes its accounts, and how they sign statements."""

    def parse(self, text: str) -> Account:
        """Read an account as people write it; raises `InvalidAccountId` when it is none."""
        ...

    def text(self, account: Account) -> str:
        """Write one of the ledger's accounts."""
        ...

    def digest(self, statement: Statement) -> bytes:
        """Give the 32 bytes that stand for a statement on this ledger, and for no other."""
        ...

    def verify(self, statement: Statement, account: Account, signature: bytes) -> bool:
        """Tell whether the key of `account` signed a statement, in the ledger's one form.

        Whatever else the bytes are, and whatever ledger the account is of, the answer is no.
        Contracts are not asked: see `ContractAccounts`.
        """
        ...

    def wallet(self, signer: Signer) -> Wallet:
        """Give a key's account on this ledger, to sign statements."""
        ...


class ContractAccounts(Protocol):
    """Accounts that are contracts, whose code says which signatures are theirs."""

    async def approves(
        self, account: Account, digest: bytes, signature: bytes, at: At = NEWEST
    ) -> bool:
        """Tell whether a contract at `account` takes a signature of 32 bytes as its own.

        Its code runs within bounds and without effect; whatever it does but say yes is no.
        """
        ...


def name_of(account: Account, codec: AccountCodec) -> str:
    """Give an account's CAIP-10 id, written as its ledger does."""
    return str(AccountId(account.ledger, codec.text(account)))


def account_named(name: str, codec: AccountCodec) -> Account:
    """Read a CAIP-10 id in the one form that `name_of` writes.

    Raises:
        InvalidAccountId: it is none, or is written in another way.
        InvalidLedgerId: its ledger's id is none.
    """
    account = codec.parse(AccountId.parse(name).address)
    if name_of(account, codec) != name:
        raise InvalidAccountId(f"{name[:160]!r} is not how its ledger writes an account.")
    return account


@lru_cache(maxsize=64)
def _chain(ledger: LedgerId) -> InteroperableAddress:
    return InteroperableAddress.from_caip(ledger)
