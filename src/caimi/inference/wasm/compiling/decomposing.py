"""Operators written with others, where the code generator's own code would be wrong.

It has code for the newest version of an operator: what an older one means otherwise is spelled out
here. And it computes some sums in a way that overflows where the result does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from caimi.errors.inference import ModelNotRunnable
from caimi.inference.wasm.compiling.folding import replace_nodes
from caimi.inference.wasm.compiling.fresh_names import FreshNames

_AXES_ARE_AN_INPUT: Final = {"ReduceSum": 13}
"""From which opset on; the other reductions from 18."""
_BEYOND: Final = 1 << 15
"""An offset that leads out of every image that is taken; a float16 holds it."""
_FLOATS: Final = frozenset({TensorProto.FLOAT, TensorProto.DOUBLE})


def decompose(model: ModelProto) -> ModelProto:
    """Give an equal model without the operators of which others take the place.

    `model` has inferred shapes, and its constants are initializers; what is returned has too.

    Raises:
        ModelNotRunnable: an operator's older version, or an option, is not taken; named.
    """
    if not any(node.op_type in _RULES and not node.domain for node in model.graph.node):
        return model
    changed = ModelProto()
    changed.CopyFrom(model)
    into = Around(changed)
    nodes: list[NodeProto] = []
    for node in changed.graph.node:
        rule = None if node.domain else _RULES.get(node.op_type)
        nodes += rule(node, into) if rule else [node]
    replace_nodes(changed.graph, nodes)
    return onnx.shape_inference.infer_shapes(changed, strict_mode=True, data_prop=True)


class Around:
    """What is known of a model around an operator, and what is added to it."""

    def __init__(self, model: ModelProto) -> None:
        graph = self._graph = model.graph
        self.version = next(e.version for e in model.opset_import if e.domain in ("", "ai.onnx"))
        self._names = FreshNames(model)
        values = {v.name: v for v in (*graph.input, *graph.value_info, *graph.output)}
        self._types = {name: value.type.tensor_type for name, value in values.items()}
        self._constants = {tensor.name: tensor for tensor in graph.initializer}

    def shape(self, name: str) -> list[int]:
        """Give a tensor's sizes."""
        if name in self._constants:
            return list(self._constants[name].dims)
        return [size.dim_value for size in self._types[name].shape.dim]

    def kind(self, name: str) -> int:
        """Give a tensor's element type."""
        if name in self._constants:
            return int(self._constants[name].data_type)
        return int(self._types[name].elem_type)

    def fixed(self, name: str) -> Any:  # noqa: ANN401 - an array
        """Give a constant's values, None where a run computes them."""
        tensor = self._constants.get(name)
        return None if tensor is None else numpy_helper.to_array(tensor)

    def fresh(self, wish: str) -> str:
        """Give a name that nothing has."""
        return self._names.fresh(wish)

    def constant(self, wish: str, values: Any) -> str:  # noqa: ANN401 - what numpy takes
        """Add a constant and give its name."""
        name = self._names.fresh(wish)
        self._graph.initializer.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def declare(self, name: str, kind: int, shape: list[int]) -> None:
        """Say what a tensor of a fresh name is."""
        self._graph.value_info.append(helper.make_tensor_value_info(name, kind, shape))

    def reduction(self, kind: str, source: str, target: str, axes: list[int] | str) -> NodeProto:
        """Give a reduction that keeps its axes, all if there are none; a text names a tensor."""
        if not axes:
            return helper.make_node(kind, [source], [target], keepdims=1)
        if isinstance(axes, list) and self.version < _AXES_ARE_AN_INPUT.get(kind, 18):
            return helper.make_node(kind, [source], [target], keepdims=1, axes=axes)
        if isinstance(axes, list):
            axes = self.constant(f"{target}/axes", np.asarray(axes, np.int64))
        return helper.make_node(kind, [source, axes], [target], keepdims=1)


