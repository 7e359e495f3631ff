"""Items as bytes, held against Ethereum's own package."""

from __future__ import annotations

import pytest
import rlp
from hypothesis import given
from hypothesis import strategies as st
from rlp.exceptions import RLPException

from caimi.rlp_items import MAX_DEPTH, decode_item, encode_item

ITEMS = st.recursive(st.binary(max_size=70), lambda below: st.lists(below, max_size=4))
HEADS = st.sampled_from([0, 1, 0x7F, 0x80, 0x81, 0xB7, 0xB8, 0xB9, 0xBF, 0xC0, 0xC1, 0xF8, 0xFF])


def theirs(data: bytes) -> object:
    try:
        return rlp.decode(data)
    except RLPException:
        return None


def ours(data: bytes) -> object:
    try:
        return decode_item(data)
    except ValueError:
        return None


@given(ITEMS)
def test_an_item_is_written_as_ethereum_does_and_read_again(item):
    assert encode_item(item) == rlp.encode(item)
    assert decode_item(encode_item(item)) == item


@given(ITEMS, st.lists(st.tuples(st.integers(0, 20), HEADS), max_size=3), st.integers(-3, 3))
def test_damaged_bytes_are_read_as_ethereum_does_or_refused(item, changes, longer):
    data = bytearray(encode_item(item))
    for place, byte in changes:
        data[place % len(data)] = byte
    data = data + bytes(longer) if longer > 0 else data[: len(data) + longer]
    assert ours(bytes(data)) == theirs(bytes(data))


@pytest.mark.parametrize("size", [55, 56, 255, 256, 70_000])
def test_long_items_have_the_length_of_their_length(size):
    for item in (b"\1" * size, [b"\1" * size]):
        assert encode_item(item) == rlp.encode(item)
        assert decode_item(encode_item(item)) == item


def test_rows_are_as_deep_as_allowed_and_no_deeper():
    item: list = []
    for _ in range(MAX_DEPTH - 1):
        item = [item]
    assert decode_item(encode_item(item)) == item
    with pytest.raises(ValueError, match="deep"):
        encode_item([item])
    with pytest.raises(ValueError, match="deep"):
        decode_item(rlp.encode([item]))
