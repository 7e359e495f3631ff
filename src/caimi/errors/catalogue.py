"""Every error that CAIMI can raise, gathered from the exception tree, and its page in docs/."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass

import caimi.errors
from caimi.errors.base import CaimiError

AREAS = {
    "C": "Configuration and command line",
    "U": "URIs and identifiers",
    "P": "Packages, manifests and import",
    "S": "Storage and sealing",
    "L": "Ledgers",
    "M": "Messaging between ledgers",
    "K": "Custody of keys",
    "R": "Running models: inference and receipts",
    "N": "Nodes and devnet",
    "D": "Demonstration",
    "F": "Hyperledger Fabric",
    "T": "Certificates and TLS between services",
    "X": "The machine: files, disks, permissions",
}
"""The letter of an error code, and the area it stands for."""

CODE = re.compile(rf"CAIMI-[{''.join(AREAS)}][0-9]{{3}}")

_HEADER = """\
# Errors

Every error that CAIMI raises has a stable code. The command line prints what happened, why, and
what to do next, and exits with a non-zero status; `--json` and the HTTP API give the same as
`{"code", "error", "what", "why", "next"}`. In Python they are the subclasses of
`caimi.errors.CaimiError`. What happened is said where it happens, with the values involved, and
so may the other two be; below are their defaults.

`make errors` writes this page from the source.
"""


@dataclass(frozen=True, slots=True)
class ErrorEntry:
    """One error as a reader meets it: all texts are single lines."""

    code: str
    name: str
    meaning: str
    why: str
    next_step: str


def error_classes() -> list[type[CaimiError]]:
    """Give every subclass that a module of `caimi.errors` defines, ordered by code, then name."""
    for module in pkgutil.iter_modules(caimi.errors.__path__, prefix=f"{caimi.errors.__name__}."):
        # __main__ is this page's command, and would print it.
        if not module.name.endswith(".__main__"):
            importlib.import_module(module.name)
    found = {
        error for error in _subclasses(CaimiError) if error.__module__.startswith("caimi.errors.")
    }
    return sorted(found, key=lambda error: (error.code, error.__name__))


def entries() -> list[ErrorEntry]:
    """Give what `docs/errors.md` says of every error, ordered by code, then name."""
    return [
        ErrorEntry(
            code=error.code,
            name=error.__name__,
            meaning=" ".join(inspect.cleandoc(error.__doc__ or "").split("\n\n")[0].split()),
            why=" ".join(error.why.split()),
            next_step=" ".join(error.next_step.split()),
        )
        for error in error_classes()
    ]


def render(listed: list[ErrorEntry]) -> str:
    """Write the Markdown page of these errors: one section an area, one anchor a code."""
    parts = [_HEADER]
    for letter, title in AREAS.items():
        of_area = [entry for entry in listed if entry.code.startswith(f"CAIMI-{letter}")]
        if not of_area:
            continue
        parts.append(f"## {title}\n")
        parts.extend(
            f"### {entry.code}\n\n"
            f"`{entry.name}`: {entry.meaning}\n\n"
            f"- **Why:** {entry.why}\n"
            f"- **Next:** {entry.next_step}\n"
            for entry in of_area
        )
    return "\n".join(parts)


def _subclasses(root: type[CaimiError]) -> Iterator[type[CaimiError]]:
    for error in root.__subclasses__():
        yield error
        yield from _subclasses(error)
