"""Models of old opsets, brought to one whose operators the rewriting of classical ones takes."""

from __future__ import annotations

import onnx
from onnx import ModelProto, helper, version_converter

from caimi.errors.inference import ModelNotRunnable
from caimi.inference.wasm.compiling.decomposing import flat_hardmax
from caimi.inference.wasm.compiling.folding import replace_nodes
from caimi.inference.wasm.compiling.fresh_names import FreshNames
from caimi.inference.wasm.compiling.rewrite import MIN_OPSET, is_classical
from caimi.models.onnx_file import first_line


def raise_opset(model: ModelProto) -> ModelProto:
    """Give a model with classical operators in an opset of `MIN_OPSET` or more.

    The standard's own converter makes it, and the standard's checker sees the result. Other models
    stay as they are: the generator takes old operators as they were.

    Raises:
        ModelNotRunnable: the converter does not take an operator, or made what is no model.
    """
    opsets = {entry.domain or "ai.onnx": entry.version for entry in model.opset_import}
    given = opsets.get("ai.onnx", MIN_OPSET)
    if given >= MIN_OPSET or not any(map(is_classical, model.graph.node)):
        return model
    if any(entry.HasField("g") for node in model.graph.node for entry in node.attribute):
        raise ModelNotRunnable(
            f"Branches of opset {given}, which the standard's converter leaves as they are, beside "
            f"operators that are compiled from {MIN_OPSET} on."
        )
    plain = _stated_once(model)
    _spell_out(plain)
    try:
        raised = version_converter.convert_version(plain, MIN_OPSET)
        onnx.checker.check_model(raised)
    except (RuntimeError, ValueError, onnx.checker.ValidationError) as error:
        raise ModelNotRunnable(
            f"Opset {given} cannot be converted to {MIN_OPSET}, from which on classical operators "
            f"are compiled: {first_line(error)}."
        ) from error
    return raised


def _spell_out(model: ModelProto) -> None:
    """Say with others what the converter leaves as it is though it means something else later.

    `tests/onnx_fuzz/test_conversion.py` looks for operators of that kind.

    Raises:
        ModelNotRunnable: there is no way to say it.
    """
    names, nodes = FreshNames(model), []
    for node in model.graph.node:
        kind = "" if node.domain else node.op_type
        if kind == "Dropout" and len([name for name in node.output if name]) > 1:
            raise ModelNotRunnable(f"Dropout with a mask before opset {MIN_OPSET}.")
        if kind == "Hardmax":
            axis = next((entry.i for entry in node.attribute if entry.name == "axis"), 1)
            sizes = names.fresh(f"{node.output[0]}/sizes")
            nodes.append(helper.make_node("Shape", [node.input[0]], [sizes]))
            nodes += flat_hardmax(node, axis, sizes, names.fresh)
        else:
            nodes.append(node)
    replace_nodes(model.graph, nodes)


def _stated_once(model: ModelProto) -> ModelProto:
    """Leave out repeated statements of one opset, of which the converter raises the first only."""
    plain = ModelProto()
    plain.CopyFrom(model)
    del plain.opset_import[:]
    for domain, version in dict.fromkeys((o.domain, o.version) for o in model.opset_import):
        plain.opset_import.add(domain=domain, version=version)
    return plain
