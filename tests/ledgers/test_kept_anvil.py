"""An anvil whose blocks are kept: what anybody was told of is there after any kill."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import signal
import stat
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from caimi.errors.ledgers import AnvilFailed, LedgerStateDamaged
from caimi.ledgers.evm.local import keeper
from caimi.ledgers.evm.local.gate import Gate
from caimi.ledgers.evm.local.keeper import keep
from caimi.ledgers.evm.local.kept_chain import ChainHead, KeptChain, outgrown, without_traces
from caimi.ledgers.evm.rpc.client import Rpc
from caimi.loopback import free_port

NUMBER = 31400
SOMEBODY, ANOTHER = f"0x{'a1' * 20}", f"0x{'b2' * 20}"
RICH = hex(10**20)


class Node:
    """A node's JSON-RPC, asked in a blocking way."""

    def __init__(self, port: int) -> None:
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20)

    def ask(self, method: str, *parameters: object) -> Any:
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(parameters)}
        answer = self.client.post("", json=request).json()
        assert "error" not in answer, answer
        return answer["result"]

    def wait_ready(self) -> None:
        deadline = time.monotonic() + 20
        while True:
            try:
                self.ask("eth_chainId")
            except httpx.TransportError:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            else:
                return

    def newest(self) -> dict[str, Any]:
        return self.ask("eth_getBlockByNumber", "latest", False)

    def height(self) -> int:
        return int(self.ask("eth_blockNumber"), 16)

    def wait_for_block(self, number: int) -> dict[str, Any]:
        while self.height() < number:
            time.sleep(0.01)
        return self.newest()

    def pay(self) -> dict[str, Any]:
        """Pay from an account that anvil lets act, and wait until somebody tells of it."""
        paying = {"from": SOMEBODY, "to": ANOTHER, "value": "0x1"}
        tx = self.ask("eth_sendTransaction", paying)
        while (receipt := self.ask("eth_getTransactionReceipt", tx)) is None:
            time.sleep(0.005)
        return receipt


@contextmanager
def kept(folder: Path, port: int) -> Iterator[tuple[Node, subprocess.Popen[bytes]]]:
    process = subprocess.Popen(keeper.keeper_command(NUMBER, port, folder), start_new_session=True)
    try:
        node = Node(port)
        node.wait_ready()
        node.ask("anvil_autoImpersonateAccount", True)
        yield node, process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


AHEAD = 5_000


@pytest.mark.anvil
def test_whatever_was_told_is_there_after_a_kill(tmp_path: Path) -> None:
    port, told = free_port(), {}
    with kept(tmp_path, port) as (node, _):
        node.ask("anvil_setBalance", SOMEBODY, RICH)
        node.ask("evm_increaseTime", AHEAD)
        node.wait_for_block(node.height() + 1)
    for _ in range(2):
        with kept(tmp_path, port) as (node, _):
            for tx, receipt in told.items():
                assert node.ask("eth_getTransactionReceipt", tx) == receipt
            receipt = node.pay()
            told[receipt["transactionHash"]] = receipt
    with kept(tmp_path, port) as (node, _):
        assert node.ask("eth_getBalance", ANOTHER, "latest") == hex(len(told))
        newest = node.wait_for_block(node.height() + 1)
    with kept(tmp_path, port) as (node, _):
        assert node.ask("eth_getBlockByNumber", newest["number"], False) == newest
        assert int(newest["timestamp"], 16) > time.time() + AHEAD - 60
        assert int(node.newest()["timestamp"], 16) >= int(newest["timestamp"], 16)
        left = int(node.ask("eth_getBalance", SOMEBODY, newest["number"]), 16)
        assert 0 < left < int(RICH, 16)  # the state of a final block is there to be read


def kill_anvil_of(folder: Path) -> None:
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        if f"--cache-path={folder}".encode() in entry.read_bytes():
            os.kill(int(entry.parent.name), signal.SIGKILL)


async def asked(port: int, method: str, *parameters: object) -> Any:
    return await asyncio.to_thread(Node(port).ask, method, *parameters)


@asynccontextmanager
async def keeping(folder: Path, port: int) -> AsyncIterator[asyncio.Task[None]]:
    work = asyncio.create_task(keep(NUMBER, port, folder))
    ready = asyncio.create_task(asyncio.to_thread(Node(port).wait_ready))
    await asyncio.wait({work, ready}, return_when=asyncio.FIRST_COMPLETED)
    try:
        if work.done():
            await work
        yield work
    finally:
        work.cancel()
        await asyncio.gather(work, ready, return_exceptions=True)


