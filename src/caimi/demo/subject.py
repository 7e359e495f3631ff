"""What the demonstration publishes: a classifier trained on the spot, or the user's own model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from caimi.datasets import INPUT, TrainedModel, train
from caimi.demo.report import require
from caimi.inference.tensors import random_tensors
from caimi.models.card import Dataset, ModelCard
from caimi.models.package import Package

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


def own_subject(model: Path) -> Subject:
    """Take the user's ONNX file; both versions hold the same model, the inputs are seeded noise."""
    package = Package.from_path(model)

    def judge(outputs: Arrays) -> str:
        shapes = ", ".join(f"{name} {list(value.shape)}" for name, value in outputs.items())
        return f"outputs {shapes}"

    return Subject(
        package=package,
        improved=package,
        model_bytes=model.read_bytes(),
        inputs=random_tensors(package.inputs, seed=0),
        judge=judge,
        metrics={},
        datasets=[],
        card=ModelCard(description=f"{model.name}, published by the demonstration."),
    )


def _write(folder: Path, trained: TrainedModel) -> Package:
    folder.mkdir(parents=True)
    file = folder / "model.onnx"
    file.write_bytes(trained.onnx)
    return Package.from_path(file)
