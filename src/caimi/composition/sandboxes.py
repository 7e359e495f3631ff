"""Ledgers for trying things out, each joined to every other, whatever families they are of."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from itertools import combinations
from typing import Final

from caimi.composition.joining import join_ledgers
from caimi.errors.operations import FamilyUnusable, UsageError
from caimi.families import find_sandbox, sandbox_names
from caimi.ledgers.port import Committee, LastingKind, Sandbox, SandboxKind, Signer

LEDGERS: Final = 3
"""As many are started unless more are asked for."""


def kinds_in(text: str) -> list[str]:
    """Give the kinds of ledgers that a user chose, joined by commas (or +).

    The last is that of all that remain of three.
    """
    kinds = [each.strip() for each in text.replace("+", ",").split(",")]
    return kinds + kinds[-1:] * (LEDGERS - len(kinds))


def sandbox_kind(name: str) -> SandboxKind:
    """Give a kind of sandbox by its name.

    Raises:
        UsageError: no installed distribution offers it.
        FamilyUnusable: what is offered is none, or cannot be imported.
    """
    found = _installed(name)
    if not isinstance(found, SandboxKind):
        raise FamilyUnusable(f"What is installed for {name!r} starts no ledgers.")
    return found


def lasting_kind(name: str) -> LastingKind:
    """Give a kind of sandbox whose ledgers can outlive this program.

    Raises:
        UsageError: no installed distribution offers it, or its ledgers end with this program.
        FamilyUnusable: what is offered cannot be imported.
    """
    found = _installed(name)
    if not isinstance(found, LastingKind):
        lasting = [each for each in sandbox_names() if isinstance(find_sandbox(each), LastingKind)]
        raise UsageError(
            f"Ledgers of kind {name!r} end with the program that starts them.",
            why="Here they are to stay when this command has ended.",
            next_step=f"Choose one of: {', '.join(lasting)}.",
        )
    return found


def _installed(name: str) -> object:
    if name not in sandbox_names():
        known = ", ".join(sandbox_names()) or "none"
        raise UsageError(f"No ledgers of kind {name!r}; there are: {known}.")
    return find_sandbox(name)


async def start_sandboxes(
    stack: AsyncExitStack, kinds: Sequence[str], people: Sequence[Signer], committee: Committee
) -> list[Sandbox]:
    """Start one of each kind, in order, and routes between all that believe `committee`.

    Raises as `sandbox_kind` and `SandboxKind.start`.
    """
    chosen = [sandbox_kind(kind) for kind in kinds]
    started = await asyncio.gather(
        *(kind.start(stack, place, people) for place, kind in enumerate(chosen))
    )
    for one, other in combinations(started, 2):
        await join_ledgers(one, other, committee)
    return started