def _hardmax(node: NodeProto, into: Around) -> list[NodeProto]:
    """Before opset 13 all axes from the given one on count as one."""
    source, target = node.input[0], node.output[0]
    shape = into.shape(source)
    axis = int(_attribute(node, "axis", 1))
    axis += len(shape) if axis < 0 else 0
    if into.version >= 13 or axis == len(shape) - 1:
        return [node]
    sizes = into.constant(f"{target}/sizes", np.asarray(shape, np.int64))
    return flat_hardmax(node, axis, sizes, into.fresh)


def flat_hardmax(
    node: NodeProto, axis: int, sizes: str, fresh: Callable[[str], str]
) -> list[NodeProto]:
    """Take all axes from the given one on as one; `sizes` names the tensor of the input's sizes."""
    source, target = node.input[0], node.output[0]
    flat, chosen = fresh(f"{target}/flat"), fresh(f"{target}/chosen")
    return [
        helper.make_node("Flatten", [source], [flat], axis=axis),
        helper.make_node("Hardmax", [flat], [chosen], axis=1),
        helper.make_node("Reshape", [chosen, sizes], [target]),
    ]


def _relu(node: NodeProto, into: Around) -> list[NodeProto]:
    """The generator's code for float64 makes zero of NaN."""
    if into.kind(node.input[0]) != TensorProto.DOUBLE:
        return [node]
    zero = into.constant(f"{node.output[0]}/zero", np.zeros((), np.float64))
    return [helper.make_node("Max", [node.input[0], zero], [node.output[0]])]


def _extreme(node: NodeProto, into: Around) -> list[NodeProto]:
    """The generator's code for float64 passes over NaN: whether there is one is found beside it."""
    if into.kind(node.input[0]) != TensorProto.DOUBLE:
        return [node]
    if into.version < 9:  # there is no IsNaN
        raise ModelNotRunnable(f"{node.op_type} of float64 before opset 9.")
    target = node.output[0]
    names = ("nan", "marked", "any", "found", "extreme")
    nan, marked, some, found, extreme = (into.fresh(f"{target}/{name}") for name in names)
    beside, plain = type(node)(), type(node)()
    beside.CopyFrom(node)
    beside.op_type = "ReduceMax" if node.op_type == "ReduceMin" else node.op_type
    beside.input[0], beside.output[0] = marked, some
    plain.CopyFrom(node)
    plain.output[0] = extreme
    half = into.constant(f"{target}/half", np.asarray(0.5))
    nothing = into.constant(f"{target}/nothing", np.asarray(np.nan))
    return [
        helper.make_node("IsNaN", [node.input[0]], [nan]),
        helper.make_node("Cast", [nan], [marked], to=TensorProto.DOUBLE),
        beside,
        helper.make_node("Greater", [some, half], [found]),
        plain,
        helper.make_node("Where", [found, nothing, extreme], [target]),
    ]


def _reduce_log_sum_exp(node: NodeProto, into: Around) -> list[NodeProto]:
    """The greatest is taken out of the exponentials, and added to the logarithm of their sum."""
    source, target = node.input[0], node.output[0]
    kind = into.kind(source)
    if kind not in _FLOATS:
        raise ModelNotRunnable("ReduceLogSumExp of integers.")
    axes = _axes(node, into)
    if axes == [] and _attribute(node, "noop_with_empty_axes", 0):
        return [helper.make_node("Identity", [source], [target])]
    shape = into.shape(source)
    if 0 in shape:
        return [node]
    kept = [1 if not axes or at in axes else size for at, size in enumerate(shape)]
    if axes is None:  # a run gives them, and compares them with the shape
        if not _attribute(node, "keepdims", 1):
            raise ModelNotRunnable("ReduceLogSumExp: its axes depend on the input's data.")
        kept = into.shape(target)
    given = axes if axes is not None else node.input[1]
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    most = np.finfo(dtype).max
    names = ("most", "over", "finite", "shifted", "powers", "sum", "logarithm", "result")
    at = {name: into.fresh(f"{target}/{name}") for name in names}
    for name in ("most", "sum"):
        into.declare(at[name], kind, kept)
    least = into.constant(f"{target}/least", np.asarray(-most, dtype))
    greatest = into.constant(f"{target}/greatest", np.asarray(most, dtype))
    sizes = into.constant(f"{target}/sizes", np.asarray(into.shape(target), np.int64))
    return [
        into.reduction("ReduceMax", source, at["most"], given),
        helper.make_node("Max", [at["most"], least], [at["over"]]),
        helper.make_node("Min", [at["over"], greatest], [at["finite"]]),
        helper.make_node("Sub", [source, at["finite"]], [at["shifted"]]),
        helper.make_node("Exp", [at["shifted"]], [at["powers"]]),
        into.reduction("ReduceSum", at["powers"], at["sum"], given),
        helper.make_node("Log", [at["sum"]], [at["logarithm"]]),
        helper.make_node("Add", [at["logarithm"], at["finite"]], [at["result"]]),
        helper.make_node("Reshape", [at["result"], sizes], [target]),
    ]


