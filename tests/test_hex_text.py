"""Bytes have one spelling between machines, and two between people."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caimi.hex_text import read_either_case, read_hex

READERS = (read_hex, read_either_case)


@pytest.mark.parametrize("read", READERS)
@given(st.binary(max_size=80))
def test_what_is_written_is_read(read: Callable[..., bytes], data: bytes) -> None:
    assert read(f"0x{data.hex()}") == data
    assert read(f"0x{data.hex()}", len(data)) == data


@given(st.binary(min_size=1, max_size=80))
def test_digits_of_either_case_are_read_from_people_alone(data: bytes) -> None:
    text = f"0x{data.hex().upper()}"
    assert read_either_case(text) == data
    if text != f"0x{data.hex()}":
        with pytest.raises(ValueError, match="not hexadecimal"):
            read_hex(text)


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    "text",
    [
        "",
        "0x1",
        "0xzz",
        "12",
        "0X12",
        "0x 12",
        "0x12 ",
        "0x12\n",
        "0x1 2",
        "0x\u0661\u0662",
        12,
        None,
        b"0x12",
    ],
)
def test_anything_else_is_refused(read: Callable[..., bytes], text: object) -> None:
    """`bytes.fromhex` alone passes over blanks."""
    with pytest.raises(ValueError, match="not hexadecimal"):
        read(text)


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("size", [0, 1, 3])
def test_another_size_is_refused(read: Callable[..., bytes], size: int) -> None:
    with pytest.raises(ValueError, match="not hexadecimal"):
        read("0x1234", size)
