"""What the right answers are: ONNX Runtime's, in a process of its own since it dies of some files.

Where it has none, or says otherwise than the module, the standard's reference is asked.
"""

from __future__ import annotations

import os
import pickle
import select
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from typing import Any

import numpy as np
from onnx import ModelProto

_PATIENCE = 60


class Unanswered(Exception):
    """There is no right answer: the oracle refuses the model, or died of it."""


class Oracles:
    """ONNX Runtime, without its optimisations, which change what is computed, and the reference."""

    def __init__(self) -> None:
        self._process: Popen[bytes] | None = None

    def runtime(self, model: ModelProto, inputs: Mapping[str, Any]) -> list[Any]:
        """Give ONNX Runtime's outputs; raises `Unanswered`."""
        return self._ask("runtime", model, inputs)

    def reference(self, model: ModelProto, inputs: Mapping[str, Any]) -> list[Any]:
        """Give the outputs of the standard's reference; raises `Unanswered`."""
        return self._ask("reference", model, inputs)

    def _ask(self, oracle: str, model: ModelProto, inputs: Mapping[str, Any]) -> list[Any]:
        """Give an oracle's outputs.

        Raises:
            Unanswered: there are none.
        """
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            pickle.dump((oracle, model.SerializeToString(), dict(inputs)), process.stdin)
            process.stdin.flush()
            answered = select.poll()  # takes any descriptor: `select` none above 1,023
            answered.register(process.stdout, select.POLLIN)
            if not answered.poll(_PATIENCE * 1000):
                self.close()
                raise Unanswered("it does not end")
            fine, answer = pickle.load(process.stdout)
        except (EOFError, OSError, pickle.UnpicklingError) as error:
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
            self._process.communicate()
            self._process = None

    def _start(self) -> Popen[bytes]:
        environment = os.environ | {"ORT_DISABLE_TELEMETRY": "1"}
        command = [sys.executable, str(Path(__file__).with_name("runtime.py"))]
        self._process = Popen(command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=environment)
        return self._process


def difference(
    right: Sequence[Any], ours: Sequence[Any], largest: float, *, rounded: bool = False
) -> str:
    """Say how two answers differ beyond rounding.

    `largest` is the greatest size of an input; where `rounded`, bytes are quantised numbers, each
    of which may be its neighbour.
    """
    if len(right) != len(ours):
        return f"{len(ours)} outputs, not {len(right)}"
    for place, (told, given) in enumerate(zip(right, ours, strict=True)):
        wanted = np.asarray(told)
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
        if wanted.itemsize == 2:  # what rounds to infinity is next to the greatest number
            wanted, given = (np.clip(each, -65504, 65504) for each in (wanted, given))
        finite = np.abs(wanted[np.isfinite(wanted)].astype(np.float64))
        scale = min(max(float(finite.max(initial=0)), largest), 1e4)
        near = absolute * max(1.0, scale) + relative * np.abs(wanted.astype(np.float64))
        apart = np.abs(wanted.astype(np.float64) - given.astype(np.float64)) > near
        same = (wanted == given) | (np.isnan(wanted) & np.isnan(given))
        mixed = np.isfinite(wanted) != np.isfinite(given)
        return (apart | mixed | (np.isnan(wanted) != np.isnan(given))) & ~same
