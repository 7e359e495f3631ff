"""How acts, and what they give and tell, are written down where CAIMI runs the contracts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caimi.contracts.deployment import Contracts
from caimi.contracts.execution import Effect, Execution
from caimi.contracts.identifiers import Account
from caimi.contracts.offers import LicencePrice, PricesSet
from caimi.contracts.state import MemoryState
from caimi.errors.ledgers import CallInvalid, CallRefused
from caimi.ibc.packet import Packet, Payload
from caimi.ledgers.machine.acts import ACTS
from caimi.ledgers.machine.calls import MachineCall, nothing, read, sign
from caimi.ledgers.machine.machine import site_of
from caimi.ledgers.machine.outcomes import ActOutcome, decode_effect, encode_effect
from caimi.ledgers.machine.typed import fitted, flat
from caimi.ledgers.machine.values import MAX_BYTES, decode_value, encode_value
from caimi.ledgers.port import LedgerId
from memory_ledger import Wallet, WordBook
from memory_ledger.words import MemoryAccounts

HERE = LedgerId("local:near")
PLAIN = st.none() | st.booleans() | st.integers(min_value=0) | st.binary() | st.text("aé中")
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=4).map(tuple), max_leaves=12)
PACKET = Packet(1, "a-0", "b-0", 5, (Payload("p", "q", "1", "bytes", b"\1"),))


class Colour(IntEnum):
    RED = 1


@dataclass(frozen=True)
class Shape:
    colour: Colour
    corners: tuple[int, ...]
    named: tuple[str, bytes]


@given(VALUES)
def test_a_value_is_read_as_it_was_written(value: object):
    assert decode_value(encode_value(value)) == value
    assert type(decode_value(encode_value(value))) is type(value)


@given(st.binary(max_size=40))
def test_what_is_read_is_the_one_encoding_of_its_value(data: bytes):
    try:
        value = decode_value(data)
    except ValueError:
        return
    assert encode_value(value) == data


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        encode_value(5) + b"\0",
        bytes.fromhex("c3698201"),
        bytes.fromhex("c46982" + "0001"),  # a number with a zero before it
        bytes.fromhex("c273ff"),
        bytes.fromhex("c178"),
        b"\xc1" * 5_000,
        bytes(MAX_BYTES + 1),
    ],
)
def test_what_is_no_value_is_refused(wrong: bytes):
    with pytest.raises(ValueError):  # noqa: PT011 - each has its own words
        decode_value(wrong)


def test_a_number_below_nothing_is_not_written():
    with pytest.raises(ValueError, match="less than nothing"):
        encode_value(-1)


@pytest.mark.parametrize(
    ("kind", "record"),
    [(Packet, PACKET), (Shape, Shape(Colour.RED, (3, 4), ("a", b"b")))],
)
def test_a_record_is_read_from_its_plain_value(kind: type, record: object):
    assert fitted(kind, decode_value(encode_value(flat(record)))) == record


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (int, True),
        (bytes, "text"),
        (Account, 5),
        (tuple[int, ...], (1, "2")),
        (tuple[int, str], (1,)),
        (Packet, (1, "a")),
        (Shape, (2, (), ("a", b"b"))),
        (Colour, b"\1"),
        (object, 1),
    ],
)
def test_what_does_not_fit_a_type_is_refused(kind: object, value: object):
    with pytest.raises(ValueError):  # noqa: PT011 - each has its own words
        fitted(kind, value)


def test_an_effect_is_read_as_the_class_that_others_know():
    told = PricesSet(b"\1" * 32, Account(b"a"), (LicencePrice(b"l", b"", 5),))
    found = decode_effect(encode_effect(told))
    assert found == told
    assert type(found) is PricesSet


@pytest.mark.parametrize("wrong", [("Nothing", ()), ("PricesSet", (1,)), 5, ("Effect", ())])
def test_what_is_no_effect_is_refused(wrong: object):
    with pytest.raises(ValueError):  # noqa: PT011 - each has its own words
        decode_effect(encode_value(wrong))


def test_an_outcome_is_read_as_it_was_written():
    effects: tuple[Effect, ...] = (PricesSet(b"\1" * 32, Account(b"a"), ()),)
    done = ActOutcome((1, b"x"), effects, None)
    assert ActOutcome.decode(done.encode(), effects) == done
    refused = ActOutcome(None, (), CallRefused("TooMany", {"length": 3, "what": b"x"}))
    again = ActOutcome.decode(refused.encode(), ())
    assert again.refusal is not None
    assert (again.refusal.reason, again.refusal.arguments) == (
        "TooMany",
        {"length": 3, "what": b"x"},
    )
    for wrong in (
        5,
        (1, ("TooMany", 5)),
        (None, 5),
        (None, ("R", ("x",))),
        (None, ("R", *[("x", 1)] * 2)),
    ):
        with pytest.raises(ValueError):  # noqa: PT011 - each has its own words
            ActOutcome.decode(encode_value(wrong), ())


@pytest.mark.parametrize("name", ACTS)
def test_every_act_knows_what_it_takes_and_refuses_anything_else(name: str):
    contracts = Contracts.over(site_of(HERE), WordBook())
    call = Execution(MemoryState(), 1, 1, Account(b"alice"))
    assert ACTS[name].takes
    for wrong in ((), (None,) * len(ACTS[name].takes), (b"",) * 9):
        with pytest.raises(CallRefused, match="MalformedArguments"):
            ACTS[name].do(contracts, call, wrong)


class TestSigning:
    def setup_method(self) -> None:
        self.alice, book = Wallet(b"alice"), WordBook()
        book.enrol(self.alice)
        self.accounts = MemoryAccounts(HERE, book)

    def signed(self, *arguments: object):
        call = MachineCall(HERE, "Trying", "receive", arguments, nothing)
        return sign(call, self.alice, 9, self.accounts)

    def test_a_call_is_read_as_it_was_signed(self):
        signed = self.signed("a-0", (PACKET,), b"")
        act = read(signed, self.accounts)
        assert act.is_signed(self.accounts)
        assert (act.envelope.author, act.envelope.act, act.envelope.until) == (
            b"alice",
            "receive",
            9,
        )
        assert act.envelope.read_arguments() == ("a-0", (flat(PACKET),), b"")

    def test_two_equal_calls_are_two(self):
        assert self.signed().tx != self.signed().tx

    def test_with_one_salt_they_are_one(self):
        call = MachineCall(HERE, "Trying", "receive", (), nothing)
        one, other = (sign(call, self.alice, 9, self.accounts, b"salt") for _ in range(2))
        assert one == other
        assert read(one, self.accounts).envelope.salt == b"salt"

    def test_whoever_signs_a_call_it_goes_by_one_name(self):
        act = read(self.signed(), self.accounts)
        other = encode_value((flat(act.envelope), b"\0" * 64))
        again = read(replace(self.signed(), raw=other, tx=act.tx), self.accounts)
        assert again.tx == act.tx
        assert not again.is_signed(self.accounts)

    @pytest.mark.parametrize("place", [3, 40, 60])
    def test_a_damaged_call_is_refused(self, place: int):
        signed = self.signed(b"\0" * 32)
        raw = bytearray(signed.raw)
        raw[place] ^= 1
        with pytest.raises(CallInvalid, match="damaged"):
            read(replace(signed, raw=bytes(raw)), self.accounts)

    @pytest.mark.parametrize("wrong", [-1, "\ud800"])
    def test_what_cannot_be_written_down_is_not_signed(self, wrong: object):
        with pytest.raises(CallInvalid, match="Trying"):
            self.signed(wrong)
