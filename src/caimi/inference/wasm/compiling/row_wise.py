"""Whether a model treats the rows of its leading dimension one by one.

Such a model is compiled for one row and run row by row, so that a row's bits cannot depend on what
else is in its batch. This is proved, operator by operator, and never guessed: a model with an
operator that is not in the table is compiled for each batch size instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from onnx import ModelProto, helper, numpy_helper

from caimi.errors.inference import WrongInput
from caimi.inference.wasm.compiling.graph import fix_sizes, signature
from caimi.models.tensor import UNKNOWN, Tensor

_PROBES: Final = (2, 3)
"""Two sizes of the leading dimension: what has it, and nothing else, differs between them."""


def row_symbol(model: ModelProto) -> str | None:
    """Name the leading dimension that the model treats row by row; None when it does not."""
    symbol = _shared_symbol(signature(model))
    if symbol is None or model.functions:
        return None
    try:
        probes = [_Shapes(model, rows) for rows in _PROBES]
    except WrongInput:
        return None
    return symbol if _rows_stay_apart(model, probes) else None


def _shared_symbol(inputs: Sequence[Tensor]) -> str | None:
    """Name the one open dimension, the leading one of every input."""
    leading = {shape[0] for tensor in inputs if (shape := tensor.shape)}
    rest = [size for tensor in inputs for size in (tensor.shape or ())[1:]]
    symbol = next(iter(leading)) if len(leading) == 1 else None
    if not isinstance(symbol, str) or not all(tensor.shape for tensor in inputs):
        return None
    if any(isinstance(size, str) for size in rest) or (symbol == UNKNOWN and len(inputs) > 1):
        return None
    return symbol


class _Shapes:
    """The shapes of all tensors for one number of rows."""

    def __init__(self, model: ModelProto, rows: int) -> None:
        self.rows = rows
        sizes = {
            tensor.name: (rows, *(int(size) for size in (tensor.shape or ())[1:]))
            for tensor in signature(model)
        }
        sized = fix_sizes(model, sizes).graph
        self._shapes = {
            value.name: [d.dim_value if d.HasField("dim_value") else None for d in shape.dim]
            for value in (*sized.input, *sized.value_info, *sized.output)
            if (shape := value.type.tensor_type.shape) is not None
        }

    def __getitem__(self, name: str) -> list[int | None] | None:
        return self._shapes.get(name)


def _rows_stay_apart(model: ModelProto, probes: list[_Shapes]) -> bool:
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    known = {"", *constants}
    apart = {value.name for value in graph.input if value.name not in constants}
    for node in graph.node:
        if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
            return False  # a graph inside sees tensors that are none of the node's inputs
        if all(name in known for name in node.input):
            known.update(node.output)
            continue
        check = _CHECKS.get((node.domain, node.op_type))
        facts = _Node(node, apart, known, constants, probes)
        if check is None or not check(facts) or not facts.keeps_rows():
            return False
        apart.update(name for name in node.output if name)
    return all(value.name in apart for value in graph.output)


class _Node:
    """An operator with what is known of its inputs."""

    def __init__(
        self,
        node: Any,  # noqa: ANN401 - a protobuf message without types
        apart: set[str],
        known: set[str],
        constants: Mapping[str, Any],
        probes: list[_Shapes],
    ) -> None:
        self.inputs = list(node.input)
        self.outputs = [name for name in node.output if name]
        self.attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        self._apart, self._known, self._constants, self._probes = apart, known, constants, probes

    def keeps_rows(self) -> bool:
        """Whether every output's leading size is the number of rows, and nothing else varies."""
        for name in self.outputs:
            few, many = (probe[name] for probe in self._probes)
            if not few or not many or None in few or None in many or few[1:] != many[1:]:
                return False
            if (few[0], many[0]) != _PROBES:
                return False
        return True

    def has_rows(self, place: int) -> bool:
        return len(self.inputs) > place and self.inputs[place] in self._apart

    def is_known(self, place: int) -> bool:
        return len(self.inputs) <= place or self.inputs[place] in self._known

    def rank(self, place: int) -> int:
        name = self.inputs[place]
        if name in self._constants:
            return len(self._constants[name].dims)
        return len(self._probes[0][name] or ())

    def leading(self, place: int) -> int:
        name = self.inputs[place]
        if name in self._constants:
            return int(self._constants[name].dims[0])
        return (self._probes[0][name] or [0])[0] or 0

    def rest_known(self) -> bool:
        return self.has_rows(0) and all(self.is_known(n) for n in range(1, len(self.inputs)))

    def axis(self, default: int, attribute: str = "axis") -> int:
        axis = int(self.attributes.get(attribute, default))
        return axis + self.rank(0) if axis < 0 else axis

    def axes(self) -> list[int] | None:
        """The axes of an attribute or of the second input; None when not known."""
        if "axes" in self.attributes:
            values = list(self.attributes["axes"])
        elif len(self.inputs) > 1 and self.inputs[1]:
            if self.inputs[1] not in self._constants:
                return None
            values = numpy_helper.to_array(self._constants[self.inputs[1]]).tolist()
        else:
            return None
        rank = self.rank(0)
        return [axis + rank if axis < 0 else axis for axis in values]


