"""The ledger port's view of light clients: what a route's client is made of, and what it asks for.

A relayer makes the proof that a route's client reads. It finds out which that is here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from caimi.ledgers.port.accounts import Account
from caimi.ledgers.port.calls import Call
from caimi.ledgers.port.gateway import Committee

COMMITTEE: Final = "caimi-committee"
COMPOSITE: Final = "caimi-composite"
ENDORSED_READS: Final = "caimi-endorsed-reads"
OPTIMISTIC: Final = "caimi-optimistic"
STORAGE_PROOF: Final = "caimi-storage-proof"
CHOSEN_KINDS: Final = (COMMITTEE, STORAGE_PROOF, OPTIMISTIC, ENDORSED_READS)
"""What a new route's client may be made of; a composite is made where there are several."""

MAX_DEPTH: Final = 4
"""How deep clients may lie in clients."""
MAX_CLIENTS: Final = 64
"""How many clients one route may have in all."""


def kind_name(kind: str) -> str:
    """Give what people call a kind of clients: without whose it is."""
    return kind.removeprefix("caimi-")


@dataclass(frozen=True, slots=True)
class LightClient:
    """One client: its `account`, and its `kind` as it says itself.

    `inner` are the clients that it asks: a composite's members, of which `threshold` must prove;
    the one that vouches for a storage proof's blocks; the one that settles optimistic claims.
    """

    account: Account
    kind: str
    inner: tuple[LightClient, ...] = ()
    threshold: int = 0


@dataclass(frozen=True, slots=True)
class Claim:
    """What a proposer claimed of blocks (from, height], or with both equal of missing receipts.

    `open` while it is neither settled nor challenged: it proves once `deadline` has passed, and
    once it is `accepted`. One that is only about to be made has no `proposer`.
    """

    number: int
    from_height: int
    height: int
    time: int
    size: int
    root: bytes
    deadline: int
    open: bool
    accepted: bool
    rejected: bool = False
    proposer: Account | None = None


@dataclass(frozen=True, slots=True)
class ReadEndorsers:
    """Whose signed reads of a ledger count, and where it is read: a chaincode on a channel.

    `keys` are public keys (x, y) on P-256, of peers of as many `organisations` as there are unlike
    bytes in that, which has one for each key. Peers of `threshold` organisations must have signed.
    """

    channel: str
    chaincode: str
    threshold: int
    keys: tuple[tuple[bytes, bytes], ...]
    organisations: bytes


@dataclass(frozen=True, slots=True)
class ClientTerms:
    """What a new route's client is to be made of.

    Of several `kinds`, `threshold` must prove, or all where that is 0. A storage proof's blocks and
    optimistic claims are vouched for by the route's committee. Claims lie open for
    `challenge_seconds` under a `bond` in the ledger's smallest coins, and challenged ones for
    `confirmation_seconds`; `proposers` (native accounts) may make them beside administrators.
    Endorsed reads are those of `endorsers`; no committee vouches for them.
    """

    kinds: tuple[str, ...] = (COMMITTEE,)
    threshold: int = 0
    bond: int = 0
    challenge_seconds: int = 3600
    confirmation_seconds: int = 3600
    proposers: tuple[bytes, ...] = ()
    endorsers: ReadEndorsers | None = None

    @property
    def needed(self) -> int:
        """How many of the kinds must prove."""
        return self.threshold or len(self.kinds)


class LightClients(Protocol):
    """The light clients of one ledger's routes."""

    async def of(self, client_id: str) -> LightClient:
        """Give a route's present client, with all that it is made of.

        Raises:
            UnprovableClient: there are more clients in it than `MAX_CLIENTS` or `MAX_DEPTH` allow.
        """
        ...

    async def frozen(self, accounts: Sequence[Account]) -> list[bool]:
        """Tell which clients prove nothing any more."""
        ...

    async def committee(self, account: Account) -> Committee:
        """Give the present committee of a committee client."""
        ...

    def rotate(
        self, account: Account, following: Committee, signers: int, signatures: bytes
    ) -> Call[None]:
        """Build the hand-over of a committee client, as `SignedRotation` has it."""
        ...

    async def claims(self, account: Account, most: int) -> list[Claim]:
        """Give the newest claims of an optimistic client, `most` at most, oldest first."""
        ...

    async def propose(self, account: Account, claim: Claim) -> Call[None]:
        """Build a claim with the bond that the client asks for; its proposers only."""
        ...

    async def recover(
        self, account: Account, ended: Sequence[int], proposer: Account
    ) -> Sequence[Call[None]]:
        """Build what gets a proposer's bonds back, those of the claims that `ended` and of others.

        Nothing when it is owed none and none ended.
        """
        ...
