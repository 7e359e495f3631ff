"""onnxruntime-web in Node, one thread, which runs a model when it is told to."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from caimi.inference.tensors import Tensors

RUNNER = Path(__file__).parent / "onnxruntime_web" / "run.mjs"


class OnnxRuntimeWeb:
    """A process that has loaded a model and run it once."""

    def __init__(self, model: Path, inputs: Tensors) -> None:
        given = model.with_suffix(".inputs.json")
        given.write_text(
            json.dumps(
                {
                    name: {
                        "dtype": value.dtype.name,
                        "shape": value.shape,
                        "data": base64.b64encode(value.tobytes()).decode(),
                    }
                    for name, value in inputs.items()
                }
            )
        )
        self._process = subprocess.Popen(
            ["node", str(RUNNER), str(model), str(given)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        if self._line() != "ready":
            raise RuntimeError("onnxruntime-web did not start: is bench/onnxruntime_web installed?")

    def seconds(self) -> float:
        """Run the model once, and give how long that took."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._line()) / 1000

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._process.communicate()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()
