"""What happened to one model, in the port's words, from what calls told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Final

from caimi.contracts.bridge_effects import ModelReceived, ModelSent, TransferCompleted
from caimi.contracts.licences import LicenceGranted, LicenceRevoked
from caimi.contracts.ownership import OwnershipApproved, OwnershipMoved
from caimi.contracts.registry import AliasSet, ModelRegistered, VersionDeprecated, VersionPublished
from caimi.ledgers.port import HistoryEntry
from memory_ledger.tellings import Told

_WORDS: Final = {
    OwnershipMoved: "transfer",
    OwnershipApproved: "approval",
    ModelRegistered: "model registered",
    VersionPublished: "version published",
    VersionDeprecated: "version deprecated",
    AliasSet: "alias set",
    LicenceGranted: "licence granted",
    LicenceRevoked: "licence revoked",
    ModelSent: "model sent",
    ModelReceived: "model received",
    TransferCompleted: "transfer completed",
}
_HIDDEN: Final = frozenset({"token"})


def history_of(told: Sequence[Told], model_id: bytes) -> list[HistoryEntry]:
    """List what happened to a model, oldest first; a revocation names its licence only."""
    found, licences = [], set()
    for each in told:
        effect = each.effect
        if isinstance(effect, LicenceGranted) and effect.token == model_id:
            licences.add(effect.licence)
        of_model = getattr(effect, "token", None) == model_id
        if of_model or (isinstance(effect, LicenceRevoked) and effect.licence in licences):
            found.append(_entry(each))
    return found


def _entry(told: Told) -> HistoryEntry:
    effect = told.effect
    details = tuple(
        (field.name.replace("_", " "), _shown(getattr(effect, field.name)))
        for field in fields(effect)  # type: ignore[arg-type]
        if field.name not in _HIDDEN
    )
    words = _WORDS.get(type(effect), type(effect).__name__)
    return HistoryEntry(words, details, told.tx, told.height)


def _shown(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
