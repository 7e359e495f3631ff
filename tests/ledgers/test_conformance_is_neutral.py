"""The port's suite names no family, and every facet of it runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conformance.facet import Facet

import conformance

FOLDER = Path(conformance.__file__).parent
OF_A_FAMILY = re.compile(
    r"caimi\.ledgers\.(?!port\b|past\b|home\b|fact_ids\b|publications\b)|contracts\.|memory_ledger|\b0x|wei\b|\bgas\b|nonce"
    r"|\beth_|anvil|\bevm|solidity|eip155|eip-?712|keccak slot",
    re.IGNORECASE,
)


@pytest.mark.parametrize("module", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_the_suite_names_no_family(module: Path):
    found = [line for line in module.read_text().splitlines() if OF_A_FAMILY.search(line)]
    assert not found


def test_every_facet_is_in_the_suite_or_is_a_choice():
    whole = (conformance.LedgerConformance, conformance.SellingFacet, conformance.CoinlessFacet)
    past = (conformance.PastFacet, conformance.NoPastFacet)
    optional = (
        conformance.ContractAccountsFacet,
        conformance.KeyAccountsFacet,
        conformance.FeesFacet,
        conformance.NoFeesFacet,
        conformance.WatchingFacet,
        conformance.NoWatchingFacet,
        conformance.ForkingFacet,
        conformance.NoForkFacet,
        conformance.ProofsFacet,
        conformance.NoProofsFacet,
        conformance.ReadsFacet,
        conformance.NoReadsFacet,
    )
    choices = (*whole, *past, *optional)
    tested = [each for each in _descendants(Facet) if any(n.startswith("test") for n in vars(each))]
    facets = [each for each in tested if each.__module__.startswith("conformance.")]
    assert len(facets) > 10
    for facet in facets:
        assert any(issubclass(choice, facet) for choice in choices), facet


def _descendants(kind: type) -> list[type]:
    below = kind.__subclasses__()
    return below + [each for one in below for each in _descendants(one)]
