"""The programs of a local network: what each is called, how it is run, and what it waits for."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from caimi.config import CONFIG_NAME
from caimi.devnet.plan import RELAYER, WATCHER, WORKER, NetworkPlan
from caimi.ledgers.port import LastingKind, LedgerService

LEDGER: Final = "ledger-"
NODE: Final = "node-"
SUPERVISOR: Final = "supervisor"
GUARDIAN: Final = "guardian"


@dataclass(frozen=True, slots=True)
class Program:
    """A program. It is started when all of lower `stage` answer.

    Where `secret`, it reads the network's passphrase from its standard input.
    """

    name: str
    command: tuple[str, ...]
    stage: int
    url: str | None = None
    secret: bool = False


def ledger_services(
    plan: NetworkPlan, kinds: Sequence[LastingKind], folder: Path
) -> list[LedgerService]:
    """Give what runs the ledgers of a network, each of which keeps its own files in `folder`."""
    return [
        kind.service(place, ledger.name, port=ledger.port, folder=folder / f"{LEDGER}{ledger.name}")
        for place, (ledger, kind) in enumerate(zip(plan.ledgers, kinds, strict=True))
    ]


def ledger_program(service: LedgerService) -> Program:
    """Give the program of a ledger."""
    return Program(f"{LEDGER}{service.name}", tuple(service.command), 0, service.url)


def node_program(number: int, port: int, folder: Path) -> Program:
    """Give the program of a node, counted from 1, whose files are in `folder`."""
    name = f"{NODE}{number}"
    command = _caimi("service", "node", str(folder / name / "node.toml"))
    return Program(name, command, 1, local_url(port), secret=True)


def service_programs(plan: NetworkPlan, directory: Path) -> list[Program]:
    """Give those that read the network's `caimi.toml`: a relayer, a watcher and a worker."""
    common = ("--config", str(directory / CONFIG_NAME), "--key")
    return [
        Program(RELAYER, _caimi("service", RELAYER, *common, RELAYER), 2),
        Program(WATCHER, _caimi("service", WATCHER, *common, GUARDIAN), 2),
        Program(
            WORKER,
            _caimi("service", WORKER, *common, WORKER, f"--port={plan.worker}"),
            2,
            local_url(plan.worker),
        ),
    ]


def all_programs(
    plan: NetworkPlan, kinds: Sequence[LastingKind], directory: Path, folder: Path
) -> list[Program]:
    """Give every program of a network that is made, in the order in which they are started."""
    return [
        *map(ledger_program, ledger_services(plan, kinds, folder)),
        *(node_program(at, port, folder) for at, port in enumerate(plan.nodes, start=1)),
        *service_programs(plan, directory),
    ]


def local_url(port: int) -> str:
    """Give the URL of a port on loopback."""
    return f"http://127.0.0.1:{port}"


def _caimi(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "caimi.cli", *arguments)
