"""`caimi service worker` as a process: told to stop it answers, and ends well."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from live import connected, said

from caimi import __version__
from caimi.client.keyring import Keyring
from caimi.config import load_config
from caimi.ledgers.evm.administration.deploying import deploy
from caimi.ledgers.evm.local.embedded import EmbeddedChain
from caimi.ledgers.evm.local.in_process import embedded_chain
from caimi.loopback import free_port
from embedded_node import node_of

HALF = b'{"model": "caimi:eip155:1", '


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("CAIMI_PASSPHRASE", "correct horse")
    file = tmp_path / "caimi.toml"
    file.write_text("")
    rich = Keyring(load_config(file)).new("worker").signer
    chain = EmbeddedChain(31337, {rich.account: 10**21})
    put = asyncio.run(deploy(embedded_chain(chain), rich))
    contracts = "".join(f'{n} = "0x{each.hex()}"\n' for n, each in put.contracts.items())
    with node_of(chain) as url:
        file.write_text(
            f'[logging]\nformat = "json"\n[[ledgers]]\nid = "{put.ledger}"\nname = "a"\n'
            f'rpc = "{url}"\nfinality = "depth:0"\ndeployed_at = {put.deployed_at}\n'
            f"[ledgers.contracts]\n{contracts}"
        )
        yield file


@contextmanager
def running(config: Path, port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    words = ["service", "worker", "--key", "worker", "--port", str(port), "--config", str(config)]
    process = subprocess.Popen(
        [sys.executable, "-m", "caimi.cli", *words],
        stdin=subprocess.DEVNULL,
        stderr=log.open("wb"),
    )
    try:
        wait_for("serves plain HTTP", process, log)
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for(text: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while text not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


def reached(port: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            connected(port).close()
        except ConnectionError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return


def test_told_to_stop_it_answers_what_it_was_asked_and_ends(config: Path, tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "log"
    with running(config, port, log) as process:
        reached(port)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as http:
            assert http.get("/version").json()["version"] == __version__
        raw = connected(port)
        head = b"POST /v1/infer HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        raw.sendall(head + b"Content-Length: %d\r\n\r\n" % (len(HALF) + 10) + HALF)
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        wait_for("Told to stop", process, log)
        time.sleep(0.3)
        assert process.poll() is None
        with pytest.raises(ConnectionError):
            connected(port)
        raw.sendall(b" " * 9 + b"}")
        assert b"CAIMI-N" in said(raw)
        assert process.wait(15) == 0
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert not [line for line in lines if line["level"] in ("ERROR", "CRITICAL")]
    assert "correct horse" not in log.read_text()
