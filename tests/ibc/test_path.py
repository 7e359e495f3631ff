"""Paths are those of ibc-go, and no two of them are alike."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caimi.hashing import keccak256
from caimi.ibc.path import Path, PathKind

# Clients as ICS-24 has identifiers, and names that end as a path does.
identifiers = st.from_regex(r"[0-9A-Za-z._+\-#\[\]<>]{1,12}", fullmatch=True)
clients = st.one_of(identifiers, st.text(alphabet="a\x00\x01\x02\x03", max_size=20))
sequences = st.one_of(st.integers(0, 3), st.integers(0, (1 << 64) - 1))
paths = st.builds(Path, clients, st.sampled_from(PathKind), sequences)


@pytest.mark.parametrize(
    ("make", "kind", "byte"),
    [
        (Path.commitment, PathKind.COMMITMENT, b"\x01"),
        (Path.receipt, PathKind.RECEIPT, b"\x02"),
        (Path.acknowledgement, PathKind.ACKNOWLEDGEMENT, b"\x03"),
    ],
)
def test_each_kind_is_laid_out_as_in_ibc_go(
    make: Callable[[str, int], Path], kind: PathKind, byte: bytes
) -> None:
    # ibc-go, modules/core/24-host/v2/packet_keys.go
    path = make("channel-0", 1)
    assert path == Path("channel-0", kind, 1)
    assert path.raw == b"channel-0" + byte + bytes(7) + b"\x01"
    assert make("07-a", 0x0102030405060708).raw == b"07-a" + byte + bytes(range(1, 9))


@given(paths, paths)
def test_different_paths_have_different_bytes(one: Path, other: Path) -> None:
    assert (one.raw == other.raw) == (one == other)


@given(clients, sequences)
def test_kinds_of_one_packet_never_meet(client: str, sequence: int) -> None:
    assert len({Path(client, kind, sequence).raw for kind in PathKind}) == len(PathKind)


@given(paths)
def test_a_path_is_read_back_from_its_bytes(path: Path) -> None:
    name, kind, sequence = path.raw[:-9], path.raw[-9], path.raw[-8:]
    assert Path(name.decode(), PathKind(kind), int.from_bytes(sequence)) == path


@given(paths)
def test_a_key_is_the_hash_of_the_path(path: Path) -> None:
    assert path.key == keccak256(path.raw)


@given(st.sampled_from(PathKind), st.one_of(st.integers(max_value=-1), st.integers(1 << 64)))
def test_a_sequence_that_eight_bytes_do_not_hold_makes_no_path(
    kind: PathKind, sequence: int
) -> None:
    with pytest.raises(ValueError, match="64 bits"):
        Path("client-0", kind, sequence)


def test_a_client_that_is_no_unicode_makes_no_path() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        Path.receipt("\ud800", 1)
