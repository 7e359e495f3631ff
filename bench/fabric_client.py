"""A client as a program: reads a ledger from a running network, and says how much memory it took.

python -m bench.fabric_client LEDGER NETWORK COPY
"""

import asyncio
import sys
from pathlib import Path

from caimi.ledgers.fabric.local.network import LocalNetwork, lay_out
from caimi.ledgers.fabric.local.programs import find_programs
from caimi.ledgers.fabric.machine import FabricMachine
from caimi.ledgers.fabric.peer_channel import PeerChannel
from caimi.ledgers.fabric.rpc.gateway import GatewayClient
from caimi.ledgers.machine.ledger import MachineLedger
from caimi.ledgers.port import LedgerId


async def read(ledger: LedgerId, root: Path, copy: Path) -> None:
    """Make a copy of all blocks."""
    network = LocalNetwork(lay_out(root), find_programs())
    first = network.layout.organisations[0]
    connection = network.connection(first)
    gateway = GatewayClient(connection, first.user.signer(), network.layout.channel)
    machine = FabricMachine(ledger, PeerChannel(ledger, gateway, "caimi"), copy)
    there = MachineLedger(machine)
    await there.head()
    await there.aclose()


if __name__ == "__main__":
    asyncio.run(read(LedgerId(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])))
    lines = Path("/proc/self/status").read_text().splitlines()
    print(next(line.split()[1] for line in lines if line.startswith("VmHWM")))
