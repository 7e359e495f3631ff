"""Where nothing is found, a person reads why that may be, and what comes next."""

from __future__ import annotations

import pytest
from payer import Payer, runner

from caimi.cli.app import app


def people_read(payer: Payer, *words: str) -> str:
    done = runner.invoke(app, [*words, "--config", str(payer.config)])
    assert done.exit_code == 0
    return done.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "There is no model here."),
        (("tumour",), "No model has that in its name or id."),
        (("tumour", "--exact"), "No model fits all of that."),
        (("--for-sale",), "No model fits all of that."),
        (("--publisher", "alice"), "No model fits all of that."),
    ],
)
def test_a_search_says_what_nothing_fits(payer: Payer, words: tuple[str, ...], told: str) -> None:
    assert people_read(payer, "search", *words).strip() == told


def test_without_a_timelock_nothing_is_around_it_and_handing_over_is_next(payer: Payer) -> None:
    told = people_read(payer, "governance", "show", "-l", "a")
    assert "there is no timelock" in told
    assert "Not behind one: 0x" in told
    assert "Around" not in told
    assert "Next: caimi governance hand-over" in told
