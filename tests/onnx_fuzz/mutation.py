"""Cases out of the standard's node tests: another version of the operator, other attributes, types,
numbers, sizes.

A node test holds the newest version of one operator with inputs that fit it; what older versions
say otherwise, and what attributes do together, comes from here.
"""

from __future__ import annotations

from functools import cache
from random import Random
from typing import Any

import numpy as np
import onnx.defs
from onnx import AttributeProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.defs import OpSchema

from onnx_conformance.cases import all_cases
from onnx_fuzz.case import ML, ML_OPSET, Case, build, copy_of
from onnx_fuzz.values import redrawn

_TYPES = {
    "tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64,
    "tensor(int32)": np.int32, "tensor(int64)": np.int64, "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8, "tensor(int16)": np.int16, "tensor(uint16)": np.uint16,
    "tensor(uint32)": np.uint32, "tensor(uint64)": np.uint64,
}  # fmt: skip
_TEXTS = {
    "auto_pad": ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"),
    "mode": ("constant", "reflect", "edge", "wrap", "nearest", "linear", "cubic", "bilinear",
             "bicubic", "DCR", "CRD", "avg", "max"),
    "coordinate_transformation_mode": (
        "half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel", "tf_crop_and_resize",
        "half_pixel_symmetric", "output_half_pixel",
    ),
    "nearest_mode": ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"),
    "keep_aspect_ratio_policy": ("stretch", "not_larger", "not_smaller"),
    "padding_mode": ("zeros", "border", "reflection"),
    "reduction": ("none", "add", "mul", "max", "min", "sum", "mean"),
    "direction": ("forward", "reverse", "bidirectional", "LEFT", "RIGHT"),
    "approximate": ("none", "tanh"),
}  # fmt: skip
_RUNS_LONG = 40_000


@cache
def corpus() -> list[tuple[NodeProto, dict[str, Any]]]:
    """Give every node test of one operator whose inputs are tensors: the node and its inputs."""
    found = []
    for case in all_cases().values():
        graph = case.model.graph
        if len(graph.node) != 1 or graph.initializer or not case.data_sets:
            continue
        arrays = [
            numpy_helper.to_array(value) if isinstance(value, TensorProto) else value
            for value in case.data_sets[0][0]
        ]
        if not all(isinstance(value, np.ndarray | np.generic) for value in arrays):
            continue
        if graph.node[0].domain not in ("", ML) or len(arrays) != len(graph.input):
            continue
        values = [np.asarray(value) for value in arrays]
        if all(value.dtype.kind in "fiub" and value.size < _RUNS_LONG for value in values):
            names = [value.name for value in graph.input]
            found.append((graph.node[0], dict(zip(names, values, strict=True))))
    return found


def mutated(random: Random, opset: int) -> Case:
    """Draw a case at `opset`, half of them of operators that mean something newer since.

    Raises:
        Exception: what was drawn is no valid model.
    """
    kinds = _older_at(opset) if random.random() < 0.5 else list(_by_operator())
    source, arrays = random.choice(_by_operator()[random.choice(kinds)])
    node, values = copy_of(source), dict(arrays)
    version = ML_OPSET if node.domain == ML else opset
    schema = onnx.defs.get_schema(node.op_type, version, node.domain)
    if schema.deprecated:
        raise ValueError(f"{node.op_type} is deprecated")
    _downgrade(node, values, schema)
    story = [f"{node.op_type}-{schema.since_version}"]
    if random.random() < 0.5:
        story += [_other_attribute(random, node, schema) for _ in range(random.randint(1, 2))]
    if random.random() < 0.3:
        story.append(_other_type(random, node, values, schema))
    if random.random() < 0.3:
        story.append(_other_sizes(random, values))
    if random.random() < 0.6:
        for name, value in values.items():
            if value.dtype.kind in "fb" or random.random() < 0.3:
                values[name] = redrawn(random, value)
        story.append("other numbers")
    fixed = {}
    for name, value in list(values.items()):
        likely = 0.9 if value.dtype.kind in "iub" and value.ndim < 2 else 0.2
        if random.random() < likely:
            fixed[name] = values.pop(name)
    outputs = [name for name in node.output if name]
    model = build([node], values, fixed, outputs, opset)
    return Case(node.op_type, ", ".join(filter(None, story)), model, values)


@cache
def _by_operator() -> dict[str, list[tuple[NodeProto, dict[str, Any]]]]:
    sorted_out: dict[str, list[tuple[NodeProto, dict[str, Any]]]] = {}
    for node, arrays in corpus():
        sorted_out.setdefault(node.op_type, []).append((node, arrays))
    return sorted_out


@cache
def _older_at(opset: int) -> list[str]:
    """Name the operators whose version at an opset is not the newest: the walk through history."""
    return [
        kind
        for kind, tests in _by_operator().items()
        if not tests[0][0].domain
        and onnx.defs.has(kind, opset)
        and onnx.defs.get_schema(kind, opset).since_version
        != onnx.defs.get_schema(kind).since_version
    ]


