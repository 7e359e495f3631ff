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
    """Write a duration in its largest unit and the next one, as in 2d 23h; none is 0s."""
    rest, parts = max(seconds, 0), []
    for unit in "dhms":
        amount, rest = divmod(rest, _SECONDS[unit])
        parts.append((amount, f"{amount}{unit}"))
    first = next((at for at, (amount, _) in enumerate(parts) if amount), len(parts))
    return " ".join(text for amount, text in parts[first : first + 2] if amount) or "0s"
