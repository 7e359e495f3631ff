"""Texts that somebody else chose, as a part of one line: for people, and in logs."""

from __future__ import annotations

from typing import Final

_CHARACTERS: Final = 200


def one_line(text: str) -> str:
    """Give a text that somebody chose as a part of a line: bounded, and breaking none."""
    kept = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return kept if len(kept) <= _CHARACTERS else f"{kept[:_CHARACTERS]}…"
