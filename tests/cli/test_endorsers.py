"""Endorsers named on the command line: peers' certificates, by organisation."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from peer_certificates import peer_certificate

from caimi.cli.endorsers import endorsers_of
from caimi.errors.operations import UsageError


@pytest.fixture
def peers(tmp_path: Path) -> list[str]:
    files = [peer_certificate(tmp_path, name) for name in ("a", "b", "c")]
    return [f"{org}={file}" for org, file in zip(("One", "Two", "One"), files, strict=True)]


def test_peers_are_grouped_by_organisation(peers):
    who = endorsers_of(peers, "channel", "chaincode", 0)
    assert (who.channel, who.chaincode, who.threshold) == ("channel", "chaincode", 2)
    assert who.organisations == b"\0\1\0"
    read = x509.load_pem_x509_certificate(Path(peers[1].partition("=")[2]).read_bytes())
    numbers = read.public_key().public_numbers()
    assert who.keys[1] == (numbers.x.to_bytes(32), numbers.y.to_bytes(32))
    assert endorsers_of([], "channel", "chaincode", 0) is None


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (["One"], "no endorser"),
        (["=c.pem"], "no endorser"),
        (["Two=missing.pem"], "cannot be read"),
        (["Two={folder}"], "cannot be read"),
        (["Two={text}"], "not one certificate"),
        (["Two={two}"], "not one certificate"),
        (["Two={long}"], "not one certificate"),
        (["Two={other}"], "another kind of key"),
        (["One={b}"], "2 of 1 organisations|1 of 1 organisations"),
        (["Two={a}"], "named twice"),
        (["Two={b}"] * 64, "at most 64"),
    ],
)
def test_what_is_no_endorser_is_named(tmp_path: Path, changed: list[str], said: str):
    places = {name: peer_certificate(tmp_path, name) for name in ("a", "b")}
    places |= {
        "other": peer_certificate(tmp_path, "other", ec.SECP384R1()),
        "folder": str(tmp_path),
    }
    one = Path(places["a"]).read_bytes()
    for name, content in (("text", b"none"), ("two", one * 2), ("long", one + b"\n" * 9_000)):
        (tmp_path / name).write_bytes(content)
        places[name] = str(tmp_path / name)
    texts = [f"One={places['a']}", *(each.format(**places) for each in changed)]
    with pytest.raises(UsageError, match=said):
        endorsers_of(texts, "channel", "chaincode", 0)


@pytest.mark.parametrize("needed", [1, 3])
def test_organisations_needed_are_two_or_more_and_no_more_than_there_are(peers, needed):
    with pytest.raises(UsageError, match="not enough"):
        endorsers_of(peers, "channel", "chaincode", needed)


def test_half_of_the_organisations_are_not_enough(tmp_path: Path):
    texts = [f"{name}={peer_certificate(tmp_path, name)}" for name in "abcd"]
    with pytest.raises(UsageError, match="more than half"):
        endorsers_of(texts, "channel", "chaincode", 2)
    assert endorsers_of(texts, "channel", "chaincode", 3).threshold == 3


@pytest.mark.parametrize("name", ["", "n" * 256])
def test_names_of_channel_and_chaincode_have_a_length(peers, name):
    with pytest.raises(UsageError, match="--channel"):
        endorsers_of(peers, name, "chaincode", 0)
    with pytest.raises(UsageError, match="--chaincode"):
        endorsers_of(peers, "channel", name, 0)
