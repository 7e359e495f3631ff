import asyncio
import os

import pytest

from caimi.custody.label import label_for
from caimi.custody.tombstones import FileTombstones
from caimi.errors.custody import TombstoneFileError

LABELS = [label_for(bytes([n]) * 32, "1.0.0") for n in range(5)]


async def test_an_erased_label_stays_erased_after_a_restart(tmp_path):
    path = tmp_path / "tombstones"
    first = FileTombstones(path)
    await asyncio.gather(*(first.add(label) for label in LABELS[:4]))
    for stones in (first, FileTombstones(path)):
        assert [stones.holds(label) for label in LABELS] == [True] * 4 + [False]


async def test_a_torn_last_line_is_cut_off_and_later_ones_are_kept(tmp_path):
    path = tmp_path / "tombstones"
    await FileTombstones(path).add(LABELS[0])
    with path.open("ab") as file:
        file.write(LABELS[1].hex().encode()[:30])
    restarted = FileTombstones(path)
    assert not restarted.holds(LABELS[1])
    await restarted.add(LABELS[2])
    again = FileTombstones(path)
    assert again.holds(LABELS[0])
    assert again.holds(LABELS[2])


@pytest.mark.parametrize("content", [b"xyz\n", b"00ff\n", b"\xff\n", b"\n"])
def test_a_damaged_file_stops_the_custodian(tmp_path, content):
    path = tmp_path / "tombstones"
    path.write_bytes(content)
    with pytest.raises(TombstoneFileError):
        FileTombstones(path)


def test_an_unreadable_file_stops_the_custodian(tmp_path):
    with pytest.raises(TombstoneFileError):
        FileTombstones(tmp_path)


async def test_a_tombstone_that_cannot_be_written_is_an_error_and_still_refuses(tmp_path):
    stones = FileTombstones(tmp_path / "missing" / "tombstones")
    with pytest.raises(TombstoneFileError):
        await stones.add(LABELS[0])
    assert stones.holds(LABELS[0])


async def test_the_tombstone_is_on_disk_before_the_reply(tmp_path, monkeypatch):
    synced = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (synced.append(handle), real(handle)))
    await FileTombstones(tmp_path / "tombstones").add(LABELS[0])
    assert len(synced) == 2  # the file and its directory
