"""Fuel predicted from graphs: the fit of the published schedules, and their error over the zoo.

``python -m bench.fuel fit [variants]`` runs operators of random sizes, fits the schedules to them
and writes them; the zoo's models are not looked at. ``python -m bench fuel`` compares what the
published schedules predict for the zoo with what its models take.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from scipy.optimize import nnls  # type: ignore[import-untyped]

from bench.fuel_models import GROUPS, operators
from bench.fuel_runs import StepFuel, step_fuel
from bench.plot import Line, Plot
from bench.result import Result
from caimi.inference.wasm import fuel
from caimi.inference.wasm.compiling.compiler import VARIANTS
from caimi.inference.wasm.fuel.schedule import Schedule, published
from caimi.inference.wasm.fuel.work import Work
from caimi.zoo import MODELS

PLOT = Path(__file__).parent.parent / "docs" / "fuel-error.svg"
SCHEDULES = Path(fuel.__file__).parent / "schedules"
FITTED = ("simd", "mvp", "f64")
SEED, OTHER_SEED = 0, 1
_MATRICES = ("product", "row", "conv", "depthwise")
_SLACK = 100
"""Fuel that an error is worth less below: a step of ten instructions need not be met."""
_RUN = 12
"""What a call of a module takes besides its steps."""


def measured(variant: str, seed: int = SEED) -> list[StepFuel]:
    """Run operators of all kinds and random sizes."""
    steps: list[StepFuel] = []
    for group in GROUPS:
        sys.stderr.write(f"  {variant}: {group} …\n")
        steps += step_fuel(operators(group, seed), VARIANTS[variant], seed=seed)
    return steps


def fit(steps: Sequence[StepFuel], engine: str) -> Schedule:
    """Fit prices, each at least 0, to steps: least squares of relative errors."""
    families: dict[str, list[StepFuel]] = {}
    for step in steps:
        kind = step.work.kind
        families.setdefault("matrices" if kind in _MATRICES else kind, []).append(step)
    prices: dict[str, int] = {}
    for family in families.values():
        prices |= _prices(family)
    return Schedule(engine, dict(sorted(prices.items())), _RUN * 1000)


def _prices(steps: Sequence[StepFuel]) -> dict[str, int]:
    names = sorted({name for step in steps for name in step.work.counts})
    counts = np.array([[step.work.counts.get(name, 0) for name in names] for step in steps], float)
    taken = np.array([step.fuel for step in steps], float)
    weights = 1 / (taken + _SLACK)
    weighted = counts * weights[:, None]
    scale = weighted.max(axis=0)
    found, _ = nnls(weighted / scale, taken * weights, maxiter=100 * len(names) + 1000)
    return {name: round(1000 * x / s) for name, x, s in zip(names, found, scale, strict=True)}


def zoo_steps(variant: str) -> dict[str, list[StepFuel]]:
    """Run every model of the zoo."""
    steps = {}
    for model in MODELS:
        sys.stderr.write(f"  {variant}: {model.name} …\n")
        proto = onnx.load_model_from_string(model.build(SEED))
        steps[model.name] = step_fuel(proto, VARIANTS[variant], model.inputs(1, SEED))
    return steps


def errors(schedule: Schedule, models: Mapping[str, Sequence[StepFuel]]) -> dict[str, float]:
    """Give each model's error, relative to what it took."""
    return {
        name: schedule.predict(_works(steps)).fuel / (_RUN + sum(step.fuel for step in steps)) - 1
        for name, steps in models.items()
    }


def _works(steps: Sequence[StepFuel]) -> list[Work]:
    return [step.work for step in steps]


def measure() -> list[Result]:
    """Compare predictions with the fuel that the zoo takes."""
    results, lines = [], []
    for variant, name in (("simd", "fuel_prediction_error"), ("mvp", "fuel_prediction_error_mvp")):
        schedule = published(variant)
        assert schedule is not None
        steps = zoo_steps(variant)
        found = errors(schedule, steps)
        lines.append(_line(variant, steps, found))
        worst = max(found, key=lambda model: abs(found[model]))
        results.append(
            Result(
                name,
                abs(found[worst]),
                f"of the fuel of {worst}, the worst of the zoo",
                ceiling=0.1,
            )
        )
    PLOT.write_text(_plot(lines))
    return results


def _line(
    variant: str, steps: Mapping[str, Sequence[StepFuel]], found: Mapping[str, float]
) -> Line:
    taken = {name: sum(step.fuel for step in each) for name, each in steps.items()}
    return Line(
        variant,
        tuple(
            (math.log10(taken[name]), 100 * abs(found[name]))
            for name in sorted(taken, key=taken.__getitem__)
        ),
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
        schedule = fit(measured(variant), VARIANTS[variant].engine_id)
        (SCHEDULES / f"{variant}.json").write_bytes(schedule.encode())
        sys.stderr.write(f"  {variant}: {len(schedule.prices)} prices\n")


if __name__ == "__main__":
    main(sys.argv[1:])
