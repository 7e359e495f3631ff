import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caimi.custody.encoding import Fields, Reader, blob, hex_text
from caimi.errors.custody import MalformedEncoding

NAMES = frozenset({"a", "b"})


def read(text):
    return Fields(text, NAMES, "the test", 1000)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '{"a": 1}',
        '{"a": 1, "b": 2, "c": 3}',
        '{"a": 1, "b": 2, "b": 2}',
        '{"a": 1.0, "b": 2}',
        '{"a": NaN, "b": 2}',
        '{"a": 1, "b": 2} ' + " " * 1000,
        '{"a": 1, "b": ' + "[" * 900,
        b'{"a": 1, "b": "\xff"}',
        '{"a": ' + "9" * 900 + ', "b": 1',
    ],
)
def test_json_of_any_other_shape_is_refused_by_a_whole_sentence(text):
    with pytest.raises(MalformedEncoding, match=r"^CAIMI-K001: The test[ :].*\.$"):
        read(text)


@pytest.mark.parametrize("value", ["", 5, None, True, "x" * 6, "\ud800", ["x"]])
def test_text_of_another_kind_or_size_is_refused(value):
    with pytest.raises(MalformedEncoding):
        read(json.dumps({"a": value, "b": 0})).text("a", 5)


@pytest.mark.parametrize(
    "value", ["", "0x", "00", "0xab", "0xABCD", "0xabc", "0xab cd", "0Xabcd", "0xabcdef", 5, None]
)
def test_hex_of_another_form_or_size_is_refused(value):
    with pytest.raises(MalformedEncoding):
        read(json.dumps({"a": value, "b": 0})).data("a", 2, 2)


@pytest.mark.parametrize("value", [True, -1, 6, "1", None])
def test_numbers_of_another_kind_or_size_are_refused(value):
    with pytest.raises(MalformedEncoding):
        read(json.dumps({"a": value, "b": 0})).number("a", 0, 5)


@pytest.mark.parametrize(
    ("method", "bounds", "value"),
    [
        ("text", (5,), "x"),
        ("text", (5,), "é" * 5),
        ("number", (-1, 5), -1),
        ("number", (-1, 5), 5),
        ("texts", (3, 5), []),
        ("texts", (3, 5), ["x", "x" * 5, "é" * 5]),
    ],
)
def test_a_value_at_its_bounds_is_read(method, bounds, value):
    fields = read(json.dumps({"a": value, "b": 0}))
    assert getattr(fields, method)("a", *bounds) == value


@pytest.mark.parametrize("data", [b"\x00", b"ab", b"abc"])
def test_hex_at_its_bounds_is_read(data):
    assert read(json.dumps({"a": hex_text(data), "b": 0})).data("a", 1, 3) == data


@pytest.mark.parametrize(
    ("value", "refusal"),
    [
        ("xyz", "must be a list of at most 3"),
        ({"x": 1}, "must be a list of at most 3"),
        (None, "must be a list of at most 3"),
        (["x"] * 4, "must be a list of at most 3"),
        (["x", 5], "must hold texts"),
        (["x", ["y"]], "must hold texts"),
        (["x", ""], "must hold texts"),
        (["x", "y" * 6], "must hold texts"),
        (["x", "\ud800"], "must hold texts"),
    ],
)
def test_lists_of_another_kind_or_size_are_refused(value, refusal):
    with pytest.raises(MalformedEncoding, match=refusal):
        read(json.dumps({"a": value, "b": 0})).texts("a", 3, 5)


def test_a_document_is_read_up_to_its_limit_and_no_further():
    text = '{"a": 1, "b": 2}'.ljust(1000)
    assert read(text).number("a", 0, 1) == 1
    with pytest.raises(MalformedEncoding, match="is 1001 bytes long, more than 1000"):
        read(text + " ")


@given(st.binary(max_size=100))
def test_bytes_round_trip_through_json_and_blobs(data):
    fields = read(json.dumps({"a": hex_text(data), "b": 0}))
    assert fields.data("a", 0, 100) == data
    reader = Reader(blob(data), "the test")
    assert reader.blob(100) == data
    reader.finish()


def test_a_reader_refuses_what_is_short_long_or_out_of_range():
    with pytest.raises(MalformedEncoding, match="ends after"):
        Reader(b"ab", "x").take(3)
    reader = Reader(b"abc", "x")
    reader.take(1)
    with pytest.raises(MalformedEncoding, match=r": X has 2 bytes too many\.$"):
        reader.finish()
    with pytest.raises(MalformedEncoding, match="at most 4"):
        Reader(b"\x05", "x").number(1, 4)
    with pytest.raises(MalformedEncoding, match="format"):
        Reader(b"ab", "x").expect(b"ac")
