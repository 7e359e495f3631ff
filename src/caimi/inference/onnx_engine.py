"""The ONNX Runtime engine: the fast path."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
import onnxruntime as ort

from caimi.errors.inference import ModelNotRunnable, RunFailed
from caimi.errors.models import ManifestMalformed
from caimi.inference.onnx_providers import (
    PROVIDERS,
    Provider,
    bound_arena,
    choose_provider,
    provider_settings,
)
from caimi.inference.tensors import Array, Tensors, check_tensors
from caimi.models.tensor import UNKNOWN, Tensor

_TENSOR = re.compile(r"tensor\((\w+)\)")
_DTYPES = {"float": "float32", "double": "float64"}


class OnnxSession:
    """A model in ONNX Runtime."""

    def __init__(self, session: ort.InferenceSession, scalars: frozenset[str]) -> None:
        self._session = session
        self._inputs = tuple(_spec(entry, scalars) for entry in session.get_inputs())
        self._outputs = tuple(_spec(entry, scalars) for entry in session.get_outputs())
        self._names = [spec.name for spec in self._outputs]

    @property
    def inputs(self) -> Sequence[Tensor]:
        """What it takes."""
        return self._inputs

    @property
    def outputs(self) -> Sequence[Tensor]:
        """What it gives."""
        return self._outputs

    def run(self, inputs: Tensors) -> dict[str, Array]:
        """Run the model; see `Session.run`."""
        checked = check_tensors(inputs, self._inputs)
        try:
            values = self._session.run(self._names, checked)
        except Exception as error:  # onnxruntime raises classes without a common public base
            raise RunFailed(f"ONNX Runtime: {str(error)[:300]}") from error
        return dict(zip(self._names, values, strict=True))


class OnnxEngine:
    """ONNX Runtime with a fixed number of threads; custom operators are not loaded.

    `provider` is "cpu", "cuda", or "auto": CUDA where it runs, else the CPU; `id` says which it is.
    What runs need takes at most `memory_bytes`: on the CPU that is one arena for the whole process.

    Construction raises `ProviderMissing`, or `ConfigInvalid` for a second size of the arena.
    """

    def __init__(
        self,
        threads: int = 1,
        *,
        provider: Provider = "cpu",
        memory_bytes: int | None = None,
    ) -> None:
        runs = choose_provider(provider)
        self.id = f"onnxruntime/{ort.__version__}/{runs}"
        self.answer = ""
        self._threads = threads
        self._memory = memory_bytes
        self._name = PROVIDERS[runs]
        self._providers = provider_settings(runs, memory_bytes)
        if memory_bytes is not None and runs == "cpu":
            bound_arena(memory_bytes)

    def load(self, model: Path) -> OnnxSession:
        """Load an ONNX file; see `Engine.load`."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        if self._memory is not None:
            options.add_session_config_entry("session.use_env_allocators", "1")
        try:
            session = ort.InferenceSession(model, options, providers=self._providers)
            session.disable_fallback()
            if session.get_providers()[0] != self._name:
                raise ModelNotRunnable(f"{model.name} does not run on {self._name}.")
            return OnnxSession(session, _scalars(model, session))
        except ModelNotRunnable:
            raise
        except ManifestMalformed as error:
            raise ModelNotRunnable(f"{model.name}: {error.what}") from error
        except Exception as error:  # onnxruntime raises classes without a common public base
            raise ModelNotRunnable(
                f"{model.name}: ONNX Runtime says: {str(error)[:300]}"
            ) from error


def _spec(entry: Any, scalars: frozenset[str]) -> Tensor:  # noqa: ANN401 - untyped library
    found = _TENSOR.fullmatch(entry.type)
    if found is None:
        raise ModelNotRunnable(f"{entry.name!r} is {entry.type}, which is no tensor.")
    sizes = tuple(size if isinstance(size, int) else (size or UNKNOWN) for size in entry.shape)
    shape = sizes if sizes or entry.name in scalars else None
    return Tensor(entry.name, _DTYPES.get(found[1], found[1]), shape)


def _scalars(model: Path, session: ort.InferenceSession) -> frozenset[str]:
    """Name what the file declares as scalars: ONNX Runtime shows tensors of open rank alike."""
    if all(entry.shape for entry in (*session.get_inputs(), *session.get_outputs())):
        return frozenset()
    graph = onnx.load(model, load_external_data=False).graph
    return frozenset(
        value.name
        for value in (*graph.input, *graph.output)
        if value.type.tensor_type.HasField("shape") and not value.type.tensor_type.shape.dim
    )
