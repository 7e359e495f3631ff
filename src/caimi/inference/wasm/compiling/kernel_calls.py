"""Convolutions and matrix products of a graph as calls of our kernels, what follows fused in.

A call covers its operator and the operators after it that a kernel's epilogue does: a product and a
sum for each channel, a sum with a tensor of the output's shape, and a clip; each only where nothing
else reads what lies between.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod

import numpy as np
from emx_onnx_cgen.ir.op_base import OpBase
from emx_onnx_cgen.ir.ops import BinaryOp, ClipOp, ConvOp, GemmOp, MatMulOp, UnaryOp
from shared.scalar_functions import ScalarFunction
from shared.scalar_types import ScalarType

from caimi.inference.wasm.fuel.convolutions import Convolution, three
from caimi.inference.wasm.fuel.products import Product
from caimi.inference.wasm.fuel.work import Work

Shape = tuple[int, ...]


@dataclass(frozen=True)
class GraphTensors:
    """What is known of the tensors of a graph: shape, type, readers, and constants' values."""

    shape: Callable[[str], Shape]
    dtype: Callable[[str], ScalarType]
    readers: Mapping[str, Sequence[int]]
    kept: frozenset[str]
    constants: Mapping[str, float]
    fixed: frozenset[str]
    int8: frozenset[str] = frozenset()

    def only_reader(self, name: str) -> int | None:
        """Give the one operator that reads a tensor, None if there are others or none."""
        readers = self.readers.get(name, ())
        return readers[0] if len(readers) == 1 and name not in self.kept else None


@dataclass(frozen=True)
class Epilogue:
    """What happens to finished sums; names of tensors, or None."""

    scale: str | None = None
    bias: str | None = None
    residual: str | None = None
    clip: tuple[float, float] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name in (self.scale, self.bias, self.residual) if name)

    @property
    def extras(self) -> tuple[str, ...]:
        """What is done to each sum, by name."""
        done = {"scale": self.scale, "bias": self.bias, "residual": self.residual}
        names = [name for name, tensor in done.items() if tensor]
        return (*names, "clip") if self.clip is not None else tuple(names)

    def text(self) -> str:
        """Give the C initialiser of a `caimi_epilogue`."""
        pointers = ", ".join(
            f"(const float *){name}" if name else "0"
            for name in (self.scale, self.bias, self.residual)
        )
        low, high = self.clip or (0.0, 0.0)
        return f"{{{pointers}, {int(self.clip is not None)}, {_float(low)}, {_float(high)}}}"


@dataclass(frozen=True)
class KernelCall:
    """A call in place of operators `covers`, made where the last of them stood."""

    place: int
    covers: frozenset[int]
    reads: tuple[str, ...]
    output: str
    text: str
    work: Work


@dataclass
class _Chain:
    """An operator and what may be fused after it; `channel` is the axis of scale and bias."""

    tensors: GraphTensors
    ops: Sequence[OpBase]
    taken: set[int]
    place: int
    output: str
    channel: int
    epilogue: Epilogue
    covers: set[int] = field(default_factory=set)

    def fuse(self) -> None:
        self.covers.add(self.place)
        while (following := self.tensors.only_reader(self.output)) is not None:
            if following in self.taken or not self._takes(self.ops[following]):
                return
            self.covers.add(following)
            self.place = following
            self.output = self.ops[following].output

    def _takes(self, op: OpBase) -> bool:
        if not isinstance(op, UnaryOp | ClipOp | BinaryOp) or self.epilogue.clip is not None:
            return False
        if self.tensors.dtype(op.output) != ScalarType.F32:
            return False
        if isinstance(op, UnaryOp) and op.function == ScalarFunction.RELU:
            return self._set(clip=(0.0, float("inf")))
        if isinstance(op, ClipOp):
            bounds = _bounds(op, self.tensors)
            return bounds is not None and self._set(clip=bounds)
        if type(op) is BinaryOp and op.function in (ScalarFunction.ADD, ScalarFunction.MUL):
            other = op.input1 if op.input0 == self.output else op.input0
            return other != self.output and self._takes_operand(op, other)
        return False

    def _takes_operand(self, op: BinaryOp, other: str) -> bool:
        shape = self.tensors.shape(self.output)
        if self.tensors.shape(op.output) != shape or self.epilogue.residual:
            return False
        if self._is_per_channel(other, shape):
            if op.function == ScalarFunction.ADD:
                return self.epilogue.bias is None and self._set(bias=other)
            plain = self.epilogue.scale is None and self.epilogue.bias is None
            return plain and self._set(scale=other)
        if op.function == ScalarFunction.ADD and self.tensors.shape(other) == shape:
            return self._set(residual=other)
        return False

    def _is_per_channel(self, name: str, shape: Shape) -> bool:
        if name not in self.tensors.fixed:
            return False
        sizes = self.tensors.shape(name)
        wanted = [1] * len(shape)
        wanted[self.channel] = shape[self.channel]
        return len(sizes) <= len(shape) and (1,) * (len(shape) - len(sizes)) + sizes == tuple(
            wanted
        )

    def _set(self, **change: object) -> bool:
        self.epilogue = replace(self.epilogue, **change)  # type: ignore[arg-type]
        return True


