"""Founding terms: one encoding, one file, and nothing else is taken for them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caimi.errors.fabric import FabricTermsInvalid
from caimi.ledgers.fabric.terms import MAX_BYTES, AccountingTerms, FoundingTerms
from caimi.ledgers.machine.ed25519_accounts import account_of_key
from caimi.ledgers.machine.values import encode_value
from caimi.ledgers.port import LedgerId

ACCOUNTS = st.binary(min_size=32, max_size=32).map(lambda key: account_of_key(key).decode())
ASSETS = st.builds(
    AccountingTerms,
    issuer=ACCOUNTS,
    symbol=st.from_regex(r"[A-Z][A-Z0-9]{0,9}", fullmatch=True),
    decimals=st.integers(0, 18),
)
LEDGERS = st.from_regex(r"fabric:[0-9a-f]{32}", fullmatch=True).map(LedgerId)
TERMS = st.builds(FoundingTerms, LEDGERS, ACCOUNTS, ACCOUNTS, st.none() | ASSETS)
WHO = "a" * 52
HERE = LedgerId("fabric:" + "0" * 32)


@given(TERMS)
def test_they_are_read_as_they_were_written(tmp_path_factory, terms: FoundingTerms):
    assert FoundingTerms.decode(terms.encode()) == terms
    file = tmp_path_factory.mktemp("terms") / "terms.toml"
    file.write_text(terms.text())
    assert FoundingTerms.read_file(file) == terms


@given(TERMS, TERMS)
def test_other_terms_have_another_fingerprint(one: FoundingTerms, other: FoundingTerms):
    assert (one == other) == (one.fingerprint == other.fingerprint)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x01",
        encode_value(None),
        encode_value((HERE, WHO, WHO)),
        encode_value((HERE, WHO, WHO, None, None)),
        encode_value((HERE, WHO, "b", None)),
        encode_value(("no ledger", WHO, WHO, None)),
        encode_value((HERE, WHO, WHO, (WHO, "EUR", 19))),
        encode_value((HERE, WHO, WHO, (WHO, "E R", 2))),
        encode_value((HERE, WHO, WHO, (WHO, "EUR"))),
        encode_value((HERE, WHO, WHO, "x" * MAX_BYTES)),
    ],
)
def test_nothing_else_is_taken_for_their_encoding(data: bytes):
    with pytest.raises(FabricTermsInvalid):
        FoundingTerms.decode(data)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ledger =",
        f'ledger = "{HERE}"\nadministrator = "{WHO}"',
        f'ledger = "{HERE}"\nadministrator = "{WHO}"\nguardian = "{WHO}"\nmore = 1',
        f'ledger = "{HERE}"\nadministrator = "{WHO}"\nguardian = "0x00"',
        f'ledger = "{HERE}"\nadministrator = "{WHO}"\nguardian = "{WHO}"\n' + "#" * MAX_BYTES,
    ],
)
def test_a_file_that_does_not_say_terms_is_named(tmp_path, text: str):
    file = tmp_path / "terms.toml"
    file.write_text(text)
    with pytest.raises(FabricTermsInvalid, match=r"terms\.toml"):
        FoundingTerms.read_file(file)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FabricTermsInvalid, match="No such file"):
        FoundingTerms.read_file(tmp_path / "none.toml")
