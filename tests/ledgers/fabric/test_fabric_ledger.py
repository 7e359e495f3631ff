"""A slice of the port's suite on a real network: an orderer, two organisations' peers, chaincode.

All of it is in `whole_suite.py`, which `make fabric-suite` plays.
"""

from __future__ import annotations

import pytest
from core_slice import CORE, core_of, own_tests
from fabric_site import FabricSite

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

WITHOUT = (
    LedgerConformance,
    CoinlessFacet,
    PastFacet,
    KeyAccountsFacet,
    NoFeesFacet,
    NoProofsFacet,
    NoWatchingFacet,
    NoForkFacet,
)
WITH = (SellingFacet, FeesFacet)


@pytest.fixture
def far() -> MemorySite:
    return MemorySite.named("far")


class TestFabricLedger(core_of(*WITHOUT)):
    """Where nothing is paid."""

    @pytest.fixture
    def site(self, coinless: FabricSite) -> FabricSite:
        return coinless


class TestFabricLedgerWithAnAccountingAsset(core_of(*WITH)):
    """What is paid for, in units of an issuer."""

    @pytest.fixture
    def site(self, selling: FabricSite) -> FabricSite:
        return selling


def test_the_slice_has_something_of_every_facet():
    facets = [each for each in LedgerConformance.__mro__ if own_tests(each)]
    facets += [*WITHOUT[1:], *WITH]
    assert [each for each in facets if not own_tests(each) & CORE] == []
    assert frozenset().union(*map(own_tests, facets)) >= CORE
