"""Facets that answer by what the ledger has now, where a machine reads a copy of it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

C = TypeVar("C", bound=type)


def answering_freshly(facet: C) -> C:
    """Have each public question of a facet learn first what is new (`Machine.refresh`).

    A facet keeps its machine as `_chain`. Calls are made without asking, and are no questions.
    """
    for name, member in list(vars(facet).items()):
        if inspect.iscoroutinefunction(member) and not name.startswith("_"):
            setattr(facet, name, _fresh(member))
    return facet


def _fresh(question: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(question)
    async def asked(facet: Any, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - any facet
        await facet._chain.refresh()
        return await question(facet, *arguments, **named)

    return asked
