"""Families of ledgers, found by entry point: one may live in a distribution of its own.

A distribution offers a family under the group ``caimi.families`` by the family's name, and under
``caimi.namespaces`` by each CAIP-2 namespace whose ledgers are of it unless a section says
otherwise. Both name one object, which `caimi.ledgers.port.Family` describes; nothing of a family is
imported before a section asks for it. Ledgers for trying things out are offered under
``caimi.sandboxes`` by their kind's name (`caimi.ledgers.port.SandboxKind`).
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Final, Protocol, cast

from pydantic import BaseModel

from caimi.errors.operations import ExtraMissing, FamilyUnusable, UnknownFamily
from caimi.extras import extra_named

FAMILIES: Final = "caimi.families"
NAMESPACES: Final = "caimi.namespaces"
SANDBOXES: Final = "caimi.sandboxes"


class TakingSettings(Protocol):
    """As much of a family as reading a configuration needs."""

    @property
    def settings(self) -> type[BaseModel]:
        """What a ledger's section says to the family; strict."""

    @property
    def places(self) -> type[BaseModel] | None:
        """What it says before CAIMI is on the ledger, strict; None where that is never so.

        Where it is less than `settings`, a section without what is left out is a place still.
        """


def family_names() -> list[str]:
    """Name the families that are installed."""
    return sorted({each.name for each in entry_points(group=FAMILIES)})


def find_family(ledger: str, named: str | None = None) -> TakingSettings:
    """Give the family of a ledger (CAIP-2): the one `named`, or its namespace's.

    Raises:
        UnknownFamily: no installed distribution offers it.
        FamilyUnusable: two offer it, or what is offered is none, or cannot be imported.
    """
    group, name = (FAMILIES, named) if named else (NAMESPACES, ledger.partition(":")[0])
    found = tuple(entry_points(group=group, name=name))
    if not found:
        known = ", ".join(family_names()) or "none"
        what = f"No family of ledgers is called {name!r}" if named else f"{ledger} is of no family"
        raise UnknownFamily(f"{what}; there are: {known}.")
    family = _load(_only(name, found))
    settings = getattr(family, "settings", None)
    if not isinstance(settings, type) or not issubclass(settings, BaseModel):
        raise FamilyUnusable(f"{found[0].value} is no family of ledgers: it takes no settings.")
    return cast("TakingSettings", family)


def sandbox_names() -> list[str]:
    """Name the kinds of ledgers for trying things out that are installed."""
    return sorted({each.name for each in entry_points(group=SANDBOXES)})


def find_sandbox(name: str) -> object:
    """Give the kind of that name, which is one of `sandbox_names`.

    Raises:
        FamilyUnusable: two distributions offer it, or it cannot be imported.
    """
    return _load(_only(name, tuple(entry_points(group=SANDBOXES, name=name))))


def _only(name: str, found: tuple[EntryPoint, ...]) -> EntryPoint:
    if len({each.value for each in found}) > 1:
        offering = ", ".join(sorted(each.dist.name if each.dist else "?" for each in found))
        raise FamilyUnusable(
            f"More than one distribution offers {name!r}: {offering}.",
            why="Each of them would answer for the same ledgers.",
            next_step="Uninstall all but one.",
        )
    return found[0]


@cache
def _load(entry: EntryPoint) -> object:
    try:
        with extra_named():
            found: object = entry.load()
    except ExtraMissing:
        raise
    except Exception as error:  # whatever another distribution's import does
        raise FamilyUnusable(f"{entry.value} cannot be imported: {error}.") from error
    return found
