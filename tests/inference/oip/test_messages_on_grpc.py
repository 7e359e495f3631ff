"""Requests and answers in protocol buffers: read strictly, and back as they were."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_json_messages import TENSORS, same

from caimi.errors.inference import UnreadableTensors, WrongInput
from caimi.inference.oip import open_inference_pb2 as pb
from caimi.inference.oip import wire
from caimi.inference.oip.messages import InferAnswer, InferRequest
from caimi.inference.oip.wire import decode_answer, decode_request, encode_answer, encode_request


def request(*tensors: dict, raw: tuple[bytes, ...] = (), **fields: object) -> bytes:
    message = pb.ModelInferRequest(raw_input_contents=raw, **fields)
    for each in tensors:
        contents = pb.InferTensorContents(**each.pop("contents")) if "contents" in each else None
        message.inputs.add(contents=contents, **({"name": "x"} | each))
    return message.SerializeToString()


def typed(datatype: str, shape: list[int], **contents: list) -> bytes:
    return request({"datatype": datatype, "shape": shape, "contents": contents})


@settings(deadline=None)
@given(TENSORS, st.text(max_size=5))
def test_a_request_comes_as_it_was_sent(tensors, text):
    parameters = {"p": 1, "q": "x", "r": 0.5, "s": True, "t": -5}
    found = decode_request(encode_request(InferRequest("m", "1", tensors, text, parameters)))
    same(found.inputs, tensors)
    assert (found.model, found.version, found.id) == ("m", "1", text)
    assert found.parameters == parameters


@settings(deadline=None)
@given(TENSORS)
def test_an_answer_comes_as_it_was_sent(tensors):
    found = decode_answer(encode_answer(InferAnswer("m", "1", tensors, "id", {"a": "b"})))
    same(found.outputs, tensors)
    assert (found.model, found.version, found.id, found.parameters) == ("m", "1", "id", {"a": "b"})


@pytest.mark.parametrize(
    ("datatype", "contents", "dtype"),
    [
        ("BOOL", {"bool_contents": [True, False]}, "bool"),
        ("INT8", {"int_contents": [-128, 127]}, "int8"),
        ("INT16", {"int_contents": [-5, 5]}, "int16"),
        ("INT32", {"int_contents": [-(1 << 31), 5]}, "int32"),
        ("INT64", {"int64_contents": [-(1 << 63), 5]}, "int64"),
        ("UINT8", {"uint_contents": [0, 255]}, "uint8"),
        ("UINT64", {"uint64_contents": [0, (1 << 64) - 1]}, "uint64"),
        ("FP32", {"fp32_contents": [1.5, -2]}, "float32"),
        ("FP64", {"fp64_contents": [1.5, float("inf")]}, "float64"),
    ],
)
def test_elements_may_come_one_by_one(datatype, contents, dtype):
    found = decode_request(typed(datatype, [2, 1], **contents)).inputs["x"]
    expected = np.array(next(iter(contents.values())), dtype).reshape(2, 1)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def test_texts_may_come_one_by_one():
    found = decode_request(typed("BYTES", [2], bytes_contents=[b"a", "é".encode()]))
    assert list(found.inputs["x"]) == ["a", "é"]


@pytest.mark.parametrize(
    "data",
    [
        b"\xff", b"\x0b", b"\x2a", b"\x2a\x05abc", b"\x80" * 20, b"\x08" + b"\xff" * 11,
        typed("FP32", [2], fp32_contents=[1.0]),
        typed("FP32", [1], fp64_contents=[1.0]),
        typed("FP32", [1], fp32_contents=[1.0], fp64_contents=[1.0]),
        typed("INT8", [1], int_contents=[128]),
        typed("UINT8", [1], uint_contents=[256]),
        typed("FP16", [1], fp32_contents=[1.0]),
        typed("FP32", [-1], fp32_contents=[1.0]),
        typed("FP32", [1 << 62, 1 << 62], fp32_contents=[]),
        typed("FP32", [0, 1 << 41], fp32_contents=[]),
        typed("BYTES", [1], bytes_contents=[b"\xff"]),
        typed("BF16", [1], fp32_contents=[1.0]),
        request({"datatype": "FP32", "shape": [1]}),
        request({"datatype": "FP32", "shape": [1]}, raw=(bytes(4), bytes(4))),
        request({"datatype": "FP32", "shape": [1]}, raw=(bytes(5),)),
        request({"datatype": "FP32", "shape": [1], "contents": {"fp32_contents": [1.0]}},
                raw=(bytes(4),)),
        request({"datatype": "FP32", "shape": [1]}, {"datatype": "FP32", "shape": [1]},
                raw=(bytes(4), bytes(4))),
        request({"name": "", "datatype": "FP32", "shape": [1]}, raw=(bytes(4),)),
        request({"datatype": "FP32", "shape": [1] * 33}, raw=(bytes(4),)),
        request(id="i" * 257),
        request(parameters={"a": pb.InferParameter()}),
        request(outputs=[{"name": "y"}, {"name": "y"}]),
    ],
)  # fmt: skip
def test_anything_else_is_refused(data):
    with pytest.raises(UnreadableTensors):
        decode_request(data)


def test_what_would_change_the_answer_and_is_not_served_is_refused():
    region = {"shared_memory_region": pb.InferParameter(string_param="r")}
    with pytest.raises(WrongInput):
        decode_request(request({"datatype": "FP32", "shape": [1], "parameters": region}))
    with pytest.raises(WrongInput):
        decode_request(request(parameters={"sequence_id": pb.InferParameter(int64_param=1)}))
    classes = {"classification": pb.InferParameter(int64_param=3)}
    with pytest.raises(WrongInput):
        decode_request(request(outputs=[{"name": "y", "parameters": classes}]))


@pytest.mark.parametrize("field", [b"\x2a\x00", b"\x3a\x00", b"\x30\x00"])
def test_a_message_of_countless_empty_fields_is_refused_before_it_is_parsed(field):
    class Parsed:
        @staticmethod
        def FromString(data: bytes) -> None:
            raise AssertionError("it was parsed")

    with pytest.raises(UnreadableTensors, match=r"more than \d+ fields"):
        wire.parse_message(Parsed, field * 100_000, 7)


def test_a_message_of_much_beside_raw_contents_is_refused_before_it_is_parsed(monkeypatch):
    monkeypatch.setattr(wire, "MAX_PARSED_BYTES", 1000)
    many = {"datatype": "FP32", "shape": [500]}
    raw = np.arange(500, dtype=np.float32)
    assert decode_request(request(dict(many), raw=(raw.tobytes(),))).inputs["x"].shape == (500,)
    with pytest.raises(UnreadableTensors, match=r"beside raw contents"):
        decode_request(typed("FP32", [500], fp32_contents=raw.tolist()))
