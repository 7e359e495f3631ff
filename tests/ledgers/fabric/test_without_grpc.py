"""Where gRPC is not installed sections are read, and who asks a peer is told what to install."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SECTION = """
[[ledgers]]
id = "fabric:00000000000000000000000000000000"
name = "b"
channel = "caimi"
chaincode = "caimi"
msp = "Org1MSP"
certificate = "/net/cert.pem"
key = "/net/key.pem"
terms = "0000000000000000000000000000000000000000000000000000000000000000"
[[ledgers.peers]]
address = "127.0.0.1:7051"
msp = "Org1MSP"
tls_roots = "/net/ca.pem"
"""
PROGRAM = """
import sys
sys.modules["grpc"] = None
from caimi.composition.ledgers import family_of
from caimi.composition.sandboxes import lasting_kind
from caimi.config import load_config
from caimi.errors.operations import ExtraMissing
(section,) = load_config(sys.argv[1]).ledgers
family = family_of(section)
account = family.keys.generate("alice").account.decode()
assert family.accounts(section).parse(account).native.decode() == account
for asks in (lambda: family.prepare(section), lasting_kind("fabric").check):
    try:
        asks()
    except ExtraMissing as error:
        print(error.next_step)
"""


def test_sections_and_accounts_need_no_grpc_and_peers_do(tmp_path: Path) -> None:
    config = tmp_path / "caimi.toml"
    config.write_text(SECTION)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(config)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "Run `pip install 'caimi[fabric]'`.\n" * 2
