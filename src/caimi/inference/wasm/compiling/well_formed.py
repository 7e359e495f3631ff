"""What ONNX's own checker passes over, and would fail where it is used: texts, tensors, outputs."""

from __future__ import annotations

from collections.abc import Iterator

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, numpy_helper

from caimi.errors.inference import ModelNotRunnable


def check_well_formed(model: ModelProto) -> None:
    """Check texts (UTF-8), elements of tensors (as many as sizes say), outputs (as many as asked).

    Raises:
        ModelNotRunnable: one is not so; with its name.
    """
    for tensor in model.graph.initializer:
        _check_tensor(tensor, f"{tensor.name[:80]!r}")
    for node in _nodes(model.graph):
        _check_outputs(node)
        for attribute in node.attribute:
            _check_attribute(attribute, f"{node.op_type[:40]}: {attribute.name[:80]!r}")


def _nodes(graph: GraphProto) -> Iterator[NodeProto]:
    """Give the nodes of a graph and of those within them."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(inner)


def _check_outputs(node: NodeProto) -> None:
    """Of a Split of other outputs than it is asked for ONNX's shape inference ends the process."""
    asked = [entry.i for entry in node.attribute if entry.name == "num_outputs"]
    if node.op_type == "Split" and asked and asked[0] != len(node.output):
        raise ModelNotRunnable(f"Split into {asked[0]} has {len(node.output)} outputs.")


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
