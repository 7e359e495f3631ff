"""The demonstration's steps where neither the model's home nor its consumer's ledger has a coin."""

from __future__ import annotations

from pathlib import Path

import pytest

from caimi.demo import steps
from caimi.demo.report import Report
from caimi.demo.subject import trained_subject
from caimi.demo.world import start_world
from offered_example import offer_example


async def test_a_model_at_home_where_nothing_is_paid_is_granted_moved_and_released(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer_example(tmp_path, monkeypatch)
    report = Report(lambda step: None)
    subject = trained_subject("breast-cancer", tmp_path / "trained")
    async with start_world("sqlite,sqlite,embedded", tmp_path) as world:
        published = await steps.publish_model(world, subject, report)
        await steps.license_from_another_ledger(world, published.uri, report)
        await steps.unlock_with_a_threshold(world, published.uri, report)
        await steps.move_ownership(world, published.uri, report)
        await steps.release_and_roll_back(world, subject, published, report)
    said = {step.name: step.proved for step in report.steps}
    assert said["3 license"].startswith("no coin on local:sqlite1: paying is refused (CAIMI-")
    assert " granted licence 0x" in said["3 license"]
    assert "is refused: " in said["6 forgery"]
    assert len(said) == 13
