"""The light client of one gateway that believes what m of n validators signed about it.

A proof carries the checkpoint, its signatures and a Merkle multiproof; nothing is stored.

- A statement counts only for this origin, for the committee that signed it, and while that
  committee is the current one or was replaced less than `OVERLAP` ago.
- Zero is never a root, a value or a size that proves membership.
- A frozen client proves nothing, and nothing unfreezes it: the gateway's route gets another client.

Contradicting statements freeze it, open to anyone: honest validators sign final facts only, so that
there are none unless a threshold of keys is in wrong hands or the source broke its finality.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from caimi.contracts.authority import Authority, AuthorityRole
from caimi.contracts.bounds import number, utf8
from caimi.contracts.committee_proof import CommitteeProof, contradict
from caimi.contracts.committees import (
    MEMBER_LENGTH,
    KnownCommittee,
    check_committee,
    check_signatures,
)
from caimi.contracts.execution import Effect, Execution, refuse, require
from caimi.contracts.identifiers import Account
from caimi.contracts.light_client import Fact, ProvedAt
from caimi.contracts.records import Table
from caimi.contracts.state import State
from caimi.hashing import keccak256
from caimi.ibc.path import Path
from caimi.ibc.statements import Kind, handover_digest

OVERLAP: Final = 24 * 3600
"""How long a replaced committee still counts, in seconds: as long as a packet lasts at most."""
MAX_CLOCK_DRIFT: Final = 10 * 60
"""How far the clock of the source ledger may be ahead, in seconds."""


@dataclass(frozen=True, slots=True)
class CommitteeChanged(Effect):
    """A light client believes another committee, or its first."""

    client: Account
    committee: KnownCommittee


@dataclass(frozen=True, slots=True)
class ClientFroze(Effect):
    """A light client proves nothing any more.

    The digests are those of the statements that contradict each other, empty when a guardian froze.
    """

    client: Account
    reporter: Account
    first: bytes
    second: bytes


@dataclass(frozen=True, slots=True)
class ClientHead:
    """What a client is about: keccak256 of the source gateway's ERC-7930 address."""

    origin: bytes
    epoch: int
    frozen: bool


_HEADS: Final[Table[tuple[Account], ClientHead]] = Table("clients/heads", ClientHead)
_COMMITTEES: Final[Table[tuple[Account, bytes], KnownCommittee]] = Table(
    "clients/committees", KnownCommittee
)
_HASHES: Final[Table[tuple[Account, int], bytes]] = Table("clients/epochs", bytes)


