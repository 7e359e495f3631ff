"""Moments as people read them: ledgers' seconds since 1970, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def time_text(seconds: int) -> str:
    """Write a moment to the second, or its bare number where no calendar has it."""
    return _written(seconds, "%Y-%m-%d %H:%M:%S UTC")


def date_text(seconds: int) -> str:
    """Write a moment's day, or its bare number where no calendar has it."""
    return _written(seconds, "%Y-%m-%d")


def _written(seconds: int, form: str) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime(form)
    except (OverflowError, ValueError, OSError):
        return f"{seconds} s"
