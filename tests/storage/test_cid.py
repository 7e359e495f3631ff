import pytest
from hypothesis import given
from hypothesis import strategies as st

from caimi.errors.storage import InvalidCid
from caimi.storage import Cid, HashFunction

# `ipfs add --raw-leaves` of the empty file and of "hello world" (no newline).
KNOWN = {
    b"": "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
    b"hello world": "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e",
}


@pytest.mark.parametrize("data", KNOWN)
def test_cids_equal_those_that_ipfs_gives(data):
    assert str(Cid.of(data)) == KNOWN[data]


@given(st.binary(min_size=32, max_size=32), st.sampled_from(HashFunction))
def test_text_and_bytes_round_trip(digest, function):
    cid = Cid(digest, function)
    assert Cid.parse(str(cid)) == cid
    assert Cid.from_bytes(cid.to_bytes()) == cid
    assert len(str(cid)) == 59


@given(st.binary(max_size=64), st.sampled_from(HashFunction), st.data())
def test_only_the_named_bytes_match(data, function, draw):
    cid = Cid.of(data, function)
    assert cid.matches(data)
    assert not cid.matches(data + b"\0")
    if data:
        index = draw.draw(st.integers(0, len(data) - 1))
        assert not cid.matches(data[:index] + bytes([data[index] ^ 1]) + data[index + 1 :])


@given(st.integers(0, 58), st.characters())
def test_no_second_text_names_an_object(index, character):
    text = KNOWN[b""]
    other = text[:index] + character + text[index + 1 :]
    try:
        parsed = Cid.parse(other)
    except InvalidCid:
        return
    assert str(parsed) == other


@pytest.mark.parametrize(
    "text",
    [
        "",
        "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n",
        KNOWN[b""].upper(),
        KNOWN[b""].replace("b", "z", 1),
        KNOWN[b""][:-1],
        KNOWN[b""] + "=",
        KNOWN[b""][:-1] + "v",
        "bafybeihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
        "b" + "1" * 58,
        "b" + "é" * 58,
    ],
)
def test_other_forms_are_refused(text):
    with pytest.raises(InvalidCid):
        Cid.parse(text)


@pytest.mark.parametrize(
    "raw", [b"", b"\x01\x55\x13\x20" + bytes(32), b"\x01\x70\x12\x20" + bytes(32)]
)
def test_other_hashes_and_codecs_are_refused(raw):
    with pytest.raises(InvalidCid):
        Cid.from_bytes(raw)


def test_a_digest_of_another_length_is_refused():
    with pytest.raises(InvalidCid):
        Cid(b"short")
