"""What every facet of the suite stands on."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from caimi.ledgers.port import LedgerId
from conformance.site import Site, World

ELSEWHERE = LedgerId("local:elsewhere")


class Facet:
    """Tests of one facet; whoever subclasses gives the fixture `site`."""

    @pytest.fixture
    async def world(self, site: Site) -> AsyncIterator[World]:
        ledger = site.open()
        yield World(site, ledger, await site.wallet("alice"), await site.wallet("bob"))
        await ledger.aclose()
