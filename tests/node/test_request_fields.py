"""Fields of a request's JSON body are exactly what they must be."""

import pytest

from caimi.errors.node import RequestInvalid
from caimi.node.http import bytes_field


def test_bytes_are_read_from_digits_of_either_case():
    assert bytes_field({"nonce": "0xAb05"}, "nonce", 2) == b"\xab\x05"


@pytest.mark.parametrize("text", ["0xab", "0xab05 ", "0x  05", "ab05ff", "0xab0505"])
def test_anything_but_that_many_bytes_is_refused(text: str):
    """Blanks count as characters, and `bytes.fromhex` passes over them."""
    with pytest.raises(RequestInvalid):
        bytes_field({"nonce": text}, "nonce", 2)
