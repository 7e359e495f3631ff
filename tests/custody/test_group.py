import hashlib
from unittest.mock import ANY

import pytest
from coincurve import PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from caimi.custody.group import (
    INFINITY,
    ORDER,
    SECOND_GENERATOR,
    Point,
    generator_times,
    hash_to_scalar,
    random_scalar,
    scalar_from_bytes,
    scalar_to_bytes,
    total,
)
from caimi.errors.custody import MalformedEncoding

EDGES = [0, 1, 2, ORDER // 2, ORDER - 2, ORDER - 1]
scalars = st.one_of(st.sampled_from(EDGES), st.integers(0, ORDER - 1))


@given(scalars, scalars)
@settings(max_examples=60, deadline=None)
def test_addition_in_the_group_is_addition_of_the_logarithms(a, b):
    assert generator_times(a) + generator_times(b) == generator_times(a + b)
    assert generator_times(a).plus_generator_times(b) == generator_times(a + b)


@given(scalars, scalars)
@settings(max_examples=60, deadline=None)
def test_secret_and_public_multiplication_agree_with_the_logarithms(a, b):
    expected = generator_times(a * b)
    assert generator_times(a).times(b) == expected
    assert generator_times(a).times_secret(b) == expected


@given(scalars)
@settings(max_examples=30, deadline=None)
def test_a_point_and_its_opposite_cancel_to_infinity(a):
    point = generator_times(a)
    assert (point + point.times(ORDER - 1)).is_infinity
    assert point.plus_generator_times(-a).is_infinity
    assert point + INFINITY == point


def test_operations_leave_their_operands_unchanged():
    point = generator_times(5)
    before = point.to_bytes()
    point.times(7)
    point.times_secret(7)
    point.plus_generator_times(7)
    total([point, point])
    assert point.to_bytes() == before


@given(st.integers(1, ORDER - 1))
@settings(max_examples=30, deadline=None)
def test_points_and_scalars_round_trip(a):
    assert Point.from_bytes(generator_times(a).to_bytes()) == generator_times(a)
    assert scalar_from_bytes(scalar_to_bytes(a)) == a


def test_a_point_equals_nothing_but_points():
    point = generator_times(1)
    assert point != point.to_bytes()
    assert point != None  # noqa: E711 - what is asked is equality
    assert point == ANY  # what knows better is asked


@pytest.mark.parametrize(("drawn", "scalar"), [(0, 1), (ORDER - 2, ORDER - 1)])
def test_a_random_scalar_is_drawn_from_all_that_are_not_zero(monkeypatch, drawn, scalar):
    bounds = []
    monkeypatch.setattr("secrets.randbelow", lambda bound: bounds.append(bound) or drawn)
    assert random_scalar() == scalar
    assert bounds == [ORDER - 1]


key = PrivateKey().public_key


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        bytes(33),
        key.format(compressed=False),
        b"\x06" + key.format(compressed=False)[1:],
        b"\x04" + key.format()[1:],
        key.format() + b"\x00",
        key.format()[:-1],
        b"\x02" + b"\xff" * 32,  # x not below the field's prime
        b"\x02" + (5).to_bytes(32, "big"),  # x of no point
    ],
    ids=range(10),
)
def test_any_other_point_encoding_is_refused(data):
    with pytest.raises(MalformedEncoding):
        Point.from_bytes(data)


@pytest.mark.parametrize(
    "data", [b"", bytes(31), bytes(33), ORDER.to_bytes(32, "big"), b"\xff" * 32]
)
def test_any_other_scalar_encoding_is_refused(data):
    with pytest.raises(MalformedEncoding):
        scalar_from_bytes(data)


def test_the_second_generator_is_the_hash_it_claims_to_be():
    counter = 0
    while True:
        x = hashlib.sha256(b"caimi/custody/v1/second-generator" + bytes([counter])).digest()
        x_int, prime = int.from_bytes(x, "big"), 2**256 - 2**32 - 977
        square = (pow(x_int, 3, prime) + 7) % prime
        if x_int < prime and pow(square, (prime - 1) // 2, prime) == 1:
            break
        counter += 1
    assert SECOND_GENERATOR.to_bytes() == b"\x02" + x


def test_hashing_to_a_scalar_separates_domains_and_parts():
    hashes = [
        hash_to_scalar(b"a", b"b", b"c"),
        hash_to_scalar(b"a", b"bc"),
        hash_to_scalar(b"a", b"bc", b""),
        hash_to_scalar(b"ab", b"c"),
        hash_to_scalar(b"a", b"c", b"b"),
    ]
    assert len(set(hashes)) == len(hashes)
    assert all(0 <= value < ORDER for value in hashes)
