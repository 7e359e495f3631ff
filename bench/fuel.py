"""Fuel predicted from graphs: the fit of the published schedules, and their error over the zoo.

``python -m bench.fuel fit [variants]`` runs operators of random sizes, fits the schedules to them
and writes them; the zoo's models are not looked at. ``python -m bench fuel`` compares what the
published schedules tell of the zoo with what its models take, and writes the table of docs/gas.md.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from scipy.optimize import nnls  # type: ignore[import-untyped]

from bench.fuel_models import GROUPS, operators
from bench.fuel_runs import StepFuel, step_fuel
from bench.plot import Line, Plot
from bench.result import Result
from caimi.inference.wasm import fuel
from caimi.inference.wasm.compiling.variants import VARIANTS
from caimi.inference.wasm.fuel.schedule import SLACK, Schedule, published
from caimi.inference.wasm.fuel.work import Work
from zoo import MODELS

PLOT = Path(__file__).parent.parent / "docs" / "fuel-error.svg"
PAGE = PLOT.with_name("gas.md")
_BEGIN, _END = "<!-- zoo:begin -->\n", "<!-- zoo:end -->"
_PLAIN_GAS, _BRANCH_GAS, _INSTANCE_GAS, _DIVISOR = 115, 1610, 60_000, 140_000
SCHEDULES = Path(fuel.__file__).parent / "schedules"
FITTED = ("simd", "mvp", "f64")
SEED = 0
SEEDS = (0, 1, 2)
_MATRICES = ("product", "row", "conv", "depthwise")
_RUN = 12
"""What a call of a module takes besides its steps."""
_SLACK = 100
"""Fuel that an error is worth less below: a step of ten instructions need not be met."""
_KNOWN = {"weight.fetch": 11_000}
"""Prices of counts that steps of all kinds have: measured, not fitted to each kind anew."""
_DOUBTFUL = 2000
"""Thousandths: a kind of step with more doubt has no price."""
_FEWEST = 8
"""Steps that a doubt is measured with."""


def measured(variant: str, seed: int) -> list[StepFuel]:
    """Run operators of all kinds and random sizes."""
    steps: list[StepFuel] = []
    for group in GROUPS:
        sys.stderr.write(f"  {variant}, {seed}: {group} …\n")
        steps += step_fuel(operators(group, seed), VARIANTS[variant], seed=seed)
    return steps


def fit(runs: Sequence[Sequence[StepFuel]], engine: str) -> Schedule:
    """Fit prices and doubts to steps, those of each seed by themselves.

    A kind of step with a doubt over `_DOUBTFUL`, or that other seeds tell little of, gets neither.
    """
    families = {_family(step.work) for steps in runs for step in steps}
    prices: dict[str, int] = dict(_KNOWN)
    doubts: dict[str, int] = {}
    for family in sorted(families):
        kept = [[step for step in steps if _family(step.work) == family] for steps in runs]
        found = _doubts(kept)
        if found:
            prices |= _prices([step for steps in kept for step in steps])
            doubts |= found
    return Schedule(engine, dict(sorted(prices.items())), dict(sorted(doubts.items())), _RUN * 1000)


def _family(work: Work) -> str:
    """Kinds that share counts are fitted together."""
    return "matrices" if work.kind in _MATRICES else work.kind


def _doubts(runs: Sequence[Sequence[StepFuel]]) -> dict[str, int]:
    """Compare the steps of each seed with what prices fitted to the others tell."""
    errors: dict[str, list[float]] = {}
    for left_out in range(len(runs)):
        others = [step for at, steps in enumerate(runs) if at != left_out for step in steps]
        prices = _KNOWN | _prices(others)
        for step in runs[left_out]:
            counts = step.work.counts
            if counts.keys() <= prices.keys():
                told = sum(prices[name] * count for name, count in counts.items()) / 1000
                error = (step.fuel - told) / (told + SLACK)
                errors.setdefault(step.work.kind, []).append(error)
    doubts = {
        kind: math.ceil(1000 * math.sqrt(sum(e * e for e in each) / len(each)))
        for kind, each in errors.items()
        if len(each) >= _FEWEST
    }
    return {kind: doubt for kind, doubt in doubts.items() if doubt <= _DOUBTFUL}


def _prices(steps: Sequence[StepFuel]) -> dict[str, int]:
    names = sorted({name for step in steps for name in step.work.counts if name not in _KNOWN})
    if not names:
        return {}
    counts = np.array([[step.work.counts.get(name, 0) for name in names] for step in steps], float)
    known = [
        sum(price * step.work.counts.get(name, 0) for name, price in _KNOWN.items())
        for step in steps
    ]
    taken = np.array([step.fuel for step in steps], float)
    weights = 1 / (taken + _SLACK)
    weighted = counts * weights[:, None]
    scale = weighted.max(axis=0)
    due = np.maximum(taken - np.array(known) / 1000, 0) * weights
    found, _ = nnls(weighted / scale, due, maxiter=100 * len(names) + 1000)
    return {name: round(1000 * x / s) for name, x, s in zip(names, found, scale, strict=True)}


def zoo_steps(variant: str) -> dict[str, list[StepFuel]]:
    """Run every model of the zoo."""
    steps = {}
    for model in MODELS:
        sys.stderr.write(f"  {variant}: {model.name} …\n")
        proto = onnx.load_model_from_string(model.build(SEED))
        steps[model.name] = step_fuel(proto, VARIANTS[variant], model.inputs(1, SEED))
    return steps


@dataclass(frozen=True, slots=True)
class Told:
    """What a model's run took, and the relative error of what the schedule tells, if it does."""

    taken: int
    error: float | None

    @classmethod
    def of(cls, schedule: Schedule, steps: Sequence[StepFuel]) -> Told:
        """Compare."""
        taken = _RUN + sum(step.fuel for step in steps)
        told = schedule.predict([step.work for step in steps])
        return cls(taken, None if told.untold else told.fuel / taken - 1)

    def cells(self) -> str:
        """Give two cells of the table."""
        error = "counted" if self.error is None else f"{100 * self.error:+.1f} %"
        return f"{self.taken:,} | {error}"


