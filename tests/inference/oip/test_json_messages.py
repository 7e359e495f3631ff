"""Requests and answers in JSON: read strictly, and back as they were."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from caimi.errors.inference import UnreadableTensors, WrongInput
from caimi.inference.oip import json_fields, json_tensors
from caimi.inference.oip.messages import InferAnswer, InferRequest
from caimi.inference.oip.rest import decode_answer, decode_request, encode_answer, encode_request

DTYPES = [
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16", "float32", "float64",
]  # fmt: skip
TENSOR = st.sampled_from(DTYPES).flatmap(
    lambda dtype: hnp.arrays(
        dtype, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
    )
) | st.lists(st.text(max_size=5), max_size=5).map(lambda texts: np.array(texts, dtype=object))
TENSORS = st.dictionaries(st.text(min_size=1, max_size=8), TENSOR, min_size=1, max_size=4)


def same(found, expected) -> None:
    assert list(found) == list(expected)
    for name, value in expected.items():
        assert (found[name].dtype, found[name].shape) == (value.dtype, value.shape)
        if value.dtype == object:
            assert list(found[name]) == list(value)
        else:
            assert found[name].tobytes() == value.tobytes()


def request(document: object, rest: bytes = b"", length: str | None = None) -> InferRequest:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    if rest:
        length = str(len(body))
    return decode_request("m", "1", body + rest, length)


def tensor(**changes: object) -> dict[str, object]:
    return {"name": "x", "datatype": "FP32", "shape": [2], "data": [1, 2.5]} | changes


def one(**changes: object) -> object:
    return {"inputs": [{k: v for k, v in tensor(**changes).items() if v != "none"}]}


@settings(deadline=None)
@given(TENSORS, st.text(max_size=5))
def test_a_request_comes_as_it_was_sent(tensors, text):
    sent = InferRequest(
        "m", "1", tensors, text, {"p": 1, "q": "x", "r": 0.5, "s": True}, {"y": None}
    )
    body, length = encode_request(sent)
    found = decode_request("m", "1", body, str(length))
    same(found.inputs, tensors)
    assert (found.id, list(found.outputs), found.binary) == (text, ["y"], True)
    assert found.parameters == sent.parameters | {"binary_data_output": True}


@settings(deadline=None)
@given(TENSORS)
def test_an_answer_comes_as_it_was_sent_as_bytes(tensors):
    asked = InferRequest("m", "1", {}, binary=True)
    body, length = encode_answer(InferAnswer("m", "1", tensors, "id", {"a": "b"}), asked)
    found = decode_answer(body, str(length))
    same(found.outputs, tensors)
    assert (found.model, found.version, found.id, found.parameters) == ("m", "1", "id", {"a": "b"})


@settings(deadline=None)
@given(TENSORS)
def test_an_answer_comes_as_it_was_sent_as_json_or_is_refused(tensors):
    try:
        body, length = encode_answer(InferAnswer("m", "1", tensors), InferRequest("m", "1", {}))
    except UnreadableTensors:
        assert any(
            value.dtype == np.float16 or (value.dtype.kind == "f" and not np.isfinite(value).all())
            for value in tensors.values()
        )
        return
    assert length is None
    same(decode_answer(body, None).outputs, tensors)


@pytest.mark.parametrize("data", [[1, 2, 3, 4, 5, 6], [[1, 2], [3, 4], [5, 6]]])
def test_elements_are_in_one_list_or_nested_as_the_shape(data):
    found = request(one(shape=[3, 2], data=data)).inputs["x"]
    np.testing.assert_array_equal(found, np.arange(1, 7).reshape(3, 2))


def test_a_tensor_without_elements_may_be_nested():
    assert request(one(shape=[2, 0], data=[[], []])).inputs["x"].shape == (2, 0)
    assert request(one(shape=[2, 0], data=[])).inputs["x"].shape == (2, 0)
    assert request(one(shape=[], data=[3])).inputs["x"] == 3


@pytest.mark.parametrize(
    "document",
    [
        b"", b"{", b"[]", b"null", b"\xff", b"[" * 1_000_000, b'{"inputs":' * 1000, {},
        {"inputs": []} | {"more": 1}, {"inputs": {}}, {"inputs": [1]}, {"inputs": [{}]},
        {"inputs": [tensor(), tensor()]}, {"inputs": [tensor(name=str(n)) for n in range(1025)]},
        one(name=""), one(name="n" * 257), one(name=5), one(name="\ud800"),
        one(datatype="FP8"), one(datatype="float32"), one(datatype="BF16"), one(datatype=1),
        one(shape=2), one(shape=[2.0]), one(shape=["2"]), one(shape=[True, 2]), one(shape=[-1]),
        one(shape=[-2, -1]), one(shape=[1 << 63]), one(shape=[1 << 20, 1 << 21], data=[]),
        one(shape=[0, 1 << 41], data=[]), one(shape=[0, 1 << 40, 1 << 40], data=[]),
        one(shape=[1] * 33), one(shape=[3]), one(shape=[1, 2], data=[[1], [2]]),
        one(shape=[2, 1], data=[[1], 2]), one(shape=[2, 1], data=[[1, 2], []]),
        one(data=5), one(data={}), one(data="none"), one(data=[1, None]), one(data=[1, "2"]),
        one(data=[1, True]), one(data=[[1], [2]]), one(data=[1, 1e39]), one(data=[1, -(10**400)]),
        b'{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[NaN]}]}',
        b'{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[-Infinity]}]}',
        b'{"inputs":[],"parameters":{"a":NaN}}',
        b'{"inputs":[{"name":"x","datatype":"FP64","shape":[1],"data":[1e999]}]}',
        one(datatype="INT8", data=[1, 128]), one(datatype="UINT8", data=[1, -1]),
        one(datatype="INT64", data=[1, 1.0]), one(datatype="INT64", data=[1, 1 << 63]),
        one(datatype="UINT64", data=[1, 1 << 64]), one(datatype="BOOL", data=[1, 0]),
        one(datatype="FP16", data=[1, 2]), one(datatype="BYTES", data=["a", 5]),
        one(datatype="BYTES", data=["a", "\ud800"]), one(datatype="BYTES", data=["a"]),
        one(parameters=[]), one(parameters={"binary_data_size": 8}),
        one(data="none", parameters={"binary_data_size": 8}),
        one(data="none", parameters={"binary_data_size": -1}),
        one(data="none", parameters={"binary_data_size": True}),
        one(parameters={str(n): 1 for n in range(65)}), one(parameters={"a": "b" * 65_537}),
        one(parameters={"a": [1]}), {"inputs": [], "parameters": {"a": {}}},
        {"inputs": [], "parameters": {"binary_data_output": 1}}, {"inputs": [], "id": "i" * 257},
        {"inputs": [], "id": 5}, {"inputs": [], "outputs": {}}, {"inputs": [], "outputs": ["y"]},
        {"inputs": [], "outputs": [{"name": "y"}, {"name": "y"}]},
        {"inputs": [], "outputs": [{"name": "y", "parameters": {"binary_data": "yes"}}]},
        {"inputs": [], "outputs": [{"name": "y", "kind": 1}]},
    ],
)  # fmt: skip
def test_anything_else_is_refused(document):
    with pytest.raises(UnreadableTensors):
        request(document)


@pytest.mark.parametrize(
    ("changes", "rest"),
    [
        ({"parameters": {"binary_data_size": 8}}, bytes(7)),
        ({"parameters": {"binary_data_size": 7}}, bytes(7)),
        ({"parameters": {"binary_data_size": 8}}, bytes(9)),
        ({"parameters": {"binary_data_size": 2}, "datatype": "BOOL"}, b"\1\2"),
        ({"parameters": {"binary_data_size": 9}, "datatype": "BYTES"}, b"\1\0\0\0a\4\0\0\0"),
        ({"parameters": {"binary_data_size": 5}, "datatype": "BYTES"}, b"\1\0\0\0a"),
        ({"parameters": {"binary_data_size": 10}, "datatype": "BYTES"}, b"\1\0\0\0a\1\0\0\0\xff"),
        ({"parameters": {"binary_data_size": 8}, "datatype": "BYTES"}, b"\0\0\0\0\xff\xff\xff\xff"),
        ({"parameters": {"binary_data_size": 3}, "datatype": "BYTES", "shape": [1]}, b"\0\0\0"),
    ],
)
def test_bytes_that_do_not_fit_are_refused(changes, rest):
    with pytest.raises(UnreadableTensors):
        request(one(data="none", **changes), rest)


@pytest.mark.parametrize("length", ["", "-1", "x", "1e3", "9" * 13, "999", "٣"])
def test_a_wrong_length_of_the_json_is_refused(length):
    with pytest.raises(UnreadableTensors):
        request(one(), length=length)


@pytest.mark.parametrize(
    "parameters",
    [{"sequence_id": 1}, {"sequence_start": True}, {"classification": 3}],
)
def test_what_would_change_the_answer_and_is_not_served_is_refused(parameters):
    with pytest.raises(WrongInput):
        request(one() | {"parameters": parameters})
    with pytest.raises(WrongInput):
        request(one() | {"outputs": [{"name": "y", "parameters": parameters}]})
    with pytest.raises(WrongInput):
        request(one(parameters=parameters | {"shared_memory_region": "r"}))


def test_hints_are_taken():
    assert request(one() | {"parameters": {"priority": 3, "timeout": 5, "mine": "x"}})


def test_json_beyond_its_bound_is_refused_before_it_is_read(monkeypatch):
    monkeypatch.setattr(json_fields, "MAX_JSON_BYTES", 100)
    with pytest.raises(UnreadableTensors, match=r"of JSON are more than"):
        request(one() | {"id": "i" * 100})
    document = {"inputs": [{"name": "x", "datatype": "INT8", "shape": [200]}]}
    document["inputs"][0]["parameters"] = {"binary_data_size": 200}
    with pytest.raises(UnreadableTensors, match=r"of JSON are more than"):
        request(document, bytes(200))


def test_an_output_of_too_many_elements_goes_only_as_bytes(monkeypatch):
    monkeypatch.setattr(json_tensors, "MAX_JSON_ELEMENTS", 3)
    answer = InferAnswer("m", "1", {"y": np.zeros(4, np.int8)})
    with pytest.raises(UnreadableTensors, match=r"Ask for it as bytes|cannot be sent as JSON"):
        encode_answer(answer, InferRequest("m", "1", {}))
    assert encode_answer(answer, InferRequest("m", "1", {}, binary=True))
