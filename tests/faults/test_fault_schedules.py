"""The simulated world itself: what it promises, and a few schedules of each kind.

`make faults` plays the two thousand.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable

import pytest

from faults.settings import Kind, Settings
from faults.world import play


@pytest.fixture(autouse=True)
def _quiet() -> None:
    logging.disable(logging.CRITICAL)  # until the module ends: `logs_as_before`


def test_a_seed_plays_the_same_whatever_was_played_before() -> None:
    alone = play(3)
    play(4)
    again = play(3)
    assert alone.trace == again.trace
    assert alone.notes == again.notes
    assert alone.trace != play(5).trace


@pytest.mark.parametrize("seed", [*range(100_001, 100_013), 701_153, 702_396])
def test_every_packet_ends_and_no_model_has_two_holders(seed: int) -> None:
    report = play(seed)
    assert report.broken == ()
    assert report.harm == ()


def test_faults_and_attacks_do_strike() -> None:
    reports = [play(seed) for seed in range(200_001, 200_009)]
    told = " ".join(note for report in reports for note in report.notes)
    assert sum(report.packets for report in reports) > 20
    assert sum(report.attacks for report in reports) > 10
    assert " dies" in told
    assert " reorg " in told


def test_one_more_stolen_key_harms_its_own_route_and_nothing_else() -> None:
    reports = [play(seed, "one-more") for seed in (*range(13, 25), 203)]
    assert [report.broken for report in reports] == [()] * len(reports)
    assert any("live on" in line for report in reports for line in report.harm)


def test_the_watcher_notices_a_stolen_threshold_and_pauses_its_route() -> None:
    reports = [play(seed, "one-more") for seed in range(21, 33)]
    assert [report.broken for report in reports] == [()] * len(reports)
    found = [line for report in reports for line in report.notes if "the watcher: " in line]
    assert {line.split()[3] for line in found} >= {"CAIMI-M030", "CAIMI-M032"}


def test_a_watcher_whose_nodes_lag_and_fail_raises_no_false_alarm() -> None:
    reports = [play(seed) for seed in range(55, 65)]
    assert [report.broken for report in reports] == [()] * len(reports)


def _drawn(count: int, kind: Kind, wanted: Callable[[Settings], object]) -> list[int]:
    """Give the first seeds whose schedules are as wanted."""
    every = (Settings.draw(seed, kind, threshold=3, members=5) for seed in itertools.count(1))
    return [each.seed for each in itertools.islice(filter(wanted, every), count)]


def test_small_limits_and_breakers_lose_no_packet() -> None:
    reports = [play(seed) for seed in _drawn(10, "tolerated", lambda s: s.limits >= 4)]
    assert [report.broken for report in reports] == [()] * len(reports)
    assert any("closes the breaker" in line for report in reports for line in report.notes)


def test_a_thief_with_all_keys_passes_neither_limits_nor_what_is_out() -> None:
    reports = [play(seed, "one-more") for seed in _drawn(10, "one-more", lambda s: s.limits >= 4)]
    assert [report.broken for report in reports] == [()] * len(reports)
    assert any(report.harm for report in reports)


def test_packets_end_across_a_handover_to_the_next_committee() -> None:
    reports = [play(seed) for seed in _drawn(8, "tolerated", lambda s: s.rotates)]
    assert [report.broken for report in reports] == [()] * len(reports)
    assert all("the committee rotates" in " ".join(report.notes) for report in reports)


def test_a_ledger_that_breaks_its_word_makes_validators_refuse_and_never_contradict() -> None:
    reports = [play(seed, "beyond-finality") for seed in range(28, 40)]
    assert [report.broken for report in reports] == [()] * len(reports)
    assert sum(report.alarms for report in reports) > 0


@pytest.mark.parametrize("kind", ["tolerated", "beyond-finality"])
def test_fewer_than_the_threshold_are_malicious_or_misled(kind: Kind) -> None:
    for seed in range(200):
        drawn = Settings.draw(seed, kind, threshold=3, members=5)
        assert len(drawn.evil) + len(drawn.misled) < 3
        assert not set(drawn.evil) & set(drawn.misled)
