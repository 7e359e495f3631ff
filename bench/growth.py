"""How the cost of relaying grows with 10, 100 and 1,000 ledgers; not among what runs by default.

The production relayer and validators, on ledgers that are instruments (`bench.memory_ledger`), so
that nothing but the roles is measured. As a hub every ledger has a route to one, as a ring to its
neighbours; each route carries two messages a round both ways. Takes some minutes; writes plots.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

from bench.carrier import resident
from bench.memory_ledger import MemoryLedger, MemoryView
from bench.messages import LocalValidator, Remembering
from bench.plot import Line, Plot
from bench.result import Result
from caimi.ledgers.evm.signer import LocalSigner
from caimi.ledgers.port import Ledger, LedgerId
from caimi.messaging.checkpoint import Attestation, make_committee
from caimi.messaging.relayer import Relayer
from caimi.messaging.validator import Validator

SIZES, SHAPES = (10, 100, 1_000), ("hub", "ring")
MEMBERS, THRESHOLD, EACH, ROUNDS, FEWEST = 5, 3, 2, 3, 600
PICTURES = Path(__file__).parents[1] / "docs"


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


class AskedValidator(LocalValidator):
    """Remembers what it was asked, so that its share of the time can be measured alone."""

    def __init__(self, validator: Validator) -> None:
        super().__init__(validator)
        self.asked: list[tuple[LedgerId, int, int]] = []

    async def attest(self, ledger: LedgerId, from_height: int, height: int) -> Attestation:
        self.asked.append((ledger, from_height, height))
        return await super().attest(ledger, from_height, height)


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
    command = [sys.executable, "-m", "bench.growth", shape, str(size)]
    told = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return Cost(**told)


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


async def measure_one(shape: str, size: int) -> Cost:
    """Carry some rounds of messages between `size` ledgers."""
    members = [LocalSigner.generate() for _ in range(MEMBERS)]
    committee = make_committee(0, THRESHOLD, [member.account for member in members])
    truths = [MemoryLedger(number, committee) for number in range(1, size + 1)]
    for place, truth in enumerate(truths[1:], 1):
        truth.join(truths[0] if shape == "hub" else truths[place - 1])
    if shape == "ring":
        truths[-1].join(truths[0])
    before = resident()
    relaying, validating = Counter[str](), Counter[str]()
    store = Remembering()
    validators = [
        AskedValidator(Validator(member, committee, _views(truths, validating), store))
        for member in members
    ]
    relayer = Relayer(_views(truths, relaying), validators, LocalSigner.generate())
    await relayer.step()
    idle = time.process_time()
    await relayer.step()
    idle = time.process_time() - idle
    relaying.clear()
    began = time.process_time()
    for _ in range(max(ROUNDS, FEWEST // size)):
        for truth in truths:
            truth.send(EACH)
        while sum(truth.ended for truth in truths) < sum(len(truth.sent) for truth in truths):
            progress = await relayer.step()
            if progress.failures:
                raise progress.failures[0]
    whole = time.process_time() - began
    memory = resident() - before
    messages = sum(len(truth.sent) for truth in truths)
    questions = sum(validating.values()) / MEMBERS
    validator = validators[0]
    began = time.process_time()
    for question in list(validator.asked):
        await validator.attest(*question)
    one = time.process_time() - began
    return Cost(
        shape,
        size,
        1_000 * (whole - MEMBERS * one) / messages,
        1_000 * one / messages,
        sum(relaying.values()) / messages,
        questions / messages,
        idle,
        memory / 1e6,
    )


def _views(truths: list[MemoryLedger], asked: Counter[str]) -> dict[LedgerId, Ledger]:
    return {truth.id: cast("Ledger", MemoryView(truth, asked)) for truth in truths}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(asyncio.run(measure_one(sys.argv[1], int(sys.argv[2]))))))
