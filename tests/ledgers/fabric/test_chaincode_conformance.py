"""The port's suite on the chaincode of two organisations, over a channel in this process."""

from __future__ import annotations

from pathlib import Path

import pytest
from instant_voyages import InstantVoyagesFacet
from site_of_stand_in import FabricSite

from caimi.ledgers.machine.ed25519_keys import Ed25519Key
from conformance import (
    CoinlessFacet,
    FeesFacet,
    KeyAccountsFacet,
    LedgerConformance,
    NoFeesFacet,
    NoForkFacet,
    NoProofsFacet,
    NoReadsFacet,
    NoWatchingFacet,
    PastFacet,
    SellingFacet,
)
from memory_ledger import MemorySite


@pytest.fixture
async def site(tmp_path: Path) -> FabricSite:
    return await FabricSite.named("near", tmp_path)


@pytest.fixture
def far() -> MemorySite:
    return MemorySite.named("far")


class TestChaincode(
    InstantVoyagesFacet,
    LedgerConformance,
    CoinlessFacet,
    PastFacet,
    KeyAccountsFacet,
    NoFeesFacet,
    NoProofsFacet,
    NoReadsFacet,
    NoWatchingFacet,
    NoForkFacet,
):
    """The shared suite."""


class TestChaincodeWithAnAccountingAsset(
    InstantVoyagesFacet,
    LedgerConformance,
    SellingFacet,
    FeesFacet,
    PastFacet,
    KeyAccountsFacet,
    NoProofsFacet,
    NoReadsFacet,
    NoWatchingFacet,
    NoForkFacet,
):
    """The same where an issuer makes units, which licences are sold for."""

    @pytest.fixture
    async def site(self, tmp_path: Path) -> FabricSite:
        return await FabricSite.named("near", tmp_path, Ed25519Key())
