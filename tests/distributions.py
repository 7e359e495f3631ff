"""What requirements come to, by what is installed here, and how large that is."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def needed(lines: Iterable[str]) -> set[str]:
    """Give the distributions that requirements come to, by what is installed here."""
    found: set[str] = set()
    pending = [Requirement(line) for line in lines]
    done = set()
    while pending:
        one = pending.pop()
        name = canonicalize_name(one.name)
        if (name, *one.extras) in done:
            continue
        done.add((name, *one.extras))
        found.add(name)
        for line in distribution(name).requires or ():
            inner = Requirement(line)
            if inner.marker is None or any(
                inner.marker.evaluate({"extra": extra}) for extra in ("", *one.extras)
            ):
                pending.append(inner)
    return found


def installed_bytes(name: str) -> int:
    """Give how much the files of a distribution take."""
    files = [file.locate() for file in distribution(name).files or ()]
    return sum(file.stat().st_size for file in files if file.is_file())
