"""Durations as people write them: 90m, 36h, 3d."""

from __future__ import annotations

import re
from typing import Final

from caimi.errors.operations import UsageError

_DURATION: Final = re.compile(r"([1-9][0-9]{0,8})([smhd])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def seconds_of(text: str) -> int:
    """Read a duration such as 3d, 36h or 90m.

    Raises:
        UsageError: it is something else.
    """
    found = _DURATION.fullmatch(text)
    if found is None:
        raise UsageError(f"{text!r:.40} is no duration; write 3d, 36h or 90m.")
    return int(found[1]) * _SECONDS[found[2]]


def span_of(seconds: int) -> str:
    """Write a duration in the largest unit of which it has two or more."""
    unit = next((each for each in "dhm" if seconds >= 2 * _SECONDS[each]), "s")
    return f"{seconds // _SECONDS[unit]}{unit}"
