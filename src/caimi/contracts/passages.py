"""Where each model is, as one ledger knows it: by which route it came, and by which it left.

A token that left is towards one client, and only a packet over that client, or the end of the
packet that took it away, brings it back. A home model is nowhere, leaving, away and nowhere again.
A foreign one is visiting; sent on, it is leaving, away and visiting again; sent back, it is
returning, and then nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

from caimi.contracts.identifiers import NOBODY, Account, TokenId
from caimi.contracts.records import Table
from caimi.contracts.state import State


class Whereabouts(IntEnum):
    """Where a token is."""

    NOWHERE = 0
    """The bridge has no part in it."""
    VISITING = 1
    """Foreign, live here."""
    LEAVING = 2
    """Locked here, not acknowledged."""
    AWAY = 3
    """Locked here, acknowledged."""
    RETURNING = 4
    """Foreign, burnt, not acknowledged."""


@dataclass(frozen=True, slots=True)
class Passage:
    """How a token is on its way.

    It came by the client `came_by` (empty for home models) and left by `left_by` (while it is
    locked), sent by `sender` with the packet of `sequence`.
    """

    came_by: str = ""
    left_by: str = ""
    sender: Account = NOBODY
    sequence: int = 0
    whereabouts: Whereabouts = Whereabouts.NOWHERE

    @property
    def locked(self) -> bool:
        """Whether this ledger holds it for another."""
        return self.whereabouts in (Whereabouts.LEAVING, Whereabouts.AWAY)

    def locked_towards(self, client_id: str) -> bool:
        """Whether it left by exactly this client."""
        return self.locked and self.left_by == client_id

    def visiting_by(self, client_id: str) -> bool:
        """Whether it is live here and came by this client."""
        return self.whereabouts is Whereabouts.VISITING and self.came_by == client_id

    def moved_by(self, client_id: str, sequence: int) -> bool:
        """Whether the token is still where this packet of ours put it."""
        if self.sequence != sequence:
            return False
        if self.whereabouts is Whereabouts.LEAVING:
            return self.left_by == client_id
        return self.whereabouts is Whereabouts.RETURNING and self.came_by == client_id


_PASSAGES: Final[Table[tuple[TokenId], Passage]] = Table("bridge/passages", Passage)


class Passages:
    """The passages of one bridge's tokens."""

    def get(self, state: State, token: TokenId) -> Passage:
        """Give a token's passage."""
        return _PASSAGES.get(state, (token,)) or Passage()

    def arrive(self, state: State, token: TokenId, client_id: str) -> None:
        """It came, for the first time or again."""
        self._put(state, token, Passage(came_by=client_id, whereabouts=Whereabouts.VISITING))

    def depart(self, state: State, token: TokenId, sender: Account) -> None:
        """It goes back by the client that it came by."""
        passage = replace(self.get(state, token), sender=sender)
        self._put(state, token, replace(passage, whereabouts=Whereabouts.RETURNING))

    def lock(self, state: State, token: TokenId, client_id: str, sender: Account) -> None:
        """It goes away from its home, or on from here."""
        passage = replace(self.get(state, token), left_by=client_id, sender=sender)
        self._put(state, token, replace(passage, whereabouts=Whereabouts.LEAVING))

    def count(self, state: State, token: TokenId, sequence: int) -> None:
        """Note the packet that takes it away, which is known only after it was sent."""
        self._put(state, token, replace(self.get(state, token), sequence=sequence))

    def confirm(self, state: State, token: TokenId) -> None:
        """The other side has taken it."""
        passage = self.get(state, token)
        if passage.whereabouts is Whereabouts.LEAVING:
            self._put(state, token, replace(passage, whereabouts=Whereabouts.AWAY))
        else:
            _PASSAGES.delete(state, (token,))

    def restore(self, state: State, token: TokenId) -> None:
        """It is live here again."""
        came_by = self.get(state, token).came_by
        whereabouts = Whereabouts.VISITING if came_by else Whereabouts.NOWHERE
        self._put(state, token, Passage(came_by=came_by, whereabouts=whereabouts))

    def _put(self, state: State, token: TokenId, passage: Passage) -> None:
        _PASSAGES.put(state, (token,), passage)