@pytest.mark.anvil
async def test_nobody_is_told_of_a_block_that_is_not_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_state, keep_block = KeptChain.keep_state, KeptChain.keep_block

    def slowly(self: KeptChain, head: ChainHead, dump: bytes) -> None:
        time.sleep(0.3)
        keep_state(self, head, dump)

    def block_slowly(self: KeptChain, block: dict[str, Any]) -> None:
        time.sleep(0.3)
        keep_block(self, block)

    monkeypatch.setattr(KeptChain, "keep_state", slowly)
    monkeypatch.setattr(KeptChain, "keep_block", block_slowly)
    monkeypatch.setattr(keeper, "BLOCK_SECONDS", 0.1)
    port = free_port()
    async with keeping(tmp_path, port):
        await asked(port, "anvil_autoImpersonateAccount", True)
        await asked(port, "anvil_setBalance", SOMEBODY, RICH)
        for _ in range(3):
            receipt = await asyncio.to_thread(Node(port).pay)
            found = KeptChain(tmp_path).read()
            assert found is not None
            assert found[0].number >= int(receipt["blockNumber"], 16)
            told = int(await asked(port, "eth_blockNumber"), 16)
            found = KeptChain(tmp_path).read()
            assert found is not None
            assert found[0].number >= told


@pytest.mark.anvil
async def test_what_the_owner_of_an_anvil_sets_is_kept_with_the_next_block(tmp_path: Path) -> None:
    port = free_port()
    async with keeping(tmp_path, port):
        await asked(port, "anvil_setBalance", SOMEBODY, RICH)
        await asked(port, "evm_mine")  # not the keeper's block, and yet kept
        above = int(await asked(port, "eth_blockNumber"), 16)
        await asyncio.to_thread(Node(port).wait_for_block, above + 1)
    async with keeping(tmp_path, port):
        assert await asked(port, "eth_getBalance", SOMEBODY, "latest") == RICH
        assert int(await asked(port, "eth_blockNumber"), 16) > above


@pytest.mark.anvil
async def test_a_block_that_a_client_makes_is_kept_before_it_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("BLOCK_SECONDS", "SOON_SECONDS", "IDLE_BLOCK_SECONDS"):
        monkeypatch.setattr(keeper, name, 60.0)  # no block but the client's
    port = free_port()
    paying = {"from": SOMEBODY, "to": ANOTHER, "value": "0x1"}
    async with keeping(tmp_path, port):
        await asked(port, "anvil_autoImpersonateAccount", True)
        await asked(port, "anvil_setBalance", SOMEBODY, RICH)
        began = int(await asked(port, "eth_blockNumber"), 16)
        for number in range(began + 1, began + 4):
            tx = await asked(port, "eth_sendTransaction", paying)
            await asked(port, "evm_mine")
            found = KeptChain(tmp_path).read()  # as it would be found after a kill
            assert found is not None
            assert found[0].number == number
        receipt = await asked(port, "eth_getTransactionReceipt", tx)
        await asked(port, "anvil_mine", "0x3")
        found = KeptChain(tmp_path).read()
        assert found is not None
        assert found[0].number == number + 3
    async with keeping(tmp_path, port):
        assert await asked(port, "eth_getTransactionReceipt", tx) == receipt


@pytest.mark.anvil
async def test_a_block_that_a_client_makes_while_the_state_is_dumped_is_in_no_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask, port = Rpc.ask, free_port()
    between, kept_under = ["evm_mine"], []
    keep_state = KeptChain.keep_state

    async def asking(self: Rpc, method: str, *parameters: object) -> Any:
        if method == "anvil_dumpState" and between:
            await ask(self, between.pop())
        return await ask(self, method, *parameters)

    def keeping_state(self: KeptChain, head: ChainHead, dump: bytes) -> None:
        kept_under.append((head.number, json.loads(gzip.decompress(dump))["best_block_number"]))
        keep_state(self, head, dump)

    monkeypatch.setattr(KeptChain, "keep_state", keeping_state)
    async with keeping(tmp_path, port):
        await asked(port, "anvil_setBalance", SOMEBODY, RICH)
        monkeypatch.setattr(Rpc, "ask", asking)
        await asked(port, "evm_mine")
        assert not between
    # Another block than the dump's newest would be refused when the chain is loaded.
    assert all(number == dumped for number, dumped in kept_under)


