"""One change of one source file that a test should notice."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["guard", "other"]


@dataclass(frozen=True, slots=True, order=True)
class Switch:
    """The expression or statement, bytes [start, end), that may be made to depend on a switch.

    Of a modifier, `after` is the end of its function, and `parameters` are those it is given.
    """

    start: int
    end: int
    form: Literal["expression", "statement", "modifier", "definition"]
    after: int = 0
    parameters: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Mutant:
    """Replace the bytes [start, end) of the file `path` by `text`.

    `what` says in words what is changed; `nth` tells equal changes of one file apart.
    """

    path: str
    start: int
    end: int
    text: str
    kind: Kind
    what: str
    present: str
    line: int
    nth: int = 0
    switch: Switch | None = None

    @property
    def id(self) -> str:
        """Name it by what is changed and not by where, so that the name outlives edits above it."""
        parts = (self.path, self.present, self.text, self.what, str(self.nth))
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]

    def apply(self, source: bytes) -> bytes:
        """Give the changed file."""
        return source[: self.start] + self.text.encode() + source[self.end :]

    def __str__(self) -> str:
        shown = " ".join(self.present.split())
        return f"{self.path}:{self.line} {self.what}: {shown[:120]}"


def numbered(found: Iterable[Mutant]) -> list[Mutant]:
    """Order mutants by place, drop the same change twice, and number those that read alike."""
    seen: set[tuple[int, int, str]] = set()
    alike: Counter[tuple[str, str, str]] = Counter()
    ordered = []
    # Of the same change, the one that is a guard counts.
    for mutant in sorted(found, key=lambda m: (m.start, m.end, m.text, m.kind != "guard")):
        place = (mutant.start, mutant.end, mutant.text)
        if place in seen:
            continue
        seen.add(place)
        key = (mutant.present, mutant.text, mutant.what)
        ordered.append(replace(mutant, nth=alike[key]))
        alike[key] += 1
    return ordered
