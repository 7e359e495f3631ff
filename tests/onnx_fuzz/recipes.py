"""Cases that no node test leads to: sizes of real models, fused chains, several readers."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
from onnx import helper

from onnx_fuzz.case import Case, build
from onnx_fuzz.values import floats

n: Callable[..., Any] = helper.make_node
_DILATED = {"LpPool": 18, "MaxPool": 10, "AveragePool": 19}
"""From which opset on pooling has dilations."""
_LATE_AXES = {"ReduceSum": 13}
_REDUCTIONS = (
    "ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2",
    "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare",
)  # fmt: skip


def _type(random: Random) -> Any:
    return random.choice((np.float32, np.float32, np.float32, np.float16, np.float16, np.float64))


def _shape(random: Random, most: int = 4) -> tuple[int, ...]:
    sizes = (1, 2, 3, 4, 5, 7, 8, 16, 17, 33)
    return tuple(random.choice(sizes) for _ in range(random.randint(1, most)))


def reduction(random: Random, opset: int) -> Case:
    """A reduction over some axes, up to thousands of elements."""
    kind, dtype = random.choice(_REDUCTIONS), _type(random)
    shape = (1, random.choice((4096, 3000))) if random.random() < 0.2 else _shape(random)
    axes = sorted(random.sample(range(len(shape)), random.randint(1, len(shape))))
    axes = [a - len(shape) if random.random() < 0.3 and opset >= 11 else a for a in axes]
    keep = random.choice((0, 1))
    fixed: dict[str, Any] = {}
    if random.random() < 0.15:
        node = n(kind, ["x"], ["y"], keepdims=keep)
    elif opset >= _LATE_AXES.get(kind, 18):
        fixed = {"axes": np.array(axes, np.int64)}
        node = n(kind, ["x", "axes"], ["y"], keepdims=keep)
    else:
        node = n(kind, ["x"], ["y"], keepdims=keep, axes=axes)
    inputs = {"x": floats(random, shape, dtype)}
    story = f"{kind} of {shape} over {axes}, {np.dtype(dtype)}"
    return Case(kind, story, build([node], inputs, fixed, ["y"], opset), inputs)


def along_axis(random: Random, opset: int) -> Case:
    """Softmax and its like, normalisations, cumulative sums."""
    kind = random.choice(("Softmax", "LogSoftmax", "Hardmax", "LpNormalization", "CumSum", "ArgMax",
                          "ArgMin", "TopK", "Flatten"))  # fmt: skip
    dtype = _type(random)
    shape = (1, random.choice((4096, 100))) if random.random() < 0.2 else _shape(random)
    axis = random.randrange(len(shape))
    attributes: dict[str, Any] = {
        "axis": axis if random.random() < 0.7 or opset < 11 else axis - len(shape)
    }
    fixed, outputs = {}, ["y"]
    if random.random() < 0.3:
        attributes = {}
    if kind == "LpNormalization":
        attributes["p"] = random.choice((1, 2))
    if kind in ("ArgMax", "ArgMin") and opset >= 12:
        attributes["select_last_index"] = random.choice((0, 1))
    if kind == "CumSum":
        fixed = {"axis": np.array(axis, np.int32)}
        attributes = {"exclusive": random.choice((0, 1)), "reverse": random.choice((0, 1))}
        opset = max(opset, 11)
    if kind == "TopK":
        outputs = ["y", "z"]
        k = random.randint(1, shape[attributes.get("axis", -1)])
        if opset >= 10:
            fixed = {"k": np.array([k])}
        else:
            attributes["k"] = k
        if opset >= 11:
            attributes |= {"largest": random.choice((0, 1))}
    inputs = {"x": floats(random, shape, dtype)}
    node = n(kind, ["x", *fixed], outputs, **attributes)
    story = f"{kind} of {shape}, {attributes}, {np.dtype(dtype)}"
    return Case(kind, story, build([node], inputs, fixed, outputs, opset), inputs)


def broadcast(random: Random, opset: int) -> Case:
    """Two or three tensors that broadcast to each other."""
    kinds = ["Add", "Sub", "Mul", "Div", "Pow", "Greater", "Less", "Equal", "PRelu", "Max", "Min",
             "Sum", "Mean", "Where", "Mod"]  # fmt: skip
    kind, dtype = random.choice(kinds), _type(random)
    whole = _shape(random)
    if kind == "PRelu" and len(whole) < 2:
        whole = (*whole, 3)

    def part() -> tuple[int, ...]:
        cut = whole[random.randrange(len(whole)) :] if random.random() < 0.4 else whole
        return tuple(1 if random.random() < 0.3 else size for size in cut)

    count = random.randint(1, 4) if kind in ("Max", "Min", "Sum", "Mean") else 2
    names = [f"x{i}" for i in range(count)]
    inputs = {name: floats(random, whole if name == "x0" else part(), dtype) for name in names}
    attributes = {"fmod": 1} if kind == "Mod" else {}
    if kind == "Where":
        inputs = {"c": np.array(floats(random, part()) > 0), **inputs}
        opset = max(opset, 9)
    if kind == "Pow":
        inputs = {name: np.clip(np.abs(value), 0, 20) for name, value in inputs.items()}
    if kind == "Mod":
        opset = max(opset, 13 if dtype == np.float16 else 10)
    if kind in ("Equal",) and opset < 11:
        inputs = {name: value.astype(np.int32) for name, value in inputs.items()}
    fixed = _some_fixed(random, inputs)
    node = n(kind, [*inputs] if not fixed else _order(kind, inputs, fixed), ["y"], **attributes)
    story = f"{kind} of {[v.shape for v in inputs.values()]} and {list(fixed)}, {np.dtype(dtype)}"
    return Case(kind, story, build([node], inputs, fixed, ["y"], opset), inputs)


def _order(kind: str, inputs: dict[str, Any], fixed: dict[str, Any]) -> list[str]:
    return sorted([*inputs, *fixed], key=lambda name: (name != "c", name))


def _some_fixed(random: Random, inputs: dict[str, Any]) -> dict[str, Any]:
    fixed = {}
    for name in list(inputs):
        if len(inputs) > 1 and random.random() < 0.3:
            fixed[name] = inputs.pop(name)
    return fixed


def window(random: Random, opset: int) -> Case:
    """Convolutions, their transposes and pooling of one to three dimensions."""
    kind = random.choice(("Conv", "Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool",
                          "GlobalAveragePool", "GlobalMaxPool", "LRN"))  # fmt: skip
    rank, dtype = random.randint(1, 3), _type(random)
    groups = random.choice((1, 1, 2, 3))
    channels = groups * random.randint(1, 3)
    spatial = tuple(random.randint(3, 9 if rank > 2 else 14) for _ in range(rank))
    kernel = [random.randint(1, 3) for _ in range(rank)]
    x = floats(random, (random.randint(1, 2), channels, *spatial), dtype)
    inputs = {"x": x}
    fixed: dict[str, Any] = {}
    attributes: dict[str, Any] = {}
    if kind == "LRN":
        attributes = {"size": random.choice((1, 2, 3, 5)), "alpha": 0.1, "bias": 1.5}
    elif not kind.startswith("Global"):
        attributes = {"kernel_shape": kernel, "strides": [random.randint(1, 3) for _ in kernel]}
        if random.random() < 0.3:
            attributes["auto_pad"] = random.choice(("SAME_UPPER", "SAME_LOWER", "VALID"))
        elif random.random() < 0.7:
            attributes["pads"] = [random.randrange(max(1, k)) for k in (*kernel, *kernel)]
        if random.random() < 0.3 and opset >= _DILATED.get(kind, 0):
            attributes["dilations"] = [random.randint(1, 2) for _ in kernel]
        if kind == "LpPool":
            attributes["p"] = random.choice((1, 2, 3))
        if "Pool" in kind and random.random() < 0.4 and opset >= (18 if kind == "LpPool" else 10):
            attributes["ceil_mode"] = 1
        if kind == "AveragePool":
            attributes["count_include_pad"] = random.choice((0, 1))
    outputs = ["y"]
    if kind in ("Conv", "ConvTranspose"):
        outer = random.randint(1, 3)
        shape = (groups * outer, channels // groups) if kind == "Conv" else (channels, outer)
        fixed["w"] = floats(random, (*shape, *kernel), dtype)
        if random.random() < 0.5:
            fixed["z"] = floats(random, (groups * outer,), dtype)
        attributes["group"] = groups
        if kind == "ConvTranspose" and random.random() < 0.3:
            attributes["output_padding"] = [random.randrange(s) for s in attributes["strides"]]
    if kind == "MaxPool" and random.random() < 0.3 and opset >= 8:
        outputs = ["y", "z"]
        attributes["storage_order"] = random.choice((0, 1))
    node = n(kind, ["x", *fixed], outputs, **attributes)
    story = f"{kind} of {x.shape}, {attributes}, {np.dtype(dtype)}"
    return Case(kind, story, build([node], inputs, fixed, outputs, opset), inputs)


def normalisation(random: Random, opset: int) -> Case:
    """Normalisations of batches, instances, groups and layers."""
    kind = random.choice(("BatchNormalization", "InstanceNormalization", "LayerNormalization",
                          "GroupNormalization", "RMSNormalization"))  # fmt: skip
    dtype, channels = _type(random), random.choice((1, 2, 4, 6))
    shape = (random.randint(1, 3), channels, *_shape(random, 2))
    axis, outputs = 1, ["y"]
    attributes: dict[str, Any] = {"epsilon": random.choice((1e-5, 1e-2))}
    least = {"LayerNormalization": 17, "GroupNormalization": 21, "RMSNormalization": 23}
    opset = max(opset, least.get(kind, 7))
    sizes: tuple[int, ...] = (channels,)
    if kind in ("LayerNormalization", "RMSNormalization"):
        axis = random.randrange(len(shape))
        attributes["axis"], sizes = axis, shape[axis:]
        if kind == "LayerNormalization" and random.random() < 0.3:
            outputs = ["y", "m", "s"]
    if kind == "GroupNormalization":
        attributes["num_groups"] = random.choice([g for g in (1, 2, 3, 6) if channels % g == 0])
    if kind == "BatchNormalization" and opset >= 14 and random.random() < 0.2:
        attributes["training_mode"], outputs = 1, ["y", "m", "v"]
    count = {"BatchNormalization": 4, "RMSNormalization": 1}.get(kind, 2)
    factors = {f"f{i}": floats(random, sizes, dtype) for i in range(count)}
    if count == 4:
        factors["f3"] = np.abs(factors["f3"]) + np.asarray(0.1, dtype)
    inputs = {"x": floats(random, shape, dtype)}
    node = n(kind, ["x", *factors], outputs, **attributes)
    fixed = factors if random.random() < 0.7 else {}
    inputs |= {} if fixed else factors
    story = f"{kind} of {shape}, {attributes}, {np.dtype(dtype)}"
    return Case(kind, story, build([node], inputs, fixed, outputs, opset), inputs)


def chain(random: Random, opset: int) -> Case:
    """A product or convolution, what may be fused after it, and one or more readers."""
    kind, dtype = (
        random.choice(("MatMul", "Gemm", "Conv")),
        random.choice((np.float32,) * 3 + (np.float16,)),
    )
    rows, inner, columns = random.randint(1, 5), random.randint(1, 40), random.randint(1, 4) * 2
    if kind == "Conv":
        x = floats(random, (random.randint(1, 2), inner, 5, 4), dtype)
        fixed = {"w": floats(random, (columns, inner, 2, 1), dtype)}
        channel: tuple[int, ...] = (columns, 1, 1)
        whole: tuple[int, ...] = (x.shape[0], columns, 4, 4)
    else:
        batch = _shape(random, 1) if kind == "MatMul" and random.random() < 0.4 else ()
        x = floats(random, (*batch, rows, inner), dtype)
        fixed = {"w": floats(random, (inner, columns), dtype)}
        channel, whole = (columns,), (*batch, rows, columns)
    if kind != "MatMul" and random.random() < 0.5:
        fixed["b"] = floats(random, (columns,), dtype)
    inputs: dict[str, Any] = {"x": x}
    nodes = [n(kind, ["x", *fixed], ["h0"])]
    names = ["h0"]
    for place in range(random.randint(0, 4)):
        nodes.append(_link(random, place, names[-1], channel, whole, inputs, fixed, dtype))
        names.append(f"h{place + 1}")
    outputs = _readers(random, nodes, names, whole, opset)
    if random.random() < 0.2:
        outputs.append(random.choice([*names, *fixed, "x"]))
    if dtype == np.float16:  # one rounding decides between near numbers
        outputs = [name for name in outputs if name != "places"]
    story = f"{kind} and {[node.op_type for node in nodes[1:]]}, {np.dtype(dtype)}"
    model = build(nodes, inputs, fixed, list(dict.fromkeys(outputs)), opset)
    return Case("chain", story, model, inputs)


def _link(
    random: Random, place: int, last: str, channel: tuple[int, ...], whole: tuple[int, ...],
    inputs: dict[str, Any], fixed: dict[str, Any], dtype: Any,
) -> Any:  # fmt: skip
    after, other = f"h{place + 1}", f"o{place}"
    kind = random.choice(("Add", "Mul", "Add", "Mul", "Relu", "BatchNormalization", "Sub", "Tanh"))
    if kind in ("Relu", "Tanh"):
        return n(kind, [last], [after])
    if kind == "BatchNormalization":
        size = (channel[0],)
        if len(whole) < 2 or whole[1] != channel[0]:
            return n("Neg", [last], [after])
        factors = [f"{other}{i}" for i in range(4)]
        for name in factors:
            fixed[name] = np.abs(floats(random, size, dtype)) + np.asarray(0.5, dtype)
        return n(kind, [last, *factors], [after])
    shape = random.choice((channel, whole, (1,), (), channel))
    where = inputs if random.random() < 0.3 else fixed
    where[other] = floats(random, shape, dtype)
    pair = [last, other] if random.random() < 0.7 else [other, last]
    return n(kind, pair, [after])


def _readers(
    random: Random, nodes: list[Any], names: list[str], whole: tuple[int, ...], opset: int
) -> list[str]:
    last, way = names[-1], random.randrange(5)
    if way == 0:
        return [last]
    if way == 1:  # one value, two outputs
        nodes.append(n("Identity", [last], ["again"]))
        return [last, "again"]
    if way == 2:  # read twice
        nodes.append(n("Add", [last, last], ["twice"]))
        return ["twice"]
    axis = 1 if len(whole) == 4 else len(whole) - 1
    if way == 3:
        nodes.append(n("TopK", [last, "k"], ["most", "places"], axis=axis))
        nodes.insert(0, n("Constant", [], ["k"], value_ints=[1]) if opset >= 12 else _one())
        return ["most", "places"]
    more = {"num_outputs": 2} if opset >= 18 else {}
    nodes.append(n("Split", [last], ["left", "right"], axis=axis, **more))
    return ["left", "right"]


def _one() -> Any:
    return n("Constant", [], ["k"], value=helper.make_tensor("k", 7, [1], [1]))


RECIPES: tuple[Callable[[Random, int], Case], ...] = (
    reduction, along_axis, broadcast, window, normalisation, chain, chain,
)  # fmt: skip
