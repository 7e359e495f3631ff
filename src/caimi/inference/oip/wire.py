"""Requests and answers over gRPC: protocol buffers, tensors' elements as raw bytes or one by one.

A message is looked at before it is parsed: empty fields, of two bytes each, would take fifty times
as much when parsed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from caimi.errors.inference import UnreadableTensors
from caimi.inference.oip import open_inference_pb2 as pb
from caimi.inference.oip.datatypes import (
    TEXT,
    checked_names,
    checked_shape,
    datatype_of_array,
    dtype_of,
    from_raw,
    shaped,
    text_of,
    to_raw,
)
from caimi.inference.oip.messages import (
    MAX_ID,
    InferAnswer,
    InferRequest,
    ModelInfo,
    Parameter,
    Parameters,
    TensorInfo,
    checked_parameters,
)
from caimi.inference.tensors import MAX_TENSORS, Array

MAX_PARSED_BYTES: Final = 8 << 20
"""What a message may hold beside raw bytes; larger tensors go as these."""
_MAX_FIELDS: Final = 3 * MAX_TENSORS + 100
_RAW_INPUTS: Final = 7
_RAW_OUTPUTS: Final = 6
_CONTENTS: Final = {
    "BOOL": "bool_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    "INT64": "int64_contents",
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    TEXT: "bytes_contents",
}


def decode_request(data: bytes) -> InferRequest:
    """Take a request's message.

    Raises:
        UnreadableTensors: it is anything else than the protocol says, or too large.
        WrongInput: it asks for what is not served.
    """
    message = parse_message(pb.ModelInferRequest, data, _RAW_INPUTS)
    parameters = _parameters(message.parameters, "The request")
    asked = [output.name for output in message.outputs]
    checked_names(asked)
    for output in message.outputs:
        _parameters(output.parameters, f"Output {output.name!r}")
    return InferRequest(
        model=message.model_name,
        version=message.model_version,
        inputs=_tensors(message.inputs, message.raw_input_contents),
        id=_checked_id(message.id),
        parameters=parameters,
        outputs=dict.fromkeys(asked),
        binary=True,
    )


def encode_request(request: InferRequest) -> bytes:
    """Give a request's message, all tensors as raw bytes."""
    message = pb.ModelInferRequest(
        model_name=request.model, model_version=request.version, id=request.id
    )
    _put(message.parameters, request.parameters)
    for name, value in request.inputs.items():
        message.inputs.add(name=name, datatype=datatype_of_array(value), shape=value.shape)
        message.raw_input_contents.append(to_raw(value))
    for name in request.outputs:
        message.outputs.add(name=name)
    return bytes(message.SerializeToString(deterministic=True))


def decode_answer(data: bytes) -> InferAnswer:
    """Take an answer's message; raises `UnreadableTensors` as `decode_request`."""
    message = parse_message(pb.ModelInferResponse, data, _RAW_OUTPUTS)
    return InferAnswer(
        model=message.model_name,
        version=message.model_version,
        outputs=_tensors(message.outputs, message.raw_output_contents),
        id=_checked_id(message.id),
        parameters=_parameters(message.parameters, "The answer"),
    )


def encode_answer(answer: InferAnswer) -> bytes:
    """Give an answer's message, all tensors as raw bytes."""
    message = pb.ModelInferResponse(
        model_name=answer.model, model_version=answer.version, id=answer.id
    )
    _put(message.parameters, answer.parameters)
    for name, value in answer.outputs.items():
        message.outputs.add(name=name, datatype=datatype_of_array(value), shape=value.shape)
        message.raw_output_contents.append(to_raw(value))
    return bytes(message.SerializeToString(deterministic=True))


def decode_model_info(data: bytes) -> ModelInfo:
    """Take a server's metadata of a model; raises `UnreadableTensors`."""
    message = parse_message(pb.ModelMetadataResponse, data)
    return ModelInfo(
        name=message.name,
        versions=tuple(message.versions),
        platform=message.platform,
        inputs=_infos(message.inputs),
        outputs=_infos(message.outputs),
    )


def model_info_message(info: ModelInfo) -> bytes:
    """Give the message of a model's metadata."""
    message = pb.ModelMetadataResponse(
        name=info.name, versions=info.versions, platform=info.platform
    )
    for tensors, entries in ((info.inputs, message.inputs), (info.outputs, message.outputs)):
        for each in tensors:
            entries.add(name=each.name, datatype=each.datatype, shape=each.shape)
    return bytes(message.SerializeToString(deterministic=True))


