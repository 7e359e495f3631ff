"""What a ledger need not offer: facets that are None where its family lacks them."""

from __future__ import annotations

from typing import TypeVar

from caimi.errors.ledgers import NotOffered
from caimi.ledgers.port.blocks import LedgerId

T = TypeVar("T")


def offered(facet: T | None, ledger: LedgerId, what: str) -> T:
    """Give an optional facet of a ledger.

    Raises:
        NotOffered: the ledger has none.
    """
    if facet is None:
        raise NotOffered(f"{ledger} offers no {what}.")
    return facet
