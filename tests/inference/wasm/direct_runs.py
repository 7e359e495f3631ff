"""Modules run without the host: in this process by wasmtime, and by Node's V8."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from wasmtime import Config, Engine, Func, FuncType, Instance, Module, Store, ValType

from caimi.inference.tensors import Tensors
from caimi.inference.wasm.module import CompiledModule

V8 = Path(__file__).parent / "run_in_v8.mjs"


def calls_of(module: CompiledModule, inputs: Tensors) -> Iterator[list[bytes]]:
    """Give the bytes of the inputs of each call: one for each row, where a module takes rows."""
    metadata = module.metadata
    rows = next((len(inputs[t.name]) for t in metadata.inputs if metadata.is_by_row(t)), 1)
    for row in range(rows):
        yield [
            (inputs[t.name][row : row + 1] if metadata.is_by_row(t) else inputs[t.name]).tobytes()
            for t in metadata.inputs
        ]


def joined(module: CompiledModule, answers: Sequence[Sequence[bytes]]) -> Tensors:
    """Give the outputs of all calls as tensors."""
    metadata = module.metadata
    outputs = {}
    for place, tensor in enumerate(metadata.outputs):
        data = b"".join(answer[place] for answer in answers)
        shape = [len(answers) if size == metadata.rows else size for size in tensor.shape]
        outputs[tensor.name] = np.frombuffer(data, tensor.dtype).reshape(shape)
    return outputs


class InProcess:
    """A module in this process, its machine code made at one of Cranelift's levels."""

    def __init__(
        self, module: CompiledModule, folder: Path, level: str = "speed", mode: int = 0
    ) -> None:
        config = Config()
        config.cranelift_opt_level = level
        self._module, self._folder = module, folder
        self._store = Store(Engine(config))
        code = Module(self._store.engine, module.wasm)
        imports = []
        if code.imports:
            kind = FuncType([ValType.i32()] * 4, [])
            imports.append(Func(self._store, kind, self._read))
        self._exports = Instance(self._store, code, imports).exports(self._store)
        self._memory = self._exports["memory"]
        self._call("_initialize")
        assert self._call("caimi_load", mode) == 0

    def run(self, inputs: Tensors) -> Tensors:
        answers = []
        metadata = self._module.metadata
        for call in calls_of(self._module, inputs):
            for place, data in enumerate(call):
                self._memory.write(self._store, data, self._call("caimi_input", place))
            assert self._call("caimi_run") == 0
            starts = [self._call("caimi_output", n) for n in range(len(metadata.outputs))]
            sizes = [metadata.call_bytes(tensor) for tensor in metadata.outputs]
            answers.append(
                [
                    bytes(self._memory.read(self._store, start, start + size))
                    for start, size in zip(starts, sizes, strict=True)
                ]
            )
        return joined(self._module, answers)

    def _call(self, name: str, *numbers: int) -> int:
        return int(self._exports[name](self._store, *numbers) or 0)

    def _read(self, weight: int, destination: int, first: int, size: int) -> None:
        place = self._module.metadata.weights[weight]
        with (self._folder / place.file).open("rb") as file:
            file.seek(place.offset + first)
            self._memory.write(self._store, file.read(size), destination)


def run_in_v8(module: CompiledModule, folder: Path, runs: Sequence[Tensors]) -> list[Tensors]:
    """Run a module in Node for several inputs."""
    metadata = module.metadata
    calls = [list(calls_of(module, inputs)) for inputs in runs]
    job = {
        "module": base64.b64encode(module.wasm).decode(),
        "folder": str(folder),
        "weights": [weight.to_json() for weight in metadata.weights],
        "outputs": [metadata.call_bytes(tensor) for tensor in metadata.outputs],
        "calls": [[base64.b64encode(part).decode() for part in c] for run in calls for c in run],
    }
    done = subprocess.run(
        ["node", str(V8)],
        input=json.dumps(job).encode(),
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    answers = [[base64.b64decode(part) for part in each] for each in json.loads(done.stdout)]
    results = []
    for run in calls:
        results.append(joined(module, answers[: len(run)]))
        del answers[: len(run)]
    return results
