"""Requests and answers over HTTP: JSON, with the binary-data extension for tensors' bytes.

With the extension the body is JSON of the length that ``Inference-Header-Content-Length`` gives,
and after it the bytes of the tensors that have the parameter ``binary_data_size``, in their order.
"""

from __future__ import annotations

import json

from caimi.errors.inference import UnreadableTensors
from caimi.inference.oip.datatypes import checked_names, to_raw
from caimi.inference.oip.json_fields import fields_of, flag, object_field, split_body, text_field
from caimi.inference.oip.json_tensors import binary_entry, decode_tensors, entry_of, listed
from caimi.inference.oip.messages import InferAnswer, InferRequest, checked_parameters
from caimi.inference.tensors import MAX_TENSORS


def decode_request(model: str, version: str, body: bytes, length: str | None) -> InferRequest:
    """Take a request's body; `length` is its `LENGTH_HEADER`, where it has one.

    Raises:
        UnreadableTensors: it is anything else than the protocol says, or too large.
        WrongInput: it asks for what is not served.
    """
    document, rest = split_body(body, length)
    fields = fields_of(document, "The request", ("inputs",), ("id", "parameters", "outputs"))
    parameters = checked_parameters(object_field(fields, "parameters"), "The request")
    return InferRequest(
        model=model,
        version=version,
        inputs=decode_tensors(fields["inputs"], rest),
        id=text_field(fields.get("id", ""), "id"),
        parameters=parameters,
        outputs=_asked_for(fields.get("outputs", [])),
        binary=flag(parameters.get("binary_data_output", False)),
    )


def encode_request(request: InferRequest) -> tuple[bytes, int]:
    """Give a request's body, all tensors as bytes, and the length of its JSON."""
    raw = [to_raw(value) for value in request.inputs.values()]
    document: dict[str, object] = {
        "inputs": [
            binary_entry(name, value, len(data))
            for (name, value), data in zip(request.inputs.items(), raw, strict=True)
        ],
        "parameters": {**request.parameters, "binary_data_output": True},
    }
    if request.id:
        document["id"] = request.id
    if request.outputs:
        document["outputs"] = [{"name": name} for name in request.outputs]
    head = json.dumps(document).encode()
    return b"".join((head, *raw)), len(head)


def decode_answer(body: bytes, length: str | None) -> InferAnswer:
    """Take an answer's body; raises `UnreadableTensors` as `decode_request`."""
    document, rest = split_body(body, length)
    fields = fields_of(
        document, "The answer", ("model_name", "outputs"), ("model_version", "id", "parameters")
    )
    return InferAnswer(
        model=text_field(fields["model_name"], "model_name"),
        version=text_field(fields.get("model_version", ""), "model_version"),
        outputs=decode_tensors(fields["outputs"], rest),
        id=text_field(fields.get("id", ""), "id"),
        parameters=checked_parameters(object_field(fields, "parameters"), "The answer"),
    )


def encode_answer(answer: InferAnswer, request: InferRequest) -> tuple[bytes, int | None]:
    """Give an answer's body, and its JSON's length if tensors' bytes follow it.

    Raises:
        UnreadableTensors: an output that was asked for as JSON has no form in it.
    """
    entries, raw = [], []
    for name, value in answer.outputs.items():
        if request.wants_binary(name):
            raw.append(to_raw(value))
            entries.append(binary_entry(name, value, len(raw[-1])))
        else:
            entries.append(entry_of(name, value) | {"data": listed(name, value)})
    document: dict[str, object] = {
        "model_name": answer.model,
        "model_version": answer.version,
        "outputs": entries,
    }
    if answer.id:
        document["id"] = answer.id
    if answer.parameters:
        document["parameters"] = answer.parameters
    head = json.dumps(document, allow_nan=False).encode()
    return (b"".join((head, *raw)), len(head)) if raw else (head, None)


def _asked_for(entries: object) -> dict[str, bool | None]:
    if not isinstance(entries, list) or len(entries) > MAX_TENSORS:
        raise UnreadableTensors(f"Outputs are a list of at most {MAX_TENSORS}.")
    names, asked = [], {}
    for entry in entries:
        fields = fields_of(entry, "An output", ("name",), ("parameters",))
        name = text_field(fields["name"], "name")
        parameters = checked_parameters(object_field(fields, "parameters"), f"Output {name!r}")
        binary = parameters.get("binary_data")
        asked[name] = None if binary is None else flag(binary)
        names.append(name)
    checked_names(names)
    return asked
