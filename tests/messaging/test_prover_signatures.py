"""What the validators signed for one look is asked for once."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from caimi.errors.messaging import NotEnoughAttestations
from caimi.messaging.proof import SignedStatement, Tree
from caimi.messaging.provers.prover import Signatures

SIGNED = cast("tuple[SignedStatement, Tree]", ("signed", "tree"))


class Asked:
    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.count = self.now = self.most = 0

    async def __call__(self) -> tuple[SignedStatement, Tree]:
        self.count += 1
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.001)
        self.now -= 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def test_what_several_routes_need_is_asked_once() -> None:
    signatures, asked = Signatures(), Asked(SIGNED)
    found = await asyncio.gather(*(signatures.once("a", asked) for _ in range(50)))
    assert found == [SIGNED] * 50
    assert asked.count == 1
    await signatures.once("b", asked)
    assert asked.count == 2


async def test_validators_that_did_not_sign_are_not_asked_again_in_the_same_look() -> None:
    signatures, asked = Signatures(), Asked(NotEnoughAttestations("none"))
    found = await asyncio.gather(
        *(signatures.once("a", asked) for _ in range(50)), return_exceptions=True
    )
    assert {type(each) for each in found} == {NotEnoughAttestations}
    with pytest.raises(NotEnoughAttestations):
        await signatures.once("a", asked)
    assert asked.count == 1


async def test_validators_are_not_asked_more_at_once_than_they_answer() -> None:
    signatures, asked = Signatures(), Asked(SIGNED)
    await asyncio.gather(*(signatures.once(name, asked) for name in range(100)))
    assert (asked.count, asked.most) == (100, 16)
