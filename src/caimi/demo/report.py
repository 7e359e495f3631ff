"""What the demonstration proved: one line a step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from caimi.errors.base import CaimiError
from caimi.errors.node import DemoFailed


@dataclass(slots=True)
class DemoStep:
    """One step. `tx` is the transaction that shows it, empty where there is none.

    `missing` says why nothing was proved, where a model does not allow it.
    """

    name: str
    ledger: str
    tx: str = ""
    seconds: float = 0.0
    proved: str = ""
    missing: str = ""

    def leave_out(self, why: str) -> None:
        """Say why the step shows nothing for this model."""
        self.missing = why

    def prove(self, proved: str, *, tx: str = "") -> None:
        """Say what the step has shown."""
        self.proved = proved
        self.tx = tx


@dataclass(slots=True)
class Report:
    """The steps so far. `announce` is told when one starts and when it ends."""

    announce: Callable[[DemoStep], None]
    steps: list[DemoStep] = field(default_factory=list)

    @contextmanager
    def step(self, name: str, ledger: str = "") -> Iterator[DemoStep]:
        """Time a step; it must call `prove` or `leave_out` before it ends.

        Raises:
            DemoFailed: it ended without proof.
        """
        step = DemoStep(name, ledger)
        self.announce(step)
        began = time.perf_counter()
        yield step
        step.seconds = round(time.perf_counter() - began, 3)
        if not (step.proved or step.missing):
            raise DemoFailed(f"The step {name!r} proved nothing.")
        self.steps.append(step)
        self.announce(step)

    @property
    def summary(self) -> str:
        """Give one line: what was proved, and what was not."""
        missing = [step.name for step in self.steps if step.missing]
        total = sum(step.seconds for step in self.steps)
        if not missing:
            return f"All {len(self.steps)} steps proved in {total:.1f} s."
        proved = len(self.steps) - len(missing)
        return (
            f"{proved} of {len(self.steps)} steps proved in {total:.1f} s; "
            f"not for this model: {', '.join(missing)}."
        )

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
                    **({"not_proved": step.missing} if step.missing else {}),
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
