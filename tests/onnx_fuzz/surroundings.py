"""What may stand around an operator: other readers, constants as outputs, names like our own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

import onnx
from onnx import ModelProto, TensorProto, helper

from onnx_fuzz.case import Case

_MADE = ("{}/scaled", "{}/factor", "{}/offset", "{}/sums", "{}/scale", "{}/bias", "{}/int8",
         "caimi.0", "caimi.0.0", "caimi.w0", "t0", "t1", "n0", "{}.wide", "{}.half", "caimi.1",
         "{}/float32", "input", "output", "int", "*/", 'a"b')  # fmt: skip
"""Names that this compiler makes or once made, and such as C might trip over."""


def surrounded(random: Random, case: Case) -> Case:
    """Draw surroundings, plain ones half of the time."""
    if random.random() < 0.5:
        return case
    change = random.choice(_CHANGES)
    model = ModelProto()
    model.CopyFrom(case.model)
    story = change(random, model)
    onnx.checker.check_model(model)
    return replace(case, model=model).named(story) if story else case


def _rename(random: Random, model: ModelProto) -> str:
    graph = model.graph
    inputs = {value.name for value in graph.input}
    names = [name for node in graph.node for name in (*node.output, *node.input)]
    free = [name for name in dict.fromkeys(names) if name and name not in inputs]
    if not free:
        return ""
    old, near = random.choice(free), random.choice(names) or "y"
    new = random.choice(_MADE).format(near)
    if new in {*names, *inputs}:
        return ""
    for node in graph.node:
        node.input[:] = [new if name == old else name for name in node.input]
        node.output[:] = [new if name == old else name for name in node.output]
    for value in (*graph.output, *graph.initializer):
        if value.name == old:
            value.name = new
    return f"{old} renamed to {new}"


def _tap(random: Random, model: ModelProto) -> str:
    graph = model.graph
    name = random.choice(graph.output).name
    graph.node.append(helper.make_node("Identity", [name], ["tapped"]))
    graph.output.append(_as(graph, name, "tapped"))
    return f"{name} read again"


def _initializer_as_output(random: Random, model: ModelProto) -> str:
    graph = model.graph
    if not graph.initializer:
        return ""
    tensor = random.choice(graph.initializer)
    if any(value.name == tensor.name for value in graph.output):
        return ""
    graph.output.append(
        helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
    )
    return f"initializer {tensor.name} is an output"


def _constant_node(random: Random, model: ModelProto) -> str:
    graph = model.graph
    if not graph.initializer:
        return ""
    tensor = random.choice(graph.initializer)
    node = helper.make_node("Constant", [], [tensor.name], value=tensor)
    shown = random.random() < 0.4 and all(v.name != tensor.name for v in graph.output)
    if shown:
        graph.output.append(
            helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
        )
    kept = [entry for entry in graph.initializer if entry.name != tensor.name]
    nodes = [node, *graph.node]
    copies = [type(each).FromString(each.SerializeToString()) for each in nodes]
    weights = [type(each).FromString(each.SerializeToString()) for each in kept]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(copies)
    graph.initializer.extend(weights)
    return f"{tensor.name} is a Constant" + (" and an output" if shown else "")


def _input_as_output(random: Random, model: ModelProto) -> str:
    graph = model.graph
    if not graph.input:
        return ""
    value = random.choice(graph.input)
    if any(output.name == value.name for output in graph.output):
        return ""
    graph.output.add().CopyFrom(value)
    return f"input {value.name} is an output"


def _before(random: Random, model: ModelProto) -> str:
    """An operator that does nothing before an input: the input is computed, not given."""
    graph = model.graph
    plain = [v for v in graph.input if v.type.tensor_type.elem_type == TensorProto.FLOAT]
    if not plain:
        return ""
    name = random.choice(plain).name
    for node in graph.node:
        node.input[:] = [f"{name}.made" if each == name else each for each in node.input]
    made = helper.make_node("Neg", [name], [f"{name}.negated"])
    back = helper.make_node("Neg", [f"{name}.negated"], [f"{name}.made"])
    copies = [type(n).FromString(n.SerializeToString()) for n in (made, back, *graph.node)]
    del graph.node[:]
    graph.node.extend(copies)
    return f"{name} computed"


def _as(graph: onnx.GraphProto, name: str, other: str) -> onnx.ValueInfoProto:
    value = onnx.ValueInfoProto()
    value.CopyFrom(next(each for each in graph.output if each.name == name))
    value.name = other
    return value


_CHANGES: tuple[Callable[[Random, ModelProto], str], ...] = (
    _rename, _rename, _tap, _initializer_as_output, _constant_node, _input_as_output, _before,
)  # fmt: skip
