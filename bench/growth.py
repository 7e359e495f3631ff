"""How the cost of relaying grows with 10, 100 and 1,000 ledgers; not among what runs by default.

The production relayer and validators, on ledgers in memory whose own costs are taken off
(`bench.growing`), so that nothing but the roles is measured. As a hub every ledger has a route to
one, as a ring to its neighbours; each route carries two messages a round both ways. Takes some
minutes; writes plots.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.plot import Line, Plot
from bench.result import Result

SIZES, SHAPES = (10, 100, 1_000), ("hub", "ring")
ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs"


@dataclass(frozen=True, slots=True)
class Cost:
    """What one message costs among so many ledgers: milliseconds of processor time, questions.

    `idle` is the seconds of a look that finds nothing, `memory` the relayer's and the validators'
    resident MB above what is there without them.
    """

    shape: str
    size: int
    relayer_ms: float
    validator_ms: float
    relayer_questions: float
    validator_questions: float
    idle: float
    memory: float


def measure() -> list[Result]:
    """Measure each shape and size in a process of its own."""
    costs = [_alone(shape, size) for shape in SHAPES for size in SIZES]
    _draw(
        "growth-processor", "Processor time of a message", "ms", "relayer_ms", "validator_ms", costs
    )
    _draw(
        "growth-questions",
        "Questions to ledgers for a message",
        "questions",
        "relayer_questions",
        "validator_questions",
        costs,
    )
    _draw("growth-memory", "Memory of a relayer and five validators", "MB", "memory", None, costs)
    results = []
    for shape in SHAPES:
        small, *_, large = [cost for cost in costs if cost.shape == shape]
        for role in ("relayer", "validator"):
            before, after = getattr(small, f"{role}_ms"), getattr(large, f"{role}_ms")
            results.append(
                Result(
                    f"growth_{shape}_{role}",
                    after / before,
                    "of the time for a message",
                    "ms for a message between 10 ledgers instead of 1,000",
                    before,
                    after / before,
                )
            )
        results.append(Result(f"growth_{shape}_memory", large.memory, "MB for 1,000 ledgers"))
        results.append(Result(f"growth_{shape}_idle_seconds", large.idle, "s for an idle look"))
    return results


def _alone(shape: str, size: int) -> Cost:
    command = [sys.executable, "-m", "bench.growing", shape, str(size)]
    path = os.pathsep.join([str(ROOT / "tests"), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": path}
    )
    return Cost(**json.loads(done.stdout))


def _draw(
    name: str, title: str, unit: str, first: str, second: str | None, costs: list[Cost]
) -> None:
    lines = [
        Line(
            f"{shape}, {quality.partition('_')[0]}" if second else shape,
            tuple((cost.size, getattr(cost, quality)) for cost in costs if cost.shape == shape),
        )
        for quality in (first, second)
        if quality is not None
        for shape in SHAPES
    ]
    plot = Plot(title, "ledgers", unit, tuple(lines), logarithmic=True)
    (PICTURES / f"{name}.svg").write_text(plot.svg())
