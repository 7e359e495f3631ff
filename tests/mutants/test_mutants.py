"""Mutants are found where guards are, and judged by the tests of their own folder."""

from __future__ import annotations

import ast
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from mutants import python_mutants, solidity_mutants
from mutants.__main__ import find, of_one_file, sample
from mutants.accepted import accepted
from mutants.mutant import Mutant
from mutants.python_judge import PythonJudge
from mutants.switches import instrument
from mutants.targets import EVM, ROOT, TARGETS, Target
from mutants.verdicts import Files, Verdict, Verdicts

_PYTHON = b"""
def spend(self, account: Account, amount: int) -> None:
    if account.frozen or not 0 < amount <= account.balance:
        raise Refused(amount)
    _check_owner(account)
    account.balance -= amount


def owns(account: Account, model: Model) -> bool:
    return model.live and model.owner == account.name
"""

_SOLIDITY = b"""
contract Purse {
    function spend(uint256 amount) external onlyOwner {
        require(amount != 0 && amount <= balance, Refused(amount));
        if (frozen) revert Frozen();
        _requireOpen();
        balance -= amount;
    }
    function _less(uint256 a, uint256 b) private pure returns (bool) { return a < b; }
}
"""


def changed(source: bytes, mutants: list[Mutant]) -> list[tuple[str, str]]:
    return [(" ".join(m.present.split()), m.text.strip()) for m in mutants if m.kind == "guard"]


def test_every_guard_of_a_python_file_is_removed_once() -> None:
    assert changed(_PYTHON, python_mutants.find("it.py", _PYTHON)) == [
        ("account.frozen", "(False)"),
        ("account.frozen or not 0 < amount <= account.balance", "(False)"),
        ("0 < amount <= account.balance", "(True)"),
        ("0 < amount", "<="),
        ("amount <= account.balance", "<"),
        ("_check_owner(account)", "None"),
        ("model.live", "(True)"),
        ("model.owner == account.name", "(True)"),
    ]


def test_every_guard_of_a_contract_is_removed_once() -> None:
    assert changed(_SOLIDITY, solidity_mutants.find("it.sol", _SOLIDITY, EVM / "solc")) == [
        ("onlyOwner", ""),
        ("require(amount != 0 && amount <= balance, Refused(amount))", "{}"),
        ("amount != 0", "(true)"),
        ("amount <= balance", "(true)"),
        ("amount <= balance", "<"),
        ("frozen", "(false)"),
        ("_requireOpen()", "{}"),
        ("a < b", "(true)"),
    ]


def test_every_python_mutant_of_the_trust_core_can_be_read_and_is_another_program() -> None:
    for target in TARGETS:
        for path in target.files() if target.language == "python" else ():
            source = (ROOT / path).read_bytes()
            parts = statements(source)
            dumped = {start: tree(source[start:end]) for start, end in parts}
            for mutant in python_mutants.find(path, source):
                ((start, end),) = (p for p in parts if p[0] <= mutant.start < p[1])
                placed = replace(mutant, start=mutant.start - start, end=mutant.end - start)
                assert tree(placed.apply(source[start:end])) != dumped[start], mutant


def statements(source: bytes) -> list[tuple[int, int]]:
    """Give where each statement of a module begins and ends, and of its classes each of theirs."""
    lines = [0]
    for line in source.splitlines(keepends=True):
        lines.append(lines[-1] + len(line))
    found = [
        inner
        for outer in ast.parse(source).body
        for inner in (outer.body if isinstance(outer, ast.ClassDef) else [outer])
    ]
    return [(lines[each.lineno - 1], lines[each.end_lineno or 0]) for each in found]


def tree(statement: bytes) -> str:
    block = b"if 1:\n" if statement.startswith(b" ") else b""
    return ast.dump(ast.parse(block + statement))


def test_every_target_has_files_and_every_mutant_a_name_of_its_own() -> None:
    suspects = list(find("python", relaxed=False))
    assert {each.target for each in suspects} == {t for t in TARGETS if t.language == "python"}
    assert len({each.mutant.id for each in suspects}) == len(suspects) > 1_000


def test_a_mutant_keeps_its_name_when_lines_above_it_change() -> None:
    before = python_mutants.find("it.py", _PYTHON)
    after = python_mutants.find("it.py", b"import math\n\n" + _PYTHON)
    assert [mutant.id for mutant in before] == [mutant.id for mutant in after]


def test_a_contract_with_switches_is_one_that_solc_reads_and_holds_each_mutant() -> None:
    path = "contracts/evm/src/limits/RouteLimits.sol"
    source = (ROOT / path).read_bytes()
    found = solidity_mutants.find(path, source, EVM / "solc", relaxed=True)
    numbered = [(17 + i, mutant) for i, mutant in enumerate(found) if mutant.switch]
    text = instrument(source, numbered)
    solidity_mutants.parse(EVM / "solc", text.decode())
    assert all(text.count(b"address(%d)" % number) == 1 for number, _ in numbered)
    assert instrument(source, []) == source