def _each_alone(node: NodeProto, into: Around) -> list[NodeProto]:
    """Over no axes the sum of one number is left, of which the rest is computed all the same."""
    if _axes(node, into) != [] or not _attribute(node, "noop_with_empty_axes", 0):
        return [node]
    source, target = node.input[0], node.output[0]
    if node.op_type == "ReduceSumSquare":
        return [helper.make_node("Mul", [source, source], [target])]
    if node.op_type == "ReduceLogSum" and into.kind(source) not in _FLOATS:
        raise ModelNotRunnable("ReduceLogSum of integers.")
    kind = "Log" if node.op_type == "ReduceLogSum" else "Abs"
    return [helper.make_node(kind, [source], [target])]


def _axes(node: NodeProto, into: Around) -> list[int] | None:
    """Give a reduction's axes, none if it names none, and None if a run gives them."""
    rank = len(into.shape(node.input[0]))
    given = list(_attribute(node, "axes", ()))
    if len(node.input) > 1 and node.input[1] and into.shape(node.input[1]) != [0]:
        values = into.fixed(node.input[1])
        if values is None:
            return None
        given = values.reshape(-1).tolist()
    return sorted(int(axis) % rank for axis in given)


def _group_normalization(node: NodeProto, into: Around) -> list[NodeProto]:
    """Before opset 21 scale and bias have a number for each group."""
    if into.version >= 21:
        return [node]
    channels, groups = into.shape(node.input[0])[1], int(_attribute(node, "num_groups", 1))
    if groups < 1 or channels % groups:
        raise ModelNotRunnable(f"GroupNormalization of {channels} channels in {groups} groups.")
    before = []
    for place in (1, 2):
        name = node.input[place]
        places = into.constant(f"{name}/groups", np.arange(channels) // (channels // groups))
        node.input[place] = into.fresh(f"{name}/channels")
        before.append(helper.make_node("Gather", [name, places], [node.input[place]], axis=0))
    return [*before, node]


def _dropout(node: NodeProto, into: Around) -> list[NodeProto]:
    """Outside of training nothing is dropped; before opset 12 no mask is defined for that."""
    if into.version < 12 and len(node.output) > 1 and node.output[1]:
        raise ModelNotRunnable("Dropout with a mask before opset 12.")
    training = into.fixed(node.input[2]) if len(node.input) > 2 and node.input[2] else False
    ratio = into.fixed(node.input[1]) if len(node.input) > 1 and node.input[1] else 0.5
    if training is None or (training and (ratio is None or ratio != 0)):
        raise ModelNotRunnable("Dropout: in training, what it drops is random.")
    return [node]


def _roi_align(node: NodeProto, into: Around) -> list[NodeProto]:
    """Before opset 16 coordinates are taken as they are, without a shift by half a pixel."""
    if into.version < 16:
        mode = helper.make_attribute("coordinate_transformation_mode", "output_half_pixel")
        node.attribute.append(mode)
    return [node]


def _mel_weight_matrix(node: NodeProto, into: Around) -> list[NodeProto]:
    """As whole numbers its weights are 1 or 0 by the last bit of a logarithm."""
    if into.kind(node.output[0]) not in _FLOATS:
        raise ModelNotRunnable("MelWeightMatrix of whole numbers.")
    return [node]


def _window(node: NodeProto, into: Around) -> list[NodeProto]:
    """As whole numbers its values are 1 or 0 by the last bit of a cosine."""
    if into.kind(node.output[0]) not in _FLOATS:
        raise ModelNotRunnable(f"{node.op_type} of whole numbers.")
    return [node]


def _acosh(node: NodeProto, into: Around) -> list[NodeProto]:
    """Below one it is no number, which musl's says of numbers above -2 alone."""
    kind = helper.tensor_dtype_to_np_dtype(into.kind(node.input[0]))
    zero = into.constant(f"{node.output[0]}/zero", np.zeros((), kind))
    bounded = into.fresh(f"{node.output[0]}/bounded")
    return [
        helper.make_node("Max", [node.input[0], zero], [bounded]),
        helper.make_node("Acosh", [bounded], [node.output[0]]),
    ]


def _deform_conv(node: NodeProto, into: Around) -> list[NodeProto]:
    """An offset far beyond the image, or that is no number, is as good as one just beyond it.

    The generator takes whole numbers of what it is given, and multiplies what is left by zero.
    """
    if max(*into.shape(node.input[0])[2:], *_attribute(node, "pads", ())) > _BEYOND // 4:
        raise ModelNotRunnable(f"DeformConv of images of more than {_BEYOND // 4} rows or columns.")
    offset = node.input[2]
    kind = helper.tensor_dtype_to_np_dtype(into.kind(offset))
    beyond = into.constant(f"{offset}/beyond", np.asarray(_BEYOND, kind))
    size, near, node.input[2] = (into.fresh(f"{offset}/{what}") for what in ("size", "near", "met"))
    return [
        helper.make_node("Abs", [offset], [size]),
        helper.make_node("Less", [size, beyond], [near]),
        helper.make_node("Where", [near, offset, beyond], [node.input[2]]),
        node,
    ]


def _pow(node: NodeProto, into: Around) -> list[NodeProto]:
    """A base and an exponent of different types are taken as float64, and the result as the base's.

    The generator would take the exponent in the type of the base.
    """
    base, exponent = node.input
    if into.kind(base) == into.kind(exponent):
        return [node]
    target = node.output[0]
    names = [into.fresh(f"{target}/{name}") for name in ("base", "exponent", "power")]
    return [
        helper.make_node("Cast", [base], [names[0]], to=TensorProto.DOUBLE),
        helper.make_node("Cast", [exponent], [names[1]], to=TensorProto.DOUBLE),
        helper.make_node("Pow", names[:2], [names[2]]),
        helper.make_node("Cast", [names[2]], [target], to=into.kind(base)),
    ]


def _attribute(node: NodeProto, name: str, default: Any) -> Any:  # noqa: ANN401 - as ONNX has it
    found = [entry for entry in node.attribute if entry.name == name]
    return helper.get_attribute_value(found[0]) if found else default


_RULES: Final[Mapping[str, Callable[[NodeProto, Around], list[NodeProto]]]] = {
    "Acosh": _acosh,
    **dict.fromkeys(("BlackmanWindow", "HammingWindow", "HannWindow"), _window),
    "DeformConv": _deform_conv,
    "GlobalMaxPool": _extreme,
    "GroupNormalization": _group_normalization,
    "Dropout": _dropout,
    "Hardmax": _hardmax,
    "MelWeightMatrix": _mel_weight_matrix,
    "Pow": _pow,
    "ReduceMax": _extreme,
    "ReduceMin": _extreme,
    "Relu": _relu,
    "RoiAlign": _roi_align,
    "ReduceL1": _each_alone,
    "ReduceL2": _each_alone,
    "ReduceLogSum": _each_alone,
    "ReduceSumSquare": _each_alone,
    "ReduceLogSumExp": _reduce_log_sum_exp,
}
