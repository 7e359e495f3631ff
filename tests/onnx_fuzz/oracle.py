"""What the right answers are: ONNX Runtime's, in a process of its own since it dies of some files.

Where it has none, or says otherwise than the module, the standard's reference is asked.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from onnx import ModelProto

_PATIENCE = 60


class Unanswered(Exception):
    """There is no right answer: the oracle refuses the model, or died of it."""


class OnnxRuntime:
    """ONNX Runtime without its optimisations, which change what operators are computed."""

    def __init__(self) -> None:
        self._process: Any = None
        self._link: Any = None

    def __call__(self, model: ModelProto, inputs: dict[str, Any]) -> list[Any]:
        """Give the outputs.

        Raises:
            Unanswered: there are none.
        """
        if self._process is None:
            self._start()
        self._link.send((model.SerializeToString(), inputs))
        try:
            if not self._link.poll(_PATIENCE):
                self.close()
                raise Unanswered("it does not end")
            fine, answer = self._link.recv()
        except EOFError as error:
            self.close()
            raise Unanswered("it died") from error
        if not fine:
            raise Unanswered(answer)
        outputs: list[Any] = answer
        return outputs

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None

    def _start(self) -> None:
        context = get_context("spawn")
        self._link, theirs = context.Pipe()
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()


def _serve(link: Connection) -> None:
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime  # noqa: PLC0415 - in this process only

    onnxruntime.set_default_logger_severity(4)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    while True:
        try:
            data, inputs = link.recv()
        except EOFError:
            return
        try:
            session = onnxruntime.InferenceSession(data, options, ["CPUExecutionProvider"])
            link.send((True, session.run(None, inputs)))
        except Exception as error:
            link.send((False, " ".join(str(error).split())[:200]))


def reference(model: ModelProto, inputs: dict[str, Any]) -> list[Any]:
    """Give the outputs of the standard's reference.

    Raises:
        Unanswered: it has none.
    """
    from onnx.reference import ReferenceEvaluator  # noqa: PLC0415 - slow to import

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return list(ReferenceEvaluator(model).run(None, inputs))
        except Exception as error:
            raise Unanswered(f"{type(error).__name__}: {str(error)[:200]}") from error


def difference(
    right: Sequence[Any], ours: Sequence[Any], largest: float, *, rounded: bool = False
) -> str:
    """Say how two answers differ beyond rounding.

    `largest` is the greatest size of an input; where `rounded`, bytes are quantised numbers, each
    of which may be its neighbour.
    """
    if len(right) != len(ours):
        return f"{len(ours)} outputs, not {len(right)}"
    for place, (wanted, given) in enumerate(zip(right, ours, strict=True)):
        wanted = np.asarray(wanted)
        if wanted.dtype != given.dtype or wanted.shape != given.shape:
            return f"output {place}: {given.dtype}{given.shape}, not {wanted.dtype}{wanted.shape}"
        if wanted.dtype.kind == "f":
            unequal = _beyond(wanted, given, largest)
        elif rounded and wanted.dtype.itemsize == 1 and wanted.dtype.kind in "iu":
            unequal = np.abs(wanted.astype(np.int16) - given.astype(np.int16)) > 1
        else:
            unequal = wanted != given
        if unequal.any():
            at = np.flatnonzero(unequal)
            first = at[:4]
            return (
                f"output {place}, {len(at)} of {wanted.size}: "
                f"{given.reshape(-1)[first].tolist()}, not {wanted.reshape(-1)[first].tolist()}"
            )
    return ""


def _beyond(wanted: Any, given: Any, largest: float) -> Any:
    relative, absolute = {2: (4e-3, 1e-3), 4: (2e-4, 1e-5), 8: (1e-6, 1e-8)}[wanted.itemsize]
    with np.errstate(all="ignore"):
        finite = np.abs(wanted[np.isfinite(wanted)].astype(np.float64))
        scale = min(max(float(finite.max(initial=0)), largest), 1e4)
        near = absolute * max(1.0, scale) + relative * np.abs(wanted.astype(np.float64))
        apart = np.abs(wanted.astype(np.float64) - given.astype(np.float64)) > near
        same = (wanted == given) | (np.isnan(wanted) & np.isnan(given))
        mixed = np.isfinite(wanted) != np.isfinite(given)
        return (apart | mixed | (np.isnan(wanted) != np.isnan(given))) & ~same
