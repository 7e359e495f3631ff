"""Nodes of two organisations, founded and joined by commands, make a key as processes over TLS."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from caimi.cli.app import app
from caimi.loopback import free_port

PASSPHRASE = "correct horse"
CLEAN = {key: value for key, value in os.environ.items() if "PASSPHRASE" not in key}
ENVIRONMENT = CLEAN | {"CAIMI_PASSPHRASE": PASSPHRASE}


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "caimi.cli", *words]


def caimi(folder: Path, *words: str) -> dict[str, Any]:
    """Run a command that answers in JSON, in this process."""
    with contextlib.chdir(folder):
        done = CliRunner().invoke(app, [*words, "--json"], env={"CAIMI_PASSPHRASE": PASSPHRASE})
    answer: dict[str, Any] = json.loads(done.output)
    return answer


@dataclass
class World:
    """Ours has node-1, node-2 and the coordinator, Theirs node-3."""

    folder: Path
    homes: list[Path] = field(default_factory=list)
    processes: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def operator(self) -> Path:
        return self.folder / "operator"

    @property
    def described(self) -> list[str]:
        return [w for home in self.homes for w in ("--member", str(home / "description.json"))]

    def found(self) -> None:
        for folder, organisation, numbers in (("a", "Ours", (1, 2)), ("b", "Theirs", (3,))):
            place = self.folder / folder
            place.mkdir()
            (place / "caimi.toml").write_text("")
            assert caimi(place, "certificates", "authority", organisation)["ok"]
            for number in numbers:
                url = f"https://127.0.0.1:{free_port()}"
                made = caimi(
                    place,
                    *("node", "init", f"node-{number}", "--organisation", organisation),
                    *("--url", url, "--authority", "authority", "--yes"),
                )
                assert made["ok"], made
                self.homes.append(place / f"node-{number}")
        self.operator.mkdir()
        (self.operator / "caimi.toml").write_text(
            '[tls]\ncertificate = "coordinator.pem"\nkey = "coordinator.key"\n'
        )
        caimi(self.operator, "certificates", "request", "coordinator", "--organisation", "Ours")
        authority = str(self.folder / "a" / "authority")
        signing = ("certificates", "sign", "coordinator.csr", "--authority", authority, "--yes")
        assert caimi(self.operator, *signing)["ok"]
        account = caimi(self.operator, "keys", "new", "operator")["account"]
        for home in self.homes:
            joined = caimi(
                self.folder,
                *("node", "join", str(home), "--threshold", "2", "--coordinator", account),
                *(*self.described, "--yes"),
            )
            assert joined["ok"], joined

    def start(self, *numbers: int) -> None:
        for number in numbers:
            home = self.homes[number - 1]
            self.processes[number] = subprocess.Popen(
                command("service", "node", str(home / "node.toml")),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=(home / "log").open("wb"),
                env=ENVIRONMENT,
            )
        for number in numbers:
            deadline = time.monotonic() + 90
            log = self.homes[number - 1] / "log"
            while "serves HTTPS" not in log.read_text():
                assert self.processes[number].poll() is None, log.read_text()
                assert time.monotonic() < deadline
                time.sleep(0.1)
        time.sleep(0.5)

    def kill(self, number: int) -> None:
        self.processes[number].kill()
        self.processes.pop(number).wait()

    def creating(self, *more: str) -> tuple[str, ...]:
        return ("committee", "create", "--threshold", "2", *self.described, *more)

    def create(self, *more: str) -> dict[str, Any]:
        return caimi(self.operator, *self.creating(*(more or ("--yes",))))

    @contextmanager
    def creating_apart(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run it as a process that can be killed."""
        process = subprocess.Popen(
            command(*self.creating("--yes", "--json")),
            cwd=self.operator,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        yield process
        process.kill()
        process.wait()

    def orders(self, number: int) -> str:
        file = self.homes[number - 1] / "key-generation" / "order"
        return file.read_text() if file.exists() else ""

    def wait_for_orders(self, number: int, count: int) -> None:
        """Wait until a node has taken so many more orders: of its status, to enrol, to start."""
        seen = {self.orders(number)}
        taken, deadline = 0, time.monotonic() + 90
        while taken < count:
            assert time.monotonic() < deadline
            if (order := self.orders(number)) not in seen:
                seen.add(order)
                taken += 1
            time.sleep(0.002)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    made.found()
    try:
        yield made
    finally:
        for process in made.processes.values():
            process.kill()
            process.wait()


def test_a_committee_is_made_though_a_member_and_the_coordinator_are_killed_in_the_middle(
    world: World,
) -> None:
    world.start(1, 2)
    absent = world.create()["error"]
    assert absent["code"] == "CAIMI-N025"
    assert "node-3 of Theirs" in absent["what"]
    assert "node-1" not in absent["what"]

    world.start(3)
    planned = world.create("--plan")
    assert [each["trouble"] for each in planned["members"]] == [[], [], []]
    assert not (world.operator / "committee.toml").exists()
    assert world.create("--output", "other.toml")["error"]["code"] != "CAIMI-N025"  # not agreed to

    with world.creating_apart() as process:
        world.wait_for_orders(3, 2)
        world.kill(3)
        output, _ = process.communicate(timeout=60)
    gone = json.loads(output)["error"]
    assert gone["code"] == "CAIMI-N026"
    assert "node-3 of Theirs" in gone["what"]

    world.start(3)
    with world.creating_apart() as process:
        world.wait_for_orders(1, 3)
        process.kill()
    assert not (world.operator / "committee.toml").exists()

    made = world.create()
    assert made["ok"], made
    assert world.create()["group_key"] == made["group_key"]
    section = tomllib.loads((world.operator / "caimi.toml").read_text())["committee"]
    assert section["group_key"] == made["group_key"]
    assert tomllib.loads((world.operator / "committee.toml").read_text())["committee"] == section
    for custodian in section["custodians"]:
        assert (world.operator / custodian["trust"]).exists()
    for home in world.homes:
        assert (home / "key-share.bin").exists()

    tls = 'certificate = "coordinator.pem"\nkey = "coordinator.key"\n'
    with (world.operator / "caimi.toml").open("a") as opened:
        opened.write(f"[profiles.other.tls]\n{tls}")
    in_profile = world.create("--yes", "--profile", "other")
    assert in_profile["group_key"] == made["group_key"]
    profiles = tomllib.loads((world.operator / "caimi.toml").read_text())["profiles"]
    assert profiles["other"]["committee"] == section

    (world.operator / "caimi.toml").write_text("")  # without the certificate
    nobody = world.create()["error"]
    assert nobody["code"] == "CAIMI-N025"
    assert nobody["what"].count("CAIMI-T005") == 3


def test_another_key_than_the_coordinators_is_refused_by_every_member(world: World) -> None:
    world.start(1, 2, 3)
    caimi(world.operator, "keys", "new", "stranger")
    refused = world.create("--yes", "-k", "stranger")["error"]
    assert refused["code"] == "CAIMI-N025"
    assert refused["what"].count("not the coordinator") == 3

    # A certificate that another authority signed is refused in the handshake.
    other = world.folder / "b" / "authority"
    caimi(world.operator, "certificates", "request", "other", "--organisation", "Theirs")
    signing = ("certificates", "sign", "other.csr", "--authority", str(other), "--yes")
    assert caimi(world.operator, *signing)["ok"]
    stranger = world.folder / "stranger"
    stranger.mkdir()
    (stranger / "caimi.toml").write_text("")
    caimi(stranger, "certificates", "authority", "Stranger")
    caimi(stranger, "certificates", "request", "coordinator", "--organisation", "Stranger")
    assert caimi(stranger, "certificates", "sign", "coordinator.csr", "--yes")["ok"]
    for name in ("pem", "key"):
        moved = world.operator / f"coordinator.{name}"
        moved.write_bytes((stranger / f"coordinator.{name}").read_bytes())
    unknown = world.create("--yes", "-k", "operator")["error"]
    assert unknown["what"].count("unknown ca") == 3


def test_a_file_with_another_committee_is_refused_before_any_member_is_asked(
    world: World,
) -> None:
    assert world.create()["error"]["code"] == "CAIMI-N025"  # asked: nobody is there
    other = '[committee]\ngroup_key = "0x00"\n[[committee.custodians]]\nindex = 1\n'
    with (world.operator / "caimi.toml").open("a") as opened:
        opened.write(f'{other}url = "https://other.example.org"\naccount = "0x{"11" * 20}"\n')
    refused = world.create()["error"]
    assert refused["code"] == "CAIMI-C070"
    assert "[committee]" in refused["next"]


def test_a_founding_goes_on_and_writes_nothing_over(tmp_path: Path) -> None:
    (tmp_path / "caimi.toml").write_text("")
    founding = ("node", "init", "node-1", "--organisation", "Ours", "--yes", "--url")
    url = "https://node-1.example.org:9001"
    first = caimi(tmp_path, *founding, url)
    home = tmp_path / "node-1"
    assert first["lacking"] == ["tls.pem", "authority.pem"]
    assert home.stat().st_mode & 0o777 == 0o700
    for name in ("account.json", "tls.key"):
        assert (home / name).stat().st_mode & 0o777 == 0o600
    kept = {file.name: file.read_bytes() for file in home.iterdir()}

    otherwise = caimi(tmp_path, *founding, "https://node-1.example.org:9002")
    assert otherwise["error"]["code"] == "CAIMI-N024"
    assert {file.name: file.read_bytes() for file in home.iterdir()} == kept

    (home / "caimi-node-1.service").unlink()  # as a kill would have left it
    caimi(tmp_path, "certificates", "authority", "Ours")
    caimi(tmp_path, "certificates", "sign", "node-1/tls.csr", "--yes")
    (home / "authority.pem").write_bytes((tmp_path / "authority/authority.pem").read_bytes())
    again = caimi(tmp_path, *founding, url)
    assert again["lacking"] == []
    assert again["account"] == first["account"]
    assert {name: (home / name).read_bytes() for name in kept} == kept
    shown = caimi(tmp_path, "node", "show", "node-1/description.json")
    assert (shown["account"], shown["fingerprint"]) == (again["account"], again["fingerprint"])
    alone = caimi(
        tmp_path,
        *("node", "join", "node-1", "--threshold", "2", "--coordinator", f"0x{'11' * 20}", "--yes"),
    )
    assert alone["error"]["code"] == "CAIMI-N023"


def test_a_plan_writes_nothing_and_nobody_agrees_without_being_asked(tmp_path: Path) -> None:
    (tmp_path / "caimi.toml").write_text("")
    founding = ("node", "init", "node-1", "--organisation", "Ours", "--url", "https://127.0.0.1:9")
    assert caimi(tmp_path, *founding, "--plan")["plan"]["files"]["draft.toml"] == "what you chose"
    assert caimi(tmp_path, *founding)["ok"] is False
    assert "--organisation" in caimi(tmp_path, *founding[:3], "--yes")["error"]["what"]
    assert [file.name for file in tmp_path.iterdir()] == ["caimi.toml"]


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    (tmp_path / "caimi.toml").write_text("")
    caimi(
        tmp_path,
        *("node", "init", "node-1", "--organisation", "Ours", "--yes"),
        *("--url", "https://127.0.0.1:9", "--directory", "a node's % $home"),
    )
    unit = tmp_path / "a node's % $home" / "caimi-node-1.service"
    (line,) = re.findall(r"^ExecStart=(.*)$", unit.read_text(), re.MULTILINE)
    assert "a node's %% $$home" in line
    if shutil.which("systemd-analyze") is None:
        return  # what the machine's own systemd says is asked besides, where it has one
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert unit.name not in done.stderr
