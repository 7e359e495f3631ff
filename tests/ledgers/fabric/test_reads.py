"""What the chaincode says of commitments, and how it is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from site_of_stand_in import FabricSite
from stand_in import StandIn

from caimi.errors.fabric import FabricChaincodeRefused
from caimi.ibc.path import Path as IbcPath
from caimi.ledgers.fabric.keys import CLOCK, TERMS, kept, state_name
from caimi.ledgers.fabric.reads import (
    MAX_PATH_BYTES,
    MAX_PATHS,
    RECEIVED,
    StateReads,
    check_reads,
    read_path,
)

CHANNEL = "stand-in"
VALUE = b"\5" * 32
SENT, RECEIPT = IbcPath.commitment("fabric-0", 1), IbcPath.receipt("fabric-0", 1)
ANSWER = IbcPath.acknowledgement("fabric-0", 1)
SAID = StateReads("fabric:near", CHANNEL, 1_000, (SENT, RECEIPT), (VALUE, None))


@pytest.fixture
async def site(tmp_path: Path) -> FabricSite:
    return await FabricSite.named("near", tmp_path)


def commit(site: FabricSite, path: IbcPath, value: bytes = VALUE) -> None:
    """Put a commitment where the contracts do."""
    name = state_name(b"gateway/commitments/" + path.raw)
    site.there.values[name] = (kept(value), (1, 0))


def clock(site: FabricSite) -> int:
    return int.from_bytes(site.there.values[CLOCK][0])


async def test_what_is_there_and_what_is_not_is_said_with_the_ledger_channel_and_clock(site):
    commit(site, SENT)
    paths = (SENT, RECEIPT, ANSWER)
    tried = site.there.endorse("read", [path.raw for path in paths])
    said = StateReads(site.id, CHANNEL, clock(site), paths, (VALUE, None, None))
    assert check_reads(tried.answer, site.id, CHANNEL, paths) == said
    assert tried.answer == said.encode()
    assert tried.writes == {}


async def test_a_receipt_is_there_when_its_acknowledgement_is(site):
    commit(site, ANSWER)
    tried = site.there.endorse("read", [RECEIPT.raw, ANSWER.raw])
    said = check_reads(tried.answer, site.id, CHANNEL, (RECEIPT, ANSWER))
    assert said.values == (RECEIVED, VALUE)


async def test_the_clock_is_read_before_what_is_absent(site):
    tried = site.there.endorse("read", [RECEIPT.raw])
    assert list(tried.reads)[:2] == [CLOCK, TERMS]
    assert list(tried.reads)[2:] == [state_name(b"gateway/commitments/" + ANSWER.raw)]


@pytest.mark.parametrize(
    "raws",
    [
        (),
        [b""],
        [SENT.raw[-9:]],
        [b"fabric-0\x04" + bytes(8)],
        [b"fabric-0\x00" + bytes(8)],
        [b"\xff" + SENT.raw[-9:]],
        [b"c" * (MAX_PATH_BYTES - 8) + SENT.raw[-9:]],
        [SENT.raw, SENT.raw],
        [IbcPath.commitment("fabric-0", n).raw for n in range(MAX_PATHS + 1)],
    ],
)
async def test_what_is_no_set_of_paths_is_not_endorsed(site, raws):
    with pytest.raises(FabricChaincodeRefused):
        site.there.endorse("read", raws)


async def test_as_many_and_as_long_paths_as_may_be_are_read(site):
    longest = IbcPath.commitment("c" * (MAX_PATH_BYTES - 9), 1)
    paths = [longest, *(IbcPath.commitment("fabric-0", n) for n in range(MAX_PATHS - 1))]
    tried = site.there.endorse("read", [path.raw for path in paths])
    assert len(check_reads(tried.answer, site.id, CHANNEL, paths).values) == MAX_PATHS


async def test_nothing_is_said_of_a_ledger_that_was_not_founded(site):
    with pytest.raises(FabricChaincodeRefused, match="not founded"):
        StandIn(site.there.organisations).endorse("read", [SENT.raw])


@pytest.mark.parametrize(
    ("ledger", "channel", "paths"),
    [
        ("fabric:nea", CHANNEL, SAID.paths),
        ("fabric:near", "stand-inn", SAID.paths),
        ("fabric:nears", "tand-in", SAID.paths),
        ("fabric:near", CHANNEL, SAID.paths[::-1]),
        ("fabric:near", CHANNEL, SAID.paths[:1]),
        ("fabric:near", CHANNEL, (*SAID.paths, ANSWER)),
        ("fabric:near", CHANNEL, (ANSWER, RECEIPT)),
        ("fabric:near", CHANNEL, ()),
    ],
)
def test_an_answer_about_something_else_is_refused(ledger, channel, paths):
    with pytest.raises(ValueError, match=r"[a-z]"):
        check_reads(SAID.encode(), ledger, channel, paths)


def test_an_answer_has_one_form():
    encoded = SAID.encode()
    assert check_reads(encoded, SAID.ledger, CHANNEL, SAID.paths) == SAID
    for place in range(len(encoded)):
        for bit in range(8):
            changed = bytearray(encoded)
            changed[place] ^= 1 << bit
            try:
                found = check_reads(bytes(changed), SAID.ledger, CHANNEL, SAID.paths)
            except ValueError:
                continue
            assert found.encode() == changed
            assert (found.ledger, found.channel) == (SAID.ledger, CHANNEL)
            assert found.paths == SAID.paths
        with pytest.raises(ValueError, match=r"[a-z]"):
            check_reads(encoded[:place], SAID.ledger, CHANNEL, SAID.paths)
    with pytest.raises(ValueError, match=r"[a-z]"):
        check_reads(encoded + b"\0", SAID.ledger, CHANNEL, SAID.paths)


@pytest.mark.parametrize(
    "change",
    [
        {"values": (VALUE,)},
        {"values": (VALUE, b"short")},
        {"clock": -1},
        {"clock": 1 << 64},
        {"paths": (SENT, SENT)},
        {"paths": (), "values": ()},
    ],
)
def test_what_cannot_be_said_is_not(change):
    with pytest.raises(ValueError, match=r"[a-z]"):
        replace(SAID, **change)
    with pytest.raises(ValueError, match="too long"):
        replace(SAID, channel="c" * 256).encode()


def test_a_path_is_read_from_its_raw_form():
    for path in (SENT, RECEIPT, ANSWER):
        assert read_path(path.raw) == path
