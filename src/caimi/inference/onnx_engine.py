"""The ONNX Runtime engine: the fast path.

The library crashes on some valid files and never ends on others, so it runs in no process that
holds keys: each loaded model is in a confined process of its own (`caimi.inference.confined`).
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from caimi.errors.inference import ModelNotRunnable, RunFailed, RunnerDied
from caimi.errors.models import ManifestMalformed
from caimi.inference.confined.limits import OnnxLimits
from caimi.inference.confined.model_files import ModelFiles
from caimi.inference.confined.model_process import ModelProcess, Setting
from caimi.inference.confined.process import nursery
from caimi.inference.onnx_providers import Provider, choose_provider, provider_settings
from caimi.inference.tensors import Array, Tensors, check_tensors
from caimi.models.tensor import UNKNOWN, Tensor, open_dimension

_TENSOR = re.compile(r"tensor\((\w+)\)")
_DTYPES = {"float": "float32", "double": "float64"}
_MOST_LANES: Final = 16


class OnnxSession:
    """A model in ONNX Runtime, in a process that is replaced when it dies.

    Runs go side by side. Where one of several ends the process, or something outside does, each
    of them is run once more in a process of its own, so that only the run which did it fails.
    """

    def __init__(self, files: ModelFiles, setting: Setting, model: Path) -> None:
        self.model: Path | None = model
        self._files = files
        self._setting = setting
        self._lock = threading.Lock()
        self._alone = threading.Lock()
        self._closed = False
        self._process = self._start()
        self._inputs, self._outputs = self._process.inputs, self._process.outputs
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
        """Run the model; see `Session.run`.

        Raises:
            WrongInput, RunFailed: as `Session.run`.
            RunTimedOut, RunnerDied: it took more than its time, or ended its process.
        """
        checked = check_tensors(inputs, self._inputs)
        process = self._living()
        try:
            values = process.run(checked)
        except RunnerDied:
            if not process.had_victims:
                raise
            values = self._run_alone(checked)
        return dict(zip(self._names, values, strict=True))

    def kill(self) -> None:
        """End its process, whatever it is doing; the next run starts another."""
        self._process.kill()

    def close(self) -> None:
        """End its process for good."""
        with self._lock:
            self._closed = True
            self._process.close()

    def _living(self) -> ModelProcess:
        with self._lock:
            if self._closed:
                raise RunnerDied("The session is closed.")
            if not self._process.alive:
                self._process = self._again()
            return self._process

    def _run_alone(self, inputs: Tensors) -> list[Array]:
        with self._alone:
            process = self._again()
            try:
                return process.run(inputs)
            finally:
                process.close()

    def _again(self) -> ModelProcess:
        try:
            return self._start()
        except ModelNotRunnable as error:
            raise RunFailed(f"It cannot be loaded again: {error.what}") from error

    def _start(self) -> ModelProcess:
        files, setting = self._files, self._setting
        process = ModelProcess(files, setting)
        try:
            wanted = setting.providers[0][0]
            if process.provider != wanted:
                raise ModelNotRunnable(f"{files.name} does not run on {wanted}.")
            inputs, outputs = (
                tuple(_spec(entry, files.scalars) for entry in end) for end in process.declared
            )
        except ManifestMalformed as error:
            process.close()
            raise ModelNotRunnable(f"{files.name}: {error.what}") from error
        except ModelNotRunnable:
            process.close()
            raise
        process.inputs, process.outputs = inputs, outputs
        return process


class OnnxEngine:
    """ONNX Runtime with a fixed number of threads a run; custom operators are not loaded.

    `provider` is "cpu", "cuda", or "auto": CUDA where it runs, else the CPU; `id` says which it is.
    A graph that is not `optimised` is run operator by operator, as the file has it.
    What runs of one model need takes at most `memory_bytes`, if that is given; `limits` bound what
    a model may take in all.

    Construction raises `ProviderMissing`.
    """

    def __init__(
        self,
        threads: int = 1,
        *,
        provider: Provider = "cpu",
        memory_bytes: int | None = None,
        optimised: bool = True,
        limits: OnnxLimits | None = None,
    ) -> None:
        runs = choose_provider(provider)
        self.id = f"onnxruntime/{nursery().version}/{runs}"
        self.answer = ""
        on_cpu = runs == "cpu"
        limits = limits or OnnxLimits()
        self._setting = Setting(
            threads=threads,
            optimised=optimised,
            lanes=min(os.cpu_count() or 1, _MOST_LANES),
            providers=provider_settings(runs, memory_bytes),
            # Without a bound of its own, an arena that was refused memory asks as much ever after.
            arena_bytes=(memory_bytes or limits.process_bytes) if on_cpu else None,
            sealed=on_cpu,
            limits=limits,
        )

    def load(self, model: Path) -> OnnxSession:
        """Load an ONNX file; see `Engine.load`."""
        files = ModelFiles(model)
        try:
            return OnnxSession(files, self._setting, model)
        except BaseException:
            files.close()
            raise


def _spec(entry: object, scalars: frozenset[str]) -> Tensor:
    match entry:
        case [str(name), str(kind), list(sizes)]:
            found = _TENSOR.fullmatch(kind)
            if found is None:
                raise ModelNotRunnable(f"{name!r} is {kind}, which is no tensor.")
            dtype = _DTYPES.get(found[1], found[1])
            shape = tuple(map(_size, sizes))
            return Tensor(name, dtype, shape if shape or name in scalars else None)
    raise ModelNotRunnable("Its process speaks another language.")


def _size(size: object) -> int | str:
    if isinstance(size, int):
        return size if size >= 0 else UNKNOWN
    return open_dimension(size if isinstance(size, str) else "")
