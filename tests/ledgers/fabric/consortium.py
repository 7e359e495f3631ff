"""Two organisations with a peer each on one channel, and a home with a caimi.toml for each.

Nothing of CAIMI is on the channel: whoever administers puts it there, as people do.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fabric_site import SOURCE, LoopThread
from trial_network import name_of, needs_programs
from typer.testing import CliRunner

from caimi.cli.app import app
from caimi.ledgers.fabric.local.layout import LocalOrganisation
from caimi.ledgers.fabric.local.network import LocalNetwork, running_network

PASSPHRASE = "correct horse battery staple"


@dataclass
class Home:
    """Where one organisation's administrator works."""

    organisation: LocalOrganisation
    folder: Path
    environment: dict[str, str]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def config(self) -> Path:
        return self.folder / "caimi.toml"

    @property
    def terms(self) -> Path:
        return self.folder / "terms.toml"

    def run(self, *words: str) -> dict[str, Any]:
        """Run a command; gives its one JSON document."""
        done = CliRunner().invoke(app, [*words, "--json"], env=self.environment)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        document: dict[str, Any] = json.loads(done.stdout)
        assert document["ok"] == (done.exit_code == 0), document
        return document

    def refused(self, *words: str) -> dict[str, Any]:
        """Run a command that fails; gives its error."""
        error: dict[str, Any] = self.run(*words)["error"]
        return error

    def package(self, output: str = "caimi.tar.gz") -> str:
        """Write the package; gives its id."""
        of, peer = self.organisation, self.organisation.end("peer")
        words = ("fabric", "package", of.chaincode_address, f"--roots={of.tls_root}")
        shown = (f"--peer-certificate={peer.certificate}", f"--peer-key={peer.key}")
        return str(self.run(*words, *shown, f"--output={self.folder / output}")["id"])

    def serve(self, package_id: str, terms: Path | None = None) -> subprocess.Popen[bytes]:
        """Start the chaincode's process; it serves then."""
        end = self.organisation.end("chaincode")
        log = self.folder / f"chaincode-{len(self.processes)}.log"
        with log.open("wb") as opened:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "caimi.cli", "service", "chaincode"),
                    f"--terms={terms or self.terms}",
                    f"--package-id={package_id}",
                    f"--address={self.organisation.chaincode_address}",
                    f"--certificate={end.certificate}",
                    f"--certificate-key={end.key}",
                    f"--client-roots={self.organisation.tls_root}",
                ],
                cwd=self.folder,
                env=self.environment,
                stderr=opened,
                stdout=opened,
            )
        self.processes.append(process)
        deadline = time.monotonic() + 30
        while "serves package" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        return process

    def stop(self, process: subprocess.Popen[bytes]) -> int:
        """Have it end; gives its exit status."""
        process.send_signal(signal.SIGTERM)
        return process.wait(20)

    def section(self, peers: list[LocalOrganisation], ledger: str, more: str = "") -> str:
        """Give the ledger's section of caimi.toml, asked by way of these peers."""
        user, admin, client = (
            self.organisation.user,
            self.organisation.admin,
            self.organisation.end("client"),
        )
        listed = "".join(
            f'[[ledgers.peers]]\naddress = "{each.peer_address}"\nmsp = "{each.msp}"\n'
            f'tls_roots = "{each.tls_root}"\ntls_certificate = "{client.certificate}"\n'
            f'tls_key = "{client.key}"\n\n'
            for each in peers
        )
        return (
            f'[[ledgers]]\nid = "{ledger}"\nname = "consortium"\nchannel = "caimi"\n'
            f'chaincode = "caimi"\nmsp = "{self.organisation.msp}"\n'
            f'certificate = "{user.certificate}"\nkey = "{user.key}"\n'
            f'copy = "{self.folder / "copy.sqlite"}"\n{more}\n'
            f"{listed}"
            f'[ledgers.lifecycle]\ncertificate = "{admin.certificate}"\nkey = "{admin.key}"\n'
            f'package = "{self.folder / "caimi.tar.gz"}"\nterms = "{self.terms}"\n'
        )


@dataclass
class Consortium:
    """The channel, and both organisations' homes."""

    ledger: str
    network: LocalNetwork
    thread: LoopThread
    homes: list[Home]

    @property
    def block(self) -> Path:
        """The channel's first block."""
        return self.network.layout.genesis

    def begin(self, *, issuer: bool = False) -> None:
        """Give both a caimi.toml and the terms that they agree on; the first one administers."""
        first = self.homes[0]
        organisations = list(self.network.layout.organisations)
        for home in self.homes:
            home.config.write_text(home.section(organisations, self.ledger))
            home.run("keys", "new", "operator")
        (shown,) = first.run("keys", "show", "operator")["accounts"]
        account = shown["account"].rpartition(":")[2]
        words = ["fabric", "terms", self.ledger, f"--administrator={account}"]
        words.append(f"--output={first.terms}")
        if issuer:
            words.append(f"--issuer={account}")
            for home in self.homes:
                more = f'accounting = {{ issuer = "{account}", symbol = "EUR", decimals = 2 }}'
                home.config.write_text(home.section(organisations, self.ledger, more))
        first.run(*words)
        for home in self.homes[1:]:
            home.terms.write_bytes(first.terms.read_bytes())


@contextmanager
def two_organisations(folder: Path) -> Iterator[Consortium]:
    """Run the network; whatever the homes started ends with it."""
    needs_programs()
    thread = LoopThread()
    running = running_network(folder / "network")
    network = thread.run(running.__aenter__())
    homes = []
    try:
        for organisation in network.layout.organisations:
            home = folder / organisation.msp
            home.mkdir(exist_ok=True)
            environment = {
                **os.environ,
                "HOME": str(home),
                "CAIMI_CONFIG": str(home / "caimi.toml"),
                "CAIMI_PASSPHRASE": PASSPHRASE,
                "PYTHONPATH": os.pathsep.join([str(SOURCE), *sys.path]),
            }
            homes.append(Home(organisation, home, environment))
        ledger = name_of(network.layout.genesis.read_bytes())
        yield Consortium(ledger, network, thread, homes)
    finally:
        for home in homes:
            for process in home.processes:
                if process.poll() is None:
                    process.kill()
                    process.wait(10)
        thread.run(running.__aexit__(None, None, None))
        thread.close()
