"""A remote server does what every engine must: here our own, over both transports."""

from contextlib import ExitStack
from pathlib import Path

import onnx_models as models
import pytest
from engine_conformance import EngineConformance, TextConformance
from oip_world import NAME, serving
from onnx import TensorProto
from worker_world import URI

from caimi.errors.inference import ModelNotRunnable
from caimi.inference.oip.remote import RemoteEngine, RemoteSession
from caimi.inference.onnx_engine import OnnxEngine
from caimi.inference.worker import ServedModel


class Hosted:
    """Puts each model that it loads on a server of its own, and asks that (port `Engine`)."""

    def __init__(self, kind: str, folder: Path, stack: ExitStack) -> None:
        self.id = RemoteEngine(f"{kind}://127.0.0.1:1", NAME).id
        self._kind, self._folder, self._stack = kind, folder, stack

    def load(self, model: Path) -> RemoteSession:
        session = OnnxEngine().load(model)
        self._folder.mkdir(exist_ok=True)
        served = self._stack.enter_context(
            serving(self._folder, ServedModel(URI, bytes(32), session))
        )
        engine = RemoteEngine(f"{self._kind}://{getattr(served, self._kind)}", NAME, "1.0.0")
        self._stack.callback(engine.close)
        return engine.load(model)


class TestRemoteEngine(EngineConformance, TextConformance):
    @pytest.fixture(params=["http", "grpc"])
    def engine(self, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
        with ExitStack() as stack:
            yield Hosted(request.param, tmp_path_factory.mktemp("served") / "worker", stack)

    def test_an_open_rank_is_refused_as_in_packages(self, engine: Hosted, tmp_path: Path):
        """ONNX's checker, which every package passes, takes none."""
        with pytest.raises(ModelNotRunnable, match=r"shape"):
            engine.load(models.saved(tmp_path, models.identity(TensorProto.FLOAT, None)))
