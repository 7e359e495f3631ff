"""Committees as light clients keep them, and whether enough members of one signed.

At least two signatures, those of more than half of the members, and more than any one operator runs
stand behind every fact. Members are secp256k1 accounts of 20 bytes, on ledgers of every family.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from caimi.contracts.execution import refuse, require
from caimi.ibc.statements import MAX_MEMBERS, committee_hash
from caimi.signatures import HALF_ORDER, SIGNATURE_BYTES, MalformedSignature, recover_account

MEMBER_LENGTH = 20
FOREVER = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class KnownCommittee:
    """A committee: `threshold` of `members` are needed.

    `operators` has a byte for each member that says who runs it. `valid_until` is in seconds.
    """

    epoch: int
    threshold: int
    members: tuple[bytes, ...]
    operators: bytes
    valid_until: int = FOREVER

    @property
    def hash(self) -> bytes:
        """The name of the committee in statements."""
        return committee_hash(self.epoch, self.threshold, self.members, self.operators)


def check_committee(threshold: int, members: Sequence[bytes], operators: bytes) -> None:
    """Let a committee pass whose members are listed once, in ascending order.

    Enough of them are at least two, more than half, and more than any one operator runs.
    """
    count = len(members)
    require(
        count <= MAX_MEMBERS and 2 <= threshold <= count and 2 * threshold > count,
        "InvalidThreshold",
        threshold=threshold,
        members=count,
    )
    require(len(operators) == count, "InvalidOperators", operators=len(operators), members=count)
    previous = bytes(MEMBER_LENGTH)
    run: Counter[int] = Counter()
    for member, operator in zip(members, operators, strict=True):
        ordered = len(member) == MEMBER_LENGTH and member > previous
        require(ordered, "InvalidMember", member=member)
        previous = member
        run[operator] += 1
        require(run[operator] < threshold, "OperatorMajority", operator=bytes([operator]))


def check_signatures(
    committee: KnownCommittee, digest: bytes, signers: int, signatures: bytes
) -> None:
    """Let a digest pass that enough members signed.

    There is one signature for each set bit of `signers`, in member order, each by that member, with
    low s only (EIP-2).
    """
    members = committee.members
    require(signers >> len(members) == 0, "UnknownSigner", signers=signers)
    position = 0
    for place, member in enumerate(members):
        if not signers >> place & 1:
            continue
        signature = signatures[position : position + SIGNATURE_BYTES]
        whole = len(signature) == SIGNATURE_BYTES
        require(whole, "InvalidSignaturesLength", length=len(signatures))
        require(int.from_bytes(signature[32:64]) <= HALF_ORDER, "HighS", member=member)
        try:
            signer = recover_account(digest, signature)
        except MalformedSignature:
            refuse("MalformedSignature", member=member)
        if signer != member:
            _refuse_signer(members, signers, place, signer)
        position += SIGNATURE_BYTES
    require(len(signatures) == position, "InvalidSignaturesLength", length=len(signatures))
    count = position // SIGNATURE_BYTES
    require(
        count >= committee.threshold,
        "TooFewSignatures",
        signatures=count,
        threshold=committee.threshold,
    )


def _refuse_signer(members: tuple[bytes, ...], signers: int, place: int, signer: bytes) -> NoReturn:
    """Say what is wrong with a signature that should have been by the member at `place`."""
    if signer not in members:
        refuse("InvalidSignature", member=members[place])
    index = members.index(signer)
    if index < place and signers >> index & 1:
        refuse("DuplicateSignature", member=signer)
    refuse("SignatureOutOfOrder", expected=members[place], found=signer)
