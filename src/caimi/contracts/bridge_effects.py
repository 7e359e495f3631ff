"""What a bridge tells whoever follows the ledger."""

from __future__ import annotations

from dataclasses import dataclass

from caimi.contracts.execution import Effect
from caimi.contracts.identifiers import Account, ClientId, TokenId


@dataclass(frozen=True, slots=True)
class ModelSent(Effect):
    """A model left for `recipient`, in the other ledger's own bytes."""

    token: TokenId
    client_id: ClientId
    sequence: int
    sender: Account
    recipient: bytes


@dataclass(frozen=True, slots=True)
class ModelReceived(Effect):
    """A model arrived, or came back."""

    token: TokenId
    client_id: ClientId
    sequence: int
    recipient: Account


@dataclass(frozen=True, slots=True)
class TransferCompleted(Effect):
    """The other side has taken a model."""

    token: TokenId
    client_id: ClientId
    sequence: int


@dataclass(frozen=True, slots=True)
class TransferReturned(Effect):
    """A model that was not taken is its sender's again."""

    token: TokenId
    client_id: ClientId
    sequence: int
    to: Account


@dataclass(frozen=True, slots=True)
class DeadUnlocked(Effect):
    """A model that was locked towards a ledger that died was given back."""

    token: TokenId
    client_id: ClientId
    to: Account


@dataclass(frozen=True, slots=True)
class BridgePauseChanged(Effect):
    """The bridge sends and takes nothing any more, or does again."""

    by: Account
    paused: bool
