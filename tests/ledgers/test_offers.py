"""Facets that a ledger need not have."""

from __future__ import annotations

import pytest

from caimi.errors.ledgers import NotOffered
from caimi.ledgers.port import LedgerId, offered

LEDGER = LedgerId("eip155:7")


def test_what_a_ledger_offers_is_given() -> None:
    assert offered("fees", LEDGER, "fees for relayers") == "fees"


def test_what_it_does_not_offer_is_refused_by_name() -> None:
    with pytest.raises(NotOffered, match=r"eip155:7 offers no watching\."):
        offered(None, LEDGER, "watching")
