"""The operators' kernels compiled alone and called from Python."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
from wasmtime import Engine, Func, Linker, Memory, Module, Store

import caimi.inference.wasm

KERNELS = Path(caimi.inference.wasm.__file__).parent / "compiling" / "kernels"
HEADER = "caimi_operators.h"
SOURCES = (
    "attention.c", "broadcasting.c", "copying.c", "normalisation.c", "pointwise.c",
    "pooling.c", "recurrent.c", "reduction.c",
    "softmax.c",
)  # fmt: skip
FLAGS = ("-target", "wasm32-wasi", "-O3", "-ffp-contract=off", "-mexec-model=reactor", "-Wall")
SIMD = ("-msimd128", "-mbulk-memory", "-mnontrapping-fptoint")
MVP = ("-mcpu=mvp",)
TRAPPING = (
    *(*SIMD, "-fno-stack-protector"),
    *("-fsanitize=undefined", "-fsanitize-trap=undefined"),
)
"""Traps wherever C leaves open what happens."""
NAN_BITS = 0x7FC00000


def declared() -> list[str]:
    """Every function that the header declares."""
    return re.findall(r"^void (caimi_\w+)\(", (KERNELS / HEADER).read_text(), re.MULTILINE)


def compile_operators(folder: Path, *flags: str) -> bytes:
    """Compile all into one module that exports them."""
    target = folder / "operators.wasm"
    exports = [f"-Wl,--export={name}" for name in (*declared(), "__heap_base")]
    sources = [str(KERNELS / name) for name in SOURCES]
    command = [sys.executable, "-m", "ziglang", "cc", *FLAGS, "-Werror", *flags, *exports]
    subprocess.run([*command, "-o", str(target), *sources], check=True, timeout=120)
    return target.read_bytes()


class Operators:
    """An instance whose functions take arrays: int32 ones are structures, float32 ones tensors."""

    def __init__(self, wasm: bytes) -> None:
        engine = Engine()
        self.store = Store(engine)
        module, linker = Module(engine, wasm), Linker(engine)
        linker.define_unknown_imports_as_traps(module)  # a sanitizer's
        self.exports = linker.instantiate(self.store, module).exports(self.store)
        memory, base = self.exports["memory"], self.exports["__heap_base"]
        assert isinstance(memory, Memory)
        self.memory = memory
        self.base = (base.value(self.store) + 63) // 64 * 64  # type: ignore[union-attr]
        start = self.exports["_initialize"]
        assert isinstance(start, Func)
        start(self.store)

    def __call__(self, name: str, *arguments, out, skew: int = 0):
        """Give the output: `out` is its shape, or an array to be overwritten; always the last.

        Every array lies `skew` times four bytes beside a multiple of 64, and is followed by numbers
        that no result may depend on; those after the output must stay.
        """
        target = np.full(out, 77, np.float32) if isinstance(out, tuple) else np.array(out)
        arrays = [np.ascontiguousarray(a) for a in arguments if isinstance(a, np.ndarray)]
        space = sum(a.nbytes + 256 for a in (*arrays, target)) + self.base
        missing = space - self.memory.data_len(self.store)
        if missing > 0:
            self.memory.grow(self.store, -(-missing // 65536))
        at, values = self.base, []
        for argument in (*arguments, target):
            if isinstance(argument, np.ndarray):
                place = at + 4 * skew
                data = np.ascontiguousarray(argument)
                self.memory.write(self.store, data.tobytes() + b"\x5a" * 64, place)
                at = (place + data.nbytes + 64 + 63) // 64 * 64
                values.append(place)
            else:
                values.append(0 if argument is None else argument)
        function = self.exports[f"caimi_{name}"]
        assert isinstance(function, Func)
        function(self.store, *values)
        end = values[-1] + target.nbytes
        assert bytes(self.memory.read(self.store, end, end + 64)) == b"\x5a" * 64
        data = bytes(self.memory.read(self.store, values[-1], end))
        return np.frombuffer(data, target.dtype).reshape(target.shape)

    def pointwise(self, name: str, x, *parameters):
        """Apply a function of one number to an array of any shape."""
        return self(f"{name}_f32", x.size, *parameters, x, out=x.shape)


def struct(*fields: int | tuple[int, ...] | list[int], lengths: tuple[int, ...] = ()):
    """A C structure of int32, arrays padded with zeros to `lengths`."""
    sizes = iter(lengths)
    numbers: list[int] = []
    for field in fields:
        if isinstance(field, int):
            numbers.append(field)
        else:
            numbers += [*field, *[0] * (next(sizes, len(field)) - len(field))]
    return np.array(numbers, np.int32)


def ulps(found, exact) -> float:
    """The largest distance from float64 results, in units in the last place of float32.

    Infinities and NaNs must be where they are in the exact results rounded to float32.
    """
    with np.errstate(over="ignore"):
        rounded = exact.astype(np.float32)
    finite = np.isfinite(rounded) & np.isfinite(found)
    apart = ~finite & ~((found == rounded) | (np.isnan(found) & np.isnan(rounded)))
    with np.errstate(all="ignore"):
        spacing = np.maximum(np.spacing(np.abs(rounded).astype(np.float32)), np.float32(2**-149))
        distance = np.abs(found.astype(np.float64) - exact) / spacing.astype(np.float64)
    # At the edge of the range, the largest number and infinity are neighbours.
    edge = apart & (np.abs(found) > 3e38) & (np.abs(rounded) > 3e38)
    assert not (apart & ~edge).any(), np.flatnonzero(apart & ~edge)[:5]
    return float(distance[finite].max(initial=0.0))


def all_kinds(count: int = 1 << 20):
    """Float32 of every sign and exponent, evenly over the bit patterns, and the special ones."""
    step = (1 << 32) // count
    even = (np.arange(count, dtype=np.uint64) * step + step // 3).astype(np.uint32)
    edges = np.array(
        [0, 1, 0x7FFFFF, 0x800000, 0x3F800000, 0x7F7FFFFF, 0x7F800000, 0x7F800001, 0x7FC00000,
         0x7FC12345, 0x7FFFFFFF], np.uint32,
    )  # fmt: skip
    return np.concatenate([even, edges, edges | np.uint32(1 << 31)]).view(np.float32)
