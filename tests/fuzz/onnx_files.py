"""Damaged ONNX files for the compiler to WebAssembly: bytes, and the messages that they hold."""

from __future__ import annotations

import tempfile
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from caimi.inference.wasm.compiling.compiler import Translation, translate
from fuzz.decoder import Decoder
from fuzz.mutation import damaged_bytes

_SIZES = (0, 1, -1, 2, 3, 7, 255, 65_536, 1 << 20, 1 << 31, 1 << 40, (1 << 63) - 1, -(1 << 63))
TEXTS = (
    '*/ #include "/etc/passwd" /*',
    '"; #include </etc/passwd>\n"',
    "??/\n#error caught\n",
    "\\\n#error caught",
    "x" * 5_000,
    "",
    "../../x",
    "%s%n",
    "int",
    "\ud7ff\u202e\0",
    "Loop",
    "ai.onnx.ml",
    "/dev/zero",
)
_SOME = 4
"""How many changes one file gets at most."""


def _model(nodes: list[Any], sizes: dict[str, list[Any]], constants: dict[str, Any]) -> bytes:
    made = {node.output[0] for node in nodes}
    last = nodes[-1].output[0]
    graph = helper.make_graph(
        nodes,
        "graph",
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, size)
            for name, size in sizes.items()
            if name not in made
        ],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, sizes[last])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    return bytes(helper.make_model(graph, ir_version=9, opset_imports=opsets).SerializeToString())


