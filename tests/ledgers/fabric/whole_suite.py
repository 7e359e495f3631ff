"""The whole of the port's suite on a real network, with and without an accounting asset.

It takes minutes, so it is no `test_` file: `make fabric-suite` plays it.
"""

from __future__ import annotations

import pytest
from fabric_site import FabricSite
from instant_voyages import InstantVoyagesFacet

from conformance import (
    CoinlessFacet,
    FeesFacet,
    KeyAccountsFacet,
    LedgerConformance,
    NoFeesFacet,
    NoForkFacet,
    NoProofsFacet,
    NoWatchingFacet,
    PastFacet,
    SellingFacet,
)
from memory_ledger import MemorySite


@pytest.fixture
def far() -> MemorySite:
    return MemorySite.named("far")


class TestWholeFabricLedger(
    InstantVoyagesFacet,
    LedgerConformance,
    CoinlessFacet,
    PastFacet,
    KeyAccountsFacet,
    NoFeesFacet,
    NoProofsFacet,
    NoWatchingFacet,
    NoForkFacet,
):
    """Where nothing is paid."""

    @pytest.fixture
    def site(self, coinless: FabricSite) -> FabricSite:
        return coinless


class TestWholeFabricLedgerWithAnAccountingAsset(
    InstantVoyagesFacet,
    LedgerConformance,
    SellingFacet,
    FeesFacet,
    PastFacet,
    KeyAccountsFacet,
    NoProofsFacet,
    NoWatchingFacet,
    NoForkFacet,
):
    """The same where licences are sold for units of an issuer."""

    @pytest.fixture
    def site(self, selling: FabricSite) -> FabricSite:
        return selling
