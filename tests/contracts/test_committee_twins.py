"""The committee's light client believes, refuses and freezes as the Solidity one does."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from caimi.contracts.committees import KnownCommittee
from caimi.contracts.identifiers import Account
from caimi.hashing import keccak256
from caimi.ibc.path import Path
from caimi.ibc.statements import Kind, handover_digest
from caimi.signatures import ORDER
from contracts.ledgers import Ledgers, ledgers
from contracts.local_ledgers import COMMITTEE, MEMBERS, Claimed
from contracts.twin import ADMINISTRATOR, GUARDIAN

DAY = 24 * 3600
FACTS = [(keccak256(bytes([n])), keccak256(bytes([n, n]))) for n in range(5)]
KEYS = {key.account: key for key in MEMBERS}


class Play:
    """One random sequence of calls to the client by which the first ledger knows the second."""

    def __init__(self, world: Ledgers, rng: Random) -> None:
        self.world, self.rng = world, rng
        self.twin = world.twins[0]
        account = world.client(0, 1)
        found = self.twin.contracts.clients.find(self.twin.state, account)
        assert found is not None
        self.client = found
        self.name = next(n for n, (a, _) in self.twin.evm.places.items() if a == account)
        self.committees = [COMMITTEE]

    def claim(self) -> Claimed:
        """Give a statement, mostly with something wrong."""
        rng = self.rng
        facts = [*FACTS[: rng.randint(1, 5)]]
        claimed = self.world.claim(1, facts).but(committee=rng.choice(self.committees))
        claimed = claimed.but(time=claimed.time + rng.choice([-5, 0, 0, 600, 601]))
        claimed = claimed.but(height=claimed.height + rng.choice([0, 0, 0, 1]))
        return rng.choice(
            [
                claimed,
                claimed,
                claimed.but(signing=tuple(range(len(claimed.committee.members)))[-3:]),
                claimed.but(signing=(0, 1)),
                claimed.but(origin=bytes(32)),
                claimed.but(start=claimed.height),
                claimed.but(size=rng.choice([0, 1, 2**32 - 1])),
                claimed.but(root=rng.choice([bytes(32), b"\1" * 32])),
                claimed.but(facts=[(FACTS[0][0], bytes(32))]),
                claimed.but(committee=replace(COMMITTEE, epoch=9)),
            ]
        )

    def signed(self, claimed: Claimed) -> tuple[bytes, int]:
        """Give signatures and their bitmap, mostly right."""
        rng = self.rng
        given = claimed.signatures()
        bits = sum(1 << place for place in claimed.signing)
        wrong = rng.randint(0, 18)
        if wrong == 0:
            given[0] = (
                given[0][:32]
                + (ORDER - int.from_bytes(given[0][32:64])).to_bytes(32)
                + (given[0][64:])
            )
        elif wrong == 1:
            given[0], given[1] = given[1], given[0]
        elif wrong == 2:
            given[1] = given[0]
        elif wrong == 3:
            given[-1] = given[-1][:64] + bytes([rng.choice([0, 1, 26, 29])])
        elif wrong == 4:
            given.append(bytes(65))
        elif wrong == 5:
            given[-1] = given[-1][:40]
        elif wrong == 6:
            bits |= 1 << rng.choice([3, 4, 255])
        elif wrong == 7:
            given[0] = bytes(65)
        return b"".join(given), bits

    def verify(self) -> None:
        claimed = self.claim()
        kind = self.rng.choice([Kind.CHECKPOINT, Kind.CHECKPOINT, Kind.ABSENCE])
        if kind is Kind.ABSENCE:
            facts = [(key, bytes(32)) for key, _ in claimed.facts]
            claimed = claimed.but(kind=kind, facts=facts, start=claimed.start)
        facts = [claimed.facts[place] for place in claimed.order]
        proof = claimed.proof(*self.signed(claimed))
        if self.rng.random() < 0.05:
            proof = proof[: self.rng.randint(0, len(proof))]
        if self.rng.random() < 0.1:
            facts = self.rng.choice([facts[:-1], [*facts, FACTS[4]], []])
        keys = [key for key, _ in facts]
        call = self.twin.call(Account(GUARDIAN))
        if self.rng.random() < (0.9 if kind is Kind.ABSENCE else 0.1):
            self.twin.read(
                lambda: _when(self.client.verify_absence(call, keys, proof)),
                self.name,
                "verifyAbsence",
                keys,
                proof,
            )
        else:
            self.twin.read(
                lambda: _when(self.client.verify_membership(call, facts, proof)),
                self.name,
                "verifyMembership",
                keys,
                [value for _, value in facts],
                proof,
            )

    def rotate(self) -> None:
        rng = self.rng
        epoch = self.client.head(self.twin.state).epoch
        current = self.client.committee(self.twin.state, epoch)
        members = tuple(sorted(rng.sample(list(COMMITTEE.members), rng.choice([3, 3, 4]))))
        if rng.random() < 0.1:
            members = members[::-1]
        operators = bytes(rng.choice([range(len(members)), [0] * len(members), [1, 2]]))
        following = (rng.choice([2, 2, 3, 3, 1, 5]), members, operators)
        signed_for = following if rng.random() < 0.9 else (9, members, operators)
        head = self.client.head(self.twin.state)
        digest = handover_digest(head.origin, current.hash, epoch + 1, signed_for)
        places = sorted(rng.sample(range(len(current.members)), min(3, len(current.members))))
        signatures = b"".join(KEYS[current.members[place]].sign(digest) for place in places)
        bits = sum(1 << place for place in places)
        done = self.twin.step(
            Account(GUARDIAN),
            lambda call: self.client.rotate(call, following, bits, signatures),
            self.name,
            "rotate",
            *following,
            bits,
            signatures,
        )
        if done is not None:
            self.committees.append(KnownCommittee(epoch + 1, *following))

    def report(self) -> None:
        first, second = self.claim(), self.claim()
        if self.rng.random() < 0.7:  # statements that agree are the rule
            second = first.but(height=first.height + self.rng.choice([0, 1]))
        evidence = (first.evidence(), second.evidence())
        self.twin.step(
            Account(GUARDIAN),
            lambda call: self.client.report_conflict(call, *evidence),
            self.name,
            "reportConflict",
            *evidence,
        )

    def report_absence(self) -> None:
        name, sequence, value = "caimi-101-7", self.rng.choice([1, 2]), b"\5" * 32
        member = self.claim().but(facts=[(Path.acknowledgement(name, 1).key, value)])
        absent = self.claim().but(facts=[(Path.receipt(name, 1).key, bytes(32))], kind=Kind.ABSENCE)
        absent = absent.but(height=absent.height - self.rng.choice([0, 1, 1]))
        proofs = (absent.proof(), member.proof())
        self.twin.step(
            Account(GUARDIAN),
            lambda call: self.client.report_false_absence(call, (name, sequence), value, *proofs),
            self.name,
            "reportFalseAbsence",
            name,
            sequence,
            value,
            *proofs,
        )

    def freeze(self) -> None:
        caller = GUARDIAN if self.rng.random() < 0.2 else ADMINISTRATOR
        self.twin.step(Account(caller), self.client.freeze, self.name, "freeze")

    def wait(self) -> None:
        for twin in self.world.twins:
            twin.pass_time(self.rng.choice([1, 3600, DAY]))

    def compare(self) -> None:
        state = self.twin.state
        head = self.client.head(state)
        self.twin.read(head.frozen, self.name, "frozen")
        self.twin.read(head.epoch, self.name, "epoch")
        self.twin.read(head.origin, self.name, "origin")
        for epoch in range(head.epoch + 2):

            def known(epoch: int = epoch) -> tuple[object, ...]:
                found = self.client.committee(state, epoch)
                return (
                    found.hash,
                    found.threshold,
                    found.members,
                    found.operators,
                    found.valid_until,
                )

            self.twin.read(known, self.name, "committee", epoch)


def _when(proved: object) -> tuple[int, int]:
    return proved.height, proved.time  # type: ignore[attr-defined]


OPERATIONS = (
    *(Play.verify,) * 12,
    *(Play.rotate,) * 3,
    Play.report,
    Play.report_absence,
    Play.freeze,
    Play.wait,
)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30))
def test_committee_clients_are_the_same_on_both(seed: int, steps: int) -> None:
    world, rng = ledgers(), Random(seed)
    ends = [twin.branch() for twin in world.twins]
    try:
        play = Play(world, rng)
        for _ in range(steps):
            rng.choice(OPERATIONS)(play)
        play.compare()
    finally:
        for end in ends:
            end()
