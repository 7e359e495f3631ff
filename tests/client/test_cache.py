"""What can be made again is listed and removed, and never what somebody uses."""

from __future__ import annotations

import fcntl
import mmap
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from caimi.client import cache
from caimi.client.cache import QUIET_SECONDS, cached, clean
from caimi.config import Config

LONG_AGO = time.time() - 100 * 86_400


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    found = tmp_path / "home" / ".cache" / "caimi"
    found.mkdir(parents=True)
    return found


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(home=tmp_path)


def put(file: Path, content: bytes = b"x" * 1000, *, written: float = LONG_AGO) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    os.utime(file, (written, written))
    os.utime(file.parent, (written, written))
    return file


def everything(root: Path, config: Config) -> dict[str, Path]:
    return {
        "index": put(root / "models" / "aa.sqlite"),
        "module": put(root / "modules" / "bb" / "model.wasm").parent,
        "pulled": put(config.home / "state" / "models" / "cc" / "1.0.0" / "model.onnx").parent,
        "rates": put(root / "rates.json"),
    }


def test_everything_is_listed_with_its_size_and_age(root: Path, config: Config) -> None:
    places = everything(root, config)
    put(root / "models" / "aa.sqlite-wal", b"y" * 5000)
    found = {each.path: each for each in cached(config)}
    assert set(found) == set(places.values())
    assert found[places["index"]].size == 6000
    assert all(99 * 86_400 < each.seconds < 101 * 86_400 for each in found.values())
    assert not any(each.in_use for each in found.values())
    assert {each.path for each in cached(None)} == set(places.values()) - {places["pulled"]}


def test_all_of_it_is_removed(root: Path, config: Config) -> None:
    everything(root, config)
    put(root / "models" / "aa.sqlite-wal")
    removed, kept = clean(config)
    assert (len(removed), kept) == (4, [])
    assert cached(config) == []
    left = [file for place in (root, config.home / "state") for file in place.rglob("*")]
    assert [file for file in left if file.is_file()] == []


def test_only_what_is_old_is_removed(root: Path, config: Config) -> None:
    places = everything(root, config)
    recent = put(root / "models" / "dd.sqlite", written=time.time() - 5 * 86_400)
    removed, _ = clean(config, 30 * 86_400)
    assert {each.path for each in removed} == set(places.values())
    assert [each.path for each in cached(config)] == [recent]


def _opened(places: dict[str, Path]) -> Iterator[Path]:
    with (places["module"] / "model.wasm").open("rb"):
        yield places["module"]


def _mapped(places: dict[str, Path]) -> Iterator[Path]:
    with (places["pulled"] / "model.onnx").open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    with mapped:
        yield places["pulled"]


def _connected(places: dict[str, Path]) -> Iterator[Path]:
    places["index"].unlink()
    database = sqlite3.connect(places["index"])
    database.execute("CREATE TABLE t (x)")
    os.utime(places["index"], (LONG_AGO, LONG_AGO))
    yield places["index"]
    database.close()


def _just_written(places: dict[str, Path]) -> Iterator[Path]:
    put(places["module"] / "more", written=time.time() - QUIET_SECONDS + 60)
    yield places["module"]


@pytest.mark.parametrize("use", [_opened, _mapped, _connected, _just_written])
def test_what_is_in_use_stays(
    use: Callable[[dict[str, Path]], Iterator[Path]], root: Path, config: Config
) -> None:
    for used in use(everything(root, config)):
        removed, kept = clean(config)
        assert [each.path for each in kept] == [used]
        assert used.exists()
        assert len(removed) == 3


def test_what_is_locked_stays_where_the_system_does_not_tell_of_open_files(
    root: Path, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_PROCESSES", root / "none")
    pulled = everything(root, config)["pulled"]
    handle = os.open(pulled, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert [each.path for each in clean(config)[1]] == [pulled]
    finally:
        os.close(handle)


def test_a_link_is_removed_and_not_what_it_leads_to(root: Path, config: Config) -> None:
    outside = put(config.home / "precious" / "file")
    (root / "modules").mkdir()
    link = root / "modules" / "ee"
    link.symlink_to(outside.parent)
    os.utime(link, (LONG_AGO, LONG_AGO), follow_symlinks=False)
    clean(config)
    assert not link.is_symlink()
    assert outside.exists()
