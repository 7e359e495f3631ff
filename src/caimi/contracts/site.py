"""Where a deployment is, and what the ledger says of accounts there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from caimi.contracts.identifiers import (
    Account,
    InteroperableAccount,
    InteroperableLedger,
    ModelId,
)
from caimi.contracts.interoperable import account_on
from caimi.contracts.naming import model_id


@dataclass(frozen=True, slots=True)
class Site:
    """A ledger, and the accounts that the contracts go by on it, all different.

    The contracts know each other by these, so that no user of the ledger may act as one of them
    (`Contracts.run` refuses it).
    """

    ledger: InteroperableLedger
    gateway: Account
    registry: Account
    bridge: Account
    market: Account

    @property
    def contracts(self) -> tuple[Account, ...]:
        """All of those accounts."""
        return self.gateway, self.registry, self.bridge, self.market

    def here(self, account: Account) -> InteroperableAccount:
        """Give the interoperable form of an account of this ledger."""
        return account_on(self.ledger, account)


@dataclass(frozen=True, slots=True)
class SignedPublication:
    """What a publisher signs for a release that somebody else brings to the ledger.

    `registry` is an ERC-7930 address. The statement that is signed names the model by its id.
    """

    registry: InteroperableAccount
    publisher: Account
    name: str
    version: str
    manifest: bytes

    @property
    def model(self) -> ModelId:
        """The model's id."""
        return model_id(self.registry, self.publisher, self.name)


class Accounts(Protocol):
    """What only the ledger knows of accounts."""

    def is_account(self, native: bytes) -> bool:
        """Whether `native` can be an account here: what belongs to it is not lost."""

    def signed(self, publication: SignedPublication, signature: bytes) -> bool:
        """Whether the publisher signed the publication."""
