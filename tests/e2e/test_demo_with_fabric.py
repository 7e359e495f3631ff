"""The demonstration with real Fabric networks as the first, the second and the third ledger."""

from __future__ import annotations

import pytest
from test_demo_of_families import demo

from fabric_programs import needs_programs

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.fixture(scope="module", autouse=True)
def _programs() -> None:
    needs_programs()


def test_a_model_of_a_fabric_ledger_is_sold_and_moved_elsewhere() -> None:
    steps = demo("fabric,embedded")
    assert steps["2 publish"]["proved"].startswith("caimi:fabric:")
    assert "is on fabric:" in steps["3 license"]["proved"]
    assert "(fabric:" in steps["5 worker"]["proved"]
    assert "the publisher is owed 5 coin on eip155:" in steps["3 license"]["proved"]


def test_a_fabric_buyer_pays_in_the_accounting_asset_and_a_model_visits_another_channel() -> None:
    steps = demo("embedded+fabric")
    assert "for 5" in steps["3 find"]["proved"]
    assert "the publisher is owed 5 EUR on fabric:" in steps["3 license"]["proved"]
    bought, moved = steps["3 license"]["ledger"], steps["6 move"]["ledger"]
    assert bought.startswith("fabric:")
    assert moved.rpartition(" ")[2].startswith("fabric:")
    assert bought.partition(" ")[0] != moved.rpartition(" ")[2]
