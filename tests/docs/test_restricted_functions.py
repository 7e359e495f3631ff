"""No restricted function is forgotten: by the hand-over's tests, and by the page on governance."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from caimi.ledgers.evm.administration.roles import STOPS

FUNCTION = re.compile(r"function (\w+)\([^{;]*?\brestricted\b[^{;]*\{")


@pytest.fixture
def restricted(repository: Path) -> set[tuple[str, str]]:
    """Every restricted function, with the contract that declares it."""
    return {
        (file.stem, name)
        for file in (repository / "contracts" / "evm" / "src").rglob("*.sol")
        for name in FUNCTION.findall(file.read_text())
    }


def test_every_restricted_function_is_tried_after_the_hand_over(repository, restricted):
    tests = repository / "contracts" / "evm" / "test" / "governance" / "HandOver.t.sol"
    tried = set(re.findall(r"abi\.encodeCall\((\w+)\.(\w+),", tests.read_text()))
    assert len(restricted) > 15
    assert restricted - tried == set()


def test_every_restricted_function_is_in_the_page_on_governance(repository, restricted):
    page = (repository / "docs" / "governance.md").read_text()
    missing = {
        f"{contract}.{name}" for contract, name in restricted if f"`{contract}.{name}`" not in page
    }
    assert missing == set()


def test_what_guardians_may_call_exists_and_is_tried_as_a_stop(repository, restricted):
    tests = repository / "contracts" / "evm" / "test" / "governance" / "HandOver.t.sol"
    tried = set(re.findall(r"_stop\(\"(\w+)\"", tests.read_text()))
    assert tried == {name for names in STOPS.values() for name in names}
    declared = {name for _, name in restricted}
    assert tried <= declared
