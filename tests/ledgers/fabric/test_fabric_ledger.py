"""The port's suite on a real Fabric network: an orderer, two organisations' peers and chaincode."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fabric_site import FabricSite, fabric_site

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
    ReadsFacet,
    SellingFacet,
)
from memory_ledger import MemorySite


@pytest.fixture(scope="module")
def coinless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FabricSite]:
    with fabric_site(tmp_path_factory.mktemp("coinless"), with_asset=False) as site:
        yield site


@pytest.fixture(scope="module")
def selling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FabricSite]:
    with fabric_site(tmp_path_factory.mktemp("selling"), with_asset=True) as site:
        yield site


@pytest.fixture
def far() -> MemorySite:
    return MemorySite.named("far")


class TestFabricLedger(
    LedgerConformance,
    CoinlessFacet,
    PastFacet,
    KeyAccountsFacet,
    NoFeesFacet,
    NoProofsFacet,
    ReadsFacet,
    NoWatchingFacet,
    NoForkFacet,
):
    """The whole suite where nothing is paid."""

    @pytest.fixture
    def site(self, coinless: FabricSite) -> FabricSite:
        return coinless


class TestFabricLedgerWithAnAccountingAsset(SellingFacet, FeesFacet):
    """What is paid for, in units of an issuer."""

    @pytest.fixture
    def site(self, selling: FabricSite) -> FabricSite:
        return selling
