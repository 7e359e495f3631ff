"""What a gateway committed to, by ICS-24 path: packets sent, and acknowledgements written.

There is no receipt: a receipt and its acknowledgement are written in one call, so that whatever is
at the acknowledgement's path tells both. What validators attest as absent is the receipt.
"""

from __future__ import annotations

from typing import Final

from caimi.contracts.identifiers import Account
from caimi.contracts.state import State
from caimi.ibc.path import Path

PENDING: Final = (1).to_bytes(32)
"""What holds the place of an acknowledgement until there is one. It is the commitment of none."""
_COMMITTED: Final = b"gateway/commitments/"
_OWED: Final = b"gateway/owed/"


class Commitments:
    """The commitments of one gateway."""

    def get(self, state: State, path: Path) -> bytes | None:
        """Give what is committed to at a path, 32 bytes, or None."""
        return state.get(_COMMITTED + path.raw)

    def has_receipt(self, state: State, dest_client: str, sequence: int) -> bool:
        """Whether a packet was received."""
        return self.get(state, Path.acknowledgement(dest_client, sequence)) is not None

    def put(self, state: State, path: Path, commitment: bytes) -> None:
        """Commit; for the gateway."""
        state.put(_COMMITTED + path.raw, commitment)

    def delete(self, state: State, path: Path) -> None:
        """End a commitment; for the gateway."""
        state.delete(_COMMITTED + path.raw)

    def owe(self, state: State, path: Path, application: Account) -> None:
        """Note who will write the acknowledgement at a path; for the gateway."""
        state.put(_OWED + path.raw, application)

    def settle(self, state: State, path: Path) -> None:
        """Note that it was written; for the gateway."""
        state.delete(_OWED + path.raw)

    def owed_by(self, state: State, path: Path) -> bytes | None:
        """Give the account of the application that owes the acknowledgement at a path, or None."""
        return state.get(_OWED + path.raw)
