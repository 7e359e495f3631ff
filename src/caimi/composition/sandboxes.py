"""Ledgers for trying things out, each joined to every other, whatever families they are of."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from itertools import combinations

from caimi.errors.operations import FamilyUnusable, UsageError
from caimi.families import find_sandbox, sandbox_names
from caimi.ledgers.port import Committee, Sandbox, SandboxKind, Signer


def sandbox_kind(name: str) -> SandboxKind:
    """Give a kind of sandbox by its name.

    Raises:
        UsageError: no installed distribution offers it.
        FamilyUnusable: what is offered is none, or cannot be imported.
    """
    if name not in sandbox_names():
        known = ", ".join(sandbox_names()) or "none"
        raise UsageError(f"No ledgers of kind {name!r}; there are: {known}.")
    found = find_sandbox(name)
    if not isinstance(found, SandboxKind):
        raise FamilyUnusable(f"What is installed for {name!r} starts no ledgers.")
    return found


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
        await _join(one, other, committee)
    return started


async def _join(one: Sandbox, other: Sandbox, committee: Committee) -> None:
    on_one, on_other = await asyncio.gather(
        one.add_client(other.ledger, committee), other.add_client(one.ledger, committee)
    )
    await asyncio.gather(one.join(on_one, on_other), other.join(on_other, on_one))