def measure() -> list[Result]:
    """Compare predictions with the fuel that the zoo takes."""
    results, lines, columns = [], [], []
    for variant, name in (("simd", "fuel_prediction_error"), ("mvp", "fuel_prediction_error_mvp")):
        schedule = published(variant)
        assert schedule is not None
        found = {name: Told.of(schedule, steps) for name, steps in zoo_steps(variant).items()}
        columns.append(found)
        errors = {name: abs(told.error) for name, told in found.items() if told.error is not None}
        lines.append(_line(variant, found))
        worst = max(errors, key=errors.__getitem__)
        what = f"of the fuel of {worst}, the worst of the zoo's {len(errors)} that are told"
        results.append(Result(name, errors[worst], what, ceiling=0.1))
    PLOT.write_text(_plot(lines))
    before, rest = PAGE.read_text("utf-8").split(_BEGIN, 1)
    after = rest[rest.index(_END) :]
    PAGE.write_text(f"{before}{_BEGIN}{_table(*columns)}{after}", "utf-8")
    return results


def _table(simd: Mapping[str, Told], mvp: Mapping[str, Told]) -> str:
    titles = ("model", "fuel, SIMD", "told", "fuel, MVP", "told")
    gas = ("CosmWasm gas at least", "rather less than")
    lines = [f"| {' | '.join((*titles, *gas))} |", f"|---|{'---:|' * 6}"]
    for name, told in simd.items():
        plain = mvp[name].taken
        least, most = (
            _INSTANCE_GAS + plain * each // _DIVISOR for each in (_PLAIN_GAS, 2 * _BRANCH_GAS)
        )
        lines.append(f"| {name} | {told.cells()} | {mvp[name].cells()} | {least:,} | {most:,} |")
    return "\n".join(lines) + "\n"


def _line(variant: str, found: Mapping[str, Told]) -> Line:
    told = [(each.taken, each.error) for each in found.values() if each.error is not None]
    return Line(
        variant, tuple((math.log10(taken), 100 * abs(error)) for taken, error in sorted(told))
    )


def _plot(lines: Sequence[Line]) -> str:
    return Plot(
        "How far told fuel lies from what the zoo's models take",
        "log10 of the fuel",
        "error, %",
        tuple(lines),
    ).svg()


def main(arguments: list[str]) -> None:
    """Fit and write schedules."""
    if arguments[:1] != ["fit"]:
        sys.exit("python -m bench.fuel fit [simd] [mvp] [f64]")
    for variant in arguments[1:] or FITTED:
        runs = [measured(variant, seed) for seed in SEEDS]
        schedule = fit(runs, VARIANTS[variant].engine_id)
        (SCHEDULES / f"{variant}.json").write_bytes(schedule.encode())
        sys.stderr.write(
            f"  {variant}: {len(schedule.prices)} prices, {len(schedule.doubts)} kinds\n"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
