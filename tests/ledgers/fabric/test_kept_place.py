"""Where a kept network's ledger is asked, written once it answers."""

from pathlib import Path

import pytest

from caimi.errors.fabric import FabricNetworkDamaged
from caimi.errors.ledgers import LedgerUnavailable
from caimi.ledgers.fabric.local.kept_place import read_place, write_place
from caimi.ledgers.port import LedgerId, LedgerPlace

PLACE = LedgerPlace(LedgerId("fabric:" + "0" * 32), "b", {"channel": "caimi", "peers": []})


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_place(tmp_path, PLACE)
    assert read_place(tmp_path, "b") == PLACE


def test_before_it_is_written_nothing_runs(tmp_path: Path) -> None:
    with pytest.raises(LedgerUnavailable):
        read_place(tmp_path, "b")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"id": 1, "told": {}}',
        b'{"id": "x"}',
        b"\xff",
        b'{"id": "x", "told": {}}' + b" " * 100_000,
    ],
)
def test_what_is_damaged_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "place.json").write_bytes(content)
    with pytest.raises(FabricNetworkDamaged):
        read_place(tmp_path, "b")
