"""A hand-over's file keeps what members signed, and nothing that they did not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from member_keys import KeySigner

from caimi.errors.messaging import InvalidCheckpoint, NotEnoughAttestations
from caimi.ledgers.port import LedgerId
from caimi.messaging.checkpoint import make_committee
from caimi.messaging.handover import Handover, Planned
from caimi.messaging.rotation import Rotation

SIGNERS = sorted((KeySigner(2_000 + place) for place in range(3)), key=lambda s: s.account)
CURRENT = make_committee(4, 2, [signer.account for signer in SIGNERS])
NEXT = [KeySigner(3_000 + place).account for place in range(4)]
RUN = {account: place // 2 for place, account in enumerate(NEXT)}
FOLLOWING = make_committee(5, 3, NEXT, RUN)
PLAN = Handover(
    tuple(
        Planned(
            LedgerId(f"eip155:{number}"), Rotation(bytes([number]) * 32, CURRENT, FOLLOWING), {}
        )
        for number in (1, 2)
    )
)


def test_members_sign_one_after_another_until_it_can_be_carried_out() -> None:
    with pytest.raises(NotEnoughAttestations):
        PLAN.planned[0].collect()
    one = Handover.from_json(PLAN.sign(SIGNERS[0]).to_json())
    assert [each.missing for each in one.planned] == [1, 1]
    both = Handover.from_json(one.sign(SIGNERS[2]).to_json())
    assert both == one.sign(SIGNERS[2])
    for each in both.planned:
        assert each.collect().signers == 0b101
        assert each.rotation.following == FOLLOWING


def test_a_stranger_signs_nothing() -> None:
    with pytest.raises(InvalidCheckpoint, match="member of none"):
        PLAN.sign(KeySigner(9))


def change(where: Callable[[dict[str, Any]], None]) -> str:
    document = json.loads(PLAN.sign(SIGNERS[0]).to_json())
    where(document)
    return json.dumps(document)


def first(document: dict[str, Any]) -> dict[str, Any]:
    return document["rotations"][0]


CHANGES: dict[str, Callable[[dict[str, Any]], None]] = {
    "version": lambda d: d.update(version=2),
    "no rotation": lambda d: d.update(rotations=[]),
    "something more": lambda d: d.update(more=1),
    "a rotation with more": lambda d: first(d).update(more=1),
    "another origin": lambda d: first(d).update(origin="0x" + "ff" * 32),
    "a short origin": lambda d: first(d).update(origin="0xff"),
    "no ledger": lambda d: first(d).update(ledger="here"),
    "another threshold": lambda d: first(d)["following"].update(threshold=4),
    "no majority": lambda d: first(d)["following"].update(threshold=2),
    "true for a number": lambda d: first(d)["current"].update(epoch=True),
    "a skipped epoch": lambda d: first(d)["following"].update(epoch=6),
    "one operator for all": lambda d: first(d)["following"].update(
        members=dict.fromkeys(first(d)["following"]["members"], 1)
    ),
    "a borrowed signature": lambda d: first(d).update(
        signatures={f"0x{SIGNERS[1].account.hex()}": next(iter(first(d)["signatures"].values()))}
    ),
    "a stranger's signature": lambda d: first(d).update(
        signatures={
            f"0x{KeySigner(9).account.hex()}": "0x"
            + KeySigner(9).sign_digest(PLAN.planned[0].rotation.digest).hex()
        }
    ),
    "a signature of no length": lambda d: first(d).update(
        signatures={f"0x{SIGNERS[1].account.hex()}": "0x"}
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_file_is_refused(name: str) -> None:
    with pytest.raises(InvalidCheckpoint):
        Handover.from_json(change(CHANGES[name]))


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "[" * 200, '{"version": 1}', b"\xff"])
def test_what_is_no_hand_over_is_refused(text: str | bytes) -> None:
    with pytest.raises(InvalidCheckpoint):
        Handover.from_json(text)
