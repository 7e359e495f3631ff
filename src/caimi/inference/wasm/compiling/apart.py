"""Reading and compiling a stranger's ONNX file in a process apart, bounded in time and memory.

ONNX's shape inference is native code, and what a file can make of it, of the generator or of the C
compiler is not known: none of that runs where keys are. The process has no secret in its
environment; unlike those that run models it must start the C compiler, so it is not sealed.
"""

from __future__ import annotations

import json
import os
import resource
import select
import socket
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Any, Final

from caimi.errors.base import CaimiError
from caimi.errors.inference import (
    CompilerFailed,
    ModelEndsItsProcess,
    ModelNotRunnable,
    ModuleMalformed,
    RunnerDied,
    RunTimedOut,
    WrongInput,
)
from caimi.inference.batching import rows_stay_apart
from caimi.inference.confined import forking
from caimi.inference.confined.limits import machine_share
from caimi.inference.confined.process import fork, send
from caimi.inference.wasm.compiling.compiler import Compilation, compile_files, default_cache
from caimi.inference.wasm.compiling.variants import VARIANTS, Variant
from caimi.inference.wasm.hosting.confinement import lower_limit
from caimi.inference.wasm.module import CompiledModule

SECONDS: Final = 900.0
_MODULE: Final = "module"
_MOST_ANSWER: Final = 1 << 17
_PROCESSOR_SECONDS: Final = 1800
_ERRORS: Final[Mapping[str, type[CaimiError]]] = {
    kind.__name__: kind for kind in (CompilerFailed, ModelNotRunnable, ModuleMalformed, WrongInput)
}


def compile_apart(
    file: Path,
    variant: Variant,
    *,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    cache: Path | None = None,
    seconds: float = SECONDS,
) -> Compilation:
    """Give what `compile_files` gives, made in a process apart.

    Raises:
        ModelEndsItsProcess: it ended the process, or took more than its time or memory.
        ModelNotRunnable, WrongInput, CompilerFailed: as `compile_files`.
    """
    with tempfile.TemporaryDirectory(prefix="caimi-apart-") as name:
        folder = Path(name)
        job = {
            "file": str(file.absolute()),
            "variant": variant.name,
            "shapes": shapes and dict(shapes),
            "cache": str((cache or default_cache() / "zig").absolute()),
            "into": name,
        }
        said = ask_apart("compile", job, file.name, seconds)
        beside = {
            str(each): (folder / f"beside-{at}").read_bytes()
            for at, each in enumerate(said["beside"])
        }
        module = CompiledModule.parse((folder / _MODULE).read_bytes())
        return Compilation(module, beside, bool(said["external"]))


def rows_stay_apart_told(file: Path, *, seconds: float = SECONDS) -> bool:
    """Give what `rows_stay_apart` gives, told by a process apart; False where that ends first."""
    try:
        return bool(ask_apart("rows", {"file": str(file.absolute())}, file.name, seconds)["apart"])
    except ModelEndsItsProcess:
        return False


def ask_apart(
    what: str, job: Mapping[str, object], name: str, seconds: float = SECONDS
) -> dict[str, Any]:
    """Have a process apart do a job, "compile", "rows" or "usage", on the file called `name`.

    Raises:
        ModelEndsItsProcess: it ended the process, or took more than its time or memory.
        ModelNotRunnable, WrongInput, CompilerFailed: as the job does.
    """
    process = fork(compiler)
    try:
        send(process.channel, json.dumps([what, job]).encode())
        answer = process.receive(process.channel, monotonic() + seconds, _MOST_ANSWER)
    except RunTimedOut as error:
        raise ModelEndsItsProcess(f"{name} was not read within {seconds:g} seconds.") from error
    except RunnerDied as error:
        raise ModelEndsItsProcess(f"{name}: the process that reads it {process.how}.") from error
    finally:
        process.close()
    said: dict[str, Any] = json.loads(answer)
    if "error" in said:
        kind = _ERRORS.get(said["error"], CompilerFailed)
        raise kind(said["what"], why=said["why"], next_step=said["next"])
    return said


def compiler(descriptor: int) -> list[str]:
    """Give the command of the process that has the compiler."""
    return [sys.executable, "-P", "-m", "caimi.inference.wasm.compiling.apart", str(descriptor)]


def _compile(job: dict[str, Any]) -> dict[str, object]:
    made = compile_files(
        Path(job["file"]),
        VARIANTS[job["variant"]],
        shapes=_shapes(job),
        cache=Path(job["cache"]),
    )
    into = Path(job["into"])
    (into / _MODULE).write_bytes(made.module.wasm)
    for at, data in enumerate(made.beside.values()):
        (into / f"beside-{at}").write_bytes(data)
    return {"beside": list(made.beside), "external": made.external}


def _rows(job: dict[str, Any]) -> dict[str, object]:
    return {"apart": rows_stay_apart(Path(job["file"]))}


def _usage(job: dict[str, Any]) -> dict[str, object]:
    from caimi.inference.metering import tell  # noqa: PLC0415 - it may run what is compiled here

    told = tell(Path(job["file"]), _shapes(job))
    if told is None:
        return {"usage": None}
    used, inputs = told.usage, told.inputs
    return {
        "usage": [used.fuel, used.bytes_in, used.bytes_out],
        "inputs": inputs and [[each.name, each.dtype, each.shape or ()] for each in inputs],
    }


def _shapes(job: dict[str, Any]) -> dict[str, tuple[int, ...]] | None:
    given = job["shapes"]
    return None if given is None else {name: tuple(size) for name, size in given.items()}


def _work(descriptor: int) -> None:
    """Do one job within bounds of memory; the C compiler has them too."""
    lower_limit(resource.RLIMIT_DATA, machine_share())
    lower_limit(resource.RLIMIT_CORE, 0)
    lower_limit(resource.RLIMIT_CPU, _PROCESSOR_SECONDS)
    channel = socket.socket(fileno=descriptor)
    what, job = json.loads(channel.recv(_MOST_ANSWER))
    threading.Thread(target=_end_with, args=(channel,), daemon=True).start()
    said: dict[str, object]
    try:
        said = {"compile": _compile, "rows": _rows, "usage": _usage}[what](job)
    except CaimiError as error:
        known = (name for name, kind in _ERRORS.items() if isinstance(error, kind))
        said = {**error.as_dict(), "error": next(known, CompilerFailed.__name__)}
    except Exception as error:  # a fault of our own, told as one: it is no refusal of the model
        said = {**CompilerFailed(f"{type(error).__name__}: {str(error)[:300]}").as_dict()}
    channel.send(json.dumps(said).encode())


def _end_with(channel: socket.socket) -> None:
    """End this process, whatever it is doing, when the other end of its channel is closed."""
    ended = select.poll()
    ended.register(channel, 0)
    ended.poll()
    os._exit(0)


if __name__ == "__main__":
    _control = socket.socket(fileno=int(sys.argv[1]))
    _control.send(json.dumps(["compiler", []]).encode())
    forking.serve(_control, _work)
