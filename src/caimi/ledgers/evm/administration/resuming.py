"""Doing several independent transactions of one account at once, what was begun before first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from caimi.ledgers.port import Outbox

R = TypeVar("R")


async def begun_first(
    outbox: Outbox | None, works: Mapping[str, Callable[[], Awaitable[R]]]
) -> dict[str, R]:
    """Carry out `works`, each under its outbox key, and give what comes of them by key.

    One that was signed before has its nonce: were others signed beside it, they would take that,
    and it would have to be signed once more.
    """
    begun = [key for key in works if outbox is not None and await outbox.sent(key) is not None]
    done: dict[str, R] = {}
    for keys in (begun, [key for key in works if key not in begun]):
        found = await asyncio.gather(*(works[key]() for key in keys))
        done |= dict(zip(keys, found, strict=True))
    return done