def _broadcasts(node: _Node) -> bool:
    ranks = [node.rank(n) for n in range(len(node.inputs)) if node.has_rows(n)]
    rank = max(node.rank(n) for n in range(len(node.inputs)) if node.inputs[n])
    if any(found != rank for found in ranks):
        return False
    for place, name in enumerate(node.inputs):
        if not name or node.has_rows(place):
            continue
        if not node.is_known(place) or (node.rank(place) == rank and node.leading(place) != 1):
            return False
    return True


def _multiplies(node: _Node) -> bool:
    if not node.has_rows(0) or node.rank(0) < 2:
        return False
    if node.has_rows(1):
        return node.rank(0) == node.rank(1) >= 3
    if node.rank(1) < node.rank(0) or node.rank(1) == 2:
        return True
    return node.rank(1) == node.rank(0) and node.leading(1) == 1


def _gemm(node: _Node) -> bool:
    if not node.rest_known() or node.attributes.get("transA", 0):
        return False
    if len(node.inputs) < 3 or not node.inputs[2]:
        return True
    return node.rank(2) < 2 or node.leading(2) == 1


def _along_axis(default: int) -> Callable[[_Node], bool]:
    return lambda node: node.rest_known() and node.axis(default) != 0


def _joins(node: _Node) -> bool:
    return all(node.has_rows(n) for n in range(len(node.inputs))) and node.axis(0) != 0


def _reduces(node: _Node) -> bool:
    axes = node.axes()
    return node.rest_known() and axes is not None and bool(axes) and 0 not in axes


def _slices(node: _Node) -> bool:
    if "axes" in node.attributes:
        axes: list[int] | None = node.axes()
    elif len(node.inputs) > 3 and node.inputs[3]:
        axes = _Axes.of(node, 3)
    else:
        return False
    return node.rest_known() and axes is not None and 0 not in axes


class _Axes:
    @staticmethod
    def of(node: _Node, place: int) -> list[int] | None:
        tensor = node._constants.get(node.inputs[place])
        if tensor is None:
            return None
        rank = node.rank(0)
        return [axis + rank if axis < 0 else axis for axis in numpy_helper.to_array(tensor)]


def _gathers(node: _Node) -> bool:
    if node.is_known(0):
        return node.has_rows(1) and int(node.attributes.get("axis", 0)) == 0
    return node.rest_known() and node.axis(0) != 0


def _gathers_elements(node: _Node) -> bool:
    return node.has_rows(0) and node.has_rows(1) and node.axis(0) != 0


def _transposes(node: _Node) -> bool:
    permutation = list(node.attributes.get("perm", ()))
    return node.has_rows(0) and bool(permutation) and permutation[0] == 0


def _first_and_known(node: _Node) -> bool:
    return node.rest_known()


def _learned(node: _Node) -> bool:
    """ONNX-ML takes a tensor of rank 1 as one row."""
    return node.rest_known() and node.rank(0) >= 2


