"""The names of things: a type for each, so that none is taken for another."""

from __future__ import annotations

from typing import NewType

Account = NewType("Account", bytes)
"""An account as its own ledger writes it: opaque bytes, never empty."""
InteroperableLedger = NewType("InteroperableLedger", bytes)
"""A ledger: an ERC-7930 address without an account."""
InteroperableAccount = NewType("InteroperableAccount", bytes)
"""An account of some ledger: an ERC-7930 address."""
Currency = NewType("Currency", bytes)
"""What is paid in on one ledger: empty for its coin, else the at most 64 bytes it has for it."""
ClientId = NewType("ClientId", str)
"""A route of a gateway: IBC's client identifier."""
ModelId = NewType("ModelId", bytes)
"""32 bytes: a model, whatever ledger it is on."""
TokenId = NewType("TokenId", bytes)
"""32 bytes: a model as one ledger knows it, its id with the way it came."""
VersionId = NewType("VersionId", bytes)
"""32 bytes: keccak256 of a version's name."""
LicenceId = NewType("LicenceId", bytes)
"""32 bytes: a consumer's licence of a version."""
PurchaseId = NewType("PurchaseId", bytes)
"""32 bytes: a purchase that goes over a route."""

COIN = Currency(b"")
"""The ledger's own coin."""
NOBODY = Account(b"")
"""No account, where one may be absent."""
