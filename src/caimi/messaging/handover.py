"""A committee's hand-over to the next one for all ledgers at once, as a file that members sign.

Whoever plans it writes down the committees in office and the next one; each member checks and signs
it wherever its key is; anybody brings the signed file to every ledger.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from caimi.chains import LEDGER
from caimi.errors.messaging import InvalidCheckpoint
from caimi.ibc.statements import MAX_MEMBERS
from caimi.json_text import read_json
from caimi.ledgers.port import AttestationKey, Committee, LedgerId
from caimi.messaging.checkpoint import make_committee, recover
from caimi.messaging.hex_field import hex_field
from caimi.messaging.rotation import Rotation, SignedRotation
from caimi.signatures import SIGNATURE_BYTES

MAX_SIZE: Final = 4 << 20
MAX_ROTATIONS: Final = 1_000
_VERSION: Final = 1
_hex: Final = partial(hex_field, InvalidCheckpoint)
_LEDGER: Final = re.compile(LEDGER)


@dataclass(frozen=True, slots=True)
class Planned:
    """One rotation, for the clients of `ledger` everywhere, with signatures by account."""

    ledger: LedgerId
    rotation: Rotation
    signatures: Mapping[bytes, bytes]

    @property
    def missing(self) -> int:
        """How many signatures are still needed."""
        return max(0, self.rotation.current.threshold - len(self.signatures))

    def collect(self) -> SignedRotation:
        """Give what clients take.

        Raises:
            NotEnoughAttestations: too few have signed.
        """
        return self.rotation.collect(self.signatures)


@dataclass(frozen=True, slots=True)
class Handover:
    """All rotations by which one committee follows on others."""

    planned: tuple[Planned, ...]

    def sign(self, signer: AttestationKey) -> Handover:
        """Add a member's signatures to all rotations whose present committee it is a member of.

        Raises:
            InvalidCheckpoint: it is a member of none.
        """
        if not any(signer.account in each.rotation.current.members for each in self.planned):
            raise InvalidCheckpoint(f"0x{signer.account.hex()} is a member of none of them.")
        return Handover(
            tuple(
                replace(
                    each,
                    signatures={
                        **each.signatures,
                        signer.account: each.rotation.sign(signer),
                    },
                )
                if signer.account in each.rotation.current.members
                else each
                for each in self.planned
            )
        )

    def to_json(self) -> str:
        """Write the file."""
        return (
            json.dumps(
                {
                    "version": _VERSION,
                    "rotations": [
                        {
                            "ledger": each.ledger,
                            "origin": f"0x{each.rotation.origin.hex()}",
                            "current": _committee(each.rotation.current),
                            "following": _committee(each.rotation.following),
                            "signatures": {
                                f"0x{account.hex()}": f"0x{signature.hex()}"
                                for account, signature in sorted(each.signatures.items())
                            },
                        }
                        for each in self.planned
                    ],
                },
                indent=2,
            )
            + "\n"
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> Handover:
        """Read the file, strictly, and check every signature in it.

        Raises:
            InvalidCheckpoint: it is something else, or a signature is not its member's.
        """
        if len(text) > MAX_SIZE:
            raise InvalidCheckpoint(f"A hand-over has at most {MAX_SIZE} bytes.")
        try:
            document = read_json(text)
        except (ValueError, RecursionError) as error:
            raise InvalidCheckpoint(f"The hand-over is no JSON: {error}.") from error
        match document:
            case {"version": 1, "rotations": [_, *_] as rotations, **rest} if (
                not rest and len(rotations) <= MAX_ROTATIONS
            ):
                return cls(tuple(_planned(each) for each in rotations))
        raise InvalidCheckpoint("This is no hand-over of version 1.")


def _committee(committee: Committee) -> dict[str, Any]:
    members = zip(committee.members, committee.operators, strict=True)
    return {
        "epoch": committee.epoch,
        "threshold": committee.threshold,
        "members": {f"0x{member.hex()}": operator for member, operator in members},
    }


def _planned(document: object) -> Planned:
    match document:
        case {
            "ledger": str(ledger),
            "origin": str(origin),
            "current": current,
            "following": following,
            "signatures": dict(signatures),
            **rest,
        } if not rest and _LEDGER.fullmatch(ledger):
            rotation = Rotation(
                _hex(origin, 32), _read_committee(current), _read_committee(following)
            )
            signed = {_hex(a, 20): _hex(s, SIGNATURE_BYTES) for a, s in signatures.items()}
            for account, signature in signed.items():
                if (
                    account not in rotation.current.members
                    or recover(rotation.digest, signature) != account
                ):
                    raise InvalidCheckpoint(f"0x{account.hex()} did not sign this as a member.")
            return Planned(LedgerId(ledger), rotation, signed)
    raise InvalidCheckpoint("A rotation in a hand-over lacks something, or has more.")


def _read_committee(document: object) -> Committee:
    match document:
        case {"epoch": epoch, "threshold": threshold, "members": dict(members), **rest} if (
            not rest
            and type(epoch) is int
            and type(threshold) is int
            and 0 <= epoch < 1 << 64
            and len(members) <= MAX_MEMBERS
            and all(type(operator) is int for operator in members.values())
        ):
            run = {_hex(account, 20): operator for account, operator in members.items()}
            return make_committee(epoch, threshold, list(run), run)
    raise InvalidCheckpoint("A committee in a hand-over lacks something, or has more.")
