"""The clock of the machine, judged by those of ledgers and nodes."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Final

from caimi.client.doctor.finding import Finding

AHEAD_SECONDS: Final = 15
"""How far ahead of us others may be before it is told; blocks are stamped by other machines."""
WRONG_SECONDS: Final = 60
"""From where custodians begin to refuse requests: those are fresh for two minutes."""
STALE_SECONDS: Final = 600
"""How old a ledger's newest block may be before it is told."""


def check_clock(offsets: Mapping[str, float]) -> list[Finding]:
    """Judge our clock; `offsets` are how far nodes' are ahead of ours, in seconds, by name."""
    if not offsets:
        return []
    off = median(offsets.values())
    said = f"Nodes' clocks are {_apart(off)} ours."
    if abs(off) >= WRONG_SECONDS:
        return [Finding("clock", "wrong", said, "Set this machine's clock, best by NTP.")]
    found = [
        Finding(
            "clock",
            "warning",
            f"The clock of {name} is {_apart(each)} ours.",
            "Compare both clocks with a third; keep all by NTP.",
        )
        for name, each in offsets.items()
        if abs(each) > AHEAD_SECONDS
    ]
    return found or [Finding("clock", "ok", f"Within {max(map(abs, offsets.values())):.0f} s.")]


def _apart(seconds: float) -> str:
    return f"{abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'}"


def check_head(name: str, time: int, now: float, finality_age: int) -> Finding:
    """Judge a ledger's newest block by its time; `finality_age` is how old the final one is."""
    ahead = time - now
    if ahead > WRONG_SECONDS:
        return Finding(
            name,
            "wrong",
            f"Its newest block is of {ahead:.0f} s from now.",
            "Set this machine's clock, best by NTP; on a ledger for tests, its time was moved.",
        )
    if ahead < -STALE_SECONDS:
        return Finding(
            name,
            "warning",
            f"Its newest block is {-ahead:.0f} s old.",
            "Look whether its node follows the ledger, and at this machine's clock.",
        )
    return Finding(
        name, "ok", f"Its newest block is {max(0.0, -ahead):.0f} s old, final {finality_age} s."
    )
