"""Removing a guard makes the schedules fail. `make faults-mutations` removes each of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.guards import GUARDS, Guard
from faults.mutation import GuardNotFound, judge, without

_ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_each_guard_is_in_the_sources_as_the_table_has_it(guard: Guard) -> None:
    text = (_ROOT / guard.path).read_text("utf-8")
    assert without(guard, text) != text


def test_a_guard_that_was_reworded_is_not_taken_for_a_detected_one() -> None:
    with pytest.raises(GuardNotFound):
        without(GUARDS[0], "something else")


def test_the_document_lists_every_guard() -> None:
    document = (_ROOT / "docs" / "faults.md").read_text("utf-8")
    assert [guard.name for guard in GUARDS if f"| {guard.name} |" not in document] == []


@pytest.mark.parametrize(
    "name", ["only the gateway calls an application", "a validator remembers what it signed"]
)
def test_schedules_notice_that_a_guard_is_gone(name: str) -> None:
    (guard,) = (guard for guard in GUARDS if guard.name == name)
    assert judge(guard, schedules=150).seed is not None
