"""What was signed before goes first: others beside it would take its nonce."""

from __future__ import annotations

import asyncio

from caimi.ledgers.evm.administration.resuming import begun_first
from caimi.ledgers.port import LedgerId, SignedCall


class Begun:
    """An outbox that holds some keys (port `Outbox`)."""

    def __init__(self, *keys: str) -> None:
        self._keys = keys

    async def sent(self, key: str) -> SignedCall | None:
        return SignedCall(LedgerId("eip155:1"), key, "0x", b"") if key in self._keys else None

    async def record(self, key: str, call: SignedCall) -> None:
        raise AssertionError("nothing is signed here")


async def test_what_was_begun_ends_before_anything_else_begins() -> None:
    seen: list[str] = []

    def work(name: str):
        async def run() -> str:
            seen.append(f"{name} begins")
            await asyncio.sleep(0)
            seen.append(f"{name} ends")
            return name.upper()

        return run

    works = {name: work(name) for name in ("new", "old", "newer", "older")}
    done = await begun_first(Begun("old", "older"), works)
    assert done == {"new": "NEW", "old": "OLD", "newer": "NEWER", "older": "OLDER"}
    assert set(seen[:4]) == {"old begins", "older begins", "old ends", "older ends"}
    assert seen[4:6] == ["new begins", "newer begins"]
    assert await begun_first(None, works) == done
