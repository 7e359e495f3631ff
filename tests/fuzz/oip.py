"""Decoders of the Open Inference Protocol: what callers of a worker and remote servers send."""

from __future__ import annotations

import json

from caimi.inference.oip import rest, wire
from caimi.inference.oip.json_metadata import decode_model_info, model_info_document
from caimi.inference.oip.messages import InferAnswer, InferRequest, ModelInfo, TensorInfo
from caimi.inference.oip.names import protocol_name, uri_of
from caimi.uri import ModelUri
from fuzz.decoder import Decoder, Document, Law
from fuzz.inference import TENSORS

PARAMETERS = {"caimi_nonce": "0x" + "05" * 32, "priority": 3, "half": 0.5, "flag": True}
REQUEST = InferRequest("m", "1", TENSORS, "an id", PARAMETERS, {"y": None})
ANSWER = InferAnswer("m", "1", TENSORS, "an id", {"caimi_receipt": "{}"})
LISTS = json.dumps(
    {
        "id": "7",
        "inputs": [
            {"name": "x", "datatype": "FP32", "shape": [2, 2], "data": [[1, 2.5], [3, 4]]},
            {"name": "s", "datatype": "BYTES", "shape": [2], "data": ["a", "é"]},
            {"name": "n", "datatype": "INT8", "shape": [], "data": [5]},
            {"name": "b", "datatype": "BOOL", "shape": [1], "data": [True]},
        ],
        "outputs": [{"name": "y", "parameters": {"binary_data": False}}],
        "parameters": {"binary_data_output": True},
    }
)
INFO = ModelInfo(
    "m", ("1", "2"), "onnx_onnxv1", (TensorInfo("x", "FP32", (-1, 4)),),
    (TensorInfo("y", "BYTES", ()),),
)  # fmt: skip


def _with_length(body: bytes, length: int | None) -> bytes:
    """The first four bytes are the header's length; all ones say that there is no header."""
    return (0xFFFFFFFF if length is None else length).to_bytes(4) + body


def _length(data: bytes) -> str | None:
    length = int.from_bytes(data[:4])
    return None if length == 0xFFFFFFFF else str(length)


DECODERS = (
    Decoder(
        "oip-request",
        (
            "caimi.inference.oip.rest.decode_request",
            "caimi.inference.oip.json_fields",
            "caimi.inference.oip.json_tensors",
            "caimi.inference.oip.datatypes",
        ),
        lambda: [_with_length(*rest.encode_request(REQUEST)), _with_length(LISTS.encode(), None)],
        lambda data: rest.decode_request("m", "1", data[4:], _length(data)),
        lambda request: _with_length(*rest.encode_request(request)),
        Law.SETTLES,
        share=1,
    ),
    Decoder(
        "oip-request-fields",
        ("caimi.inference.oip.rest.decode_request",),
        lambda: [Document(LISTS)],
        lambda document: rest.decode_request("m", "1", json.dumps(document).encode(), None),
        share=1,
    ),
    Decoder(
        "oip-answer",
        ("caimi.inference.oip.rest.decode_answer",),
        lambda: [_with_length(*rest.encode_answer(ANSWER, InferRequest("m", "", {}, binary=True)))],
        lambda data: rest.decode_answer(data[4:], _length(data)),
        share=1,
    ),
    Decoder(
        "oip-request-message",
        ("caimi.inference.oip.wire",),
        lambda: [wire.encode_request(REQUEST)],
        wire.decode_request,
        wire.encode_request,
        Law.SETTLES,
        share=1,
    ),
    Decoder(
        "oip-answer-message",
        ("caimi.inference.oip.wire.decode_answer",),
        lambda: [wire.encode_answer(ANSWER)],
        wire.decode_answer,
        wire.encode_answer,
        Law.SETTLES,
        share=1,
    ),
    Decoder(
        "oip-metadata",
        ("caimi.inference.oip.json_metadata",),
        lambda: [Document(json.dumps(model_info_document(INFO)))],
        lambda document: decode_model_info(json.dumps(document).encode()),
        model_info_document,
        share=0.5,
    ),
    Decoder(
        "oip-metadata-message",
        ("caimi.inference.oip.wire.decode_model_info",),
        lambda: [wire.model_info_message(INFO)],
        wire.decode_model_info,
        wire.model_info_message,
        Law.SETTLES,
        share=0.5,
    ),
    Decoder(
        "oip-name",
        ("caimi.inference.oip.names.uri_of",),
        lambda: [protocol_name(ModelUri("eip155:31337", bytes(range(32))))],
        uri_of,
        protocol_name,
        Law.ONE_SPELLING,
        share=0.5,
    ),
)
