"""What every validator's memory keeps to: nothing that contradicts what was signed is signed."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sites import StoreSite, each_site

from caimi.errors.messaging import (
    AlreadySignedOtherwise,
    LedgerReorganised,
    SignedStoreDamaged,
    SigningStopped,
)
from caimi.ibc.statements import Kind
from caimi.messaging.checkpoint import LedgerStatement
from caimi.messaging.signed_store import SignedBlock
from caimi.persistence.signed_store import SqlSignedStore

ORIGIN = b"\x01" * 32
HASH = b"\x0a" * 32
OTHER = b"\x0b" * 32
HELD = {3: b"\x03" * 32, 5: b"\x05" * 32}
PROCESS = Path(__file__).with_name("other_process.py")
HEIGHTS = 60
_origins = itertools.count(1)


def statement(**changes: Any) -> LedgerStatement:
    base = LedgerStatement(Kind.CHECKPOINT, ORIGIN, b"\x05" * 32, 1, 5, 100, b"\x02" * 32, 3)
    return replace(base, **changes)


def new_origin() -> bytes:
    """Give an origin of which nothing was signed."""
    return next(_origins).to_bytes(32, "big")


class SignedStoreSuite:
    """Needs a fixture `site`."""

    @pytest.fixture
    def store(self, site: StoreSite) -> Iterator[SqlSignedStore]:
        made = SqlSignedStore(site.place("signed"))
        yield made
        made.close()

    def test_one_fact_may_be_remembered_any_number_of_times(self, store: SqlSignedStore) -> None:
        for _ in range(3):
            store.remember(statement(), HASH, HELD)
        store.remember(statement(from_height=2), HASH, HELD)
        store.remember(statement(origin=b"\x09" * 32, time=7), OTHER, {})

    @pytest.mark.parametrize(
        ("change", "contents"),
        [
            ({"time": 101}, HELD),
            ({}, {}),
            ({}, {3: HELD[3]}),
            ({}, {**HELD, 4: b"\x04" * 32}),
            ({}, {**HELD, 3: OTHER}),
            ({"from_height": 4}, {5: OTHER}),
            ({"from_height": 0}, {1: OTHER, 5: HELD[5]}),
        ],
    )
    def test_a_contradiction_is_refused_and_changes_nothing(
        self, store: SqlSignedStore, change: dict[str, int], contents: Mapping[int, bytes]
    ) -> None:
        store.remember(statement(), HASH, HELD)
        with pytest.raises(AlreadySignedOtherwise):
            store.remember(statement(**change), HASH, contents)
        store.remember(statement(), HASH, HELD)
        store.remember(statement(from_height=0), HASH, {**HELD, 1: OTHER})

    @pytest.mark.parametrize(("height", "time"), [(9, 99), (3, 101)])
    def test_time_never_runs_backwards_between_two_signed_heights(
        self, store: SqlSignedStore, height: int, time: int
    ) -> None:
        store.remember(statement(), HASH, HELD)
        with pytest.raises(AlreadySignedOtherwise, match="backwards"):
            store.remember(
                statement(kind=Kind.ABSENCE, from_height=height, height=height, time=time),
                OTHER,
                {},
            )
        store.remember(
            statement(kind=Kind.ABSENCE, from_height=height, height=height, time=100), OTHER, {}
        )

    def test_another_hash_of_a_signed_height_stops_signing_for_good(
        self, store: SqlSignedStore, site: StoreSite
    ) -> None:
        store.remember(statement(), HASH, HELD)
        with pytest.raises(LedgerReorganised):
            store.remember(statement(), OTHER, HELD)
        again = SqlSignedStore(site.place("signed"))
        with pytest.raises(SigningStopped, match="Block 5 had hash 0x0a"):
            again.remember(statement(from_height=5, height=6), HASH, {})
        assert again.stopped(ORIGIN) is not None
        again.remember(statement(origin=b"\x09" * 32), HASH, HELD)
        again.close()

    def test_a_cleared_store_signs_on_and_still_contradicts_nothing(
        self, store: SqlSignedStore
    ) -> None:
        store.remember(statement(), HASH, HELD)
        assert store.newest(ORIGIN) == SignedBlock(5, HASH)
        store.stop(ORIGIN, "block 5 was replaced")
        store.clear(ORIGIN)
        assert store.stopped(ORIGIN) is None
        # What was signed on the abandoned fork is no measure of the new one…
        assert store.newest(ORIGIN) is None
        # … but is never contradicted, nor does asking for it stop signing again.
        with pytest.raises(AlreadySignedOtherwise):
            store.remember(statement(), OTHER, HELD)
        store.remember(statement(from_height=5, height=6), OTHER, {})
        # In ranges that reach further, blocks hold what the fork that stands has in them.
        store.remember(statement(height=7), OTHER, {})
        store.remember(statement(from_height=6, height=7), OTHER, {})
        assert store.newest(ORIGIN) == SignedBlock(7, OTHER)

    def test_the_newest_signed_block_up_to_a_height_is_found(self, store: SqlSignedStore) -> None:
        store.remember(statement(), HASH, HELD)
        store.remember(statement(from_height=5, height=9), OTHER, {})
        assert store.newest(ORIGIN, 8) == SignedBlock(5, HASH)
        assert store.newest(ORIGIN, 9) == SignedBlock(9, OTHER)
        assert store.newest(ORIGIN, 4) is None

    def test_what_is_kept_grows_with_the_ledger_and_not_with_the_questions(
        self, store: SqlSignedStore, site: StoreSite
    ) -> None:
        contents = {height: bytes([height]) * 32 for height in range(1, 41, 2)}
        for height in range(1, 41):
            for start in range(height):
                within = {at: each for at, each in contents.items() if start < at <= height}
                store.remember(
                    statement(from_height=start, height=height), bytes([height]) * 32, within
                )
        counts = [
            site.told("signed", f"SELECT count(*) FROM {table}")
            for table in ("blocks", "contents", "covered")
        ]
        assert counts == [[(40,)], [(20,)], [(1,)]]

    def test_heights_that_no_database_can_hold_are_refused_by_name(
        self, store: SqlSignedStore
    ) -> None:
        with pytest.raises(SignedStoreDamaged):
            store.remember(statement(height=(1 << 64) - 1), HASH, {})

    def test_a_store_whose_tables_were_changed_signs_nothing(
        self, store: SqlSignedStore, site: StoreSite
    ) -> None:
        site.told("signed", "DROP TABLE blocks")
        site.told("signed", "CREATE TABLE blocks (other TEXT)")
        with pytest.raises(SignedStoreDamaged, match="cannot be used"):
            store.remember(statement(), HASH, HELD)

    def test_a_second_process_on_one_store_contradicts_nothing(
        self, store: SqlSignedStore, site: StoreSite
    ) -> None:
        two = SqlSignedStore(site.place("signed"))
        store.remember(statement(), HASH, HELD)
        with pytest.raises(AlreadySignedOtherwise):
            two.remember(statement(), HASH, {})
        two.close()

    def test_of_two_processes_that_race_only_one_signs_each_height(
        self, store: SqlSignedStore, site: StoreSite
    ) -> None:
        command = [sys.executable, PROCESS, "sign", *site.words("signed")]
        racers = [
            subprocess.Popen(
                [*command, str(me), str(HEIGHTS)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for me in (1, 2)
        ]
        for racer in racers:
            assert racer.stdout is not None
            assert racer.stdout.readline() == "ready\n"
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("\n")
            racer.stdin.flush()
        signed = [set(map(int, racer.communicate(timeout=120)[0].split())) for racer in racers]
        assert [racer.returncode for racer in racers] == [0, 0]
        assert signed[0] | signed[1] == set(range(1, HEIGHTS + 1))
        assert signed[0] & signed[1] == set()
        kept = site.told("signed", "SELECT height, digest FROM contents")
        assert {height: digest[0] for height, digest in kept} == {
            height: me for me, heights in zip((1, 2), signed, strict=True) for height in heights
        }

    def test_a_full_disk_is_named_and_the_store_signs_on_afterwards(
        self, store: SqlSignedStore, site: StoreSite
    ) -> None:
        store.remember(statement(), HASH, HELD)
        many = {height: bytes([1]) * 32 for height in range(6, 3000)}
        with site.full(store._database, "contents"):
            with pytest.raises(SignedStoreDamaged) as refused:
                store.remember(statement(from_height=5, height=3000, time=200), OTHER, many)
            assert "Make room" in refused.value.next_step
        # Nothing of what failed was remembered.
        assert store.newest(ORIGIN) == SignedBlock(5, HASH)
        store.remember(statement(from_height=5, height=3000, time=201), HASH, {})

    def test_what_may_not_be_written_to_signs_nothing(
        self, store: SqlSignedStore, site: StoreSite
    ) -> None:
        with (
            site.read_only(store._database),
            pytest.raises(SignedStoreDamaged, match=r"read-?only") as refused,
        ):
            store.remember(statement(), HASH, HELD)
        assert "Make room" in refused.value.next_step
        assert store.newest(ORIGIN) is None

    def test_what_was_left_out_can_be_signed_after_clearing_and_only_where_nothing_contradicts(
        self,
        store: SqlSignedStore,
    ) -> None:
        # Its node had left everything out of blocks 2 to 5.
        store.remember(statement(), HASH, {})
        store.remember(statement(from_height=2, height=4, time=99), OTHER, {})
        with pytest.raises(AlreadySignedOtherwise, match="something else happened then"):
            store.remember(statement(height=9, time=105), OTHER, HELD)
        store.clear(ORIGIN)
        # The range that was signed, and any other that ends where one was signed, stay refused.
        for start in (0, 1, 2, 4):
            with pytest.raises(AlreadySignedOtherwise, match="up to another height"):
                store.remember(statement(from_height=start), HASH, {5: HELD[5]})
        for _ in range(2):
            store.remember(statement(height=9, time=105), OTHER, HELD)
        # Neither does the truth, now that it is known, make them signable.
        with pytest.raises(AlreadySignedOtherwise, match="block 5 were found"):
            store.remember(statement(), HASH, HELD)
        with pytest.raises(AlreadySignedOtherwise, match="block 3 were found"):
            store.remember(statement(from_height=2, height=4, time=99), OTHER, {3: HELD[3]})
        # What is behind the block is not touched by it.
        store.remember(statement(from_height=3, height=4, time=99), OTHER, {})
        store.remember(statement(from_height=5, height=9, time=105), OTHER, {})
        with pytest.raises(AlreadySignedOtherwise):
            store.remember(statement(height=10, time=106), HASH, {**HELD, 7: OTHER})

    def test_what_was_signed_since_is_not_replaced(self, store: SqlSignedStore) -> None:
        store.remember(statement(), HASH, HELD)
        store.clear(ORIGIN)
        store.remember(statement(from_height=5, height=8, time=101), OTHER, {7: OTHER})
        with pytest.raises(AlreadySignedOtherwise, match="block 7"):
            store.remember(statement(from_height=5, height=9, time=102), OTHER, {})

    @given(
        claims=st.lists(
            st.tuples(
                st.integers(0, 4),
                st.integers(5, 8),
                st.dictionaries(st.integers(1, 8), st.integers(1, 2), max_size=4),
                st.booleans(),
            ),
            max_size=20,
        )
    )
    @settings(each_site, max_examples=40)
    def test_however_often_it_is_cleared_no_two_signed_statements_contradict(
        self, store: SqlSignedStore, claims: list[Any]
    ) -> None:
        origin = new_origin()
        signed: dict[tuple[int, int], dict[int, bytes]] = {}
        for start, height, held, cleared in claims:
            if cleared:
                store.clear(origin)
            contents = {at: bytes([what]) * 32 for at, what in held.items() if start < at <= height}
            try:
                store.remember(
                    statement(origin=origin, from_height=start, height=height),
                    bytes([height]) * 32,
                    contents,
                )
            except AlreadySignedOtherwise:
                continue
            # As CommitteeStatements.sol has it: two contents of one range.
            assert signed.setdefault((start, height), contents) == contents

    @given(
        claims=st.lists(
            st.tuples(
                st.integers(0, 4),
                st.integers(5, 8),
                st.integers(0, 2),
                st.dictionaries(st.integers(1, 8), st.integers(1, 2), max_size=4),
            ),
            max_size=15,
        )
    )
    @settings(each_site, max_examples=25)
    def test_whatever_is_asked_the_accepted_statements_never_contradict(
        self, store: SqlSignedStore, claims: list[Any]
    ) -> None:
        origin = new_origin()
        times: dict[int, int] = {}
        blocks: dict[int, int | None] = {}
        for start, height, time, held in claims:
            contents = {at: bytes([what]) * 32 for at, what in held.items() if start < at <= height}
            told = {at: held.get(at) for at in range(start + 1, height + 1)}
            fits = (
                times.get(height, time) == time
                and all((t <= time) if h < height else (t >= time) for h, t in times.items())
                and all(blocks.get(at, what) == what for at, what in told.items())
            )
            said = statement(origin=origin, from_height=start, height=height, time=time)
            if fits:
                store.remember(said, bytes([height]) * 32, contents)
                times[height] = time
                blocks.update(told)
            else:
                with pytest.raises(AlreadySignedOtherwise):
                    store.remember(said, bytes([height]) * 32, contents)
