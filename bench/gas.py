"""What packets cost on anvil (prague), by receipts: the gateway with the least application.

Each call is a transaction of its own with cold storage, from an application that was used before. A
message through the gateway's ERC-7786 face costs more; `bench.relaying` measures that.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from bench.messages import LocalValidator, Remembering
from bench.network import start_anvil
from bench.result import Result
from caimi.composition.joining import join_ledgers
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.abi.calls import contract_creation
from caimi.ledgers.evm.abi.codec import Value
from caimi.ledgers.evm.abi.quantities import hexed
from caimi.ledgers.evm.administration.administering import EvmAdministered
from caimi.ledgers.evm.artifacts import artifact
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.rpc.contract import Contract
from caimi.ledgers.port import Ledger, LedgerId
from caimi.messaging.checkpoint import make_committee
from caimi.messaging.relayer import Relayer
from caimi.messaging.validator import Validator

# Counts its callbacks in one slot and answers 0x01 as abi.encode(bytes).
APPLICATION = bytes.fromhex("5f546001015f5560205f526001602052600160405360605ff3")
CREATION = bytes.fromhex("78") + APPLICATION + bytes.fromhex("5f5260196007f3")
PORT = "bench"


def measure() -> list[Result]:
    """Send, deliver and acknowledge one packet and 100, with committees of 3 of 5 and 13 of 19."""
    return asyncio.run(_measure())


async def _measure() -> list[Result]:
    async with _joined(3, 5) as small:
        await small.carry(1)  # pays for fresh slots
        sent, single, _ = await small.carry(1)
        _, _, acknowledged = await small.carry(100)
    async with _joined(13, 19) as large:
        await large.carry(1)
        _, single_large, _ = await large.carry(1)
        _, batch_large, _ = await large.carry(100)
    peer = "Hyperlane, published figures"
    return [
        Result("gas_send_32", sent, "gas", peer, 68_232, sent / 68_232, ceiling=66_000),
        Result("gas_deliver_single_3of5", single, "gas", ceiling=130_000),
        Result("gas_deliver_single_13of19", single_large, "gas", ceiling=175_000),
        Result("gas_deliver_batch100_13of19", batch_large, "gas a packet", ceiling=63_000),
        Result("gas_acknowledge_batch100", acknowledged, "gas a packet", ceiling=31_000),
    ]


class _Joined:
    """Two ledgers with the application on both, and all that carries between them."""

    def __init__(
        self, a: EvmLedger, b: EvmLedger, client: str, application: bytes, relayer: Relayer
    ) -> None:
        self._a, self._b = a, b
        self._client, self._application = client, application
        self._relayer = relayer

    async def carry(self, count: int) -> tuple[float, float, float]:
        """Give the gas of a send, and of a packet's share in its delivery and acknowledgement."""
        works = [await self._send() for _ in range(count)]
        gas: dict[str, float] = {}
        while "acknowledge" not in gas:
            step = await self._relayer.step()
            if step.failures:
                raise step.failures[0]
            for carried in step.carried:
                assert carried.packets == count, "one transaction for all"
                gas[carried.what] = carried.receipt.work / carried.packets
        return works[-1], gas["deliver"], gas["acknowledge"]

    async def _send(self) -> int:
        timeout = (await self._a.head()).time + 3600
        payload = (PORT, PORT, "bench-1", "application/x-solidity-abi", b"\x11" * 32)
        data = artifact("Gateway").interface["sendPacket"].encode(self._client, timeout, [payload])
        rpc = self._a.chain.rpc
        transaction = {
            "from": hexed(self._application),
            "to": hexed(self._a.deployment.contracts["gateway"]),
            "data": hexed(data),
            "gas": hex(1_000_000),
        }
        tx = await rpc.ask("eth_sendTransaction", transaction)
        receipt: Value = None
        while receipt is None:
            receipt = await rpc.ask("eth_getTransactionReceipt", tx)
        assert receipt["status"] == "0x1"
        return int(receipt["gasUsed"], 16)


@asynccontextmanager
async def _joined(threshold: int, count: int) -> AsyncIterator[_Joined]:
    deployer, relaying = LocalSigner.generate(), LocalSigner.generate()
    members = [LocalSigner.generate() for _ in range(count)]
    accounts = tuple(member.account for member in members)
    async with AsyncExitStack() as stack:
        a, b = [
            await start_anvil(stack, number, deployer, [relaying.account], hardfork="prague")
            for number in (31337, 31338)
        ]
        client, _ = await join_ledgers(
            EvmAdministered(a, deployer),
            EvmAdministered(b, deployer),
            make_committee(0, threshold, accounts),
        )
        application = b""
        for ledger in (a, b):
            created = await ledger.submit(
                contract_creation(ledger.id, "Deploying an application", CREATION), deployer
            )
            application = created.effect if ledger is a else application
            router = Contract(
                ledger.chain, ledger.deployment.contracts["gateway"], artifact("Gateway").interface
            )
            await ledger.submit(
                router.call("Registering it", "addApplication", PORT, created.effect), deployer
            )
        await a.chain.rpc.ask("anvil_impersonateAccount", hexed(application))
        await a.chain.rpc.ask("anvil_setBalance", hexed(application), hex(10**20))
        ledgers: dict[LedgerId, Ledger] = {a.id: a, b.id: b}
        committee = make_committee(0, threshold, accounts)
        validators = [
            LocalValidator(Validator(member, committee, ledgers, Remembering()))
            for member in members
        ]
        yield _Joined(
            a,
            b,
            client,
            application,
            Relayer(ledgers, validators, dict.fromkeys(ledgers, relaying), batch=100),
        )