def valid() -> list[bytes]:
    """Give small models that together have every kind of attribute, weight and size."""
    draw = np.random.default_rng(0)
    node = helper.make_node
    weights = draw.normal(size=(8, 3, 3, 3)).astype("float32")
    matrix = draw.normal(size=(32, 10)).astype("float32")
    return [
        _model(
            [
                node("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2]),
                node("Relu", ["c"], ["r"]),
                node("Flatten", ["r"], ["f"]),
                node("Gemm", ["f", "m"], ["g"], alpha=0.5),
                node("Softmax", ["g"], ["y"], axis=-1),
            ],
            {"x": ["N", 3, 4, 4], "y": ["N", 10]},
            {"w": weights, "b": np.zeros(8, "float32"), "m": matrix},
        ),
        _model(
            [
                node("Constant", [], ["s"], value=numpy_helper.from_array(np.array([2, -1]))),
                node("Reshape", ["x", "s"], ["a"]),
                node("Transpose", ["a"], ["t"], perm=[1, 0]),
                node("Gather", ["t", "i"], ["h"], axis=0),
                node("Slice", ["h", "from", "to"], ["q"]),
                node("Pad", ["q", "pads"], ["p"], mode="reflect"),
                node("ReduceSum", ["p", "axes"], ["z"], keepdims=0),
                node("Expand", ["z", "wide"], ["y"]),
            ],
            {"x": [3, 8], "y": [2, 4]},
            {
                "i": np.array([0, 3, -1, 5]),
                "from": np.array([1]),
                "to": np.array([1 << 62]),
                "pads": np.array([1, 1, 0, 1]),
                "axes": np.array([0]),
                "wide": np.array([2, 4]),
            },
        ),
        _model(
            [
                node("Scaler", ["x"], ["v"], domain="ai.onnx.ml", offset=[0.5], scale=[2.0]),
                node("Einsum", ["v"], ["e"], equation="ij->ji"),
                node("LSTM", ["l", "W", "R"], ["o"], hidden_size=2, activations=["Tanh"] * 3),
                node("Resize", ["l", "", "f"], ["y"], mode="linear"),
            ],
            {"x": [2, 3], "l": [1, 1, 2], "y": [1, 1, 4]},
            {
                "W": draw.normal(size=(1, 8, 2)).astype("float32"),
                "R": draw.normal(size=(1, 8, 2)).astype("float32"),
                "f": np.array([1, 1, 2], "float32"),
            },
        ),
    ]


def damaged_model(draw: Random, whole: bytes) -> bytes:
    """Change some fields of the messages in a model: dropped, repeated, odd, or of each other."""
    model = ModelProto.FromString(whole)
    for _ in range(draw.randint(1, _SOME)):
        messages = list(_messages(model, 0))
        message = draw.choice(messages)
        _change(draw, message, messages)
    return bytes(model.SerializeToString())


def _messages(message: Any, depth: int) -> Any:
    yield message
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE and depth < 8:
            for each in value if field.is_repeated else [value]:
                yield from _messages(each, depth + 1)


def _change(draw: Random, message: Any, messages: list[Any]) -> None:
    fields = list(message.DESCRIPTOR.fields)
    present = [field for field, _ in message.ListFields()]
    field = draw.choice(present if present and draw.random() < 0.9 else fields)
    if field.type == field.TYPE_MESSAGE:
        same = [each for each in messages if field.message_type == each.DESCRIPTOR]
        _change_message(draw, message, field, same)
    elif field.is_repeated:
        values = getattr(message, field.name)
        if len(values) and draw.random() < 0.5:
            values[draw.randrange(len(values))] = _odd(draw, field)
        elif len(values) and draw.random() < 0.5:
            del values[draw.randrange(len(values))]
        else:
            values.extend([_odd(draw, field)] * draw.choice((1, 1, 3, 40)))
    elif draw.random() < 0.2:
        message.ClearField(field.name)
    else:
        setattr(message, field.name, _odd(draw, field))


def _change_message(draw: Random, message: Any, field: Any, same: list[Any]) -> None:
    other = draw.choice(same) if same else None
    if not field.is_repeated:
        if other is not None and draw.random() < 0.6:
            copy = type(other)()
            copy.CopyFrom(other)
            getattr(message, field.name).CopyFrom(copy)
        else:
            message.ClearField(field.name)
        return
    values = getattr(message, field.name)
    if len(values) and draw.random() < 0.4:
        del values[draw.randrange(len(values))]
    elif other is not None:
        copy = type(other)()
        copy.CopyFrom(other)
        values.extend([copy])


def _odd(draw: Random, field: Any) -> Any:
    if field.type == field.TYPE_ENUM:
        return draw.choice([value.number for value in field.enum_type.values])
    if field.cpp_type in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):
        return draw.choice((0.0, -1.0, 1e30, float("nan"), float("inf"), 1e-40))
    if field.type == field.TYPE_BYTES:
        return draw.choice((b"", b"\xff" * 7, *(text.encode() for text in TEXTS), bytes(4_096)))
    if field.type == field.TYPE_STRING:
        names = ("x", "y", "w", "s", "a", "Identity", "Add", "axis", "value", "to", "N")
        return draw.choice((*TEXTS, *names))
    size = draw.choice(_SIZES)
    if field.cpp_type in (field.CPPTYPE_INT32, field.CPPTYPE_UINT32):
        return size & 0x7FFFFFFF
    return size if field.cpp_type != field.CPPTYPE_UINT64 else size & (1 << 63) - 1


def to_c(data: bytes) -> Translation:
    """Translate a file of these bytes, all sizes left to the compiler."""
    with tempfile.TemporaryDirectory(prefix="caimi-fuzz-") as folder:
        file = Path(folder) / "model.onnx"
        file.write_bytes(data)
        return translate(file)


class OnnxFiles(Decoder):
    """Half of the inputs have damaged bytes, half damaged messages."""

    def damaged(self, draw: Random) -> bytes:
        """Give one input."""
        if draw.random() < 0.3:
            return bytes(damaged_bytes(draw, self.corpus))
        return damaged_model(draw, draw.choice(self.corpus))


DECODERS = (
    OnnxFiles(
        "onnx-compiler",
        (
            "caimi.inference.wasm.compiling.compiler",
            "caimi.inference.wasm.compiling.graph",
            "caimi.inference.wasm.compiling.initializers",
        ),
        valid,
        to_c,
        share=0.02,
    ),
)
