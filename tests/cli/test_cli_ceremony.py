"""`caimi committee make-key` over nodes that are served on loopback."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import uvicorn
from typer.testing import CliRunner

from caimi.cli.app import app
from caimi.client.keyring import Keyring
from caimi.config import load_config
from caimi.keystore import LocalSigner
from caimi.loopback import free_port
from caimi.node.app import create_app
from caimi.node.node import Node
from caimi.node.settings import MemberSection, NodeSettings

runner = CliRunner()


@contextmanager
def served(node: Node, port: int) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(create_app(node), port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Three nodes that the key "operator" of the configuration orders."""
    monkeypatch.setenv("CAIMI_PASSPHRASE", "correct horse")
    config = tmp_path / "caimi.toml"
    config.write_text("")
    operator = Keyring(load_config(config)).new("operator").signer
    signers = sorted((LocalSigner.generate() for _ in range(3)), key=lambda s: s.account)
    members = [
        MemberSection(
            index=index,
            account=f"0x{signer.account.hex()}",
            public_key=f"0x{signer.private_key.public_key.format().hex()}",
        )
        for index, signer in enumerate(signers, start=1)
    ]
    with ExitStack() as stack:
        urls = []
        for at, signer in enumerate(signers):
            home = tmp_path / f"node-{at}"
            home.mkdir()
            settings = NodeSettings(
                index=at + 1,
                port=free_port(),
                threshold=2,
                committee=members,
                ledgers=[],
                home=home,
                coordinator=f"0x{operator.account.hex()}",
            )
            node = Node(settings, signer, {}, b"passphrase")
            urls.append(stack.enter_context(served(node, settings.port)))
        yield urls


def make_key(folder: Path, nodes: list[str], *more: str) -> str:
    named = [text for url in nodes for text in ("--node", url)]
    config = str(folder / "caimi.toml")
    arguments = ["committee", "make-key", "--threshold", "2", *named, "--config", config, *more]
    return runner.invoke(app, arguments).output


def test_nodes_make_a_key_once_and_the_command_says_how_many_may_cheat(
    nodes: list[str], tmp_path: Path
) -> None:
    stranger = Keyring(load_config(tmp_path / "caimi.toml")).new("stranger")
    refused = json.loads(make_key(tmp_path, nodes, "--json", "-k", stranger.name))
    assert "CAIMI-K032" in refused["error"]["what"]
    made = json.loads(make_key(tmp_path, nodes, "--json", "-k", "operator"))
    assert made["ok"]
    assert "Up to 0 of the 3 nodes may cheat" in made["bound"]
    assert "fewer than a third" in made["bound"]
    again = make_key(tmp_path, nodes, "-k", "operator")
    assert made["group_key"][:40] in "".join(again.split())
    assert "[committee]" in again
    late = json.loads(make_key(tmp_path, nodes, "--json", "-k", "operator", "--abort"))
    assert late["error"]["code"] == "CAIMI-K036"
