"""What a notebook shows of a model, its lineage and a check, whatever its publisher wrote."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from caimi.client.catalogue import ancestors, show
from caimi.client.publish import Description, publish
from caimi.client.verify import Verified, verify_version
from caimi.demo.world import World, start_world
from caimi.inference.verification import Check
from caimi.models.card import Dataset, ModelCard
from caimi.models.package import Package

HOSTILE = "\"'><script>alert(1)</script></table><img src=x onerror=alert(1)>"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with start_world("embedded", tmp_path) as started:
        yield started


async def test_a_hostile_publisher_puts_no_html_into_a_notebook(
    world: World, tmp_path: Path
) -> None:
    file = tmp_path / "model.bin"
    file.write_bytes(b"weights")
    description = Description(
        card=ModelCard(description=HOSTILE, contact=HOSTILE),
        metrics={HOSTILE: 1.0},
        datasets=[Dataset(HOSTILE, bytes(32))],
    )
    done = await publish(
        world.publisher,
        Package.from_path(file),
        ledger=world.a.id,
        name="m",
        version="1.0.0",
        price="5",
        description=description,
    )
    shown = await show(world.consumer, done.uri)
    family = await ancestors(world.consumer, done.uri)
    verified = await verify_version(world.consumer, done.uri, None)
    cards = [shown._repr_html_(), shown.manifest._repr_html_()]
    for text in [*cards, family._repr_html_(), verified._repr_html_()]:
        assert text.startswith("<table>")
        assert "<script" not in text
        assert "<img" not in text
    for text in cards:
        assert "alert(1)" in text
        assert shown.publisher in text
    assert done.uri in cards[0]
    assert "5" in cards[0]
    assert "1.0.0" in family._repr_html_()
    assert "sealed chunks are stored" in verified._repr_html_()


def test_a_check_s_detail_is_text() -> None:
    verified = Verified(HOSTILE, (Check.of(HOSTILE, False, HOSTILE),))
    assert "<script" not in verified._repr_html_()