def test_what_may_not_look_at_the_block_has_no_switch() -> None:
    found = solidity_mutants.find("it.sol", _SOLIDITY, EVM / "solc")
    switches = {mutant.present: mutant.switch is not None for mutant in found}
    assert switches["a < b"] is False
    assert switches["frozen"] is True
    relaxed = solidity_mutants.find("it.sol", _SOLIDITY, EVM / "solc", relaxed=True)
    assert all(mutant.switch for mutant in relaxed if mutant.present == "a < b")


def test_a_modifier_is_asked_by_a_function_of_its_own_unless_it_is_switched_off() -> None:
    source = b"""contract Purse {
        function spend(uint256 id, bytes calldata to) external only(id) nonReentrant { pay(to); }
        function see(uint256 id) external view only(id) returns (uint256) { return id; }
    }"""
    found = solidity_mutants.find("it.sol", source, EVM / "solc", relaxed=True)
    switched = [mutant for mutant in found if mutant.switch and mutant.present == "only(id)"]
    assert len(switched) == 1  # not where nothing may be changed
    assert not [mutant for mutant in found if mutant.switch and mutant.present == "nonReentrant"]
    text = " ".join(instrument(source, [(17, switched[0])]).decode().split())
    assert "external mutant_17(id) nonReentrant { pay(to); } function guard_17" in text
    assert "function guard_17(uint256 id) private only(id) {}" in text
    assert "if (block.coinbase != address(17)) guard_17(id); _;" in text
    solidity_mutants.parse(EVM / "solc", text)


@pytest.fixture
def signatures() -> Target:
    (target,) = (each for each in TARGETS if each.tests == "tests/test_signatures.py")
    return target


def test_a_removed_guard_is_noticed_and_a_harmless_change_is_not(
    signatures: Target, tmp_path: Path
) -> None:
    (path,) = signatures.files()
    source = (ROOT / path).read_bytes()
    guard = next(m for m in python_mutants.find(path, source) if m.kind == "guard")
    words = b"from __future__ import annotations"
    at = source.index(words)
    harmless = Mutant(
        path, at, at + len(words), words.decode() + "  # as before", "other", "a comment", "", 1
    )
    files = Files.of(signatures, path)
    with closing(PythonJudge(signatures, tmp_path / "reach.json")) as judging:
        noticed, unnoticed = judging.judge([(guard, files), (harmless, files)])
    assert noticed.outcome == "killed"
    assert noticed.by.startswith("tests/test_signatures.py::")
    assert unnoticed.outcome == "survived"
    assert (ROOT / path).read_bytes() == source


def test_a_campaign_goes_on_where_it_stopped(tmp_path: Path) -> None:
    files = Files("source", "tests")
    Verdicts(tmp_path / "v").add(Verdict("a", files, "killed", "test_it", 1.0))
    Verdicts(tmp_path / "v").add(Verdict("b", files, "survived", "", 1.0))
    again = Verdicts(tmp_path / "v")
    assert again.get("a", files) is not None
    # More tests may notice what survived; they do not stop noticing what they noticed.
    other_tests = Files("source", "other tests")
    assert again.get("a", other_tests) is not None
    assert again.get("b", files) is not None
    assert again.get("b", other_tests) is None
    assert again.get("a", Files("other source", "tests")) is None


def test_a_record_is_known_and_what_is_judged_here_counts_before_it(tmp_path: Path) -> None:
    files, record = Files("source", "tests"), tmp_path / "record"
    for name in "ba":
        Verdicts(tmp_path / "there").add(Verdict(name, files, "survived", "", 1.0))
    Verdicts(tmp_path / "there").write(record)
    assert [line[:10] for line in record.read_text().splitlines()] == ['{"id": "a"', '{"id": "b"']
    Verdicts(tmp_path / "here", record).add(Verdict("a", files, "killed", "test_it", 1.0))
    again = Verdicts(tmp_path / "here", record)
    known = [again.get(name, files) for name in "ab"]
    assert [each.outcome for each in known if each] == ["killed", "survived"]


def test_a_seed_draws_the_same_mutants_of_one_file() -> None:
    suspects = list(find("python", relaxed=False))
    drawn = sample(of_one_file(suspects, 7), 5, 7)
    assert len(drawn) == 5
    assert len({each.mutant.path for each in drawn}) == 1
    assert drawn == sample(of_one_file(suspects, 7), 5, 7)


def test_every_accepted_survivor_is_a_mutant_of_the_sources() -> None:
    known = {e.mutant.id for lang in ("python", "solidity") for e in find(lang, relaxed=True)}
    assert set(accepted(ROOT / "docs" / "faults.md")) - known == set()
