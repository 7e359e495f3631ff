"""Judges mutants of Solidity with forge, in a copy of the contracts.

Mutants that can stand behind a switch are built together, once; the others (modifiers, functions
that may not look at the block) are built one at a time.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from mutants.mutant import Mutant
from mutants.switches import instrument
from mutants.targets import EVM, ROOT, Target
from mutants.verdicts import Files, Outcome, Verdict

_SECONDS = 1_800
# Fewer cases than in `make forge`: what they do not notice, the full number may. The switches make
# contracts larger than a ledger would take.
_SETTINGS = {
    "FOUNDRY_FUZZ_RUNS": "64",
    "FOUNDRY_INVARIANT_RUNS": "8",
    "FOUNDRY_CODE_SIZE_LIMIT": "10000000",
}
# As little of the optimizer as still compiles: builds take half as long, and more gas is used.
_LITTLE_OPTIMIZED = """
[profile.default.optimizer_details]
yul = true
[profile.default.optimizer_details.yulDetails]
stackAllocation = true
optimizerSteps = "u"
"""
_FIRST_NUMBER = 0x1000  # above the precompiled contracts and what tests call
_PURE = re.compile(rb"\bpure\b")


class SolidityJudge:
    """Runs a folder's tests against mutants.

    `relaxed` lets functions look at the block that say they do not, so that nearly every mutant
    can be switched.
    """

    def __init__(self, target: Target, *, relaxed: bool = False) -> None:
        self._target = target
        self._relaxed = relaxed
        self._folder = tempfile.TemporaryDirectory(prefix="caimi-mutants-")
        self._evm = Path(self._folder.name) / "evm"
        ignored = shutil.ignore_patterns("node_modules", "out", "cache")
        shutil.copytree(EVM, self._evm, ignore=ignored, symlinks=True)
        (self._evm / "node_modules").symlink_to(EVM / "node_modules")
        (self._evm.parent / "vectors").symlink_to(EVM.parent / "vectors")
        with (self._evm / "foundry.toml").open("a") as settings:
            settings.write(_LITTLE_OPTIMIZED)
        self._forge = str(next(EVM.glob("node_modules/@foundry-rs/forge-*/bin/forge")))
        if relaxed:
            for path in [*self._evm.glob("src/**/*.sol"), *self._evm.glob("test/**/*.sol")]:
                path.write_bytes(_PURE.sub(b"view", path.read_bytes()))

    def close(self) -> None:
        """Remove the copy."""
        self._folder.cleanup()

    def judge(self, mutants: Sequence[tuple[Mutant, Files]]) -> Iterator[Verdict]:
        """Give the verdict on each mutant, beside what its files read.

        Raises:
            subprocess.SubprocessError: the contracts with all switches off do not build.
        """
        switched = [each for each in mutants if each[0].switch is not None]
        yield from self._together(switched)
        for mutant, files in mutants:
            if mutant.switch is None:
                yield self._alone(mutant, files)

    def _together(self, mutants: Sequence[tuple[Mutant, Files]]) -> Iterator[Verdict]:
        if not mutants:
            return
        numbered = [(_FIRST_NUMBER + i, *each) for i, each in enumerate(mutants)]
        paths = {mutant.path for mutant, _ in mutants}
        for path in paths:
            here = [(number, mutant) for number, mutant, _ in numbered if mutant.path == path]
            self._write(path, instrument(_source(path), here))
        self._build()
        # What fails with every switch off, such as a promise about gas, tells of no mutant.
        self._leave_out(_failures(self._test()))
        self._build()
        for number, mutant, files in numbered:
            yield self._verdict(mutant, files, f"0x{number:040x}")
        for path in paths:
            self._write(path, _source(path))

    def _alone(self, mutant: Mutant, files: Files) -> Verdict:
        source = _source(mutant.path)
        self._write(mutant.path, mutant.apply(source))
        try:
            if self._ask("build").returncode != 0:
                return Verdict(mutant.id, files, "invalid", "it does not compile", 0.0)
            return self._verdict(mutant, files, None)
        finally:
            self._write(mutant.path, source)

    def _build(self) -> None:
        built = self._ask("build")
        if built.returncode != 0:
            errors = re.findall(r"^Error.*?\n\n", built.stdout + built.stderr + "\n\n", re.S | re.M)
            raise subprocess.SubprocessError("".join(errors))

    def _leave_out(self, failures: Sequence[str]) -> None:
        """Make ordinary functions of tests; to name them to forge takes seconds every time."""
        for failure in failures:
            file, name = failure.split("::")
            path = self._evm / "test" / file.split(":")[0]
            called, uncalled = f"function {name}(".encode(), f"function without_{name}(".encode()
            path.write_bytes(path.read_bytes().replace(called, uncalled))

    def _verdict(self, mutant: Mutant, files: Files, switch: str | None) -> Verdict:
        began = time.monotonic()
        outcome: Outcome = "killed"
        try:
            failed = _failures(self._test(switch))
        except subprocess.TimeoutExpired:
            failed = [f"the tests did not end within {_SECONDS} s"]
        if not failed:
            outcome = "survived"
        seconds = round(time.monotonic() - began, 2)
        return Verdict(mutant.id, files, outcome, "".join(failed[:1]), seconds)

    def _test(self, switch: str | None = None) -> str:
        switched = [] if switch is None else ["--fail-fast", "--block-coinbase", switch]
        return self._ask("test", "--json", *switched).stdout

    def _write(self, path: str, source: bytes) -> None:
        if self._relaxed:
            source = _PURE.sub(b"view", source)
        (self._evm / Path(path).relative_to("contracts/evm")).write_bytes(source)

    def _ask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self._forge, *arguments],
            cwd=self._evm,
            # Other folders' tests are not built; to match paths costs seconds for every mutant.
            env=os.environ | _SETTINGS | {"FOUNDRY_TEST": self._target.tests},
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )


def _source(path: str) -> bytes:
    return (ROOT / path).read_bytes()


def _failures(output: str) -> list[str]:
    """Name the tests that failed, of forge's JSON.

    Raises:
        ValueError: forge said something else.
    """
    return [
        f"{suite.removeprefix('test/')}::{name.split('(')[0]}"
        for suite, results in json.loads(output).items()
        for name, result in results["test_results"].items()
        if result["status"] == "Failure"
    ]
