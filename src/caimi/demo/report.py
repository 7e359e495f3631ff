"""What the demonstration proved: one line a step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from caimi.errors.base import CaimiError
from caimi.errors.node import DemoFailed


@dataclass(slots=True)
class Step:
    """One proved step. `tx` is the transaction that shows it, empty where there is none."""

    name: str
    ledger: str
    tx: str = ""
    seconds: float = 0.0
    proved: str = ""

    def prove(self, proved: str, *, tx: str = "") -> None:
        """Say what the step has shown."""
        self.proved = proved
        self.tx = tx


@dataclass(slots=True)
class Report:
    """The steps so far. `announce` is told when one starts and when it ends."""

    announce: Callable[[Step], None]
    steps: list[Step] = field(default_factory=list)

    @contextmanager
    def step(self, name: str, ledger: str = "") -> Iterator[Step]:
        """Time a step; it must call `prove` before it ends.

        Raises:
            DemoFailed: it ended without proof.
        """
        step = Step(name, ledger)
        self.announce(step)
        began = time.perf_counter()
        yield step
        step.seconds = round(time.perf_counter() - began, 3)
        if not step.proved:
            raise DemoFailed(f"The step {name!r} proved nothing.")
        self.steps.append(step)
        self.announce(step)

    def as_document(self) -> dict[str, object]:
        """Give the JSON document."""
        return {
            "ok": True,
            "steps": [
                {
                    "name": step.name,
                    "ledger": step.ledger,
                    "tx": step.tx,
                    "seconds": step.seconds,
                    "proved": step.proved,
                }
                for step in self.steps
            ],
        }


def require(holds: bool, otherwise: str) -> None:
    """Fail the demonstration unless a fact holds."""
    if not holds:
        raise DemoFailed(otherwise)


async def refused(work: object, *kinds: type[CaimiError]) -> CaimiError:
    """Await `work`, which must be refused with one of `kinds`, and give the refusal.

    Raises:
        DemoFailed: it was not refused.
    """
    try:
        await work  # type: ignore[misc]
    except kinds as error:
        return error
    expected = " or ".join(kind.__name__ for kind in kinds)
    raise DemoFailed(f"Something succeeded that should end in {expected}.")
