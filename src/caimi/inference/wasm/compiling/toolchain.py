"""The pinned C compiler that makes WebAssembly: clang and wasi-libc of the ziglang wheel."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from caimi.errors.inference import CompilerFailed

ZIG_VERSION: Final = "0.17.1"
GENERATOR_VERSION: Final = "1.4.0"
"""Of ziglang and emx-onnx-cgen. Other versions make other bytes, and so need other engine ids."""
TIME_LIMIT: Final = 600
EXPORTS: Final = ("caimi_load", "caimi_run", "caimi_input", "caimi_output")
_STACK_BYTES: Final = 1 << 20
_PAGE: Final = 1 << 16
_MOST_MEMORY: Final = (1 << 32) - _PAGE

_COMMON: Final = (
    "-target",
    "wasm32-wasi",
    "-O3",
    "-std=gnu11",
    "-ffp-contract=off",
    "-fno-math-errno",
    # A float beyond an integer's range becomes its nearest, NaN 0, with SIMD and without.
    "-fno-strict-float-cast-overflow",
    # Tensors of several types share the arena, and NaNs are made canonical as integers.
    "-fno-strict-aliasing",
    # Float16 is stored in two bytes, computed as float32, and rounded after every operation.
    *("-Xclang", "-fnative-half-arguments-and-returns"),
    "-fno-sanitize=all",
    "-ffunction-sections",
    "-fdata-sections",
    "-mexec-model=reactor",
    "-w",
    "-Wl,--gc-sections",
    "-Wl,--strip-all",
    f"-Wl,-z,stack-size={_STACK_BYTES}",
    *(f"-Wl,--export={name}" for name in EXPORTS),
)


@dataclass(frozen=True, slots=True)
class Target:
    """For which instruction set to compile, and with which macros."""

    flags: tuple[str, ...]
    defines: tuple[str, ...] = ()


def check_toolchain() -> None:
    """Check that the versions which fix the bytes of modules are installed.

    Raises:
        CompilerFailed: they are not.
    """
    for package, wanted in (("ziglang", ZIG_VERSION), ("emx-onnx-cgen", GENERATOR_VERSION)):
        found = version(package)
        if found != wanted:
            raise CompilerFailed(f"{package} is {found}, not {wanted}: modules would differ.")


def build(
    sources: Sequence[Path],
    includes: Sequence[Path],
    target: Target,
    output: Path,
    *,
    max_memory: int,
    cache: Path,
) -> None:
    """Compile and link C files to one module that grows to `max_memory` bytes at most.

    `cache` keeps what was compiled before.

    Raises:
        CompilerFailed: the compiler refuses the sources, or takes more than ten minutes.
    """
    command = [
        *(sys.executable, "-m", "ziglang", "cc"),
        *_COMMON,
        *target.flags,
        *(f"-D{define}" for define in target.defines),
        *(f"-I{folder}" for folder in includes),
        f"-Wl,--max-memory={min(-(-max_memory // _PAGE) * _PAGE, _MOST_MEMORY)}",
        *map(str, sources),
        *("-o", str(output)),
    ]
    environment = {
        **{key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "LANG")},
        "ZIG_GLOBAL_CACHE_DIR": str(cache),
        "ZIG_LOCAL_CACHE_DIR": str(cache),
    }
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and nothing of a model in the arguments
            command, env=environment, capture_output=True, timeout=TIME_LIMIT, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise CompilerFailed(f"The C compiler took more than {TIME_LIMIT} s.") from error
    if done.returncode or not output.is_file():
        first = done.stderr.decode(errors="replace").strip()[:600]
        raise CompilerFailed(f"The C compiler ended with status {done.returncode}: {first}")
