"""Runs of one module from many threads, in child processes that are replaced when they die."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Self

from caimi.errors.inference import RunnerDied
from caimi.inference.tensors import Tensors
from caimi.inference.wasm.hosting.runner import Runner, RunOutcome
from caimi.inference.wasm.metadata import Metadata
from caimi.models.tensor import Tensor


class ModuleSession:
    """A module that is loaded in up to `processes` processes; `run` may be called from any thread.

    Each run is in one process, where no other run is; when all are busy, runs wait. A process that
    fails is buried, and the next run starts another.
    """

    def __init__(self, start: Callable[[], Runner], metadata: Metadata, processes: int) -> None:
        self._start = start
        self._metadata = metadata
        self._places = threading.BoundedSemaphore(processes)
        self._lock = threading.Lock()
        self._closed = False
        first = start()
        self.load_cost = first.load_cost
        self._idle = [first]

    @property
    def inputs(self) -> Sequence[Tensor]:
        """What the module takes."""
        return self._metadata.inputs

    @property
    def outputs(self) -> Sequence[Tensor]:
        """What the module gives."""
        return self._metadata.outputs

    @property
    def pids(self) -> list[int]:
        """The process ids of idle children."""
        with self._lock:
            return [runner.pid for runner in self._idle]

    @property
    def closed(self) -> bool:
        """Whether it takes no more runs."""
        return self._closed

    def run(self, inputs: Tensors) -> RunOutcome:
        """Run the module; the host calls it once for each row, where it takes rows.

        Raises:
            WrongInput: an input does not fit the signature, or all are too large together.
            FuelExhausted, RunTimedOut, ModuleMemoryExceeded: a limit was met.
            ModuleTrapped, ModuleLied: the module is wrong, or wrong for these inputs.
            RunnerDied: the process ended.
            RunFailed: the module refused the inputs.
            WeightsUnavailable, StorageError: a weight cannot be had, or was altered.
        """
        with self._places:
            runner = self._take()
            try:
                return runner.run(inputs)
            finally:
                self._give_back(runner)

    def close(self) -> None:
        """End all processes; runs that are under way end first."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for runner in idle:
            runner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take(self) -> Runner:
        while True:
            with self._lock:
                if self._closed:
                    raise RunnerDied("The session is closed.")
                runner = self._idle.pop() if self._idle else None
            if runner is None:
                return self._start()
            if not runner.spent:
                return runner
            runner.close()

    def _give_back(self, runner: Runner) -> None:
        with self._lock:
            keep = not (runner.spent or self._closed)
            if keep:
                self._idle.append(runner)
        if not keep:
            runner.close()
