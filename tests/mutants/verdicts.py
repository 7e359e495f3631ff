"""What came of each mutant, kept in a file so that a campaign goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from mutants.targets import EVM, ROOT, Target

# "invalid": it does not compile, or compiles to the same bytes, and so is no mutant.
Outcome = Literal["killed", "survived", "invalid"]


@dataclass(frozen=True, slots=True)
class Files:
    """Digests of a mutant's own file and of the tests that it faces."""

    source: str
    tests: str

    @classmethod
    def of(cls, target: Target, path: str) -> Files:
        """Read the files of one mutant."""
        base = ROOT if target.language == "python" else EVM
        tests = base / target.tests
        suffix = "*.py" if target.language == "python" else "*.sol"
        read = hashlib.sha256()
        for file in sorted(tests.rglob(suffix)) if tests.is_dir() else [tests]:
            read.update(hashlib.sha256(file.read_bytes()).digest())
        source = hashlib.sha256((ROOT / path).read_bytes())
        return cls(source.hexdigest()[:16], read.hexdigest()[:16])


@dataclass(frozen=True, slots=True)
class Verdict:
    """`by` names the test that failed, or says why there was none."""

    id: str
    files: Files
    outcome: Outcome
    by: str
    seconds: float

    def holds_for(self, files: Files) -> bool:
        """Say whether it still counts: what was noticed is noticed by more tests, too."""
        if self.outcome == "survived":
            return self.files == files
        return self.files.source == files.source


class Verdicts:
    """Verdicts in a file of JSON lines; the newest of a mutant counts.

    `record` is a file of the same form that comes with the sources: what campaigns elsewhere found.
    """

    def __init__(self, path: Path, record: Path | None = None) -> None:
        self._path = path
        self._known: dict[str, Verdict] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        for file in (record, path):
            if file is not None and file.is_file():
                for line in file.read_text("utf-8").splitlines():
                    fields = json.loads(line)
                    verdict = Verdict(**(fields | {"files": Files(**fields["files"])}))
                    self._known[verdict.id] = verdict

    def write(self, record: Path) -> None:
        """Write all that is known as a record, in the order of the names."""
        lines = (json.dumps(asdict(self._known[name])) for name in sorted(self._known))
        record.write_text("".join(f"{line}\n" for line in lines), "utf-8")

    def get(self, mutant: str, files: Files) -> Verdict | None:
        """Give the verdict on a mutant of files that read so, if there is one."""
        known = self._known.get(mutant)
        return known if known is not None and known.holds_for(files) else None

    def add(self, verdict: Verdict) -> None:
        """Keep a verdict; written when this returns."""
        self._known[verdict.id] = verdict
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(verdict)) + "\n")