@pytest.mark.anvil
async def test_half_a_block_is_in_no_later_block_s_way(tmp_path: Path) -> None:
    port = free_port()
    for _ in range(2):
        async with keeping(tmp_path, port):
            told = int(await asked(port, "eth_blockNumber"), 16)
            await asyncio.to_thread(Node(port).wait_for_block, told + 1)
        with (tmp_path / "blocks.jsonl").open("ab") as file:
            file.write(b'{"number"')
    async with keeping(tmp_path, port):
        assert int(await asked(port, "eth_blockNumber"), 16) > told + 1


@pytest.mark.anvil
async def test_one_program_at_a_time_keeps_a_chain_and_says_when_its_anvil_ends(
    tmp_path: Path,
) -> None:
    async with keeping(tmp_path, free_port()) as work:
        with pytest.raises(LedgerStateDamaged, match="Another program keeps"):
            await keep(NUMBER, free_port(), tmp_path)
        kill_anvil_of(tmp_path)
        with pytest.raises(AnvilFailed, match="Anvil ended"):
            await asyncio.wait_for(asyncio.shield(work), 10)


@pytest.mark.anvil
async def test_a_chain_that_loads_as_another_than_was_kept_is_refused(tmp_path: Path) -> None:
    async with keeping(tmp_path, free_port()):
        pass
    file = tmp_path / "state.gz"
    (tmp_path / "blocks.jsonl").unlink()
    told, _, dump = file.read_bytes().partition(b"\n")
    file.write_bytes(
        json.dumps({**json.loads(told), "hash": "0x" + "1" * 64}).encode() + b"\n" + dump
    )
    with pytest.raises(LedgerStateDamaged, match="The newest block of what anvil loaded"):
        await keep(NUMBER, free_port(), tmp_path)


async def test_a_gate_lets_nothing_out_while_it_is_closed() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(100):
            writer.write(chunk)
        writer.close()

    behind, port = free_port(), free_port()
    gate = Gate(behind)
    async with await asyncio.start_server(echo, "127.0.0.1", behind), gate.serving(port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"before")
        assert await reader.readexactly(6) == b"before"
        with gate.closed():
            writer.write(b"during")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(
                    asyncio.shield(reading := asyncio.ensure_future(reader.readexactly(6))), 0.2
                )
        assert await reading == b"during"
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()


async def test_a_gate_stays_closed_when_what_was_done_behind_it_failed() -> None:
    gate = Gate(free_port())
    with pytest.raises(OSError, match="no room"), gate.closed():
        raise OSError("no room")
    assert not gate._open.is_set()


def block(number: int, parent: str = "") -> dict[str, Any]:
    header = {
        "number": hex(number),
        "timestamp": hex(1_000 + number),
        "stateRoot": "0x" + "0" * 64,
        "gasLimit": "0x10",
        "baseFeePerGas": hex(number),
        "mixHash": "0x" + "5" * 64,
        "parentHash": parent or f"0x{number - 1:064x}",
    }
    return {**header, "hash": f"0x{number:064x}", "transactions": [], "size": "0x1"}


@pytest.fixture
def chain(tmp_path: Path) -> KeptChain:
    chain = KeptChain(tmp_path)
    first = block(1)
    header = {name: first[name] for name in first if name not in ("hash", "transactions", "size")}
    state = {
        "block": {"number": "0x1", "difficulty": "0x0"},
        "best_block_number": 1,
        "blocks": [{"header": header, "transactions": ["t"], "ommers": [], "withdrawals": None}],
    }
    chain.keep_state(ChainHead.of(first), gzip.compress(json.dumps(state).encode()))
    return chain


def test_blocks_without_transactions_follow_the_state(chain: KeptChain, tmp_path: Path) -> None:
    chain.keep_block(block(2))
    chain.keep_block(block(3))
    with (tmp_path / "blocks.jsonl").open("ab") as file:
        file.write(b'{"number": "0x')  # the machine stopped here: nobody was told of it
    found = chain.read()
    assert found is not None
    head, state = found
    assert head == ChainHead.of(block(3))
    assert state["best_block_number"] == 3
    assert state["block"] == {
        "number": "0x3",
        "timestamp": hex(1_003),
        "difficulty": "0x0",
        "gas_limit": 16,
        "basefee": 3,
        "prevrandao": "0x" + "5" * 64,
    }
    assert [each["header"]["number"] for each in state["blocks"]] == ["0x1", "0x2", "0x3"]
    assert [each["transactions"] for each in state["blocks"]] == [["t"], [], []]
    assert all(set(each["header"]) == set(state["blocks"][0]["header"]) for each in state["blocks"])