def parse_message(kind: Any, data: bytes, raw_field: int = 0) -> Any:  # noqa: ANN401 - generated
    """Parse a message of a bounded number of fields, and bounded size beside `raw_field`.

    Raises:
        UnreadableTensors: it is larger, or no such message.
    """
    place = fields = raw = 0
    while place < len(data):
        tag, place = _varint(data, place)
        number, form = tag >> 3, tag & 7
        if form == 0:
            _, end = _varint(data, place)
        elif form == 2:
            size, place = _varint(data, place)
            end = place + size
            raw += size if number == raw_field else 0
        elif form in (1, 5):
            end = place + (8 if form == 1 else 4)
        else:
            raise UnreadableTensors("The message is no message of the protocol.")
        place = end
        fields += 1
        if fields > _MAX_FIELDS:
            raise UnreadableTensors(f"The message has more than {_MAX_FIELDS} fields.")
    if place > len(data):
        raise UnreadableTensors("The message ends within a field.")
    if len(data) - raw > MAX_PARSED_BYTES:
        raise UnreadableTensors(
            f"The message has {len(data) - raw} bytes beside raw contents; "
            f"{MAX_PARSED_BYTES} are read.",
            next_step="Send large tensors as raw contents.",
        )
    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise UnreadableTensors("The message is no message of the protocol.") from error


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(data) and shift < 70:
        byte = data[place]
        value |= (byte & 127) << shift
        place += 1
        if byte < 128:
            return value, place
        shift += 7
    raise UnreadableTensors("The message ends within a number, or has one that is too long.")


def _tensors(entries: Sequence[Any], raw: Sequence[bytes]) -> dict[str, Array]:
    names = [entry.name for entry in entries]
    checked_names(names)
    if raw and (len(raw) != len(entries) or any(entry.HasField("contents") for entry in entries)):
        raise UnreadableTensors(
            f"{len(entries)} tensors have {len(raw)} raw contents, or other contents beside them."
        )
    tensors = {}
    for place, entry in enumerate(entries):
        shape = checked_shape(entry.name, list(entry.shape))
        _parameters(entry.parameters, f"Tensor {entry.name!r}")
        if raw:
            tensors[entry.name] = from_raw(entry.name, entry.datatype, shape, raw[place])
        else:
            tensors[entry.name] = _typed(entry.name, entry.datatype, shape, entry.contents)
    return tensors


def _typed(name: str, datatype: str, shape: list[int], contents: Any) -> Array:  # noqa: ANN401 - generated
    dtype = dtype_of(datatype)
    if datatype not in _CONTENTS:
        raise UnreadableTensors(f"Tensor {name!r} of {datatype} can only be sent as raw contents.")
    own = _CONTENTS[datatype]
    if any(field.name != own for field, _ in contents.ListFields()):
        raise UnreadableTensors(f"Tensor {name!r} of {datatype} has contents of another type.")
    elements = getattr(contents, own)
    count = 1
    for size in shape:
        count *= size
    if len(elements) != count:
        raise UnreadableTensors(f"Tensor {name!r} has {len(elements)} elements for shape {shape}.")
    if datatype == TEXT:
        return shaped([text_of(name, element) for element in elements], shape)
    try:
        return np.array(list(elements), dtype=dtype).reshape(shape)
    except OverflowError as error:
        raise UnreadableTensors(f"Tensor {name!r} has a number beyond {datatype}.") from error


def _infos(entries: Sequence[Any]) -> tuple[TensorInfo, ...]:
    checked_names([entry.name for entry in entries])
    for entry in entries:
        if any(size < -1 for size in entry.shape):
            raise UnreadableTensors("A tensor's shape in the metadata is no list of sizes.")
        checked_shape("metadata", [max(size, 0) for size in entry.shape])
    return tuple(TensorInfo(each.name, each.datatype, tuple(each.shape)) for each in entries)


def _parameters(entries: Mapping[str, Any], what: str) -> dict[str, Parameter]:
    values: dict[str, object] = {}
    for name, entry in entries.items():
        chosen = entry.WhichOneof("parameter_choice")
        values[name] = getattr(entry, chosen) if chosen else None
    return checked_parameters(values, what)


def _put(entries: Any, parameters: Parameters) -> None:  # noqa: ANN401 - generated
    for name, value in parameters.items():
        match value:
            case bool():
                entries[name].bool_param = value
            case int():
                entries[name].int64_param = value
            case float():
                entries[name].double_param = value
            case _:
                entries[name].string_param = value


def _checked_id(text: str) -> str:
    if len(text) > MAX_ID:
        raise UnreadableTensors(f"An id has at most {MAX_ID} characters.")
    return text
