"""Schedules in which one ledger is no EVM: how many there are, and that things happen there."""

from __future__ import annotations

import logging

import pytest

from faults.genesis import MEMBERS, THRESHOLD
from faults.settings import Settings
from faults.unlike_genesis import UNLIKE
from faults.world import Report, play


@pytest.fixture(autouse=True)
def _quiet() -> None:
    logging.disable(logging.CRITICAL)  # until the module ends: `logs_as_before`


def drawn(seed: int) -> Settings:
    return Settings.draw(seed, "tolerated", THRESHOLD, MEMBERS)


def blocks_there(report: Report) -> int:
    return sum(f" block {UNLIKE} " in note for note in report.notes)


def test_one_ledger_is_unlike_the_others_in_half_of_the_schedules() -> None:
    assert 450 < sum(drawn(seed).unlike for seed in range(1, 1_001)) < 550


def test_packets_end_between_unlike_ledgers_and_a_seed_plays_the_same() -> None:
    seeds = [seed for seed in range(1, 40) if drawn(seed).unlike][:4]
    reports = [play(seed) for seed in seeds]
    assert [(each.broken, each.harm) for each in reports] == [((), ())] * len(reports)
    assert sum(map(blocks_there, reports)) > 4
    assert play(seeds[0]).trace == reports[0].trace


def test_where_all_are_alike_nothing_happens_on_another() -> None:
    seed = next(seed for seed in range(1, 40) if not drawn(seed).unlike)
    assert blocks_there(play(seed)) == 0
