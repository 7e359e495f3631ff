"""Durations and moments are read and written in one way, whatever a ledger says."""

from __future__ import annotations

import pytest

from caimi.cli.durations import seconds_of, span_of
from caimi.times import date_text, time_text

DAY = 86_400


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (59, "59s"),
        (60, "1m"),
        (3 * 3600 + 5, "3h"),
        (3 * 3600 + 65, "3h 1m"),
        (3 * DAY, "3d"),
        (3 * DAY - 30, "2d 23h"),
        (-7, "0s"),
    ],
)
def test_a_duration_is_written_in_its_two_largest_units(seconds: int, text: str) -> None:
    assert span_of(seconds) == text
    if len(text.split()) == 1 and seconds > 0:
        assert seconds_of(text) <= seconds


def test_a_moment_is_written_in_utc_and_one_that_no_calendar_has_as_its_number() -> None:
    assert time_text(1_700_000_000) == "2023-11-14 22:13:20 UTC"
    assert date_text(1_700_000_000) == "2023-11-14"
    for absurd in (2**63, 2**64 - 1, 10**40):
        assert time_text(absurd) == date_text(absurd) == f"{absurd} s"
