"""State, frames and the encoding of records."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caimi.contracts.execution import Effect, Execution, execute, refuse
from caimi.contracts.identifiers import Account
from caimi.contracts.records import Table
from caimi.contracts.state import MemoryState, Overlay
from caimi.errors.ledgers import CallRefused

KEYS = st.sampled_from([b"a", b"b", b"c"])
CHANGES = st.lists(st.tuples(KEYS, st.none() | st.binary(max_size=3)))


class Colour(IntEnum):
    RED = 0
    BLUE = 1


@dataclass(frozen=True, slots=True)
class Inner:
    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Outer:
    data: bytes
    colour: Colour
    sure: bool
    inner: Inner
    several: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Done(Effect):
    what: str


OUTERS = st.builds(
    Outer,
    st.binary(max_size=40),
    st.sampled_from(Colour),
    st.booleans(),
    st.builds(Inner, st.integers(0, 2**70), st.text(max_size=5)),
    st.lists(st.binary(max_size=3), max_size=3).map(tuple),
)
TABLE: Table[tuple[bytes, int], Outer] = Table("outer", Outer)


def change(state: MemoryState | Overlay, changes: list[tuple[bytes, bytes | None]]) -> None:
    for key, value in changes:
        if value is None:
            state.delete(key)
        else:
            state.put(key, value)


@given(CHANGES, CHANGES)
def test_a_committed_frame_is_as_if_there_was_none(
    first: list[tuple[bytes, bytes | None]], second: list[tuple[bytes, bytes | None]]
) -> None:
    plain, below = MemoryState(), MemoryState()
    change(plain, first + second)
    change(below, first)
    outer = Overlay(below)
    inner = Overlay(outer)
    change(inner, second)
    assert {key: inner.get(key) for key in (b"a", b"b", b"c")} == {
        key: plain.get(key) for key in (b"a", b"b", b"c")
    }
    inner.commit()
    outer.commit()
    assert below.items() == plain.items()


@given(CHANGES, CHANGES)
def test_a_dropped_frame_is_as_if_nothing_was_done(
    first: list[tuple[bytes, bytes | None]], second: list[tuple[bytes, bytes | None]]
) -> None:
    below = MemoryState()
    change(below, first)
    before = below.items()
    change(Overlay(below), second)
    assert below.items() == before


@given(OUTERS, st.binary(max_size=4), st.integers(0, 2**64))
def test_records_come_back_as_they_were(record: Outer, name: bytes, number: int) -> None:
    state = MemoryState()
    TABLE.put(state, (name, number), record)
    found = TABLE.get(state, (name, number))
    assert found == record
    assert found is not None
    assert type(found.colour) is Colour
    assert type(found.sure) is bool
    TABLE.delete(state, (name, number))
    assert TABLE.get(state, (name, number)) is None
    assert not state.items()


def test_a_damaged_record_is_an_error_and_no_refusal() -> None:
    state = MemoryState()
    TABLE.put(state, (b"k", 1), Outer(b"", Colour.RED, True, Inner(1, ""), ()))
    ((key, value),) = state.items().items()
    for damaged in (value + b"\0", value[:-1], b"\xc0"):
        state.put(key, damaged)
        with pytest.raises(RuntimeError, match="no record"):
            TABLE.get(state, (b"k", 1))


def test_keys_of_several_parts_never_meet() -> None:
    state = MemoryState()
    table: Table[tuple[str, str], int] = Table("pairs", int)
    table.put(state, ("ab", "c"), 1)
    assert table.get(state, ("a", "bc")) is None
    assert table.get(state, ("ab\ud800", "c")) is None


def acting(state: MemoryState) -> Execution:
    return Execution(state, 1, 1, Account(b"alice"))


def test_a_refused_call_leaves_neither_state_nor_effects() -> None:
    state = MemoryState()
    call = acting(state)

    def act(inner: Execution) -> None:
        inner.state.put(b"a", b"1")
        inner.emit(Done("a"))
        refuse("Enough", why="because")

    with pytest.raises(CallRefused, match=r"Enough\(why 'because'\)"):
        execute(call, act)
    assert not state.items()
    assert not call.effects


def test_an_error_of_our_own_leaves_nothing_and_is_no_refusal() -> None:
    state = MemoryState()

    def act(inner: Execution) -> None:
        inner.state.put(b"a", b"1")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        execute(acting(state), act)
    assert not state.items()


def test_a_call_that_is_carried_out_tells_its_effects_in_order() -> None:
    state = MemoryState()

    def refused(frame: Execution) -> None:
        frame.emit(Done("never"))
        refuse("No")

    def act(inner: Execution) -> int:
        inner.emit(Done("first"))
        with pytest.raises(CallRefused):
            execute(inner, refused)
        with inner.frame() as frame:
            frame.emit(Done("second"))
        return 7

    done = execute(acting(state), act)
    assert done.result == 7
    assert done.effects == (Done("first"), Done("second"))