def test_blocks_of_an_older_state_are_left_out(chain: KeptChain, tmp_path: Path) -> None:
    chain.keep_block(block(2))
    older = (tmp_path / "blocks.jsonl").read_bytes()
    dump = (tmp_path / "state.gz").read_bytes().partition(b"\n")[2]
    chain.keep_state(ChainHead.of(block(9)), dump)
    (tmp_path / "blocks.jsonl").write_bytes(older)  # killed between the two files
    found = chain.read()
    assert found is not None
    assert found[0].number == 9


def test_the_state_is_on_the_disk_before_the_blocks_that_follow_it(
    chain: KeptChain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    sync, replace = os.fsync, Path.replace

    def syncing(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            done.append("the folder")
        sync(descriptor)

    def replacing(self: Path, target: Path) -> Path:
        done.append(target.name)
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", syncing)
    monkeypatch.setattr(Path, "replace", replacing)
    chain.keep_state(ChainHead.of(block(9)), gzip.compress(b"{}"))
    assert done == ["state.gz", "the folder", "blocks.jsonl", "the folder"]


def test_blocks_that_do_not_follow_each_other_are_refused(chain: KeptChain) -> None:
    chain.keep_block(block(3))
    with pytest.raises(LedgerStateDamaged, match="do not follow"):
        chain.read()


@pytest.mark.parametrize(
    "content", [b"", b"{}\n", b'{"number": 1}\n', b"[" * 5000, b"\xff\n\x1f\x8b"]
)
def test_a_damaged_state_is_named(chain: KeptChain, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state.gz").write_bytes(content)
    with pytest.raises(LedgerStateDamaged, match="cannot be read"):
        chain.read()


def test_the_longer_nothing_happens_the_rarer_blocks_are_and_never_a_minute_apart() -> None:
    pauses = [keeper.between_blocks(idle) for idle in (0, 60, 61, 300, 720, 10**6)]
    assert pauses[:2] == [keeper.BLOCK_SECONDS] * 2
    assert pauses == sorted(pauses)
    assert pauses[-2:] == [60, 60]
    day = idle = blocks = 0.0
    while day < 86_400:
        pause = keeper.between_blocks(idle)
        day, idle, blocks = day + pause, idle + pause, blocks + 1
    assert blocks < 1_600  # 17,000 when they came every five seconds: each of them stays


def test_a_chain_says_long_before_its_end_that_it_grows(tmp_path: Path, chain: KeptChain) -> None:
    assert chain.outgrown() is None
    assert KeptChain(tmp_path / "none").outgrown() is None
    with (tmp_path / "state.gz").open("r+b") as file:
        file.truncate(40 << 20)
    said = chain.outgrown()
    assert said is not None
    assert "40 of 128 MiB" in said
    assert "--fresh" in said
    assert outgrown(15 << 20) is None


async def test_a_chain_that_grows_is_told_of_once_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(keeper, "outgrown", lambda size: f"much: {size}")
    head = ChainHead(1, "0x" + "1" * 64, "0x" + "2" * 64, 5)

    class Growing(Rpc):
        size = 100

        def __init__(self) -> None: ...

        async def ask(self, method: str, *params: Any) -> Any:
            block = {"number": "0x1", "hash": head.hash, "stateRoot": head.state_root}
            dumping = method == "anvil_dumpState"
            return "0x" + "00" * self.size if dumping else {**block, "timestamp": "0x5"}

    node = Growing()
    keeping = keeper.Keeper(node, Gate(1), KeptChain(tmp_path))
    for size in (100, 100, 120, 130):
        node.size = size
        await keeping._keep_state(head)
    assert capfd.readouterr().err.split("\n") == ["much: 100", "much: 130", ""]


def test_how_a_transaction_went_inside_is_not_kept_and_what_it_came_to_is() -> None:
    receipt = {"status": "0x1", "logs": ["l"]}
    info = {"traces": [{"trace": "long"}], "gas_used": 5}
    state = {"transactions": [{"info": info, "receipt": receipt}], "blocks": []}
    kept = without_traces(state)
    assert kept["transactions"] == [{"info": {"traces": [], "gas_used": 5}, "receipt": receipt}]
    assert without_traces({"blocks": []}) == {"blocks": []}
