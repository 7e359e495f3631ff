"""A network on this machine: what it keeps, what it shows, and how it ends."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from trial_network import SOURCE, TRIAL, TrialNetwork, needs_programs, trial_chaincode

from caimi.errors.fabric import FabricNetworkDamaged, FabricNodeFailed
from caimi.ledgers.fabric.local.chaincodes import put_on_channel
from caimi.ledgers.fabric.local.network import lay_out, running_network
from caimi.ledgers.fabric.local.node_process import NodeCommand, NodeProcess
from caimi.ledgers.fabric.rpc.gateway import GatewayClient

MOST_SECONDS = 10.0


def test_keys_are_for_their_owner_alone(tmp_path: Path):
    layout = lay_out(tmp_path / "net")
    keys = [path for path in layout.root.rglob("*") if path.name in ("key.pem", "ca.key", "key_sk")]
    assert len(keys) > 10
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}
    assert stat.S_IMODE(layout.root.stat().st_mode) == 0o700
    held = [path for path in layout.root.rglob("*") if path.is_file() and path not in keys]
    assert not [path for path in held if b"PRIVATE KEY" in path.read_bytes()]


def test_a_network_that_is_there_is_taken_as_it_is(tmp_path: Path):
    first = lay_out(tmp_path)
    genesis = first.genesis.read_bytes()
    assert lay_out(tmp_path) == first
    assert first.genesis.read_bytes() == genesis


def test_a_network_whose_making_was_cut_short_is_made_anew(tmp_path: Path):
    layout = lay_out(tmp_path)
    (tmp_path / "network.json").unlink()
    old = layout.genesis.read_bytes()
    assert lay_out(tmp_path).genesis.read_bytes() != old


@pytest.mark.parametrize("said", [b"", b"{}", b'{"version": 2}', b"[1]", b"\xff"])
def test_a_damaged_plan_is_named(tmp_path: Path, said: bytes):
    (tmp_path / "network.json").write_bytes(said)
    with pytest.raises(FabricNetworkDamaged):
        lay_out(tmp_path)


def test_another_networks_folder_is_refused(tmp_path: Path):
    lay_out(tmp_path)
    with pytest.raises(FabricNetworkDamaged):
        lay_out(tmp_path, ("OtherMSP",))


async def test_a_program_that_ends_at_once_is_named_with_its_words(tmp_path: Path):
    command = NodeCommand(
        "A node", ["sh", "-c", "echo no such port; exit 3"], tmp_path, {}, tmp_path / "log"
    )
    node = await NodeProcess.start(command)
    with pytest.raises(FabricNodeFailed, match="ended with 3: no such port"):
        await node.listening(1, seconds=10)


async def test_a_program_that_does_not_listen_is_named(tmp_path: Path):
    node = await NodeProcess.start(
        NodeCommand("A node", ["sleep", "60"], tmp_path, {}, tmp_path / "log")
    )
    with pytest.raises(FabricNodeFailed, match="did not listen"):
        await node.listening(1, seconds=0.2)
    await node.stop()
    assert not node.running


async def test_it_comes_back_where_it_was(tmp_path: Path):
    needs_programs()
    began = time.monotonic()
    async with running_network(tmp_path) as network:
        await put_on_channel(network, trial_chaincode())
        first = network.layout.organisations[0]
        async with network.connection(first) as connection:
            gateway = GatewayClient(connection, first.user.signer(), "caimi")
            done = await gateway.invoke(TRIAL, b"put", b"kept", b"value")
        assert time.monotonic() - began < MOST_SECONDS
        for node in network.nodes.values():
            await node.kill()
    async with running_network(tmp_path) as network:
        await put_on_channel(network, trial_chaincode())
        async with network.connection(first) as connection:
            gateway = GatewayClient(connection, first.user.signer(), "caimi")
            async with asyncio.timeout(20):
                assert await gateway.evaluate(TRIAL, b"get", b"kept") == b"=value"
                again = await gateway.invoke(TRIAL, b"put", b"more", b"value")
        assert again.block == done.block + 1


async def test_two_programs_do_not_run_one_network(fabric: TrialNetwork):
    with pytest.raises(FabricNetworkDamaged, match="Another program"):
        async with running_network(fabric.layout.root):
            pass


def test_it_listens_on_loopback_alone(fabric: TrialNetwork):
    pids = {node.pid for node in fabric.network.nodes.values()}
    inodes = {
        str(link.readlink())
        for pid in pids
        for link in Path(f"/proc/{pid}/fd").iterdir()
        if link.is_symlink()
    }
    listening = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                listening.append(fields[1].partition(":")[0])
    assert len(listening) >= 8
    assert set(listening) <= {"0100007F", "0000000000000000FFFF00000100007F"}


def test_its_programs_end_with_it_however_it_ends(tmp_path: Path):
    """SIGKILL leaves it no time to end anything."""
    needs_programs()
    program = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from caimi.ledgers.fabric.local.network import running_network\n"
        "async def main():\n"
        "    async with running_network(Path(sys.argv[1])) as network:\n"
        "        print(*(n.pid for n in network.nodes.values()), flush=True)\n"
        "        await asyncio.sleep(100)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, tmp_path],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        text=True,
    ) as owner:
        assert owner.stdout is not None
        pids = [int(pid) for pid in owner.stdout.readline().split()]
        assert len(pids) == 3
        owner.send_signal(signal.SIGKILL)
    ends = time.monotonic() + 10
    while any(_runs(pid) for pid in pids):
        assert time.monotonic() < ends
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_a_node_that_ends_by_itself_is_noticed_and_one_that_was_stopped_is_not(
    tmp_path: Path,
):
    needs_programs()
    async with running_network(tmp_path, ("OnlyMSP",)) as network:
        await network.nodes["orderer"].stop()
        noticed = asyncio.create_task(network.ended())
        await asyncio.sleep(0.7)
        assert not noticed.done()
        os.kill(network.nodes["OnlyMSP"].pid, signal.SIGKILL)
        with pytest.raises(FabricNodeFailed, match="OnlyMSP ended with -9"):
            await asyncio.wait_for(noticed, 10)
