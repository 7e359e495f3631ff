"""Hashing named tensors: independent of order and layout, sensitive to everything else."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from caimi.errors.inference import WrongInput
from caimi.inference.tensors import check_tensors, hash_tensors, random_tensors
from caimi.models.tensor import Tensor

DTYPES = st.one_of(
    arrays.boolean_dtypes(),
    arrays.integer_dtypes(endianness="="),
    arrays.unsigned_integer_dtypes(endianness="="),
    arrays.floating_dtypes(endianness="=", sizes=(16, 32, 64)),
)
PLAIN = arrays.arrays(DTYPES, arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
TEXTS = arrays.arrays(
    np.dtype(object), arrays.array_shapes(min_side=0, max_side=4), elements=st.text(max_size=6)
)
NAMED = st.dictionaries(st.text(min_size=1, max_size=8), PLAIN | TEXTS, max_size=4)


def by_the_document(tensors) -> bytes:
    """The hash written out from docs/protocol.md, one element at a time."""
    data = b"caimi/tensors/v1" + len(tensors).to_bytes(4, "big")
    for name in sorted(tensors):
        value = np.asarray(tensors[name])
        kind = "string" if value.dtype == object else value.dtype.name
        data += len(name.encode()).to_bytes(2, "big") + name.encode()
        data += bytes([len(kind)]) + kind.encode() + bytes([value.ndim])
        for size in value.shape:
            data += size.to_bytes(8, "big")
        for index in np.ndindex(value.shape):
            if kind == "string":
                text = value[index].encode()
                data += len(text).to_bytes(8, "big") + text
            else:
                data += value[index].astype(value.dtype.newbyteorder("<")).tobytes()
    return hashlib.sha256(data).digest()


@given(NAMED)
def test_the_hash_is_the_documented_one(tensors):
    assert hash_tensors(tensors) == by_the_document(tensors)


@given(NAMED, st.randoms())
def test_the_order_of_names_does_not_matter(tensors, random):
    names = list(tensors)
    random.shuffle(names)
    assert hash_tensors({name: tensors[name] for name in names}) == hash_tensors(tensors)


@given(PLAIN)
def test_memory_layout_and_byte_order_do_not_matter(value):
    expected = hash_tensors({"x": value})
    assert hash_tensors({"x": np.asarray(value, order="F")}) == expected
    assert hash_tensors({"x": value.astype(value.dtype.newbyteorder(">"))}) == expected
    strided = np.repeat(value[..., None], 3, axis=-1)[..., 1]
    assert hash_tensors({"x": strided}) == expected


@given(PLAIN.filter(lambda value: value.size), st.data())
def test_each_bit_matters(value, data):
    raw = bytearray(value.tobytes())
    at = data.draw(st.integers(0, 8 * len(raw) - 1))
    raw[at // 8] ^= 1 << at % 8
    other = np.frombuffer(bytes(raw), value.dtype).reshape(value.shape)
    assert hash_tensors({"x": other}) != hash_tensors({"x": value})


@given(PLAIN)
def test_name_dtype_shape_and_number_matter(value):
    found = {
        hash_tensors(tensors)
        for tensors in (
            {},
            {"x": value},
            {"y": value},
            {"x": value, "y": value},
            {"x": value[None]},
            {"x": value[..., None, None]},
            {"x": value.view(f"V{value.itemsize}")},
        )
    }
    assert len(found) == 7


def test_same_bits_of_another_type_are_another_tensor():
    bits = np.array([1, 2], np.int32)
    assert hash_tensors({"x": bits}) != hash_tensors({"x": bits.view(np.float32)})
    assert hash_tensors({"x": bits}) != hash_tensors({"x": bits.view(np.uint32)})


def test_strings_are_not_run_together():
    pairs = [["ab", "c"], ["a", "bc"], ["abc", ""], ["", "abc"]]
    assert len({hash_tensors({"x": np.array(pair, dtype=object)}) for pair in pairs}) == 4


def test_zeros_of_either_sign_differ_and_nan_is_hashed_by_its_bits():
    plus, minus = np.array([0.0]), np.array([-0.0])
    assert hash_tensors({"x": plus}) != hash_tensors({"x": minus})
    nan = np.array([np.nan])
    assert hash_tensors({"x": nan}) == hash_tensors({"x": nan.copy()})


def test_big_endian_input_arrives_in_native_order():
    spec = [Tensor("x", "float32", (2,))]
    checked = check_tensors({"x": np.array([1, 2], ">f4")}, spec)["x"]
    assert checked.dtype.isnative
    assert checked.tolist() == [1, 2]


def test_inputs_come_in_the_order_of_the_signature():
    spec = [Tensor("b", "int64", ()), Tensor("a", "int64", ())]
    given_order = {"a": np.array(1), "b": np.array(2)}
    assert list(check_tensors(given_order, spec)) == ["b", "a"]


@given(st.lists(st.integers(1, 4) | st.sampled_from(["n", "m", "?"]), max_size=4))
def test_noise_fits_the_signature_and_follows_the_seed(shape):
    spec = [Tensor("x", "float32", tuple(shape)), Tensor("k", "uint8", tuple(shape))]
    made = random_tensors(spec, seed=3)
    assert set(check_tensors(made, spec)) == {"x", "k"}
    assert hash_tensors(made) == hash_tensors(random_tensors(spec, seed=3))
    if made["x"].size:
        assert hash_tensors(made) != hash_tensors(random_tensors(spec, seed=4))


def test_there_is_no_noise_of_strings():
    with pytest.raises(WrongInput):
        random_tensors([Tensor("x", "string", (1,))], seed=0)
