"""An operator's first hour, by commands alone: deploy on two anvils, join them, hand both over.

`caimi deploy` and `caimi route add` are killed (SIGKILL) in the middle, again and again, and run
once more: there is one deployment at one set of addresses, one route, and nothing was paid twice.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from caimi.client.keyring import Keyring
from caimi.config import load_config
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.local.anvil import AnvilOptions
from caimi.ledgers.evm.rpc.connect import http_chain
from caimi.ledgers.evm.rpc.finality import Depth
from caimi.loopback import free_port
from ledgers.subprocess_anvil import anvil_process

pytestmark = [pytest.mark.e2e, pytest.mark.anvil]

COIN = 10**18
PASSPHRASE = "correct horse"
DEPLOYMENT = 13
END = 4
"""How many transactions a deployment, and one end of a route, are."""
LEDGERS = {"a": 31337, "b": 31338}
TOML = """\
# Two organisations, two ledgers.
[[ledgers]]
id = "eip155:31337"
name = "a"  # ours
rpc = "{a}"
finality = "depth:1"

[[ledgers]]
id = "eip155:31338"
name = "b"  # theirs
rpc = "{b}"
finality = "depth:1"
"""


@dataclass(frozen=True)
class Office:
    """The operator's directory, and the ledgers by name."""

    config: Path
    urls: dict[str, str]
    accounts: dict[str, bytes]

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "caimi.cli", *words, "--config", str(self.config), "--json"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "CAIMI_PASSPHRASE": PASSPHRASE, "COLUMNS": "200"},
        )

    def run(self, *words: str) -> dict[str, Any]:
        said, complained = self.start(*words).communicate(timeout=120)
        document = json.loads(said)
        assert document["ok"], (said, complained)
        return document

    def kill(self, steps: int, *words: str) -> None:
        """Run a command, and kill it once it has signed so many transactions in this run."""
        process = self.start(*words)
        assert process.stderr is not None
        for _ in range(steps):
            assert process.stderr.readline().endswith("…\n")
        process.kill()
        process.communicate(timeout=30)
        assert process.returncode == -signal.SIGKILL

    def sent(self, name: str) -> int:
        async def ask() -> int:
            chain = http_chain(f"eip155:{LEDGERS[name]}", self.urls[name], Depth(0))
            try:
                account = f"0x{self.accounts['deployer'].hex()}"
                return int(
                    str(await chain.rpc.ask("eth_getTransactionCount", account, "latest")), 0
                )
            finally:
                await chain.rpc.aclose()

        return asyncio.run(ask())


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    monkeypatch.setenv("CAIMI_PASSPHRASE", PASSPHRASE)
    config = tmp_path / "caimi.toml"
    config.write_text("")
    keyring = Keyring(load_config(config))
    accounts = {
        name: keyring.new(name).signer.account for name in ("deployer", "board", "guardian")
    }
    with ExitStack() as stack:
        urls = {}
        for name, number in LEDGERS.items():
            options = AnvilOptions(number, free_port(), block_time=1)
            stack.enter_context(anvil_process(options, dict.fromkeys(accounts.values(), COIN), 0))
            urls[name] = options.url
        config.write_text(TOML.format(**urls))
        yield Office(config, urls, accounts)


def test_ledgers_are_deployed_joined_and_handed_over_whatever_is_killed(office: Office) -> None:
    guardian = f"0x{office.accounts['guardian'].hex()}"
    deploy = ["deploy", "a", "-k", "deployer", "--guardian", guardian, "--yes"]
    for steps in (1, 2, 5, 3):
        office.kill(steps, *deploy)
    made = office.run(*deploy)
    assert made["deployed"]
    assert office.sent("a") == DEPLOYMENT
    text = office.config.read_text()
    assert 'name = "a"  # ours\n' in text
    assert office.run(*deploy) == {"ok": True, "deployed": False, "ledger": made["ledger"]}
    office.run("deploy", "b", "-k", "deployer", "--guardian", guardian, "--yes")
    assert office.sent("b") == DEPLOYMENT

    members = [f"0x{LocalSigner.generate().account.hex()}" for _ in range(3)]
    committee = [word for each in members for word in ("--member", each)]
    add = ["route", "add", "a", "b", "-k", "deployer", *committee, "--signers", "2", "--yes"]
    for steps in (1, 2, 3):
        office.kill(steps, *add)
    joined = office.run(*add)
    assert joined["clients"] == {"eip155:31337": "caimi-31337-0", "eip155:31338": "caimi-31338-0"}
    assert [office.sent(name) for name in LEDGERS] == [DEPLOYMENT + END] * 2
    listed = office.run("route", "list")["routes"]
    assert [each["joined"] for each in listed] == [True, True]

    board = f"0x{office.accounts['board'].hex()}"
    for name in LEDGERS:
        done = office.run(
            *["governance", "hand-over", "-l", name, "-k", "deployer"],
            *["--delay", "3d", "--proposer", board],
        )
        assert done["administrators"] == [done["timelock"]]
        assert done["ways_around"] == []
    assert not office.run("deploy", "a")["deployed"]  # all of it is as it was, whoever administers
    checks = office.run("doctor", "-k", "deployer")["checks"]
    assert [each for each in checks if each["state"] != "ok"] == [
        each for each in checks if each["subject"] == "committee"
    ]
    assert office.run("route", "remove", "a", "b", "-k", "guardian", "--yes")["changed"]
