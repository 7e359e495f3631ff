"""The WebAssembly engine does what every engine does, and gives the same bits."""

from pathlib import Path

import onnx_models as models
import pytest
from engine_conformance import EngineConformance, rows
from onnx import TensorProto

from caimi.errors.inference import ModelNotRunnable
from caimi.inference.wasm.compiling.variants import SIMD
from caimi.inference.wasm.engine import WasmEngine
from caimi.inference.wasm.hosting.host import ModuleHost


@pytest.fixture(scope="module")
def wasm_engine():
    with ModuleHost() as host:
        yield WasmEngine(SIMD, host=host)


class TestWasmEngine(EngineConformance):
    @pytest.fixture
    def engine(self, wasm_engine: WasmEngine) -> WasmEngine:
        return wasm_engine

    def test_a_row_has_the_same_bits_in_every_batch(self, engine: WasmEngine, tmp_path: Path):
        session = engine.load(models.saved(tmp_path, models.perceptron()))
        together = session.run({"x": rows(7)})["scores"]
        for place in range(7):
            alone = session.run({"x": rows(7)[place : place + 1]})["scores"]
            assert alone.tobytes() == together[place : place + 1].tobytes()

    def test_strings_are_refused_by_name(self, engine: WasmEngine, tmp_path: Path):
        with pytest.raises(ModelNotRunnable, match="string"):
            engine.load(models.saved(tmp_path, models.identity(TensorProto.STRING, [2])))

    def test_the_same_run_costs_the_same_fuel(self, engine: WasmEngine, tmp_path: Path):
        session = engine.load(models.saved(tmp_path, models.perceptron()))
        assert len({session.run_costed({"x": rows(3)}).cost.fuel for _ in range(3)}) == 1
