"""Tests of contracts are run to their end.

Forge links the contracts that a test creates while it runs, by a cheat code of its own. Where such
a creation is refused as `expectRevert` said, the test ends there and passes, whatever comes after.
"""

from __future__ import annotations

import re

from mutants.targets import EVM

_EXPECTED = r"\([^;]*\);\s*(?:[\w\[\] ]+=\s*)?"
_EXPECTING = r"expect(?:Partial)?Revert"
_CREATION = r"new [A-Z]\w*\("
_FUNCTION = re.compile(
    r"function (\w+)\([^{;]*\b(?:private|internal)\b[^{;]*\{(.*?)\n    \}", re.DOTALL
)


def ends_early(source: str) -> list[str]:
    """Give what is expected to be refused and is a creation, by itself or in a function inside."""
    source = re.sub("//.*", "", source)
    within = _FUNCTION.findall(source)
    creations = [name for name, body in within if re.search(_CREATION, body)]
    last = [(name, body.strip().split(";")[-2:][0]) for name, body in within]
    expectations = [name for name, statement in last if re.search(_EXPECTING, statement)]
    creating = "|".join([_CREATION, *(rf"{name}\(" for name in creations)])
    expecting = "|".join([_EXPECTING, *(rf"\b{name}" for name in expectations)])
    found = re.finditer(rf"(?:{expecting}){_EXPECTED}(?:{creating})", source)
    return [" ".join(each.group().split()) for each in found]


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


def test_a_creation_by_a_function_inside_is_found() -> None:
    inside = """
    function make(uint256 a)
        private
    {
        new Thing(a);
    }
"""
    assert ends_early(f"{inside}    vm.expectRevert(Wrong.selector);\n make(1);")
    assert not ends_early(f"{inside}    vm.expectRevert(Wrong.selector);\n this.make(1);")


def test_an_expectation_by_a_function_inside_is_found() -> None:
    inside = """
    function expectWrong(uint256 a) private {
        vm.expectRevert(abi.encode(a));
    }
"""
    assert ends_early(f"{inside}    expectWrong(1); // for it is\n new Thing(1);")
    assert not ends_early(f"{inside}    expectWrong(1);\n this.makeThing(1);")
