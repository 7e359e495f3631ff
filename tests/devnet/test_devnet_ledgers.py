"""A local network's ledgers are of any kind that lasts, and everybody on them can pay."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import word_family
from caimi.client.keyring import Keyring
from caimi.composition.sandboxes import kinds_in, lasting_kind
from caimi.config import Config, LedgerSection
from caimi.devnet import processes
from caimi.devnet.ledgers import fund_people, written_account
from caimi.devnet.network import Devnet
from caimi.devnet.plan import NetworkPlan
from caimi.devnet.processes import Process
from caimi.errors.operations import UsageError
from caimi.ledgers.evm.deployment import NAMES
from caimi.ledgers.evm.sandbox import ANVIL
from caimi.ledgers.port import LedgerId, LedgerPlace


def quiet(text: str) -> None: ...


def test_kinds_are_joined_by_commas_or_plus_and_the_last_is_that_of_the_rest() -> None:
    assert kinds_in("anvil+fabric") == kinds_in("anvil, fabric") == ["anvil", "fabric", "fabric"]


@pytest.mark.parametrize(
    ("ledgers", "said"),
    [
        (["embedded"], "'embedded' end with the program"),
        (["anvil", "ganache"], "kind 'ganache'"),
        ([""], "kind ''"),
        ([], "1 to 26 ledgers, not 0"),
        (["anvil"] * 27, "1 to 26 ledgers, not 27"),
    ],
)
def test_only_ledgers_that_last_are_started(tmp_path: Path, ledgers: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        asyncio.run(Devnet(tmp_path).up(quiet, ledgers))
    assert list(tmp_path.iterdir()) == []


def test_an_anvil_lasts_and_has_the_place_that_its_number_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "anvil").touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CAIMI_ANVIL", "./anvil")
    assert lasting_kind("anvil") is ANVIL
    service = ANVIL.service(2, "c", port=7000, folder=Path("kept"))
    assert service.url == "http://127.0.0.1:7000"
    assert {"--port=7000", "--folder=kept", f"--anvil={tmp_path / 'anvil'}"} <= set(service.command)
    assert (service.place.id, service.place.name) == ("eip155:31339", "c")
    assert service.said == "anvil, eip155:31339"
    assert service.place.told == {"rpc": service.url, "finality": "depth:1"}


@dataclass
class WordService:
    """As much of a service as funding asks."""

    place = LedgerPlace(LedgerId("local:far"), "far", family="word")
    funded: list[bytes] = field(default_factory=list)

    async def fund(self, accounts: list[bytes]) -> None:
        self.funded += accounts


async def test_people_get_keys_of_a_ledgers_own_kind_once_and_coins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAIMI_PASSPHRASE", "correct horse")
    word_family.install(tmp_path / "installed", monkeypatch)
    keyring, service = Keyring(Config(home=tmp_path)), WordService()
    for user in ("alice", "guardian"):
        keyring.new(user)
    for _ in range(2):
        empty = await fund_people(service, keyring, ("alice", "guardian"), "guardian")
        assert (empty.place, empty.guardian) == (WordService.place, b"guardian")
        assert empty.deployer.account == b"deployer"
    assert service.funded == [b"alice", b"guardian", b"deployer"] * 2
    assert (tmp_path / "keys" / "alice.word").exists()
    section = LedgerSection.model_validate({"id": "local:far", "name": "far", "family": "word"})
    assert written_account(keyring, "alice", section) == "alice"


async def test_a_ledger_is_shown_as_running_before_all_have_started(tmp_path: Path) -> None:
    network = Devnet(tmp_path)
    network.folder.mkdir()
    process = processes.start("ledger-a", ["sleep", "60"], network.folder, url="http://127.0.0.1:1")
    try:
        processes.save(
            network.folder / "processes.json", [process, Process("x", 2, 1, process.boot, "")]
        )
        running, gone = await network.status()
        assert (running.ok, running.detail) == (True, "running")
        assert (gone.ok, gone.detail) == (False, "not running")
    finally:
        processes.stop([process])


def told_of(url: str) -> str:
    contracts = "\n".join(f'{name} = "0x{"11" * 20}"' for name in NAMES)
    return (
        f'[[ledgers]]\nid = "eip155:31337"\nname = "a"\nrpc = "{url}"\n'
        f"deployed_at = 0\n[ledgers.contracts]\n{contracts}\n"
    )


@pytest.mark.parametrize(
    ("url", "shown"), [("http://127.0.0.1:1", False), ("http://127.0.0.1:2", True)]
)
async def test_a_ledger_that_does_not_answer_is_shown_as_down(
    tmp_path: Path, url: str, shown: bool
) -> None:
    """What an earlier network has left in the file tells nothing of this one's ledgers."""
    network = Devnet(tmp_path)
    network.folder.mkdir()
    (tmp_path / "caimi.toml").write_text(told_of(url))
    process = processes.start("ledger-a", ["sleep", "60"], network.folder, url="http://127.0.0.1:1")
    try:
        processes.save(network.folder / "processes.json", [process])
        (health,) = await network.status()
        assert health.ok is shown
        assert (health.detail == "running") is shown
    finally:
        processes.stop([process])


async def test_a_ledger_that_keeps_much_is_told_of_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "anvil").touch(mode=0o755)
    monkeypatch.setenv("CAIMI_ANVIL", str(tmp_path / "anvil"))
    network = Devnet(tmp_path)
    kept = network.folder / "ledger-b"
    kept.mkdir(parents=True)
    NetworkPlan.of(["anvil", "anvil"], 9_000).save(network.folder / "network.json")
    with (kept / "state.gz").open("wb") as file:
        file.truncate(100 << 20)
    running = [
        processes.start(f"ledger-{name}", ["sleep", "60"], network.folder, url="http://127.0.0.1:1")
        for name in "ab"
    ]
    try:
        processes.save(network.folder / "processes.json", running)
        details = {each.name: each.detail for each in await network.status() if each.pid}
        assert details["ledger-a"] == "running"
        assert details["ledger-b"].startswith("running; its history takes 100 of 128 MiB")
        (network.folder / "network.json").write_text("damaged")
        assert [each.detail for each in await network.status() if each.pid] == ["running"] * 2
    finally:
        processes.stop(running)
