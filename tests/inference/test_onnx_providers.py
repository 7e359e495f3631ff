"""What ONNX Runtime runs on is what it says, and what runs take is bounded."""

from pathlib import Path

import numpy as np
import onnx_models as models
import pytest
from onnx import TensorProto, helper

from caimi.errors.inference import ProviderMissing, RunFailed
from caimi.inference.confined.process import nursery
from caimi.inference.onnx_engine import OnnxEngine
from caimi.inference.onnx_providers import choose_provider
from caimi.inference.onnx_runtime import ort

RUNS = choose_provider("auto")


def test_the_name_says_what_runs():
    assert OnnxEngine(provider="auto").id == f"onnxruntime/{ort.__version__}/{RUNS}"
    assert OnnxEngine(provider="cpu").id.endswith("/cpu")


def test_what_is_not_there_is_refused_by_name():
    if RUNS == "cuda":
        assert OnnxEngine(provider="cuda").id.endswith("/cuda")
    else:
        with pytest.raises(ProviderMissing, match=r"CPUExecutionProvider"):
            OnnxEngine(provider="cuda")


def test_what_says_that_it_is_there_and_does_not_run_is_not_chosen(monkeypatch):
    monkeypatch.setattr(nursery(), "providers", ("CUDAExecutionProvider",))
    assert choose_provider("auto") == RUNS


def test_a_run_that_would_take_more_than_its_arena_fails_by_name(tmp_path: Path):
    growing = models.model(
        [
            helper.make_node("Expand", ["x", "size"], ["many"]),
            helper.make_node("ReduceSum", ["many"], ["sum"], keepdims=0),
        ],
        [models.value("x", TensorProto.FLOAT, [1]), models.value("size", TensorProto.INT64, [1])],
        [models.value("sum", TensorProto.FLOAT, [])],
    )
    file = models.saved(tmp_path, growing)
    session = OnnxEngine(memory_bytes=64 << 20).load(file)
    other = OnnxEngine(memory_bytes=16 << 20).load(file)
    one = np.ones(1, np.float32)
    for _ in range(3):
        with pytest.raises(RunFailed):
            session.run({"x": one, "size": np.array([1 << 25])})
        assert session.run({"x": one, "size": np.array([1 << 22])})["sum"] == 1 << 22
        with pytest.raises(RunFailed):
            other.run({"x": one, "size": np.array([1 << 23])})
