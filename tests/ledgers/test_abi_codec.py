"""The compiled ABI codec says what eth-abi says, and refuses what no compiler writes."""

from __future__ import annotations

import pytest
from eth_abi.abi import decode as reference_decode
from eth_abi.abi import encode as reference_encode
from hypothesis import given
from hypothesis import strategies as st

from caimi.ledgers.evm.abi.codec import DecodingError, EncodingError, Value, codec_of

_LEAVES: dict[str, st.SearchStrategy[Value]] = {
    "uint8": st.integers(0, 255),
    "uint64": st.integers(0, 2**64 - 1),
    "uint256": st.integers(0, 2**256 - 1),
    "int128": st.integers(-(2**127), 2**127 - 1),
    "bool": st.booleans(),
    "bytes4": st.binary(min_size=4, max_size=4),
    "bytes32": st.binary(min_size=32, max_size=32),
    "bytes": st.binary(max_size=70),
    "string": st.text(max_size=40),
}
Typed = tuple[str, Value]


@st.composite
def _typed(draw: st.DrawFn, depth: int = 3) -> Typed:
    shape = draw(st.sampled_from(("leaf", "tuple", "list", "array") if depth else ("leaf",)))
    if shape == "leaf":
        kind = draw(st.sampled_from(sorted(_LEAVES)))
        return kind, draw(_LEAVES[kind])
    if shape == "tuple":
        parts = [draw(_typed(depth - 1)) for _ in range(draw(st.integers(1, 3)))]
        return f"({','.join(kind for kind, _ in parts)})", tuple(value for _, value in parts)
    kind, value = draw(_typed(depth - 1))
    count = draw(st.integers(1 if shape == "array" else 0, 3))
    return f"{kind}[{count if shape == 'array' else ''}]", (value,) * count


@given(st.lists(_typed(), min_size=1, max_size=3))
def test_it_encodes_and_decodes_as_eth_abi_does(typed: list[Typed]) -> None:
    types = tuple(kind for kind, _ in typed)
    values = tuple(value for _, value in typed)
    encoded = codec_of(types).encode(values)
    assert encoded == reference_encode(types, values)
    assert codec_of(types).decode(encoded, 0) == (values, len(encoded))


@given(st.binary(max_size=400))
def test_whatever_it_decodes_eth_abi_decodes_to_the_same(data: bytes) -> None:
    types = ("uint64", "string", "(bytes,bool)[]")
    try:
        values, end = codec_of(types).decode(data, 0)
    except DecodingError:
        return
    assert reference_decode(types, data) == values
    assert codec_of(types).encode(values) == data[:end]


@given(_typed(), st.data())
def test_a_changed_encoding_is_refused_or_says_something_else(
    typed: Typed, data: st.DataObject
) -> None:
    codec = codec_of((typed[0],))
    encoded = bytearray(codec.encode((typed[1],)))
    if not encoded:
        return
    place = data.draw(st.integers(0, len(encoded) - 1))
    encoded[place] ^= data.draw(st.integers(1, 255))
    try:
        value, _ = codec.decode(bytes(encoded), 0)
    except DecodingError:
        return
    assert value != (typed[1],)


def test_addresses_are_twenty_bytes() -> None:
    codec = codec_of(("address",))
    encoded = codec.encode((b"\x11" * 20,))
    assert encoded == bytes(12) + b"\x11" * 20
    assert codec.decode(encoded, 0) == ((b"\x11" * 20,), 32)


def test_two_tails_in_one_place_are_refused() -> None:
    word = (32).to_bytes(32)
    shared = (64).to_bytes(32) * 2 + word + b"\x01" * 32
    assert reference_decode(("bytes", "bytes"), shared) == (b"\x01" * 32, b"\x01" * 32)
    with pytest.raises(DecodingError):
        codec_of(("bytes", "bytes")).decode(shared, 0)


@pytest.mark.parametrize("kind", ["uint8[]", "bytes[]", "bytes", "string"])
def test_a_length_beyond_the_end_costs_nothing(kind: str) -> None:
    with pytest.raises(DecodingError):
        codec_of((kind,)).decode((32).to_bytes(32) + (2**200).to_bytes(32), 0)


@pytest.mark.parametrize("data", [b"", bytes(31), (32).to_bytes(32)])
def test_a_short_encoding_is_refused(data: bytes) -> None:
    with pytest.raises(DecodingError):
        codec_of(("bytes",)).decode(data, 0)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("uint8", 256),
        ("uint8", -1),
        ("uint8", True),
        ("uint8", 1.0),
        ("int8", 128),
        ("bytes4", b"\x01" * 3),
        ("bytes", "text"),
        ("string", b"bytes"),
        ("string", "\ud800"),
        ("address", "0x" + "11" * 20),
        ("bool", 1),
        ("(uint8,uint8)", (1,)),
        ("uint8[2]", (1, 2, 3)),
        ("uint8[]", 7),
    ],
)
def test_a_value_that_does_not_fit_is_refused(kind: str, value: Value) -> None:
    with pytest.raises(EncodingError):
        codec_of((kind,)).encode((value,))


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("uint8", (256).to_bytes(32)),
        ("bool", (2).to_bytes(32)),
        ("address", b"\x01" * 32),
        ("bytes4", b"\x01" * 32),
        ("bytes", (32).to_bytes(32) + (1).to_bytes(32) + b"\x01" * 32),
        ("string", (32).to_bytes(32) + (1).to_bytes(32) + b"\xff" + bytes(31)),
    ],
)
def test_a_word_that_says_too_much_is_refused(kind: str, data: bytes) -> None:
    with pytest.raises(DecodingError):
        codec_of((kind,)).decode(data, 0)
