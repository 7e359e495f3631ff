from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trusted_dealer import deal

from caimi.custody.group import generator_times
from caimi.custody.keys import GroupKey, KeyShare
from caimi.errors.custody import CustodyError, InvalidKeyMaterial

SHARES = deal(3, 5)
GROUP = SHARES[0].group


def test_group_keys_and_key_shares_round_trip():
    assert GroupKey.from_bytes(GROUP.to_bytes()) == GROUP
    for share in SHARES:
        assert KeyShare.from_bytes(share.to_bytes()) == share


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_group_key_or_key_share_with_any_byte_changed_is_refused(data):
    encoded = data.draw(st.sampled_from([GROUP.to_bytes(), SHARES[1].to_bytes()]))
    at = data.draw(st.integers(0, len(encoded) - 1))
    changed = bytearray(encoded)
    changed[at] ^= data.draw(st.integers(1, 255))
    parse = GroupKey.from_bytes if encoded == GROUP.to_bytes() else KeyShare.from_bytes
    with pytest.raises(CustodyError):
        parse(bytes(changed))


@pytest.mark.parametrize("tail", [b"\x00", b"\x02" * 33])
def test_trailing_bytes_are_refused(tail):
    with pytest.raises(CustodyError):
        GroupKey.from_bytes(GROUP.to_bytes() + tail)
    with pytest.raises(CustodyError):
        KeyShare.from_bytes(SHARES[0].to_bytes() + tail)


def test_a_group_with_a_key_off_its_polynomial_is_refused():
    keys = GROUP.verification_keys
    for index in range(5):
        changed = (*keys[:index], keys[index].plus_generator_times(1), *keys[index + 1 :])
        with pytest.raises(InvalidKeyMaterial):
            replace(GROUP, verification_keys=changed)
    with pytest.raises(InvalidKeyMaterial):
        replace(GROUP, public_key=generator_times(1))


@pytest.mark.parametrize(("threshold", "total"), [(1, 5), (0, 5), (6, 5), (3, 65), (3, 4)])
def test_a_threshold_out_of_range_is_refused(threshold, total):
    with pytest.raises(InvalidKeyMaterial):
        replace(GROUP, threshold=threshold, total=total)


def test_a_group_has_at_most_64_custodians():
    assert deal(2, 64)[63].group.total == 64
    with pytest.raises(InvalidKeyMaterial, match="2 of 65 is outside"):
        GroupKey(GROUP.public_key, 2, 65, (GROUP.public_key,) * 65)


@pytest.mark.parametrize(
    "line", [(0, 0, 0), (0, 1, 2), (2, 1, 0), (-1, 0, 1)], ids=["all", "public", "second", "first"]
)
def test_the_point_at_infinity_is_no_key(line):
    # Each line is a polynomial's values at 0, 1 and 2: only the infinite point is wrong.
    public, *keys = map(generator_times, line)
    with pytest.raises(InvalidKeyMaterial, match="infinity"):
        GroupKey(public, 2, 2, tuple(keys))


def test_a_share_that_is_not_its_custodians_is_refused():
    with pytest.raises(InvalidKeyMaterial):
        replace(SHARES[0], index=2)
    for index in (0, 6, -1):
        with pytest.raises(InvalidKeyMaterial):
            replace(SHARES[0], index=index)


def test_a_key_share_does_not_print_its_secret():
    printed = f"{SHARES[0]!r} {SHARES[0]}"
    assert str(SHARES[0].secret) not in printed
    assert f"{SHARES[0].secret:x}" not in printed
