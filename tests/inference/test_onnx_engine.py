"""ONNX Runtime does what every engine must."""

import pytest
from engine_conformance import EngineConformance, OpenRankConformance, TextConformance

from caimi.inference.onnx_engine import OnnxEngine
from caimi.inference.onnx_runtime import ort


class TestOnnxEngine(EngineConformance, OpenRankConformance, TextConformance):
    @pytest.fixture(params=[1, 2], ids=["one thread", "two threads"])
    def engine(self, request: pytest.FixtureRequest) -> OnnxEngine:
        return OnnxEngine(request.param)

    def test_its_name_says_the_version(self, engine: OnnxEngine):
        assert engine.id == f"onnxruntime/{ort.__version__}/cpu"
