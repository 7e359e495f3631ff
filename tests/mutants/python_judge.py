"""Judges mutants of Python: the tests of a file's own folder that reach the changed line are run.

Which tests reach which line is measured once for a folder, with coverage's contexts.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import coverage

from mutants.mutant import Mutant
from mutants.targets import ROOT, Target
from mutants.verdicts import Files, Outcome, Verdict

_SECONDS = 300
_PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"]
_QUIET = ["--no-header", "--tb=line", "--hypothesis-profile=ci"]
_PASSED, _FAILED, _NOT_COLLECTED = 0, 1, 2


class PythonJudge:
    """Runs tests over a copy of the sources in which one file is changed at a time."""

    def __init__(self, target: Target, kept: Path) -> None:
        self._target = target
        self._reach = _reach(target, kept)
        self._folder = tempfile.TemporaryDirectory(prefix="caimi-mutants-")
        self._root = Path(self._folder.name)
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "src", self._root / "src", ignore=ignored)

    def close(self) -> None:
        """Remove the copy."""
        self._folder.cleanup()

    def judge(self, mutants: Sequence[tuple[Mutant, Files]]) -> Iterator[Verdict]:
        """Give the verdict on each mutant, beside what its files read.

        Raises:
            subprocess.SubprocessError: pytest did not run.
        """
        for mutant, files in mutants:
            yield self._judge(mutant, files)

    def _judge(self, mutant: Mutant, files: Files) -> Verdict:
        began = time.monotonic()
        tests = self._tests(mutant)
        outcome: Outcome = "survived"
        by = "no test of its folder reaches it"
        if tests:
            source = (ROOT / mutant.path).read_bytes()
            path = self._root / mutant.path
            path.write_bytes(mutant.apply(source))
            try:
                outcome, by = self._run(tests)
            finally:
                path.write_bytes(source)
        return Verdict(mutant.id, files, outcome, by, round(time.monotonic() - began, 2))

    def _tests(self, mutant: Mutant) -> list[str]:
        reach = self._reach.get(mutant.path, {})
        lines = range(mutant.line, mutant.line + mutant.present.count("\n") + 1)
        found = {test for line in lines for test in reach.get(str(line), ())}
        # What runs while a module is imported is reached by every test.
        return [self._target.tests] if "" in found else sorted(found)

    def _run(self, tests: list[str]) -> tuple[Outcome, str]:
        environment = os.environ | {
            "PYTHONPATH": str(self._root / "src"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        try:
            ran = subprocess.run(
                [*_PYTEST, *_QUIET, "-x", "-n0", *tests],
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return "killed", f"no test ended within {_SECONDS} s"
        if ran.returncode == _PASSED:
            return "survived", ""
        said = [line for line in ran.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
        if ran.returncode not in (_FAILED, _NOT_COLLECTED) or not said:
            raise subprocess.SubprocessError(ran.stdout[-2_000:] + ran.stderr[-2_000:])
        return "killed", said[0].split(" - ")[0].removeprefix("FAILED ")[:200]


def _reach(target: Target, kept: Path) -> dict[str, dict[str, list[str]]]:
    """Tell for each line of the target's files which tests reach it; measured once and kept."""
    if kept.is_file():
        known: dict[str, dict[str, list[str]]] = json.loads(kept.read_text("utf-8"))
        return known
    with tempfile.TemporaryDirectory(prefix="caimi-reach-") as folder:
        data = Path(folder) / "coverage"
        settings = Path(folder) / "settings"
        settings.write_text(f"[run]\nsource = caimi\ndata_file = {data}\n", "utf-8")
        measuring = ["--cov", f"--cov-config={settings}", "--cov-context=test", "--cov-report="]
        subprocess.run(
            [*_PYTEST, *_QUIET, "-n0", *measuring, target.tests],
            cwd=ROOT,
            env=os.environ | {"COVERAGE_FILE": str(data), "PYTHONPATH": str(ROOT / "src")},
            check=True,
            stdout=subprocess.DEVNULL,
        )
        measured = coverage.CoverageData(str(data))
        measured.read()
        reach = {
            path: {
                str(line): sorted({_function(context) for context in contexts})
                for line, contexts in measured.contexts_by_lineno(str(ROOT / path)).items()
            }
            for path in target.files()
        }
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(reach), "utf-8")
    return reach


def _function(context: str) -> str:
    """Take the test function of a context: names of cases are not always ones pytest takes."""
    return context.split("[", maxsplit=1)[0].split("|", maxsplit=1)[0]
