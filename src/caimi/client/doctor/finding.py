"""What a check found, and how a check is kept within its time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from caimi.errors.base import CaimiError

State: TypeAlias = Literal["ok", "warning", "wrong"]
CHECK_SECONDS: Final = 8.0
"""How long one check may take."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of `subject`: in what `state` it is, what was seen, and what to do next."""

    subject: str
    state: State
    said: str
    next_step: str = ""


def failed(subject: str, error: CaimiError) -> Finding:
    """Give the finding for an error."""
    return Finding(subject, "wrong", str(error), error.next_step)


async def within_time(subject: str, check: Awaitable[list[Finding]]) -> list[Finding]:
    """Give what a check finds, or that it failed or took too long."""
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check
    except CaimiError as error:
        return [failed(subject, error)]
    except TimeoutError:
        return [
            Finding(
                subject,
                "wrong",
                f"It did not answer within {CHECK_SECONDS:g} s.",
                "Look whether it runs, and at the network between it and this machine.",
            )
        ]
