from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trusted_dealer import deal

from caimi.custody.dleq import EqualityProof
from caimi.custody.group import INFINITY, generator_times
from caimi.custody.label import label_for
from caimi.custody.tdh2 import (
    Ciphertext,
    DecryptionShare,
    combine,
    decryption_share,
    encrypt,
    open_with,
    verify_ciphertext,
    verify_share,
)
from caimi.errors.custody import (
    CustodyError,
    InvalidCiphertext,
    InvalidKeyMaterial,
    MalformedEncoding,
    NotEnoughShares,
    WrongShare,
)

KEYS = deal(3, 5)
GROUP = KEYS[0].group
LABEL = label_for(b"\x01" * 32, "1.0.0")
SECRET = b"the weights' key, of 32 bytes...."
CIPHERTEXT = encrypt(GROUP.public_key, SECRET, LABEL)
SHARES = [decryption_share(CIPHERTEXT, key) for key in KEYS]


def test_any_threshold_of_shares_opens():
    for chosen in combinations(SHARES, 3):
        assert combine(CIPHERTEXT, chosen, GROUP).secret == SECRET


def test_fewer_shares_than_the_threshold_never_open():
    for size in range(3):
        for chosen in combinations(SHARES, size):
            with pytest.raises(NotEnoughShares):
                combine(CIPHERTEXT, chosen, GROUP)
    with pytest.raises(NotEnoughShares):
        combine(CIPHERTEXT, [SHARES[0]] * 5, GROUP)
    with pytest.raises(NotEnoughShares):
        open_with(CIPHERTEXT, [SHARES[0], SHARES[1], SHARES[1]], GROUP)


@given(
    st.integers(2, 5).flatmap(lambda t: st.tuples(st.just(t), st.integers(t, 7))),
    st.binary(min_size=1, max_size=200),
    st.binary(max_size=100),
    st.randoms(use_true_random=False),
)
@settings(max_examples=25, deadline=None)
def test_every_size_of_group_opens_what_is_sealed_to_it(size, secret, label, random):
    threshold, total = size
    keys = deal(threshold, total)
    group = keys[0].group
    ciphertext = Ciphertext.from_bytes(encrypt(group.public_key, secret, label).to_bytes())
    chosen = random.sample(keys, threshold)
    shares = [
        DecryptionShare.from_bytes(decryption_share(ciphertext, key).to_bytes()) for key in chosen
    ]
    assert combine(ciphertext, shares, group).secret == secret
    with pytest.raises(NotEnoughShares):
        combine(ciphertext, shares[1:], group)


def wrong_shares(share):
    other = encrypt(GROUP.public_key, SECRET, LABEL)
    key = KEYS[share.index - 1]
    yield replace(share, point=share.point.plus_generator_times(1))
    yield replace(share, point=share.point.times(2))
    yield replace(share, point=INFINITY)
    yield replace(share, index=share.index % 5 + 1)
    yield replace(share, proof=EqualityProof(share.proof.challenge, share.proof.response ^ 1))
    yield replace(share, proof=EqualityProof(0, 0))
    yield decryption_share(other, key)


@pytest.mark.parametrize("kind", range(7))
def test_every_wrong_share_is_found_and_its_custodian_named(kind):
    for share in SHARES:
        wrong = list(wrong_shares(share))[kind]
        with pytest.raises(WrongShare, match=f"custodian {wrong.index}"):
            verify_share(CIPHERTEXT, wrong, GROUP)
        opened = combine(CIPHERTEXT, [wrong, *(s for s in SHARES if s is not share)], GROUP)
        assert opened.secret == SECRET
        assert opened.wrong == (wrong.index,)


def test_too_many_wrong_shares_fail_and_all_are_named():
    wrong = [replace(s, point=generator_times(s.index)) for s in SHARES[1:4]]
    with pytest.raises(NotEnoughShares, match=r"\[2, 3, 4\]") as caught:
        combine(CIPHERTEXT, [SHARES[0], *wrong, SHARES[4]], GROUP)
    assert caught.value.wrong == (2, 3, 4)


