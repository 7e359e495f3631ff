"""Every guard refuses what it is there for, by its name, and leaves nothing behind."""

from __future__ import annotations

import sys
from functools import cache

import pytest

from caimi.contracts import execution
from caimi.contracts.identifiers import Account
from caimi.contracts.state import Overlay
from caimi.errors.ledgers import CallRefused
from contracts import (
    accounting_refusals,
    application_refusals,
    gateway_refusals,
    registry_refusals,
)
from contracts.guard_sites import FOLDER, sites
from contracts.local_ledgers import LocalLedger, LocalPair
from contracts.refusals import CASES, Case

MODULES = (registry_refusals, gateway_refusals, application_refusals, accounting_refusals)


@cache
def _pair() -> LocalPair:
    return LocalPair.made(coins=True)


def fresh() -> LocalPair:
    """Give ledgers as they were in the beginning."""
    made = _pair()

    def again(ledger: LocalLedger) -> LocalLedger:
        return LocalLedger(
            ledger.contracts, ledger.coins, Overlay(ledger.state), route=ledger.route
        )

    return LocalPair(again(made.alpha), again(made.beta))


def play(case: Case) -> CallRefused:
    ledger, caller, act = case.make(fresh())
    before = Overlay(ledger.state)
    ledger.state = Overlay(ledger.state)
    with pytest.raises(CallRefused) as refused:
        ledger.do(Account(caller), act)
    assert not ledger.state._changes, "a refused call left something behind"
    del before
    return refused.value


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_is_refused(case: Case) -> None:
    assert play(case).reason == case.reason


def test_every_guard_refuses_in_a_case(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = set()

    class Noted(CallRefused):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)  # type: ignore[arg-type]
            frame = sys._getframe(2)
            while frame.f_code.co_filename == execution.__file__ and frame.f_code.co_name in (
                "require",
                "refuse",
            ):
                frame = frame.f_back  # type: ignore[assignment]
            seen.add((frame.f_code.co_filename, frame.f_lineno))

    monkeypatch.setattr(execution, "CallRefused", Noted)
    for case in CASES:
        play(case)
    gateway_refusals.deliver_an_odd_answer(fresh())
    found = {(path.removeprefix(f"{FOLDER}/"), line) for path, line in seen}
    missing = {site: reason for site, reason in sites().items() if site not in found}
    assert not missing
