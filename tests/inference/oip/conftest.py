"""A worker that serves the protocol on loopback, over HTTP and over gRPC, on a loop of its own."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))

import onnx_models as models
from oip_world import Served, serving
from worker_world import URI

from caimi.inference.onnx_engine import OnnxEngine
from caimi.inference.worker import ServedModel


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory):
    """Perceptron @1.0.0, texts @2.0.0, halves @3.0.0, a failing one @4.0.0, of one model."""
    built = {
        "1.0.0": models.perceptron(),
        "2.0.0": models.identity(8, ["n", 2]),
        "3.0.0": models.identity(10, ["n"]),
        "4.0.0": models.gathering(),
        "5.0.0": models.identity(16, ["n"]),
        "6.0.0": models.identity(1, None),
    }
    opened = []
    for version, model in built.items():
        folder = tmp_path_factory.mktemp("model")
        session = OnnxEngine().load(models.saved(folder, model))
        opened.append(ServedModel(URI.with_selector(version), b"\x02" * 32, session))
    with serving(tmp_path_factory.mktemp("worker"), *opened) as running:
        yield running


__all__ = ["Served"]
