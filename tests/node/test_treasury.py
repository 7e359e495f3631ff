"""A treasury as a service: it refills, counts, goes on after a kill, and stops when told to."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from caimi.client.keyring import Keyring
from caimi.config import Config, load_config
from caimi.errors.ledgers import NotOffered
from caimi.errors.operations import KeyMissing
from caimi.errors.treasury import RefillCapped, TreasuryMissing
from caimi.ledgers.evm.administration.deploying import deploy
from caimi.ledgers.evm.local.embedded import EmbeddedChain
from caimi.ledgers.evm.local.in_process import embedded_chain
from caimi.ledgers.machine.ledger import MachineLedger
from caimi.loopback import free_port
from caimi.node.roles import treasury as role
from caimi.node.roles.treasury import run_treasury
from embedded_node import node_of
from memory_ledger import MemoryChain

COIN = 10**18
TABLE = """
[logging]
format = "json"
[[treasuries]]
ledger = "a"
key = "treasury"
floor = "1"
ceiling = "4"
daily_cap = "10"
keys = ["one", "two"]
"""


@dataclass
class Kept:
    """A ledger, a treasury and two accounts that it keeps."""

    config: Path
    chain: EmbeddedChain
    accounts: list[bytes]
    port: int

    @property
    def coins(self) -> list[float]:
        return [self.chain.balance(each) / COIN for each in self.accounts]

    def start(self, log: Path) -> subprocess.Popen[bytes]:
        words = ["service", "treasury", "--config", str(self.config), "--metrics-port"]
        return subprocess.Popen(
            [sys.executable, "-m", "caimi.cli", *words, str(self.port)],
            stdin=subprocess.DEVNULL,
            stderr=log.open("ab"),
        )

    def counts(self, name: str) -> bool:
        """Whether it serves its metrics, and that is among them."""
        try:
            return (name, LEDGER) in self.metrics()
        except httpx.ConnectError:  # it says that it serves a little before it does
            return False

    def metrics(self) -> dict[tuple[str, ...], float]:
        told = httpx.get(f"http://127.0.0.1:{self.port}/metrics").text
        return {
            (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(told)
            for sample in family.samples
        }


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    monkeypatch.setenv("CAIMI_PASSPHRASE", "correct horse")
    config = tmp_path / "caimi.toml"
    config.write_text("")
    keyring = Keyring(load_config(config))
    rich, one, two = (keyring.new(name).signer for name in ("treasury", "one", "two"))
    chain = EmbeddedChain(31337, {rich.account: 1000 * COIN})
    put = asyncio.run(deploy(embedded_chain(chain), rich))
    contracts = "".join(f'{n} = "0x{each.hex()}"\n' for n, each in put.contracts.items())
    with node_of(chain) as url:
        config.write_text(
            f'[[ledgers]]\nid = "{put.ledger}"\nname = "a"\nrpc = "{url}"\n'
            f'finality = "depth:0"\ndeployed_at = {put.deployed_at}\n'
            f"[ledgers.contracts]\n{contracts}{TABLE}"
        )
        yield Kept(config, chain, [one.account, two.account], free_port())


def wait_until(true: Any, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


def test_it_refills_goes_on_after_a_kill_and_ends_when_it_is_told_to(
    kept: Kept, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    log.touch()
    process = kept.start(log)
    try:
        wait_until(lambda: kept.coins[0] > 0, process, log)
    finally:
        process.kill()
        process.wait()
    process = kept.start(log)
    try:
        wait_until(lambda: kept.coins == [4, 4], process, log)
        wait_until(lambda: "serves plain HTTP" in log.read_text(), process, log)
        wait_until(lambda: kept.counts("caimi_treasury_seen_seconds"), process, log)
        told = kept.metrics()
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
    finally:
        process.kill()
        process.wait()
    assert kept.coins == [4, 4]
    assert told["caimi_treasury_cap_left", LEDGER] <= 10 * COIN
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert any(line["message"].startswith("Sent 4 coin to 0x") for line in lines)
    assert any(line.get("ledger") == LEDGER for line in lines)
    assert "correct horse" not in log.read_text()


LEDGER = "eip155:31337"


def at_once(kept: Kept) -> Config:
    return load_config(kept.config)


async def seen(kept: Kept, *name: str) -> float:
    """Wait for a value that is measured."""
    async with asyncio.timeout(30):
        while True:
            try:
                told = await asyncio.to_thread(kept.metrics)
                return told[name]
            except (httpx.TransportError, KeyError):
                await asyncio.sleep(0.05)


async def test_it_counts_what_accounts_have_what_left_and_what_may_leave(kept: Kept) -> None:
    running = asyncio.create_task(run_treasury(at_once(kept), kept.port, poll_seconds=0.2))
    try:
        one = load_account(kept, 0)
        assert await seen(kept, "caimi_refilled_total", one, LEDGER) == 4 * COIN
        async with asyncio.timeout(30):
            while await seen(kept, "caimi_account_balance", one, LEDGER) != 4 * COIN:  # noqa: ASYNC110 - none tells
                await asyncio.sleep(0.05)
        told = await asyncio.to_thread(kept.metrics)
        assert told["caimi_account_floor", one, LEDGER] == COIN
        assert told["caimi_treasury_low", LEDGER] == 10 * COIN
        assert 8 * COIN < told["caimi_treasury_spent", LEDGER] < 8.01 * COIN
        assert 1.99 * COIN < told["caimi_treasury_cap_left", LEDGER] < 2 * COIN
        assert 900 * COIN < told["caimi_treasury_balance", LEDGER] < 992 * COIN
        assert told["caimi_refill_stopped", one, RefillCapped.code, LEDGER] == 0
        assert time.time() - told["caimi_treasury_seen_seconds", LEDGER] < 30
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def load_account(kept: Kept, number: int) -> str:
    return Keyring(load_config(kept.config)).account(("one", "two")[number])


async def test_what_stops_a_refill_is_counted_by_account_and_reason(kept: Kept) -> None:
    text = kept.config.read_text().replace('daily_cap = "10"', 'daily_cap = "4.1"')
    kept.config.write_text(text.replace('floor = "1"', 'floor = "3"'))
    running = asyncio.create_task(run_treasury(at_once(kept), kept.port, poll_seconds=0.2))
    try:
        stopped = []
        for at in range(2):
            place = (load_account(kept, at), RefillCapped.code, LEDGER)
            stopped.append(await seen(kept, "caimi_refill_stopped", *place))
        assert sorted(stopped) == [0, 1]
        assert sorted(kept.coins)[0] == 0
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_what_it_cannot_do_is_refused_at_the_start_by_name(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = kept.config.read_text()
    kept.config.write_text(text.partition("[[treasuries]]")[0])
    with pytest.raises(TreasuryMissing):
        await run_treasury(at_once(kept))
    kept.config.write_text(text.replace('key = "treasury"', 'key = "nobody"'))
    with pytest.raises(KeyMissing):
        await run_treasury(at_once(kept))
    kept.config.write_text(text)
    words = MachineLedger(MemoryChain("words"))
    monkeypatch.setattr("caimi.client.refilling.opening.prepare_ledger", lambda section: words)
    with pytest.raises(NotOffered, match="no coin"):
        await role.run_treasury(at_once(kept))