class CommitteeClient:
    """The client that goes by `account`."""

    def __init__(self, account: Account, authority: Authority) -> None:
        self.account = account
        self._authority = authority

    def exists(self, state: State) -> bool:
        """Whether there is such a client."""
        return _HEADS.get(state, (self.account,)) is not None

    def install(self, call: Execution, gateway: bytes, committee: KnownCommittee) -> None:
        """Begin with a committee; `gateway` is the source gateway's ERC-7930 address. Once."""
        require(len(gateway) > 0, "EmptyOrigin")
        require(not self.exists(call.state), "ClientExists", client=self.account)
        self._install(call, ClientHead(keccak256(gateway), 0, False), committee)

    # --- proofs ---------------------------------------------------------------------------------

    def verify_membership(self, call: Execution, facts: Sequence[Fact], proof: bytes) -> ProvedAt:
        """Tell when all facts held (`LedgerVerifier`)."""
        given = CommitteeProof.read(proof)
        self._check_usable(call, given)
        self._check_signed(call, Kind.CHECKPOINT, given)
        given.check_membership(facts)
        return given.said.when

    def verify_absence(self, call: Execution, keys: Sequence[bytes], proof: bytes) -> ProvedAt:
        """Tell when nothing was stored at any of the keys (`LedgerVerifier`)."""
        given = CommitteeProof.read(proof)
        self._check_usable(call, given)
        self._check_signed(call, Kind.ABSENCE, given)
        given.check_absence(keys)
        return given.said.when

    def frozen(self, state: State) -> bool:
        """Whether it proves nothing any more (`LedgerVerifier`)."""
        return self.head(state).frozen

    # --- committees -----------------------------------------------------------------------------

    def rotate(
        self,
        call: Execution,
        following: tuple[int, Sequence[bytes], bytes],
        signers: int,
        signatures: bytes,
    ) -> None:
        """Hand over to the next epoch, signed by the current committee. Open to anyone.

        `following` are the threshold, the members in ascending order and their operators. It is
        signed for the origin, so that one signing serves its clients everywhere.
        """
        head = self._live(call)
        threshold, members, operators = following
        for member in members:
            require(len(member) == MEMBER_LENGTH, "InvalidMember", member=member)
        number(threshold, 16, "threshold")
        current = self.committee(call.state, head.epoch)
        digest = handover_digest(head.origin, current.hash, head.epoch + 1, following)
        check_signatures(current, digest, number(signers, 256, "signers"), signatures)
        leaving = replace(current, valid_until=call.time + OVERLAP)
        _COMMITTEES.put(call.state, (self.account, current.hash), leaving)
        self._install(
            call, head, KnownCommittee(head.epoch + 1, threshold, tuple(members), operators)
        )

    def committee(self, state: State, epoch: int) -> KnownCommittee:
        """Give the committee of an epoch; refuses ``UnknownEpoch``."""
        known = _HASHES.get(state, (self.account, number(epoch, 64, "epoch")))
        found = None if known is None else _COMMITTEES.get(state, (self.account, known))
        if found is None:
            refuse("UnknownEpoch", epoch=epoch)
        return found

    def head(self, state: State) -> ClientHead:
        """Give what it is about, its epoch, and whether it is frozen."""
        head = _HEADS.get(state, (self.account,))
        assert head is not None, "The client is installed."
        return head

    # --- misbehaviour ---------------------------------------------------------------------------

    def report_conflict(self, call: Execution, first: bytes, second: bytes) -> None:
        """Freeze when two signed statements contradict each other. Open to anyone.

        Each is abi.encode(StatementKind, CommitteeProof); only what is signed counts.
        """
        self._live(call)
        kind_a, a = CommitteeProof.read_evidence(first)
        kind_b, b = CommitteeProof.read_evidence(second)
        require(contradict((kind_a, a.said), (kind_b, b.said)), "NoConflict")
        self._freeze(call, self._check_signed(call, kind_a, a), self._check_signed(call, kind_b, b))

    def report_false_absence(
        self,
        call: Execution,
        packet: tuple[str, int],
        acknowledgement: bytes,
        absence: bytes,
        membership: bytes,
    ) -> None:
        """Freeze when a packet was attested as not received although it was answered before.

        `packet` is its destination client and sequence; `acknowledgement` the commitment that
        `membership` proves, at the height of `absence` or an earlier one. Open to anyone.
        """
        self._live(call)
        a, m = CommitteeProof.read(absence), CommitteeProof.read(membership)
        require(m.said.height <= a.said.height, "NoConflict")
        first = self._check_signed(call, Kind.ABSENCE, a)
        second = self._check_signed(call, Kind.CHECKPOINT, m)
        dest_client, sequence = packet
        utf8(dest_client, "dest_client")
        number(sequence, 64, "sequence")
        a.check_absence([Path.receipt(dest_client, sequence).key])
        m.check_membership([(Path.acknowledgement(dest_client, sequence).key, acknowledgement)])
        self._freeze(call, first, second)

    def freeze(self, call: Execution) -> None:
        """Freeze at once. Guardians only."""
        self._authority.check(call, AuthorityRole.GUARDIAN)
        self._live(call)
        self._freeze(call, b"", b"")

    # --- checks ---------------------------------------------------------------------------------

    def _freeze(self, call: Execution, first: bytes, second: bytes) -> None:
        _HEADS.put(call.state, (self.account,), replace(self.head(call.state), frozen=True))
        call.emit(ClientFroze(self.account, call.caller, first, second))

    def _install(self, call: Execution, head: ClientHead, committee: KnownCommittee) -> None:
        check_committee(committee.threshold, committee.members, committee.operators)
        name = committee.hash
        _HEADS.put(call.state, (self.account,), replace(head, epoch=committee.epoch))
        _HASHES.put(call.state, (self.account, committee.epoch), name)
        _COMMITTEES.put(call.state, (self.account, name), committee)
        call.emit(CommitteeChanged(self.account, committee))

    def _live(self, call: Execution) -> ClientHead:
        head = self.head(call.state)
        require(not head.frozen, "ClientFrozen")
        return head

    def _check_usable(self, call: Execution, given: CommitteeProof) -> None:
        self._live(call)
        require(
            given.said.time <= call.time + MAX_CLOCK_DRIFT,
            "FutureTime",
            time=given.said.time,
            current_time=call.time,
        )

    def _check_signed(self, call: Execution, kind: Kind, given: CommitteeProof) -> bytes:
        """Give the digest that a committee which still counts signed as a statement of `kind`."""
        said = given.said
        origin = self.head(call.state).origin
        require(said.origin == origin, "WrongOrigin", origin=said.origin)
        known = _COMMITTEES.get(call.state, (self.account, said.committee))
        if known is None:
            refuse("UnknownCommittee", committee=said.committee)
        require(
            call.time <= known.valid_until,
            "CommitteeExpired",
            committee=said.committee,
            valid_until=known.valid_until,
        )
        digest = given.digest(kind)
        check_signatures(known, digest, given.signers, given.signatures)
        return digest