def _downgrade(node: NodeProto, values: dict[str, Any], schema: OpSchema) -> None:
    """Make attributes of what an older version takes as no input, and drop what it lacks."""
    newest = onnx.defs.get_schema(node.op_type, domain=node.domain)
    formal = [parameter.name for parameter in newest.inputs]
    taken = [parameter.name for parameter in schema.inputs]
    variadic = (
        bool(newest.inputs) and newest.inputs[-1].option == OpSchema.FormalParameterOption.Variadic
    )
    if not variadic and formal[: len(node.input)] != taken[: len(node.input)]:
        for place in range(len(node.input) - 1, -1, -1):
            name = formal[place]
            if place < len(taken) and (taken[place] == name or name not in schema.attributes):
                continue
            given = node.input[place]
            del node.input[place]
            if given in values:
                value = values.pop(given)
                _set_as_attribute(node, schema, {"k": "k"}.get(name, name), value)
    kept = [entry for entry in node.attribute if entry.name in schema.attributes]
    del node.attribute[:]
    node.attribute.extend(kept)
    for name, entry in schema.attributes.items():
        if entry.required and name == "to" and not any(a.name == "to" for a in node.attribute):
            node.attribute.append(helper.make_attribute("to", TensorProto.FLOAT))
    for name in [name for name in values if name not in node.input]:
        del values[name]


def _set_as_attribute(node: NodeProto, schema: OpSchema, name: str, value: Any) -> None:
    entry = schema.attributes.get(name)
    if entry is None:
        return
    kind = str(entry.type).rsplit(".", 1)[-1]
    flat = np.asarray(value).reshape(-1).tolist()
    if kind in ("INT", "FLOAT"):
        node.attribute.append(helper.make_attribute(name, flat[0], attr_type=_kind(kind)))
    elif kind in ("INTS", "FLOATS"):
        node.attribute.append(helper.make_attribute(name, flat, attr_type=_kind(kind)))


def _kind(name: str) -> int:
    return int(AttributeProto.AttributeType.Value(name))


def _other_attribute(random: Random, node: NodeProto, schema: OpSchema) -> str:
    if not schema.attributes:
        return ""
    name = random.choice(sorted(schema.attributes))
    present = [entry for entry in node.attribute if entry.name == name]
    kept = [entry for entry in node.attribute if entry.name != name]
    if present and random.random() < 0.3:
        del node.attribute[:]
        node.attribute.extend(kept)
        return f"without {name}"
    value = _drawn(
        random, name, schema, helper.get_attribute_value(present[0]) if present else None
    )
    if value is None:
        return ""
    kind = str(schema.attributes[name].type).rsplit(".", 1)[-1]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(name, value, attr_type=_kind(kind))])
    return f"{name} = {value}"


def _drawn(random: Random, name: str, schema: OpSchema, now: Any) -> Any:
    kind = str(schema.attributes[name].type).rsplit(".", 1)[-1]
    if kind == "INT":
        if name in ("to", "dtype", "saturate", "stash_type", "output_dtype", "output_datatype"):
            return random.choice((1, 1, 6, 7, 9, 10, 11, 2, 3))
        return random.choice((0, 1, 1, 2, -1, -2, 3))
    if kind == "FLOAT":
        return random.choice((0.0, 1.0, 0.5, 2.0, -1.0, 1e-3, 3.7))
    if kind == "STRING":
        return random.choice(_TEXTS[name]) if name in _TEXTS else None
    if kind == "INTS":
        length = len(now) if now else random.randint(1, 4)
        if now and random.random() < 0.5:
            changed = list(now)
            changed[random.randrange(length)] += random.choice((-1, 1, 1, 2))
            return changed
        return [random.choice((0, 1, 1, 2, -1, 3)) for _ in range(length)]
    if kind == "FLOATS" and now:
        return [value * random.choice((0.5, 1.0, 2.0)) for value in now]
    return None


def _other_type(random: Random, node: NodeProto, values: dict[str, Any], schema: OpSchema) -> str:
    variables = [entry for entry in schema.type_constraints if len(entry.allowed_type_strs) > 1]
    if not variables:
        return ""
    chosen = random.choice(variables)
    kinds = [_TYPES[text] for text in chosen.allowed_type_strs if text in _TYPES]
    if not kinds:
        return ""
    kind = random.choice(
        kinds if random.random() < 0.5 else [k for k in kinds if k == np.float16] or kinds
    )
    for place, name in enumerate(node.input):
        parameter = schema.inputs[min(place, len(schema.inputs) - 1)]
        if name in values and parameter.type_str == chosen.type_param_str:
            with np.errstate(all="ignore"):
                values[name] = values[name].astype(kind)
    return f"{chosen.type_param_str} = {np.dtype(kind)}"


def _other_sizes(random: Random, values: dict[str, Any]) -> str:
    sizes = sorted({s for v in values.values() if v.dtype.kind == "f" for s in v.shape})
    if not sizes:
        return ""
    size, times = random.choice(sizes), random.choice((2, 3, 5, 17))
    for name, value in values.items():
        if value.dtype.kind == "f":
            repeats = [times if s == size else 1 for s in value.shape]
            if np.prod(repeats) * value.size < _RUNS_LONG:
                values[name] = np.tile(value, repeats)
    return f"sizes {size} times {times}"
