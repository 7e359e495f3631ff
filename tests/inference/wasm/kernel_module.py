"""The kernels compiled alone, called from Python; and the sums they promise, taken by NumPy."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from itertools import product
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from wasmtime import Config, Engine, Func, Linker, Memory, Module, Store

import caimi.inference.wasm

Array = NDArray[np.float32]
KERNELS = Path(caimi.inference.wasm.__file__).parent / "compiling" / "kernels"
FLAGS = ("-target", "wasm32-wasi", "-O3", "-ffp-contract=off", "-mexec-model=reactor", "-Wall")
SOURCES = ("conv.c", "depthwise.c", "epilogue.c", "gemm.c", "matrix.c", "product.c", "row.c")
EXPORTS = ("caimi_conv_f32", "caimi_gemm_f32", "caimi_conv_i8", "caimi_gemm_i8", "__heap_base")
LINEAR, CLIP, LEAKY, HARD_SWISH = range(4)
NAN = np.uint32(0x7FC00000).view(np.float32)


def compile_kernels(folder: Path, *flags: str) -> bytes:
    """Compile the kernels into one module that exports them."""
    target = folder / "kernels.wasm"
    exports = [f"-Wl,--export={name}" for name in EXPORTS]
    sources = [str(KERNELS / name) for name in SOURCES if (KERNELS / name).is_file()]
    command = [sys.executable, "-m", "ziglang", "cc", *FLAGS, *flags, *exports]
    subprocess.run([*command, "-o", str(target), *sources], check=True, timeout=120)
    return target.read_bytes()


@dataclass(frozen=True)
class Epilogue:
    """The C struct of the same name."""

    scale: Array | None = None
    bias: Array | None = None
    residual: Array | None = None
    activation: int = LINEAR
    low: float = 0.0
    high: float = 0.0


@dataclass(frozen=True)
class Conv:
    """The C struct of the same name; `after` is the padding behind each axis."""

    batch: int = 1
    groups: int = 1
    in_channels: int = 1
    out_channels: int = 1
    size: tuple[int, int, int] = (1, 1, 1)
    kernel: tuple[int, int, int] = (1, 1, 1)
    stride: tuple[int, int, int] = (1, 1, 1)
    dilation: tuple[int, int, int] = (1, 1, 1)
    pad: tuple[int, int, int] = (0, 0, 0)
    after: tuple[int, int, int] = (0, 0, 0)

    @property
    def out(self) -> tuple[int, int, int]:
        """Depth, height and width of the output."""
        axes = zip(
            self.size, self.kernel, self.stride, self.dilation, self.pad, self.after, strict=True
        )
        d, h, w = ((n + p + q - d * (k - 1) - 1) // s + 1 for n, k, s, d, p, q in axes)
        return d, h, w

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the input."""
        return (self.batch, self.in_channels, *self.size)

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """Shape of the weights."""
        return (self.out_channels, self.in_channels // self.groups, *self.kernel)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the output."""
        return (self.batch, self.out_channels, *self.out)

    @property
    def fields(self) -> list[int]:
        """The C struct's fields in their order."""
        head = [self.batch, self.groups, self.in_channels, self.out_channels]
        axes = (self.size, self.out, self.kernel, self.stride, self.dilation, self.pad)
        return head + [value for axis in axes for value in axis]


@dataclass(frozen=True)
class Gemm:
    """The C struct of the same name."""

    batch: int = 1
    m: int = 1
    n: int = 1
    k: int = 1
    trans_a: bool = False
    trans_b: bool = False
    alpha: float = 1.0
    one_a: bool = False
    one_b: bool = False

    @property
    def a_shape(self) -> tuple[int, ...]:
        """Shape of the left matrices."""
        shape = (self.k, self.m) if self.trans_a else (self.m, self.k)
        return (1 if self.one_a else self.batch, *shape)

    @property
    def b_shape(self) -> tuple[int, ...]:
        """Shape of the right matrices."""
        shape = (self.n, self.k) if self.trans_b else (self.k, self.n)
        return (1 if self.one_b else self.batch, *shape)

    @property
    def fields(self) -> list[int]:
        """The C struct's fields in their order."""
        strides = [0 if self.one_a else self.m * self.k, 0 if self.one_b else self.k * self.n]
        alpha = int(np.float32(self.alpha).view(np.int32))
        sizes = [self.batch, self.m, self.n, self.k]
        return [*sizes, int(self.trans_a), int(self.trans_b), alpha, *strides]


@dataclass
class Kernels:
    """A compiled module and a heap that every call begins anew."""

    code: bytes = field(repr=False)
    fuel: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        config = Config()
        config.consume_fuel = True
        self._store = Store(Engine(config))
        self._store.set_fuel(1 << 62)
        module, linker = Module(self._store.engine, self.code), Linker(self._store.engine)
        linker.define_unknown_imports_as_traps(module)  # a sanitizer's, whose runtime is linked
        self._exports = linker.instantiate(self._store, module).exports(self._store)
        memory = self._exports["memory"]
        assert isinstance(memory, Memory)
        self._memory = memory
        base = self._exports["__heap_base"]
        self._base = (base.value(self._store) + 63) // 64 * 64  # type: ignore[union-attr]

    def put(self, values: NDArray[np.generic] | None) -> int:
        """Copy an array to the heap and give its address, 0 for none."""
        if values is None:
            return 0
        at, self._top = self._top, self._top + (values.nbytes + 127) // 64 * 64
        missing = self._top - self._memory.data_len(self._store)
        if missing > 0:
            self._memory.grow(self._store, missing // 65536 + 1)
        self._memory.write(self._store, np.ascontiguousarray(values).tobytes(), at)
        return at

    def call(
        self,
        name: str,
        fields: list[int],
        left: NDArray[np.generic],
        right: NDArray[np.generic],
        epilogue: Epilogue | None,
        shape: tuple[int, ...],
    ) -> Array:
        """Call a kernel and give its output."""
        self._top = self._base
        pointers = [self.put(np.array(fields, np.int32)), self.put(left), self.put(right), 0]
        if epilogue is not None:
            arrays = [self.put(each) for each in (epilogue.scale, epilogue.bias, epilogue.residual)]
            limits = np.array([epilogue.low, epilogue.high], np.float32).view(np.int32)
            struct = np.array([*arrays, epilogue.activation, *limits], np.int32)
            pointers[3] = self.put(struct)
        output = self.put(np.full(shape, 7, np.float32))
        kernel = self._exports[name]
        assert isinstance(kernel, Func)
        before = self._store.get_fuel()
        kernel(self._store, *pointers, output)
        self.fuel = before - self._store.get_fuel()
        data = self._memory.read(self._store, output, output + prod(shape) * 4)
        return np.frombuffer(bytes(data), np.float32).reshape(shape)

    def conv(
        self, c: Conv, x: Array, w: NDArray[np.generic], epilogue: Epilogue | None = None
    ) -> Array:
        """Convolve."""
        name = "caimi_conv_i8" if w.dtype == np.int8 else "caimi_conv_f32"
        return self.call(name, c.fields, x, w, epilogue, c.output_shape)

    def gemm(
        self, g: Gemm, a: Array, b: NDArray[np.generic], epilogue: Epilogue | None = None
    ) -> Array:
        """Multiply matrices."""
        name = "caimi_gemm_i8" if b.dtype == np.int8 else "caimi_gemm_f32"
        return self.call(name, g.fields, a, b, epilogue, (g.batch, g.m, g.n))


def sum_in_order(
    left: NDArray[np.generic], right: NDArray[np.generic], dtype: type[np.floating]
) -> NDArray[np.floating]:
    """Multiply [..., m, k] with [..., k, n], one k after the other."""
    a, b = left.astype(dtype), right.astype(dtype)
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    total = np.zeros((*batch, a.shape[-2], b.shape[-1]), dtype)
    for k in range(a.shape[-1]):
        total = total + a[..., :, k, None] * b[..., None, k, :]
    return total


def patches(c: Conv, x: Array) -> Array:
    """Give what each tap of each channel meets: [batch, channel * tap, out pixel]."""
    padded = np.pad(x, ((0, 0), (0, 0), *zip(c.pad, c.after, strict=True)))
    taken = []
    for tap in product(*(range(n) for n in c.kernel)):
        where = [
            slice(t * d, t * d + (o - 1) * s + 1, s)
            for t, d, o, s in zip(tap, c.dilation, c.out, c.stride, strict=True)
        ]
        taken.append(padded[(slice(None), slice(None), *where)])
    return np.stack(taken, 2).reshape(c.batch, -1, prod(c.out))


def finish(
    total: NDArray[np.floating], epilogue: Epilogue | None, channels: tuple[int, ...]
) -> Array:
    """Apply an epilogue as the header states it; `channels` shapes scale and bias."""
    e = epilogue or Epilogue()
    if e.scale is not None:
        total = total * e.scale.reshape(channels).astype(total.dtype)
    if e.bias is not None:
        total = total + e.bias.reshape(channels).astype(total.dtype)
    if e.residual is not None:
        total = total + e.residual.astype(total.dtype)
    v = total.astype(np.float32)
    low, high = np.float32(e.low), np.float32(e.high)
    if e.activation == CLIP:
        v = np.where(v < low, low, v)
        v = np.where(high < v, high, v)
    elif e.activation == LEAKY:
        v = np.where(v < 0, v * low, v)
    elif e.activation == HARD_SWISH:
        gate = v * low + high
        gate = np.where(gate < 0, np.float32(0), gate)
        v = v * np.where(gate > 1, np.float32(1), gate)
    return np.where(np.isnan(v), NAN, v)


def expected_conv(
    c: Conv,
    x: Array,
    w: NDArray[np.generic],
    epilogue: Epilogue | None = None,
    dtype: type[np.floating] = np.float32,
) -> Array:
    """Convolve with sums in order."""
    inner = w.size // c.out_channels
    grouped = patches(c, x).reshape(c.batch, c.groups, inner, -1)
    weights = w.reshape(c.groups, c.out_channels // c.groups, inner)
    total = sum_in_order(weights, grouped, dtype).reshape(c.output_shape)
    return finish(total, epilogue, (-1, 1, 1, 1))


def expected_gemm(
    g: Gemm,
    a: Array,
    b: NDArray[np.generic],
    epilogue: Epilogue | None = None,
    dtype: type[np.floating] = np.float32,
) -> Array:
    """Multiply matrices with sums in order."""
    left = a.swapaxes(1, 2) if g.trans_a else a
    right = b.swapaxes(1, 2) if g.trans_b else b
    total = sum_in_order(left, right, dtype) * dtype(np.float32(g.alpha))
    return finish(np.broadcast_to(total, (g.batch, g.m, g.n)), epilogue, (1, 1, -1))
