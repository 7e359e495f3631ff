"""Reading and compiling a stranger's ONNX file in a process apart, bounded in time and memory.

ONNX's shape inference is native code, and what a file can make of it, of the generator or of the C
compiler is not known: none of that runs where keys are. The process has no secret in its
environment; unlike those that run models it must start the C compiler, so it is not sealed.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from caimi.errors.base import CaimiError
from caimi.errors.inference import (
    CompilerFailed,
    ModelEndsItsProcess,
    ModelNotRunnable,
    ModuleMalformed,
    WrongInput,
)
from caimi.inference.batching import rows_stay_apart
from caimi.inference.confined.limits import machine_share
from caimi.inference.wasm.compiling.compiler import (
    VARIANTS,
    Compilation,
    Variant,
    compile_files,
    default_cache,
)
from caimi.inference.wasm.hosting.protocol import plain
from caimi.inference.wasm.module import CompiledModule

SECONDS: Final = 900.0
_MODULE: Final = "module"
_MOST_ANSWER: Final = 1 << 20
_KEPT: Final = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV")
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
            "shapes": None if shapes is None else {k: list(v) for k, v in shapes.items()},
            "cache": str((cache or default_cache() / "zig").absolute()),
            "into": name,
        }
        said = _ask("compile", job, file.name, seconds)
        beside = {
            str(each): (folder / f"beside-{at}").read_bytes()
            for at, each in enumerate(said["beside"])
        }
        module = CompiledModule.parse((folder / _MODULE).read_bytes())
        return Compilation(module, beside, bool(said["external"]))


def rows_stay_apart_told(file: Path, *, seconds: float = SECONDS) -> bool:
    """Give what `rows_stay_apart` gives, told by a process apart; False where that ends first."""
    try:
        return bool(_ask("rows", {"file": str(file.absolute())}, file.name, seconds)["apart"])
    except ModelEndsItsProcess:
        return False


def _ask(what: str, job: Mapping[str, object], name: str, seconds: float) -> dict[str, Any]:
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-P", "-m", "caimi.inference.wasm.compiling.apart", what],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={key: os.environ[key] for key in _KEPT if key in os.environ},
        start_new_session=True,
    )
    try:
        with contextlib.suppress(ProcessLookupError):
            most = machine_share()
            resource.prlimit(process.pid, resource.RLIMIT_DATA, (most, most))
            resource.prlimit(process.pid, resource.RLIMIT_CORE, (0, 0))
        answer, words = process.communicate(json.dumps(job).encode(), timeout=seconds)
    except subprocess.TimeoutExpired:
        raise ModelEndsItsProcess(f"{name} was not read within {seconds:g} seconds.") from None
    finally:
        if process.returncode is None:
            # The C compiler is of its group; the process is not waited for yet, so it is still it.
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    if process.returncode < 0:
        raise ModelEndsItsProcess(
            f"{name}: the process that reads it was ended by signal {-process.returncode}."
        )
    if process.returncode:
        # An error of our own code is a fault, and no refusal of the model.
        last = plain(words.strip().splitlines()[-1]) if words.strip() else "no reason given"
        raise CompilerFailed(f"{name}: the process that reads it failed: {last}.")
    said: dict[str, Any] = json.loads(answer[:_MOST_ANSWER])
    if "error" in said:
        kind = _ERRORS.get(said["error"], CompilerFailed)
        raise kind(said["what"], why=said["why"], next_step=said["next"])
    return said


def _compile(job: dict[str, Any]) -> dict[str, object]:
    shapes = job["shapes"]
    made = compile_files(
        Path(job["file"]),
        VARIANTS[job["variant"]],
        shapes=None if shapes is None else {name: tuple(size) for name, size in shapes.items()},
        cache=Path(job["cache"]),
    )
    into = Path(job["into"])
    (into / _MODULE).write_bytes(made.module.wasm)
    for at, data in enumerate(made.beside.values()):
        (into / f"beside-{at}").write_bytes(data)
    return {"beside": list(made.beside), "external": made.external}


def _rows(job: dict[str, Any]) -> dict[str, object]:
    return {"apart": rows_stay_apart(Path(job["file"]))}


def _main() -> None:
    """Do one job; an error that is none of ours ends the process, and is no refusal."""
    answer = sys.stdout.buffer
    sys.stdout = sys.stderr
    works = {"compile": _compile, "rows": _rows}
    try:
        said = works[sys.argv[1]](json.loads(sys.stdin.buffer.read()))
    except CaimiError as error:
        known = (name for name, kind in _ERRORS.items() if isinstance(error, kind))
        said = error.as_dict() | {"error": next(known, CompilerFailed.__name__)}
    answer.write(json.dumps(said).encode())


if __name__ == "__main__":
    _main()
