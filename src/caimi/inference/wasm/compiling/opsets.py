"""Models of old opsets, brought to one whose operators the rewriting of classical ones takes."""

from __future__ import annotations

import onnx
from onnx import ModelProto, version_converter

from caimi.errors.inference import ModelNotRunnable
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
    try:
        raised = version_converter.convert_version(_stated_once(model), MIN_OPSET)
        onnx.checker.check_model(raised)
    except (RuntimeError, ValueError, onnx.checker.ValidationError) as error:
        raise ModelNotRunnable(
            f"Opset {given} cannot be converted to {MIN_OPSET}, from which on classical operators "
            f"are compiled: {first_line(error)}."
        ) from error
    return raised


def _stated_once(model: ModelProto) -> ModelProto:
    """Leave out repeated statements of one opset, of which the converter raises the first only."""
    plain = ModelProto()
    plain.CopyFrom(model)
    del plain.opset_import[:]
    for domain, version in dict.fromkeys((o.domain, o.version) for o in model.opset_import):
        plain.opset_import.add(domain=domain, version=version)
    return plain
