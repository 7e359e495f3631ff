"""`caimi service node` as a process: its passphrase, its log, signals, certificates, version."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import tomli_w
from live import connected, said

from caimi import __version__
from caimi.client.keyring import Keyring
from caimi.config import load_config
from caimi.keystore import LocalSigner
from caimi.loopback import free_port
from organisations import Organisation

PASSPHRASE = b"correct horse"
HALF = b'{"ledger": "eip155:1", '


@pytest.fixture
def ours(tmp_path: Path) -> Organisation:
    return Organisation(tmp_path, "Ours")


@dataclass
class Site:
    """A node's directory, and how its process is started."""

    home: Path
    port: int
    settings: dict[str, Any]

    def write(self, **changed: Any) -> None:
        self.settings |= changed
        (self.home / "node.toml").write_text(tomli_w.dumps(self.settings))

    def start(self, *, stdin: bytes = b"", **environment: str) -> subprocess.Popen[bytes]:
        clean = {k: v for k, v in os.environ.items() if "PASSPHRASE" not in k}
        process = subprocess.Popen(
            [sys.executable, "-m", "caimi.cli", "service", "node", str(self.home / "node.toml")],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=(self.home / "log").open("wb"),
            env=clean | environment,
        )
        assert process.stdin is not None
        process.stdin.write(stdin)
        process.stdin.close()
        return process

    @property
    def log(self) -> str:
        return (self.home / "log").read_text()

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.splitlines()]

    def wait_for(self, text: str, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while text not in self.log:
            assert time.monotonic() < deadline, self.log
            time.sleep(0.05)

    @contextmanager
    def up(self, *, stdin: bytes = PASSPHRASE, **environment: str) -> Iterator[Any]:
        process = self.start(stdin=stdin, **environment)
        try:
            deadline = time.monotonic() + 60
            while True:
                assert process.poll() is None, self.log
                assert time.monotonic() < deadline, self.log
                try:
                    connected(self.port).close()
                except ConnectionError:
                    time.sleep(0.05)
                else:
                    break
            yield process
        finally:
            process.kill()
            process.wait()

    def refused(self, *, stdin: bytes = b"", **environment: str) -> str:
        process = self.start(stdin=stdin, **environment)
        assert process.wait(60) == 1
        return " ".join(self.log.replace("│", " ").split())


@pytest.fixture
def site(tmp_path: Path) -> Site:
    home = tmp_path / "node"
    home.mkdir()
    signers = [LocalSigner.generate() for _ in range(2)]
    signers[0].save(home / "account.json", PASSPHRASE, scrypt_n=1 << 10)
    members = [
        {
            "index": index,
            "account": f"0x{signer.account.hex()}",
            "public_key": f"0x{signer.private_key.public_key.format().hex()}",
        }
        for index, signer in enumerate(signers, start=1)
    ]
    made = Site(home, free_port(), {})
    made.write(
        index=1,
        port=made.port,
        threshold=2,
        committee=members,
        ledgers=[],
        logging={"format": "json"},
    )
    return made


def with_tls(site: Site, ours: Organisation) -> None:
    own = ours.issue("node", "127.0.0.1")
    tls = {"certificate": str(own.certificate), "key": str(own.key), "trust": [str(ours.trust)]}
    site.write(tls=tls)


def test_its_passphrase_comes_from_a_file_or_a_credential_of_systemd(
    site: Site, tmp_path: Path
) -> None:
    secret = tmp_path / "caimi-passphrase"
    secret.write_bytes(PASSPHRASE + b"\n")
    secret.chmod(0o640)
    said = site.refused(CAIMI_PASSPHRASE_FILE=str(secret))
    assert "mode 640" in said
    assert "chmod 600" in said
    secret.chmod(0o600)
    for given in (
        {"CAIMI_PASSPHRASE_FILE": str(secret)},
        {"CREDENTIALS_DIRECTORY": str(tmp_path)},
        {"CAIMI_PASSPHRASE": PASSPHRASE.decode()},
    ):
        with site.up(stdin=b"", **given):
            pass
    assert "nobody to ask" in site.refused()


def test_it_tells_its_version_and_logs_in_json_alone(site: Site) -> None:
    with site.up() as process:
        with httpx.Client(base_url=f"http://127.0.0.1:{site.port}") as http:
            assert http.get("/version").json()["version"] == __version__
            assert http.get("/health").json()["version"] == __version__
        process.terminate()
        assert process.wait(30) == 0
    told = " ".join(line["message"] for line in site.lines())
    assert f"CAIMI {__version__} serves plain HTTP on 127.0.0.1, port {site.port}" in told
    assert PASSPHRASE.decode() not in site.log


def half_asked(port: int) -> socket.socket:
    raw = connected(port)
    head = b"POST /v1/checkpoints HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    raw.sendall(head + b"Content-Length: %d\r\n\r\n" % (len(HALF) + 20) + HALF)
    time.sleep(0.3)
    return raw


def test_told_to_stop_it_answers_what_is_under_way_and_takes_nothing_new(site: Site) -> None:
    with site.up() as process:
        raw, idle = half_asked(site.port), connected(site.port)
        process.terminate()
        site.wait_for("Told to stop")
        time.sleep(0.5)
        assert process.poll() is None
        with pytest.raises(ConnectionError):
            connected(site.port)
        raw.sendall(b" " * 19 + b"}")
        assert b"CAIMI-N001" in said(raw)
        assert process.wait(10) == 0
        idle.close()
    assert not [line for line in site.lines() if line["level"] in ("ERROR", "CRITICAL")]


def test_told_twice_it_ends_at_once(site: Site) -> None:
    with site.up() as process:
        raw = half_asked(site.port)
        process.terminate()
        site.wait_for("Told to stop")
        begun = time.monotonic()
        process.terminate()
        assert process.wait(5) == 1
        assert time.monotonic() - begun < 5
        raw.close()


def shown_at(port: int) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with connected(port) as raw, context.wrap_socket(raw) as tls:
        return tls.getpeercert(binary_form=True) or b""


def test_told_to_it_reads_certificates_and_log_level_again(site: Site, ours: Organisation) -> None:
    with_tls(site, ours)
    with site.up() as process:
        before = shown_at(site.port)
        ours.issue("node", "127.0.0.1")
        site.write(logging={"format": "json", "level": "error"})
        process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 10
        while shown_at(site.port) == before:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        site.write(logging={"format": "json", "level": "debug"})
        (ours.folder / "node.key").write_bytes(b"half")
        process.send_signal(signal.SIGHUP)
        site.wait_for("as it was before")
        assert shown_at(site.port) != before
        client = ssl.create_default_context(cafile=ours.trust)
        with httpx.Client(verify=client, base_url=f"https://127.0.0.1:{site.port}") as http:
            assert http.get("/version").status_code == 200
            assert http.get("/metrics").json()["code"] == "CAIMI-T005"
            refused = http.post("/v1/dkg/status", json={})
            assert (refused.status_code, refused.json()["code"]) == (403, "CAIMI-T005")
        (site.home / "node.toml").write_text("no = toml = at all")
        process.send_signal(signal.SIGHUP)
        site.wait_for("log's level is as it was before")
        assert process.poll() is None


def test_told_to_reload_it_ends_the_connections_of_whom_it_trusts_no_more(
    site: Site, ours: Organisation, tmp_path: Path
) -> None:
    theirs, trusted = Organisation(tmp_path, "Theirs"), tmp_path / "trusted.pem"
    trusted.write_bytes(ours.trust.read_bytes() + theirs.trust.read_bytes())
    with_tls(site, ours)
    site.write(tls=site.settings["tls"] | {"trust": [str(trusted)]})
    removed = theirs.client(ours.trust)
    with (
        site.up() as process,
        connected(site.port) as raw,
        removed.context.wrap_socket(raw, server_hostname="127.0.0.1") as tls,
    ):
        tls.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        assert tls.recv(1000).startswith(b"HTTP/1.1 200")
        trusted.write_bytes(ours.trust.read_bytes())
        process.send_signal(signal.SIGHUP)
        begun = time.monotonic()
        said(tls)
        assert time.monotonic() - begun < 3  # and not with the pause of five seconds
        site.wait_for("whose certificate is not trusted now")


def test_with_an_expired_certificate_it_does_not_start_and_says_so(
    site: Site, ours: Organisation
) -> None:
    with_tls(site, ours)
    ours.issue("node", "127.0.0.1", lasts=timedelta(seconds=1))
    time.sleep(1.5)
    said = site.refused(stdin=PASSPHRASE)
    assert "CAIMI-T002" in said
    assert "expired on 20" in said
    assert "caimi certificates" in said


@pytest.mark.parametrize("role", ["relayer", "watcher"])
def test_a_service_without_requests_ends_when_it_is_told_to_and_lives_through_a_reload(
    role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAIMI_PASSPHRASE", PASSPHRASE.decode())
    file, port = tmp_path / "caimi.toml", free_port()
    file.write_text('[logging]\nformat = "json"\n')
    Keyring(load_config(file)).new("someone")
    words = ["service", role, "--key", "someone", "--config", str(file), "--metrics-port"]
    log = tmp_path / "log"
    process = subprocess.Popen(
        [sys.executable, "-m", "caimi.cli", *words, str(port)],
        stdin=subprocess.DEVNULL,
        stderr=log.open("wb"),
    )
    try:
        deadline = time.monotonic() + 60
        while "serves plain HTTP" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        file.write_text('[logging]\nformat = "json"\nlevel = "warning"\n')
        process.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as http:
            assert http.get("/version").json()["version"] == __version__
        process.terminate()
        assert process.wait(15) == 0
    finally:
        process.kill()
        process.wait()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert not [line for line in lines if "Told to stop" in line["message"]]  # below the new level
