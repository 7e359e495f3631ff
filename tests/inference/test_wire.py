"""Tensors on the wire: exact both ways, and strict about everything else."""

import base64
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from caimi.errors.inference import UnreadableTensors
from caimi.inference.tensors import hash_tensors
from caimi.inference.wire import tensors_from_json, tensors_to_json

PLAIN = st.one_of(
    arrays.arrays(dtypes, arrays.array_shapes(min_dims=0, min_side=0, max_side=4))
    for dtypes in (
        arrays.boolean_dtypes(),
        arrays.integer_dtypes(endianness="?"),
        arrays.unsigned_integer_dtypes(endianness="?"),
        arrays.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    )
)
TEXTS = arrays.arrays(
    np.dtype(object), arrays.array_shapes(min_side=0, max_side=4), elements=st.text(max_size=6)
)
NAMED = st.dictionaries(st.text(min_size=1, max_size=8), PLAIN | TEXTS, max_size=4)


@given(NAMED)
def test_every_bit_survives(tensors):
    read = tensors_from_json(json.loads(json.dumps(tensors_to_json(tensors))))
    assert hash_tensors(read) == hash_tensors(tensors)
    assert all(value.dtype.isnative and value.flags.writeable for value in read.values())


def test_a_type_that_the_form_lacks_is_refused():
    for value in (np.zeros(1, np.complex64), np.zeros(1, "M8[s]"), np.array([b"a"])):
        with pytest.raises(UnreadableTensors):
            tensors_to_json({"x": value})


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


ONE = {"dtype": "float32", "shape": [1], "data": encoded(bytes(4))}


@pytest.mark.parametrize(
    "change",
    [
        {"dtype": "object"}, {"dtype": "O"}, {"dtype": "<f4"}, {"dtype": "float33"}, {"dtype": 1},
        {"dtype": "string"}, {"dtype": "bool", "data": encoded(b"\x02")},
        {"shape": [2]}, {"shape": [-1]}, {"shape": [True]}, {"shape": [1.0]}, {"shape": ["1"]},
        {"shape": 1}, {"shape": None}, {"shape": [1] * 33}, {"shape": [1 << 40]},
        {"shape": [0] + [(1 << 40) - 1] * 31, "data": ""},
        {"data": "!!!!"}, {"data": "AAAAAA"}, {"data": "AAAA\nAA=="}, {"data": "é"}, {"data": None},
        {"data": [0.0]}, {"data": encoded(bytes(5))}, {"more": 1},
        {"dtype": "string", "data": ["a", "b"]}, {"dtype": "string", "data": [1]},
        {"dtype": "string", "data": ["\ud800"]}, {"dtype": "string", "data": [["a"]]},
        {"dtype": "string", "shape": [0] + [(1 << 40) - 1] * 31, "data": []},
    ],
)  # fmt: skip
def test_a_tensor_out_of_form_is_refused(change):
    assert tensors_from_json({"x": ONE})["x"].tolist() == [0]
    with pytest.raises(UnreadableTensors):
        tensors_from_json({"x": ONE | change})


@pytest.mark.parametrize("lacking", ["dtype", "shape", "data"])
def test_a_tensor_that_lacks_a_field_is_refused(lacking):
    with pytest.raises(UnreadableTensors):
        tensors_from_json({"x": {key: value for key, value in ONE.items() if key != lacking}})


@pytest.mark.parametrize(
    "document",
    [None, [], "x", {"x": None}, {"x": []}, {"": ONE}, {"x" * 257: ONE}, {"\ud800": ONE},
     {str(n): ONE for n in range(1025)}],
)  # fmt: skip
def test_what_is_no_object_of_tensors_is_refused(document):
    with pytest.raises(UnreadableTensors):
        tensors_from_json(document)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["dtype", "shape", "data"]), inner)
        ),
    )
)
def test_no_json_passes_for_a_tensor_unless_it_is_one(document):
    try:
        read = tensors_from_json({"x": document})
    except UnreadableTensors:
        return
    assert tensors_to_json(read) == {"x": document}
