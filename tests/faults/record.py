"""Which seeds were played already, on which sources, and which of them broke something."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, order=True)
class Stretch:
    """Seeds first to last, both included, played on the sources named `tree`."""

    first: int
    last: int
    tree: str


def joined(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Put together what is side by side and of one tree."""
    found: list[Stretch] = []
    for each in sorted(stretches):
        before = found[-1] if found else None
        if before and before.tree == each.tree and each.first <= before.last + 1:
            found[-1] = Stretch(before.first, max(before.last, each.last), each.tree)
        else:
            found.append(each)
    return found


@dataclass(slots=True)
class Record:
    """What a campaign did so far, in a file that each stretch is added to once it is done."""

    path: Path
    clean: list[Stretch] = field(default_factory=list)
    broken: dict[int, list[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Record:
        """Read the file; an empty record where there is none."""
        if not path.exists():
            return cls(path)
        document = json.loads(path.read_text("utf-8"))
        return cls(
            path,
            [Stretch(*each) for each in document["clean"]],
            {int(seed): lines for seed, lines in document["broken"].items()},
        )

    def next_undone(self, seed: int) -> tuple[int, int | None]:
        """Give the first seed from `seed` on that was not played, and the next that was."""
        for each in sorted(self.clean):
            if each.first <= seed <= each.last:
                seed = each.last + 1
            elif each.first > seed:
                return seed, each.first
        return seed, None

    def add(self, first: int, count: int, tree: str, broken: dict[int, list[str]]) -> None:
        """Write down what came of a stretch, whole or not at all; seeds that broke are no part."""
        for seed in range(first, first + count):
            if seed in broken:
                self.broken[seed] = broken[seed]
            else:
                self.clean.append(Stretch(seed, seed, tree))
                self.broken.pop(seed, None)
        self.clean = joined(self.clean)
        document = {
            "clean": [[each.first, each.last, each.tree] for each in self.clean],
            "broken": {str(seed): lines for seed, lines in sorted(self.broken.items())},
        }
        fresh = self.path.with_suffix(".new")
        fresh.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
        fresh.replace(self.path)

    def table(self) -> str:
        """Write the stretches as rows of docs/faults.md."""
        return "\n".join(
            f"| {each.first} to {each.last} | {each.last - each.first + 1} | `{each.tree[:12]}` |"
            for each in self.clean
        )
