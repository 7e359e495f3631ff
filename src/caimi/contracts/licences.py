"""Licences of versions: granted, revoked and counted, on the model's home ledger.

A licence is of an ERC-7930 account. While a model is abroad its licences stand: the bridge owns it
here then, and the bridge revokes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from caimi.contracts.bounds import word
from caimi.contracts.execution import Effect, Execution, refuse, require
from caimi.contracts.identifiers import (
    InteroperableAccount,
    LicenceId,
    TokenId,
    VersionId,
)
from caimi.contracts.interoperable import ledger_of
from caimi.contracts.naming import version_id
from caimi.contracts.records import Table
from caimi.contracts.registry import ModelRegistry
from caimi.contracts.state import State
from caimi.contracts.visiting import DIGEST_LENGTH
from caimi.hashing import keccak256


@dataclass(frozen=True, slots=True)
class LicenceGranted(Effect):
    """A consumer may use a version. `payee` is empty where nothing was paid."""

    licence: LicenceId
    token: TokenId
    version: str
    consumer: InteroperableAccount
    payee: InteroperableAccount


@dataclass(frozen=True, slots=True)
class LicenceRevoked(Effect):
    """Custodians honour a licence no more."""

    licence: LicenceId


@dataclass(frozen=True, slots=True)
class LicenceRecord:
    """A licence; `granted_at` in seconds."""

    token: TokenId
    granted_at: int
    revoked: bool


@dataclass(frozen=True, slots=True)
class LicenceTally:
    """How many licences of a model are live, and the digest over all there ever were.

    For each grant (1) and revocation (0), in order, digest = keccak256(digest || licence || 1 or 0)
    [:24], from zero.
    """

    live: int = 0
    digest: bytes = bytes(DIGEST_LENGTH)


_UNPAID: Final = InteroperableAccount(b"")
_LICENCES: Final[Table[tuple[LicenceId], LicenceRecord]] = Table("market/licences", LicenceRecord)
_TALLIES: Final[Table[tuple[TokenId], LicenceTally]] = Table("market/tallies", LicenceTally)


def licence_id(token: TokenId, version: VersionId, consumer: InteroperableAccount) -> LicenceId:
    """Give keccak256(abi.encode(model, version, keccak256(consumer)))."""
    return LicenceId(keccak256(token + version + keccak256(consumer)))


class Licences:
    """The licences of one market."""

    def __init__(self, registry: ModelRegistry) -> None:
        self._registry = registry

    def grant(self, call: Execution, token: TokenId, version: str, consumer: bytes) -> LicenceId:
        """Give a licence without payment. The model's owner only, at home."""
        self.require_home_owner(call, token)
        known = ledger_of(consumer) is not None
        require(known, "InvalidConsumer", consumer=consumer)
        return self.issue(call, token, version, (InteroperableAccount(consumer), _UNPAID))

    def revoke(self, call: Execution, licence: LicenceId) -> None:
        """Take a licence back; nothing is refunded. The model's owner only, at home."""
        record = self.get(call.state, LicenceId(word(licence, "licence")))
        if record is None:
            refuse("UnknownLicence", licence_id=licence)
        self.require_home_owner(call, record.token)
        require(not record.revoked, "AlreadyRevoked", licence_id=licence)
        _LICENCES.put(call.state, (licence,), replace(record, revoked=True))
        self._count(call, record.token, licence, granted=False)
        call.emit(LicenceRevoked(licence))

    def get(self, state: State, licence: LicenceId) -> LicenceRecord | None:
        """Give a licence, or None."""
        return _LICENCES.get(state, (licence,))

    def tally(self, state: State, token: TokenId) -> LicenceTally:
        """Give the tally of a model of this ledger, for whoever buys the model elsewhere."""
        return _TALLIES.get(state, (token,)) or LicenceTally()

    # --- for the market -------------------------------------------------------------------------

    def issue(
        self,
        call: Execution,
        token: TokenId,
        version: str,
        parties: tuple[InteroperableAccount, InteroperableAccount],
    ) -> LicenceId:
        """Give a consumer a licence for which a payee is paid."""
        consumer, payee = parties
        identity = version_id(version)
        self._registry.known.require_usable(call.state, token, identity)
        licence = licence_id(token, identity, consumer)
        record = self.get(call.state, licence)
        require(record is None or record.revoked, "AlreadyLicensed", licence_id=licence)
        _LICENCES.put(call.state, (licence,), LicenceRecord(token, call.time, False))
        self._count(call, token, licence, granted=True)
        call.emit(LicenceGranted(licence, token, version, consumer, payee))
        return licence

    def require_home_owner(self, call: Execution, token: TokenId) -> None:
        """Let the model's owner pass, on its home ledger."""
        home = self._registry.known.is_home(call.state, token)
        require(home, "NotHome", model_id=token)
        owner = self._registry.ownership.require_owner(call.state, token)
        require(owner == call.caller, "NotModelOwner", model_id=token, account=call.caller)

    def _count(self, call: Execution, token: TokenId, licence: LicenceId, *, granted: bool) -> None:
        before = self.tally(call.state, token)
        digest = keccak256(before.digest + licence + bytes([granted]))[:DIGEST_LENGTH]
        live = before.live + (1 if granted else -1)
        _TALLIES.put(call.state, (token,), LicenceTally(live, digest))