def kernel_calls(ops: Sequence[OpBase], tensors: GraphTensors) -> list[KernelCall]:
    """Find every operator that a kernel does, in the order of the graph."""
    taken: set[int] = set()
    calls = []
    for place, op in enumerate(ops):
        call = _call(place, op, ops, tensors, taken) if place not in taken else None
        if call is not None:
            taken |= call.covers
            calls.append(call)
    return calls


def _call(
    place: int, op: OpBase, ops: Sequence[OpBase], tensors: GraphTensors, taken: set[int]
) -> KernelCall | None:
    if not isinstance(op, ConvOp | GemmOp | MatMulOp) or tensors.dtype(op.output) != ScalarType.F32:
        return None
    if not prod(tensors.shape(op.output)):
        return None
    if isinstance(op, ConvOp):
        return _convolution(place, op, ops, tensors, taken)
    return _product(place, op, ops, tensors, taken)


def _convolution(
    place: int, op: ConvOp, ops: Sequence[OpBase], tensors: GraphTensors, taken: set[int]
) -> KernelCall | None:
    if not 1 <= op.spatial_rank <= 3:
        return None
    chain = _Chain(tensors, ops, taken, place, op.output, 1, Epilogue(bias=op.bias))
    chain.fuse()
    rank = op.spatial_rank
    spatial = (op.in_spatial, op.out_spatial, op.kernel_shape, op.strides, op.dilations)
    rows = [_three(values, 1) for values in spatial] + [_three(op.pads[:rank], 0)]
    sizes = f"{op.batch}, {op.group}, {op.in_channels}, {op.out_channels}"
    shape = f"{{{sizes}, {', '.join(rows)}}}"
    text = _statement("caimi_conv", shape, op.input0, op.weights, chain)
    inner, outer, kernel, stride, dilation = (three(values, 1) for values in spatial)
    convolution = Convolution(
        op.batch, op.group, op.in_channels, op.out_channels, inner, outer, kernel, stride, dilation,
        three(op.pads[:rank], 0), chain.epilogue.extras,
    )  # fmt: skip
    return _made(chain, (op.input0, op.weights), text, convolution.work())


def _three(values: Sequence[int], missing: int) -> str:
    return "{" + ", ".join(map(str, [*[missing] * (3 - len(values)), *values])) + "}"


def _product(
    place: int, op: GemmOp | MatMulOp, ops: Sequence[OpBase], tensors: GraphTensors, taken: set[int]
) -> KernelCall | None:
    sizes: _Sizes | None
    if isinstance(op, GemmOp):
        sizes = _gemm_sizes(op, tensors)
        epilogue = _gemm_epilogue(op, tensors)
        left, right = op.input_a, op.input_b
    else:
        sizes = _matmul_sizes(tensors.shape(op.input0), tensors.shape(op.input1))
        epilogue = Epilogue()
        left, right = op.input0, op.input1
    if sizes is None or epilogue is None or not all(sizes.extents):
        return None
    columns = len(tensors.shape(op.output)) - 1
    chain = _Chain(tensors, ops, taken, place, op.output, columns, epilogue)
    if not isinstance(op, MatMulOp) or len(tensors.shape(right)) > 1:
        chain.fuse()
    else:
        chain.covers.add(place)
    text = _statement("caimi_gemm", sizes.text(), left, right, chain)
    return _made(chain, (left, right), text, sizes.product(chain.epilogue.extras).work())


