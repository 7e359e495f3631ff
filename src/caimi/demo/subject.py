"""What the demonstration publishes: a classifier trained on the spot, or the user's own model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from caimi.datasets import INPUT, TrainedModel, train
from caimi.demo.report import require
from caimi.errors.inference import RunFailed, WrongInput
from caimi.inference.engine import Session
from caimi.inference.onnx_engine import OnnxEngine
from caimi.inference.tensor_files import read_tensors
from caimi.inference.tensors import random_tensors
from caimi.models.card import Dataset, ModelCard
from caimi.models.package import Package

_USUAL_SIZES: Final = (
    *((8, 8), (1, 8), (1, 1), (1, 16), (1, 32), (1, 64), (1, 128), (1, 224), (1, 320), (1, 576)),
    *((8, 64), (8, 224)),
)
"""Rows, and the size of other open dimensions, in the order in which they are tried."""

Arrays = Mapping[str, npt.NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class Subject:
    """A model, a second version of it, inputs to run, and how to judge the outputs."""

    package: Package
    improved: Package
    model_bytes: bytes
    inputs: Arrays
    judge: Callable[[Arrays], str]
    metrics: Mapping[str, float]
    datasets: Sequence[Dataset]
    card: ModelCard


def trained_subject(dataset: str, folder: Path) -> Subject:
    """Train a classifier on bundled data, and a second one from another seed."""
    first, second = train(dataset, seed=0), train(dataset, seed=1)

    def judge(outputs: Arrays) -> str:
        accuracy = first.accuracy_of(outputs["label"])
        require(
            abs(accuracy - first.accuracy) < 1e-12,
            f"The accuracy is {accuracy}, but the publisher measured {first.accuracy}.",
        )
        return f"accuracy {accuracy:.4f} on {len(first.holdout_y)} held-out rows, as published"

    return Subject(
        package=_write(folder / "1.0.0", first),
        improved=_write(folder / "1.1.0", second),
        model_bytes=first.onnx,
        inputs={INPUT: first.holdout_x},
        judge=judge,
        metrics=first.metrics,
        datasets=[Dataset(name=f"scikit-learn {dataset}", sha256=first.dataset_sha256)],
        card=ModelCard(description=f"A classifier of scikit-learn's {dataset} data."),
    )


def own_subject(model: Path, given: Path | None = None) -> Subject:
    """Take the user's ONNX file, in both versions, with the inputs `given` or noise that fits.

    Raises:
        InvalidModel, WrongInput, ModelNotRunnable, RunFailed: it is none that can be run, or not on
            these inputs.
    """
    package = Package.from_path(model)
    if given is not None:
        inputs = read_tensors(given, package.inputs)
    else:
        inputs = fitting_noise(OnnxEngine().load(model))

    def judge(outputs: Arrays) -> str:
        shapes = ", ".join(f"{name} {list(value.shape)}" for name, value in outputs.items())
        taken = ", ".join(f"{name} {list(value.shape)}" for name, value in inputs.items())
        source = "noise" if given is None else given.name
        return f"of {source}, {taken}: outputs {shapes}"

    return Subject(
        package=package,
        improved=package,
        model_bytes=model.read_bytes(),
        inputs=inputs,
        judge=judge,
        metrics={},
        datasets=[],
        card=ModelCard(description=f"{model.name}, published by the demonstration."),
    )


def fitting_noise(session: Session) -> dict[str, npt.NDArray[np.generic]]:
    """Make noise of the first usual sizes for open dimensions that the model runs on.

    Raises:
        WrongInput: it takes what noise cannot be made of, or runs on none of these sizes.
    """
    found = None
    said = ""
    for rows, inner in _USUAL_SIZES:
        try:
            noise = random_tensors(session.inputs, seed=0, rows=rows, inner=inner)
        except WrongInput as error:
            raise WrongInput(f"{error.what} Give it with --input.") from error
        try:
            outputs = session.run(noise)
        except RunFailed as error:
            said = said or error.what
            continue
        if all(value.size for value in outputs.values()):
            return noise
        found = found or noise
    if found is None:
        taken = ", ".join(map(str, session.inputs))
        raise WrongInput(f"{said} No noise of usual sizes fits {taken}: give an --input.")
    return found


def _write(folder: Path, trained: TrainedModel) -> Package:
    folder.mkdir(parents=True)
    file = folder / "model.onnx"
    file.write_bytes(trained.onnx)
    return Package.from_path(file)
