"""What the compiler refuses by name, although the code generator would take it.

Either its answer could be another than the standard's, or it cannot be repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any, Final

import onnx.defs
from onnx import ModelProto, TensorProto

from caimi.errors.inference import ModelNotRunnable
from caimi.inference.wasm.metadata import ITEM_BYTES

OLDEST: Final = 7
"""As ONNX Runtime: before, operators broadcast by attributes, and trained unless told not to."""
MAX_ELEMENTS: Final = 1 << 28
"""Of one tensor: a wasm32 memory has 4 GiB."""
RANDOM: Final = frozenset(
    {
        "Bernoulli",
        "Multinomial",
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
    }
)
_TYPES: Final = {
    getattr(TensorProto, {"float32": "FLOAT", "float64": "DOUBLE"}.get(name, name.upper()))
    for name in ITEM_BYTES
}


_BY_NAME: Final[Mapping[str, str]] = {
    "ImageDecoder": "pictures are decoded before a model is run",
    "MeanVarianceNormalization": "its shapes are not inferred; export it as its parts",
    **dict.fromkeys(RANDOM, "its answer is random"),
}
_FLAGS: Final = frozenset(
    {
        *("align_corners", "allowzero", "antialias", "ceil_mode", "center_point_box"),
        *("count_include_pad", "detect_negative", "detect_positive", "exclude_outside"),
        *("exclusive", "fmod", "input_forget", "interleaved", "inverse", "is_case_sensitive"),
        *("is_causal", "keepdims", "largest", "layout", "linear_before_reset"),
        *("new_axis", "noop_with_empty_axes", "onesided", "periodic", "reverse", "saturate"),
        *("select_last_index", "sorted", "spatial", "storage_order", "training_mode"),
        *("transA", "transB", "upper"),
    }
)
"""Attributes that the standard defines for 0 and 1 only."""


def check_names(model: ModelProto) -> None:
    """Check the names of a model's operators.

    Raises:
        ModelNotRunnable: one of them is refused; with its name and the reason.
    """
    versions = {e.version for e in model.opset_import if e.domain in ("", "ai.onnx")}
    if len(versions) > 1:
        raise ModelNotRunnable(f"The model says that it is of the opsets {sorted(versions)}.")
    version = min(versions, default=OLDEST)
    for node in model.graph.node:
        if version < OLDEST and not node.domain and _has_changed(node.op_type, version):
            raise ModelNotRunnable(f"{node.op_type} of opset {version}; taken from {OLDEST} on.")
        if node.op_type in _BY_NAME:
            raise ModelNotRunnable(f"{node.op_type}: {_BY_NAME[node.op_type]}.")
        for attribute in node.attribute:
            if attribute.name in _FLAGS and attribute.i not in (0, 1):
                raise ModelNotRunnable(f"{node.op_type}: {attribute.name} is {attribute.i}.")


def _has_changed(kind: str, version: int) -> bool:
    """Whether an operator of before `OLDEST` means something else, or is no more, since."""
    if not onnx.defs.has(kind, version) or not onnx.defs.has(kind, OLDEST):
        return True
    then, since = (onnx.defs.get_schema(kind, opset) for opset in (version, OLDEST))
    return bool(then.since_version != since.since_version)


def check_operators(model: ModelProto) -> None:
    """Check the operators and tensors of a model whose shapes and types are inferred.

    Raises:
        ModelNotRunnable: one of them is refused; with its name and the reason.
    """
    graph = model.graph
    values = (*graph.input, *graph.value_info, *graph.output)
    types = {value.name: value.type.tensor_type.elem_type for value in values}
    types |= {tensor.name: tensor.data_type for tensor in graph.initializer}
    for value in values:
        shape = value.type.tensor_type.shape
        if prod(size.dim_value for size in shape.dim) > MAX_ELEMENTS:
            raise ModelNotRunnable(f"{value.name[:80]!r} has over {MAX_ELEMENTS} elements.")
    for tensor in graph.initializer:
        if tensor.data_type not in _TYPES:
            kind = _name(tensor.data_type)
            raise ModelNotRunnable(f"{tensor.name[:80]!r} is {kind}, which no module takes.")
    for node in graph.node:
        kinds = {types[name] for name in (*node.input, *node.output) if types.get(name)}
        for kind in sorted(kinds - _TYPES):
            raise ModelNotRunnable(f"{node.op_type} of {_name(kind)}, which no module computes.")
        reason = _reason(node)
        if reason:
            raise ModelNotRunnable(f"{node.op_type}: {reason}.")


def _name(kind: int) -> str:
    known: dict[int, str] = {number: name.lower() for name, number in TensorProto.DataType.items()}
    return known.get(kind, f"type {kind}")


def _reason(node: Any) -> str:  # noqa: ANN401 - a protobuf message without types
    rule = _RULES.get(node.op_type)
    return rule(node) if rule else ""


def _attention(node: Any) -> str:  # noqa: ANN401 - as above
    causal = any(a.name == "is_causal" and a.i for a in node.attribute)
    padded = bool(len(node.input) > 6 and node.input[6])
    return "causal together with the lengths of padded keys" if causal and padded else ""


def _space_to_depth(node: Any) -> str:  # noqa: ANN401 - as above
    modes = [a.s for a in node.attribute if a.name == "mode"]
    return "another mode than DCR" if modes and bytes(modes[0]) != b"DCR" else ""


def _pool(node: Any) -> str:  # noqa: ANN401 - as above
    given = {entry.name: entry for entry in node.attribute}
    same = "auto_pad" in given and bytes(given["auto_pad"].s).startswith(b"SAME")
    dilated = "dilations" in given and any(step != 1 for step in given["dilations"].ints)
    return "dilated windows with auto_pad SAME, of which engines differ" if same and dilated else ""


def _recurrent(node: Any) -> str:  # noqa: ANN401 - as above
    clips = [entry.f for entry in node.attribute if entry.name == "clip"]
    return "a clip that is not above zero" if clips and not clips[0] > 0 else ""


def _celu(node: Any) -> str:  # noqa: ANN401 - as above
    return "an alpha of zero" if any(a.name == "alpha" and a.f == 0 for a in node.attribute) else ""


def _reverse_sequence(node: Any) -> str:  # noqa: ANN401 - as above
    axes = [entry.i for entry in node.attribute if entry.name in ("batch_axis", "time_axis")]
    return "" if all(axis in (0, 1) for axis in axes) else "axes other than the first two"


_RULES: Final[Mapping[str, Callable[[Any], str]]] = {
    **dict.fromkeys(("AveragePool", "LpPool", "MaxPool"), _pool),
    **dict.fromkeys(("GRU", "LSTM", "RNN"), _recurrent),
    "Attention": _attention,
    "Celu": _celu,
    "ReverseSequence": _reverse_sequence,
    "SpaceToDepth": _space_to_depth,
}
