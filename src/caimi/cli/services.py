"""`caimi service`: the long-running processes; `caimi devnet up` starts them all."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from caimi.cli.options import (
    ConfigOption,
    JsonOption,
    ask_passphrase,
    guarded,
    key_option,
    somebody_there,
)
from caimi.cli.output import print_json, say

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from caimi.config import Config

MetricsPort = Annotated[
    int | None,
    typer.Option(min=1, max=65535, help="Port on 127.0.0.1 for Prometheus' /metrics."),
]
app = typer.Typer(
    help="Run a node, a relayer, a watcher, a worker or a treasury.", no_args_is_help=True
)


@app.command()
def node(settings: Annotated[Path, typer.Argument(help="The node's node.toml.")]) -> None:
    """Run a validator and custodian.

    Its passphrase is a line of standard input, or comes from the environment, or a prompt.

    Example: [bold]caimi service node node-1/node.toml < passphrase[/bold]
    """
    from caimi.config import read_toml
    from caimi.logs import set_up
    from caimi.node.roles.committee_member import run_node
    from caimi.node.settings import NodeSettings

    def serve() -> None:
        logging = read_toml(settings, NodeSettings).logging
        set_up(logging.format, logging.level)
        _run(run_node(settings, _passphrase_of_a_node()))

    guarded(False, serve)


@app.command()
def clear(
    settings: Annotated[Path, typer.Argument(help="The node's node.toml.")],
    ledger: Annotated[str, typer.Argument(help="The ledger, by CAIP-2 id or name.")],
    as_json: JsonOption = False,
) -> None:
    """Let a validator sign a ledger again that was reorganised beyond its finality.

    Stop the node first, and read docs/runbook.md: what it signed of the old fork stays signed.

    Example: [bold]caimi service clear node-1/node.toml eip155:1[/bold]
    """
    from caimi.node.roles.clearing import clear_ledger

    def work() -> None:
        why = clear_ledger(settings, ledger)
        if as_json:
            print_json({"ok": True, "ledger": ledger, "stopped_because": why or None})
        elif why:
            say("Signing had stopped: {}", why)
        else:
            say("Signing had not stopped.")

    guarded(as_json, work)


@app.command()
def relayer(
    key: Annotated[str, key_option("Key that pays for the transactions.")],
    metrics_port: MetricsPort = None,
    config: ConfigOption = None,
) -> None:
    """Carry packets between the configured ledgers. Any number may run at once.

    Example: [bold]caimi service relayer -k relayer[/bold]
    """
    from caimi.node.roles.relayer import run_relayer

    guarded(False, lambda: _run(run_relayer(_logging(config), key, metrics_port)))


@app.command()
def watcher(
    key: Annotated[str, key_option("A guardian's key: it can only stop.")],
    patience: Annotated[
        float, typer.Option(min=0, help="Seconds that this watcher's nodes may lag behind.")
    ] = 15.0,
    metrics_port: MetricsPort = None,
    config: ConfigOption = None,
) -> None:
    """Compare every delivery with its source, and pause a route where they differ.

    Run it on other machines, with other RPC providers, than validators and relayers.

    Example: [bold]caimi service watcher -k guardian --metrics-port 9300[/bold]
    """
    from caimi.node.roles.watcher import run_watcher

    guarded(
        False,
        lambda: _run(run_watcher(_logging(config), key, patience, metrics_port)),
    )


@app.command()
def worker(
    key: Annotated[str, key_option("Key that holds the licences.")],
    port: Annotated[int, typer.Option(help="Port of the worker's URL in caimi.toml.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    anchor_seconds: Annotated[float, typer.Option(help="Time between receipt batches.")] = 5.0,
    grpc_port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Port of the Open Inference Protocol over gRPC."),
    ] = None,
    engine: Annotated[
        str, typer.Option(help="onnx for speed, wasm for answers that others can check by bits.")
    ] = "onnx",
    config: ConfigOption = None,
) -> None:
    """Answer inference requests with the models that the key is licensed for.

    The port also speaks the Open Inference Protocol v2, for clients that do not know CAIMI.

    Example: [bold]caimi service worker -k worker --port 9100[/bold]
    """
    from caimi.node.roles.worker import run_worker

    guarded(
        False,
        lambda: _run(
            run_worker(_logging(config), key, host, port, anchor_seconds, grpc_port, engine=engine)
        ),
    )


@app.command()
def treasury(metrics_port: MetricsPort = None, config: ConfigOption = None) -> None:
    """Keep service accounts in coins, as [[treasuries]] of caimi.toml say.

    It opens the treasuries' keys, and none of the accounts' that it keeps.

    Example: [bold]caimi service treasury --metrics-port 9400[/bold]
    """
    from caimi.node.roles.treasury import run_treasury

    guarded(False, lambda: _run(run_treasury(_logging(config), metrics_port)))


@app.command()
def chaincode(
    terms: Annotated[
        Path, typer.Option("--terms", help="What your organisation agreed to: its terms file.")
    ],
    package_id: Annotated[
        str, typer.Option("--package-id", help="As `caimi fabric package` printed it.")
    ],
    address: Annotated[str, typer.Option("--address", help="host:port to listen at.")],
    certificate: Annotated[
        Path, typer.Option("--certificate", help="What it shows to the peer, in PEM.")
    ],
    certificate_key: Annotated[
        Path, typer.Option("--certificate-key", help="The certificate's key, in PEM.")
    ],
    client_roots: Annotated[
        Path, typer.Option("--client-roots", help="Whose certificates the peer shows, in PEM.")
    ],
    config: ConfigOption = None,
) -> None:
    """Run one organisation's chaincode on a Hyperledger Fabric channel: your peer connects to it.

    It holds no key but that of its certificate, and endorses the founding of a ledger on these
    terms alone. It needs no caimi.toml; one that is there says how it logs.

    Example: [bold]caimi service chaincode --terms terms.toml --package-id caimi:0123…
    --address 10.0.0.5:7052 --certificate cc.pem --certificate-key cc.key
    --client-roots ca.pem[/bold]
    """
    from caimi.errors.operations import ConfigMissing
    from caimi.ledgers.fabric.chaincode.process import ChaincodePlace
    from caimi.ledgers.fabric.chaincode.program import serve_agreed
    from caimi.logs import set_up

    def serve() -> None:
        try:
            _logging(config)
        except ConfigMissing:
            if config is not None:
                raise
            set_up("text")
        place = ChaincodePlace(package_id, address, certificate, certificate_key, client_roots)
        _run(serve_agreed(terms, place))

    guarded(False, serve)


def _run(service: Coroutine[Any, Any, None]) -> None:
    """Run until the service is told to stop; told so twice, what was under way is cut off."""
    try:
        asyncio.run(service)
    except asyncio.CancelledError:
        raise typer.Exit(1) from None


def _passphrase_of_a_node() -> bytes:
    """Read the passphrase of a node's keys: piped in, of the environment, or typed."""
    from caimi.credentials import MAX_SECRET_BYTES, given_passphrase, without_newline
    from caimi.errors.operations import KeyLocked

    if sys.stdin is not None and not somebody_there():
        line = sys.stdin.buffer.readline(MAX_SECRET_BYTES + 2)
        if piped := without_newline(line):
            return piped
    given = given_passphrase()
    if given is not None:
        return given
    if not somebody_there():
        raise KeyLocked(
            "No passphrase was given, and there is nobody to ask.",
            next_step="Give it on standard input, or name its file in CAIMI_PASSPHRASE_FILE.",
        )
    return ask_passphrase("Passphrase of the node's key").encode()


def _logging(path: Path | None) -> Config:
    """Read the configuration, and log as it says from here on."""
    from caimi.config import load_config
    from caimi.logs import set_up

    config = load_config(path)
    set_up(config.logging.format, config.logging.level)
    return config
