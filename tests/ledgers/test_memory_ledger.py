"""The port's suite on a ledger that is as unlike EVM as can be."""

from __future__ import annotations

import pytest

from conformance import CoinlessFacet, LedgerConformance, NoPastFacet
from memory_ledger import MemorySite


@pytest.fixture
def site() -> MemorySite:
    return MemorySite.named("near")


@pytest.fixture
def far() -> MemorySite:
    return MemorySite.named("far")


class TestMemoryLedger(LedgerConformance, CoinlessFacet, NoPastFacet):
    """The whole suite in memory."""
