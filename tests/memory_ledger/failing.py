"""A machine whose next call takes effect, and whose answer is lost."""

from __future__ import annotations

from typing import Any

from caimi.ledgers.machine.calls import SignedAct
from caimi.ledgers.machine.machine import IncludedAct, Machine


class Failing:
    """Raises `failure` once in place of what the machine answers."""

    def __init__(self, machine: Machine, failure: Exception) -> None:
        self._machine = machine
        self._failure: Exception | None = failure

    def __getattr__(self, name: str) -> Any:
        return getattr(self._machine, name)

    async def carry_out(self, signed: SignedAct) -> IncludedAct:
        included = await self._machine.carry_out(signed)
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        return included
