"""Calls of the kernels that take one or two numbers to one number."""

from __future__ import annotations

import math

from emx_onnx_cgen.ir.ops import BinaryOp, ClipOp, MultiInputBinaryOp, UnaryOp

from caimi.inference.wasm.compiling.operators.c_text import (
    call,
    floats_from,
    floats_to,
    lines,
    struct_text,
)
from caimi.inference.wasm.compiling.operators.strides import (
    Shape,
    broadcast_strides,
    columns,
    merged,
)
from caimi.inference.wasm.compiling.operators.tensor_types import TensorTypes

PARAMETERS = {
    "exp": 0, "log": 0, "erf": 0, "tanh": 0, "sigmoid": 0, "softplus": 0, "softsign": 0,
    "sqrt": 0, "reciprocal": 0, "abs": 0, "neg": 0, "floor": 0, "ceil": 0, "gelu": 0,
    "gelu_tanh": 0, "leaky_relu": 1, "elu": 1, "selu": 2, "celu": 1, "thresholded_relu": 1,
}  # fmt: skip
"""Functions whose kernel has the same name, and how many parameters each takes."""

BINARY = {
    "add": "add", "sub": "sub", "mul": "mul", "div": "div", "pow": "pow", "prelu": "prelu",
    "maximum": "max", "minimum": "min", "fmax": "max", "fmin": "min",
}  # fmt: skip


def unary_call(op: UnaryOp, tensors: TensorTypes) -> str | None:
    """A function of one tensor."""
    if not tensors.floats(op.input0, op.output):
        return None
    kernel = _unary_kernel(op.function.value, tuple(map(float, op.params)))
    if kernel is None:
        return None
    name, parameters = kernel
    source, target = floats_from(op.input0), floats_to(op.output)
    return call(f"caimi_{name}_f32", tensors.count(op.output), *parameters, source, target)


def _unary_kernel(name: str, given: tuple[float, ...]) -> tuple[str, tuple[float, ...]] | None:
    if name in PARAMETERS and len(given) == PARAMETERS[name]:
        return name, given
    match name, given:
        case "relu", ():
            return "clip", (0.0, math.inf)
        case "hardsigmoid", (alpha, beta):
            return "hard_sigmoid", (alpha, beta)
        case "hardswish", ():
            return "hard_swish", ()
        case "swish", (1.0,):
            return "silu", ()
    return None


def clip_call(op: ClipOp, tensors: TensorTypes) -> str | None:
    """Clip; bounds that are tensors are read where the call stands."""
    bounds = [name for name in (op.input_min, op.input_max) if name is not None]
    if not tensors.floats(op.input0, op.output, *bounds):
        return None
    if any(tensors.count(name) != 1 for name in bounds):
        return None
    low = _bound(op.input_min, op.min_value, -math.inf)
    high = _bound(op.input_max, op.max_value, math.inf)
    source, target = floats_from(op.input0), floats_to(op.output)
    return call("caimi_clip_f32", tensors.count(op.output), low, high, source, target)


def _bound(name: str | None, value: float | None, otherwise: float) -> str | float:
    if name is not None:
        return f"({floats_from(name)})[0]"
    return otherwise if value is None else value


def binary_call(op: BinaryOp, tensors: TensorTypes) -> str | None:
    """A function of two tensors."""
    return _two(op.function.value, op.input0, op.input1, op.output, tensors)


def variadic_call(op: MultiInputBinaryOp, tensors: TensorTypes) -> str | None:
    """Sum, Max and Min: from left to right, the output holding what has been combined so far."""
    if len(op.inputs) < 2:
        return None
    left = op.inputs[0]
    calls: list[str] = []
    for right in op.inputs[1:]:
        one = _two(op.function.value, left, right, op.output, tensors)
        if one is None:
            return None
        calls.append(one)
        left = op.output
    return lines(calls)


def _two(function: str, left: str, right: str, output: str, tensors: TensorTypes) -> str | None:
    kernel = BINARY.get(function)
    if kernel is None or not tensors.floats(left, right, output):
        return None
    shape = tensors.shape(output)
    second: Shape = tensors.shape(right)
    if kernel == "prelu":
        second = _slope_shape(second, shape)
    axes = merged(
        shape,
        broadcast_strides(tensors.shape(left), shape),
        broadcast_strides(second, shape),
    )
    if axes is None:
        return None
    walk = struct_text("caimi_broadcast", *columns(axes))
    source, other, target = floats_from(left), floats_from(right), floats_to(output)
    return call(f"caimi_{kernel}_f32", walk, source, other, target)


def _slope_shape(slope: Shape, shape: Shape) -> Shape:
    """PRelu's slope of one number for each channel, where it does not broadcast as it is."""
    if len(slope) == 1 and len(shape) > 1 and slope[0] not in (1, shape[-1]):
        return (*slope, *(1 for _ in shape[2:]))
    return slope