@pytest.mark.parametrize("index", [0, 6, 64])
def test_a_share_of_nobody_in_the_group_is_wrong(index):
    with pytest.raises(WrongShare):
        verify_share(CIPHERTEXT, replace(SHARES[0], index=index), GROUP)


MAULED = [
    replace(CIPHERTEXT, label=label_for(b"\x02" * 32, "1.0.0")),
    replace(CIPHERTEXT, label=label_for(b"\x01" * 32, "1.0.1")),
    replace(CIPHERTEXT, label=b""),
    replace(CIPHERTEXT, sealed=CIPHERTEXT.sealed[:-1]),
    replace(CIPHERTEXT, sealed=bytes(len(CIPHERTEXT.sealed))),
    replace(CIPHERTEXT, ephemeral=CIPHERTEXT.twin),
    replace(
        CIPHERTEXT,
        ephemeral=CIPHERTEXT.ephemeral.times(2),
        twin=CIPHERTEXT.twin.times(2),
    ),
    replace(CIPHERTEXT, twin=CIPHERTEXT.twin.plus_generator_times(1)),
    replace(CIPHERTEXT, proof=EqualityProof(CIPHERTEXT.proof.challenge, 1)),
    replace(CIPHERTEXT, proof=EqualityProof(0, 0)),
]


@pytest.mark.parametrize("mauled", MAULED)
def test_a_mauled_or_relabelled_ciphertext_gets_no_share(mauled):
    with pytest.raises(InvalidCiphertext):
        verify_ciphertext(mauled, GROUP.public_key)
    with pytest.raises(InvalidCiphertext):
        decryption_share(mauled, KEYS[0])
    with pytest.raises(InvalidCiphertext):
        combine(mauled, SHARES, GROUP)


def test_a_ciphertext_for_another_group_gets_no_share():
    with pytest.raises(InvalidCiphertext):
        decryption_share(CIPHERTEXT, deal(3, 5)[0])


def test_a_share_for_one_model_opens_no_other():
    other = encrypt(GROUP.public_key, SECRET, label_for(b"\x02" * 32, "1.0.0"))
    with pytest.raises(NotEnoughShares):
        combine(other, SHARES, GROUP)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_ciphertext_with_any_byte_changed_is_refused(data):
    encoded = bytearray(CIPHERTEXT.to_bytes())
    encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CustodyError):
        verify_ciphertext(Ciphertext.from_bytes(bytes(encoded)), GROUP.public_key)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_share_with_any_byte_changed_is_refused(data):
    encoded = bytearray(SHARES[0].to_bytes())
    encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CustodyError):
        verify_share(CIPHERTEXT, DecryptionShare.from_bytes(bytes(encoded)), GROUP)


@pytest.mark.parametrize("cut", [0, 1, 20, 60, 100, -1])
def test_truncated_and_extended_encodings_are_refused(cut):
    for encoded, parse in (
        (CIPHERTEXT.to_bytes(), Ciphertext.from_bytes),
        (SHARES[0].to_bytes(), DecryptionShare.from_bytes),
    ):
        with pytest.raises(MalformedEncoding):
            parse(encoded[:cut])
        with pytest.raises(MalformedEncoding):
            parse(encoded + b"\x00")


@pytest.mark.parametrize(("secret", "label"), [(b"", b""), (bytes(4097), b""), (b"x", bytes(1025))])
def test_secrets_and_labels_out_of_bounds_are_refused(secret, label):
    with pytest.raises(MalformedEncoding):
        encrypt(GROUP.public_key, secret, label)


def test_the_longest_secret_and_label_are_sealed_and_opened():
    secret, label = bytes(4096), bytes(1024)
    sealed = Ciphertext.from_bytes(encrypt(GROUP.public_key, secret, label).to_bytes())
    shares = [decryption_share(sealed, key) for key in KEYS[:3]]
    assert combine(sealed, shares, GROUP).secret == secret


def test_nothing_is_sealed_to_the_point_at_infinity():
    with pytest.raises(InvalidKeyMaterial):
        encrypt(INFINITY, SECRET, LABEL)


def test_what_is_opened_is_not_printed():
    assert SECRET.decode() not in repr(combine(CIPHERTEXT, SHARES, GROUP))
