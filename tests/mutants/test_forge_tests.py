"""Tests of contracts are run to their end.

Forge links the contracts that a test creates while it runs, by a cheat code of its own. Where such
a creation is refused as `expectRevert` said, the test ends there and passes, whatever comes after.
"""

from __future__ import annotations

import re

from mutants.targets import EVM

_EXPECTED = re.compile(r"expect(Partial)?Revert\([^;]*\);\s*(?:[\w\[\] ]+=\s*)?new [A-Z]\w*\(")


def ends_early(source: str) -> list[str]:
    return [" ".join(found.group().split()) for found in _EXPECTED.finditer(source)]


def test_no_test_expects_that_a_creation_of_its_own_is_refused() -> None:
    files = sorted(EVM.glob("test/**/*.sol"))
    assert len(files) > 30
    found = {path.name: ends_early(path.read_text("utf-8")) for path in files}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_such_a_creation_is_found() -> None:
    assert ends_early("vm.expectRevert(Wrong.selector);\n        new Thing(1);")
    assert ends_early("vm.expectPartialRevert(abi.encode(1, (2)));\n Thing thing = new Thing(1);")
    assert not ends_early("vm.expectRevert(Wrong.selector);\n this.makeThing(1); new Thing(2);")
    assert not ends_early("vm.expectRevert(Wrong.selector);\n bytes[] memory a = f(1);")
