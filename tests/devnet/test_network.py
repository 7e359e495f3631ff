"""A network is started, and forgotten, only where that is surely this user's own doing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from caimi.config import Config
from caimi.devnet import processes
from caimi.devnet.locking import locked
from caimi.devnet.network import Devnet
from caimi.devnet.plan import NetworkPlan
from caimi.errors.node import DevnetBusy, DevnetFolderUnsafe, DevnetMissing, DevnetRunning
from caimi.errors.operations import UsageError


def up(folder: Path, **chosen: Any) -> None:
    asyncio.run(Devnet(folder).up(lambda text: None, ["anvil"], **chosen))


@pytest.fixture(autouse=True)
def anvil(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An anvil that is there, and that nothing here should ever start."""
    monkeypatch.setenv("CAIMI_ANVIL", "/bin/false")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    folder = tmp_path / "here"
    (folder / ".caimi").mkdir(parents=True, mode=0o700)
    return folder


def test_a_folder_that_leads_elsewhere_or_is_open_to_others_is_refused(
    here: Path, tmp_path: Path
) -> None:
    precious = tmp_path / "elsewhere" / "ledger-a"
    precious.mkdir(parents=True)
    (here / ".caimi").rmdir()
    (here / ".caimi").symlink_to(precious.parent)
    with pytest.raises(DevnetFolderUnsafe):
        up(here, fresh=True)
    assert precious.exists()
    (here / ".caimi").unlink()
    (here / ".caimi").mkdir()
    (here / ".caimi").chmod(0o770)
    with pytest.raises(DevnetFolderUnsafe):
        up(here)
    with pytest.raises(DevnetFolderUnsafe):
        Devnet(here).down()


def test_one_command_at_a_time_starts_or_ends_a_network(here: Path) -> None:
    plan = NetworkPlan.of(["anvil"], 9_000).model_copy(update={"made": True})
    plan.save(here / ".caimi" / "network.json")
    with locked(here / ".caimi" / "lock", "test"):
        with pytest.raises(DevnetBusy):
            up(here)
        with pytest.raises(DevnetBusy):
            Devnet(here).down()
        with pytest.raises(DevnetBusy):
            asyncio.run(Devnet(here).restart(lambda text: None))
    with pytest.raises(DevnetMissing):
        Devnet(here).down()


def test_a_configuration_of_somebody_s_own_is_not_overwritten(here: Path) -> None:
    (here / "caimi.toml").write_text("")
    with locked(here / ".caimi" / "lock", "test"):
        pass
    with pytest.raises(DevnetRunning, match="was not written by"):
        up(here)
    assert (here / "caimi.toml").read_text() == ""


def test_a_network_with_other_ledgers_is_named(here: Path) -> None:
    plan = NetworkPlan.of(["anvil", "anvil"], 9_000).model_copy(update={"made": True})
    plan.save(here / ".caimi" / "network.json")
    with pytest.raises(UsageError, match="has the ledgers anvil,anvil"):
        up(here)


def test_processes_that_nobody_looks_after_are_named_as_such(here: Path) -> None:
    """As a kill of `up` leaves them; while it is at work itself, that is as it should be."""
    folder = here / ".caimi"
    NetworkPlan.of(["anvil"], 9_000).save(folder / "network.json")
    process = processes.start("relayer", ["sleep", "60"], folder)
    processes.save(folder / "processes.json", [process])
    try:
        told = asyncio.run(Devnet(here).status())
        assert [(each.name, each.ok) for each in told] == [("supervisor", False), ("relayer", True)]
        with locked(folder / "lock", "test"):
            assert [each.name for each in asyncio.run(Devnet(here).status())] == ["relayer"]
    finally:
        Devnet(here).down()
    assert not process.alive


@pytest.mark.parametrize(
    ("state", "gone"),
    [
        ("state", True),
        ("deep/state", True),
        ("keys", False),
        ("store", False),
        (".", False),
        (".caimi", False),
        ("../outside", False),
        ("link/state", False),
    ],
)
def test_what_a_fresh_start_removes(here: Path, tmp_path: Path, state: str, gone: bool) -> None:
    (tmp_path / "outside" / "state").mkdir(parents=True)
    (here / "link").symlink_to(tmp_path / "outside")
    config = Config(state=state, home=here)
    (here / "caimi.toml").write_text(config.dump())
    removed = [here / ".caimi" / "ledger-a", here / ".caimi" / "node-1"]
    kept = [here / "keys", here / "store", here / ".caimi" / "passphrase-folder"]
    for folder in (*removed, *kept, here / state):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "file").write_text("")
    Devnet(here)._forget()
    assert not any(folder.exists() for folder in removed)
    assert all((folder / "file").exists() for folder in kept)
    assert (here / state / "file").exists() is not gone