def _pools(node: _Node) -> bool:
    """A second output holds places in the whole batch."""
    return node.rest_known() and len(node.outputs) == 1


def _normalises(node: _Node) -> bool:
    return node.rest_known() and not node.attributes.get("training_mode", 0)


_ELEMENTWISE: Final = frozenset(
    {
        "Abs",
        "Acos",
        "Acosh",
        "Add",
        "And",
        "Asin",
        "Asinh",
        "Atan",
        "Atanh",
        "Cast",
        "Ceil",
        "Celu",
        "Clip",
        "Cos",
        "Cosh",
        "Div",
        "Elu",
        "Equal",
        "Erf",
        "Exp",
        "Floor",
        "Gelu",
        "Greater",
        "GreaterOrEqual",
        "HardSigmoid",
        "HardSwish",
        "Identity",
        "IsInf",
        "IsNaN",
        "LeakyRelu",
        "Less",
        "LessOrEqual",
        "Log",
        "Max",
        "Mean",
        "Min",
        "Mish",
        "Mod",
        "Mul",
        "Neg",
        "Not",
        "Or",
        "PRelu",
        "Pow",
        "Reciprocal",
        "Relu",
        "Round",
        "Selu",
        "Shrink",
        "Sigmoid",
        "Sign",
        "Sin",
        "Sinh",
        "Softplus",
        "Softsign",
        "Sqrt",
        "Sub",
        "Sum",
        "Swish",
        "Tan",
        "Tanh",
        "ThresholdedRelu",
        "Where",
        "Xor",
    }
)
_WHOLE_ROWS: Final = frozenset(
    {
        "AveragePool",
        "Conv",
        "ConvTranspose",
        "DepthToSpace",
        "Dropout",
        "GlobalAveragePool",
        "GlobalLpPool",
        "GlobalMaxPool",
        "GroupNormalization",
        "InstanceNormalization",
        "LRN",
        "LpPool",
        "SpaceToDepth",
    }
)
_REDUCTIONS: Final = ("Max", "Mean", "Min", "Prod", "Sum", "L1", "L2")
_LEARNED: Final = frozenset(
    {
        "LinearClassifier",
        "LinearRegressor",
        "Normalizer",
        "Scaler",
        "TreeEnsemble",
        "TreeEnsembleClassifier",
        "TreeEnsembleRegressor",
        "SVMClassifier",
        "SVMRegressor",
    }
)
_CHECKS: Final[Mapping[tuple[str, str], Callable[[_Node], bool]]] = {
    **{("", kind): _broadcasts for kind in _ELEMENTWISE},
    **{("", kind): _first_and_known for kind in _WHOLE_ROWS},
    **{("ai.onnx.ml", kind): _learned for kind in _LEARNED},
    ("ai.onnx.ml", "LabelEncoder"): _first_and_known,
    **{("", f"Reduce{kind}"): _reduces for kind in _REDUCTIONS},
    **{("", kind): _along_axis(-1) for kind in ("Softmax", "LogSoftmax", "Hardmax")},
    **{("", kind): _along_axis(-1) for kind in ("LayerNormalization", "RMSNormalization", "TopK")},
    **{("", kind): _along_axis(0) for kind in ("ArgMax", "ArgMin", "Split")},
    ("", "BatchNormalization"): _normalises,
    ("", "Concat"): _joins,
    ("", "MatMul"): _multiplies,
    ("", "MaxPool"): _pools,
    ("", "Gemm"): _gemm,
    ("", "Gather"): _gathers,
    ("", "GatherElements"): _gathers_elements,
    ("", "Transpose"): _transposes,
    ("", "Slice"): _slices,
    ("", "Flatten"): lambda node: node.has_rows(0) and node.axis(1) == 1,
    ("", "Reshape"): _first_and_known,
    ("", "Squeeze"): _reduces,
    ("", "Unsqueeze"): lambda node: node.rest_known() and 0 not in (node.axes() or [0]),
}
"""Under which condition each operator keeps rows apart. `_Node.keeps_rows` is checked besides: a
reshape whose leading size stays the number of rows moves nothing between rows, because elements lie
row after row."""
