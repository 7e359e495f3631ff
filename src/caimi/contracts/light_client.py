"""What a gateway asks of a light client: a verifier of facts about one other ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from caimi.contracts.execution import Execution
from caimi.contracts.identifiers import Account
from caimi.contracts.state import State

Fact = tuple[bytes, bytes]
"""keccak256 of an ICS-24 path, and the 32-byte commitment stored there."""


@dataclass(frozen=True, slots=True)
class ProvedAt:
    """The height of the other ledger at which facts held, and its time, in seconds."""

    height: int
    time: int


class LedgerVerifier(Protocol):
    """A light client. The encoding of proofs is its own.

    It refuses (`CallRefused`) what is not proved.
    """

    def verify_membership(self, call: Execution, facts: Sequence[Fact], proof: bytes) -> ProvedAt:
        """Tell when all facts held."""

    def verify_absence(self, call: Execution, keys: Sequence[bytes], proof: bytes) -> ProvedAt:
        """Tell when nothing was stored at any of the keys."""

    def frozen(self, state: State) -> bool:
        """Whether it proves nothing any more."""


class LedgerVerifiers(Protocol):
    """The light clients that there are on a ledger."""

    def find(self, state: State, account: Account) -> LedgerVerifier | None:
        """Give the light client that goes by `account`, or None."""
