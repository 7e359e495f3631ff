"""A local network with CAIMI's chaincode on its channel, and where that is asked.

Its organisations endorse whoever founds the ledger first. It has an accounting asset, whose issuer
is a key in the network's folder.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from caimi.errors.fabric import FabricAnswerInvalid, FabricNetworkDamaged, FabricPortsTaken
from caimi.ledgers.fabric.lifecycle.definitions import ChaincodeDefinition
from caimi.ledgers.fabric.local.chaincodes import LocalChaincode, put_on_channel, start_chaincode
from caimi.ledgers.fabric.local.layout import LocalLayout
from caimi.ledgers.fabric.local.network import LocalNetwork, network_in
from caimi.ledgers.fabric.protos.common.common_pb2 import Block
from caimi.ledgers.fabric.verification.headers import header_hash, ledger_name
from caimi.ledgers.fabric.wire import read_message
from caimi.ledgers.machine.ed25519_keys import Ed25519Key
from caimi.ledgers.port import LedgerId, LedgerPlace
from caimi.loopback import is_free
from caimi.whole_files import write_once

CHAINCODE: Final = "caimi"
SYMBOL: Final = "EUR"
DECIMALS: Final = 2
COPY: Final = "copy.sqlite"
AHEAD: Final = "ahead"
"""The file that says by how many seconds the organisations' clocks are moved."""
_SOURCE: Final = Path(__file__).parents[4]
_ISSUER: Final = "issuer.key"
_KEY_BYTES: Final = 32
_PORTS_SECONDS: Final = 3.0
_LOOK_SECONDS: Final = 0.1


@asynccontextmanager
async def running_ledger(root: Path) -> AsyncIterator[LocalNetwork]:
    """Run the network in a folder, and its chaincode, for the length of a block of code.

    Raises:
        FabricPortsTaken: somebody listens where it does.
        FabricProgramsMissing, FabricProgramsDamaged: Fabric's programs are not there.
        FabricNodeFailed: a process cannot be started.
        FabricNetworkDamaged: what is there is no such network, or another program runs it.
    """
    with network_in(root) as network:
        layout = network.layout
        await _wait_for_ports(layout)
        if not (layout.root / AHEAD).exists():
            (layout.root / AHEAD).write_text("0")
        chaincode = _chaincode(layout)
        try:
            await asyncio.gather(  # before the peers: who reaches one finds it, too
                *(start_chaincode(network, chaincode, each) for each in layout.organisations)
            )
            await network.start()
            await put_on_channel(network, chaincode)
            yield network
        finally:
            await network.stop()


async def _wait_for_ports(layout: LocalLayout) -> None:
    """Wait until nobody listens where it will: what ran it before may be ending yet."""
    deadline = time.monotonic() + _PORTS_SECONDS
    while taken := [port for port in layout.ports if not is_free(port)]:
        if time.monotonic() > deadline:
            raise FabricPortsTaken(
                f"Ports of the network in {layout.root} are taken: {', '.join(map(str, taken))}."
            )
        await asyncio.sleep(_LOOK_SECONDS)


def ledger_in(layout: LocalLayout) -> LedgerId:
    """Give the ledger's id, by the channel's first block.

    Raises:
        FabricNetworkDamaged: that cannot be read.
    """
    try:
        genesis = read_message(Block, layout.genesis.read_bytes(), FabricAnswerInvalid)
    except (OSError, FabricAnswerInvalid) as error:
        raise FabricNetworkDamaged(f"{layout.genesis} cannot be read: {error}.") from error
    return LedgerId(ledger_name(header_hash(0, b"", genesis.header.data_hash)))


def place_in(layout: LocalLayout, name: str) -> LedgerPlace:
    """Give where the ledger is asked: by the first organisation's user, of every organisation."""
    first = layout.organisations[0]
    peers = []
    for each in layout.organisations:
        client = each.end("client")
        peers.append(
            {
                "address": each.peer_address,
                "msp": each.msp,
                "tls_roots": str(each.tls_root),
                "tls_certificate": str(client.certificate),
                "tls_key": str(client.key),
            }
        )
    told = {
        "channel": layout.channel,
        "chaincode": CHAINCODE,
        "msp": first.msp,
        "certificate": str(first.user.certificate),
        "key": str(first.user.key),
        "copy": str(layout.root / COPY),
        "accounting": {
            "issuer": issuer_in(layout.root).account.decode(),
            "symbol": SYMBOL,
            "decimals": DECIMALS,
        },
        "peers": peers,
    }
    return LedgerPlace(ledger_in(layout), name, told)


def issuer_in(root: Path) -> Ed25519Key:
    """Give the key that issues the accounting asset; it is made once.

    Raises:
        FabricNetworkDamaged: what is there is no key.
    """
    file = root / _ISSUER
    if not file.exists():
        write_once(file, Ed25519PrivateKey.generate().private_bytes_raw())
    with file.open("rb") as opened:
        secret = opened.read(_KEY_BYTES + 1)
    if len(secret) != _KEY_BYTES:
        raise FabricNetworkDamaged(f"{file} holds no key.")
    return Ed25519Key(Ed25519PrivateKey.from_private_bytes(secret))


def _chaincode(layout: LocalLayout) -> LocalChaincode:
    program = [
        "-m",
        "caimi.ledgers.fabric.chaincode.program",
        f"--any-founder={ledger_in(layout)}",
        f"--clock-ahead={layout.root / AHEAD}",
    ]
    return LocalChaincode(ChaincodeDefinition(CHAINCODE, "1.0", 1), program, [_SOURCE])
