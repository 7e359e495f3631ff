"""The byte ranges of weights in an ONNX file are those that ONNX itself reads."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from caimi.errors.inference import ModelNotRunnable
from caimi.inference.wasm.compiling.initializers import initializer_ranges

KINDS = {"raw": None, "float": TensorProto.FLOAT, "double": TensorProto.DOUBLE}


def model_of(weights: list[TensorProto]) -> bytes:
    graph = helper.make_graph([], "g", [], [], weights)
    return helper.make_model(graph, producer_name="p" * 300).SerializeToString()


def weight(name: str, kind: str, values: list[float]) -> TensorProto:
    if kind == "raw":
        return numpy_helper.from_array(np.array(values, np.float32), name)
    return helper.make_tensor(name, KINDS[kind], [len(values)], values)


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8"), min_size=1, max_size=20),
        st.tuples(
            st.sampled_from(sorted(KINDS)),
            st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=50),
        ),
        max_size=8,
    )
)
def test_the_bytes_of_a_range_are_the_weights(entries):
    weights = [weight(name, kind, values) for name, (kind, values) in entries.items()]
    data = model_of(weights)
    found = initializer_ranges(data, "model.onnx")
    assert set(found) == set(entries)
    for tensor in weights:
        place = found[tensor.name]
        expected = numpy_helper.to_array(tensor)
        assert data[place.offset : place.offset + place.size] == expected.tobytes()


def test_weights_that_are_not_one_plain_run_have_no_range():
    packed = helper.make_tensor("w", TensorProto.INT64, [3], [1, 2, 300])
    assert initializer_ranges(model_of([packed]), "model.onnx") == {}


@given(st.integers(1, 200))
def test_a_file_that_is_cut_off_is_refused_or_read_up_to_there(cut):
    data = model_of([weight("w", "raw", [1.0] * 30)])
    try:
        found = initializer_ranges(data[:-cut], "model.onnx")
    except ModelNotRunnable:
        return
    assert all(place.offset + place.size <= len(data) - cut for place in found.values())


@pytest.mark.parametrize("data", [b"\x3f\x00", b"\xff" * 12, b"\x3a\xff\xff\xff\xff\x0f"])
def test_what_is_no_protocol_buffer_is_refused(data):
    with pytest.raises(ModelNotRunnable):
        initializer_ranges(data, "model.onnx")