@dataclass(frozen=True)
class _Sizes:
    batch: int
    m: int
    n: int
    k: int
    trans_a: int = 0
    trans_b: int = 0
    alpha: float = 1.0
    stride_a: int = 0
    stride_b: int = 0

    @property
    def extents(self) -> tuple[int, ...]:
        return (self.batch, self.m, self.n, self.k)

    def product(self, extras: tuple[str, ...]) -> Product:
        """Give the product as the kernel does it: over one matrix, a batch is a taller one."""
        times, m = self.batch, self.m
        if self.stride_b == 0 and self.stride_a == self.m * self.k and not self.trans_a:
            times, m = 1, self.batch * self.m
        turned = bool(self.trans_b)
        return Product(times, m, self.n, self.k, extras, bool(self.trans_a), turned)

    def text(self) -> str:
        return (
            f"{{{self.batch}, {self.m}, {self.n}, {self.k}, {self.trans_a}, {self.trans_b}, "
            f"{_float(self.alpha)}, {self.stride_a}, {self.stride_b}}}"
        )


def _gemm_sizes(op: GemmOp, tensors: GraphTensors) -> _Sizes:
    rows, columns = tensors.shape(op.output)
    left = tensors.shape(op.input_a)
    inner = left[0] if op.trans_a else left[1]
    return _Sizes(1, rows, columns, inner, int(op.trans_a), int(op.trans_b), float(op.alpha))


def _gemm_epilogue(op: GemmOp, tensors: GraphTensors) -> Epilogue | None:
    if op.input_c is None or op.beta == 0:
        return Epilogue()
    if op.beta != 1:
        return None
    rows, columns = tensors.shape(op.output)
    shape = tensors.shape(op.input_c)
    if shape in ((columns,), (1, columns)) and columns > 1:
        return Epilogue(bias=op.input_c)
    return Epilogue(residual=op.input_c) if shape == (rows, columns) else None


def _matmul_sizes(left: Shape, right: Shape) -> _Sizes | None:
    """Multiply as numpy.matmul does, if one operand has all of the batch or both the same."""
    if len(left) == 1:
        left = (1, *left)
    column = len(right) == 1
    if column:
        right = (*right, 1)
    *outer_a, m, k = left
    *outer_b, _, n = right
    if prod(outer_b) == 1 and len(outer_b) <= len(outer_a):
        return _Sizes(1, prod(outer_a) * m, n, k)
    if prod(outer_a) == 1 and len(outer_a) <= len(outer_b):
        return _Sizes(prod(outer_b), m, n, k, stride_b=k * n)
    if outer_a != outer_b:
        return None
    return _Sizes(prod(outer_a), m, n, k, stride_a=m * k, stride_b=k * n)


def _statement(kind: str, shape: str, left: str, right: str, chain: _Chain) -> str:
    weights, suffix = ("int8_t", "i8") if right in chain.tensors.int8 else ("float", "f32")
    return (
        f"static const {kind} shape = {shape};\n"
        f"const caimi_epilogue after = {chain.epilogue.text()};\n"
        f"{kind}_{suffix}(&shape, (const float *){left}, (const {weights} *){right}, &after, "
        f"(float *){chain.output});"
    )


def _made(chain: _Chain, reads: tuple[str, ...], text: str, work: Work) -> KernelCall:
    every = tuple(dict.fromkeys((*reads, *chain.epilogue.names)))
    return KernelCall(chain.place, frozenset(chain.covers), every, chain.output, text, work)


def _bounds(op: ClipOp, tensors: GraphTensors) -> tuple[float, float] | None:
    found = []
    for name, value, open_end in (
        (op.input_min, op.min_value, -float("inf")),
        (op.input_max, op.max_value, float("inf")),
    ):
        if name is not None:
            if name not in tensors.constants:
                return None
            found.append(tensors.constants[name])
        else:
            found.append(open_end if value is None else float(value))
    low, high = found
    return (low, high) if low <= high else None


def _float(value: float) -> str:
    if value in (float("inf"), -float("inf")):
        return "-__builtin_inff()" if value < 0 else "__builtin_inff()"
    return f"{float(np.float32(value)).hex()}f"
