"""What ONNX's own checker passes over, and would fail where it is used: texts and tensors."""

from __future__ import annotations

from collections.abc import Iterator

from onnx import AttributeProto, ModelProto, TensorProto, numpy_helper

from caimi.errors.inference import ModelNotRunnable


def check_well_formed(model: ModelProto) -> None:
    """Check that every text is UTF-8 and every tensor has as many elements as its sizes say.

    Raises:
        ModelNotRunnable: one is not so; with its name.
    """
    for tensor in model.graph.initializer:
        _check_tensor(tensor, f"{tensor.name[:80]!r}")
    for node in model.graph.node:
        for attribute in node.attribute:
            _check_attribute(attribute, f"{node.op_type[:40]}: {attribute.name[:80]!r}")


def _check_attribute(attribute: AttributeProto, where: str) -> None:
    try:
        for text in (attribute.s, *attribute.strings):
            text.decode()
    except UnicodeDecodeError as error:
        raise ModelNotRunnable(f"{where} is a text that is not UTF-8.") from error
    for tensor in _tensors(attribute):
        _check_tensor(tensor, where)


def _tensors(attribute: AttributeProto) -> Iterator[TensorProto]:
    if attribute.HasField("t"):
        yield attribute.t
    yield from attribute.tensors


def _check_tensor(tensor: TensorProto, where: str) -> None:
    if tensor.data_type not in TensorProto.DataType.values():
        raise ModelNotRunnable(f"{where} is of type {tensor.data_type}, which ONNX does not have.")
    try:
        numpy_helper.to_array(tensor)
    except (ValueError, TypeError, UnicodeDecodeError, OverflowError) as error:
        raise ModelNotRunnable(f"{where}: its elements do not fit its type and sizes.") from error
