"""Relaying between two real anvils in batches of 100: packets a second, gas per packet."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from statistics import mean

from eth_abi.abi import encode

from bench.network import start_anvil
from bench.result import Result
from caimi.hashing import keccak256
from caimi.ledgers.evm.deployment import Signers, connect_ledgers
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.signer import LocalSigner
from caimi.ledgers.port import Call, Ledger, LedgerId, Signer
from caimi.messaging.checkpoint import Attestation, make_committee
from caimi.messaging.relayer import Relayer
from caimi.messaging.signed_store import SignedStore
from caimi.messaging.validator import Validator

PACKETS, BATCH = 2_000, 100
# A contract that answers every call with the selector that ERC-7786 recipients give.
RECIPIENT = bytes.fromhex("632432ef2660e01b60005260206000f3")
CREATION = bytes.fromhex("6f") + RECIPIENT + bytes.fromhex("60005260106010f3")


def measure() -> list[Result]:
    """Send 2,000 messages of 32 bytes, then let one relayer deliver and acknowledge them."""
    return asyncio.run(_measure())


class Remembering:
    """Remembers nothing: the disk's speed is not what is measured here."""

    def remember(self, statement: object, block_hash: bytes, contents: object) -> None:
        """Take a statement."""

    def newest(self, origin: bytes, upto: int | None = None) -> None:
        """Remember no block."""

    def stop(self, origin: bytes, why: str) -> None:
        """Go on."""

    def stopped(self, origin: bytes) -> None:
        """Go on."""

    def clear(self, origin: bytes) -> None:
        """Go on."""


class LocalValidator:
    """A validator in this process (port `ValidatorClient`)."""

    def __init__(self, validator: Validator) -> None:
        self._validator = validator
        self.name = validator.account.hex()

    async def attest(self, ledger: LedgerId, from_height: int, height: int) -> Attestation:
        return await self._validator.attest(ledger, from_height, height)

    async def attest_absence(
        self, ledger: LedgerId, height: int, packets: list[tuple[str, int]]
    ) -> Attestation:
        return await self._validator.attest_absence(ledger, height, packets)


async def _measure() -> list[Result]:
    deployer, user, relaying = (LocalSigner.generate() for _ in range(3))
    members = [LocalSigner.generate() for _ in range(5)]
    async with AsyncExitStack() as stack:
        a, b = [
            await start_anvil(stack, number, deployer, [user.account, relaying.account])
            for number in (31337, 31338)
        ]
        accounts = tuple(member.account for member in members)
        await connect_ledgers(a, b, Signers(0, 3, accounts), deployer)
        ledgers: dict[LedgerId, Ledger] = {a.id: a, b.id: b}
        committee = make_committee(0, 3, accounts)
        store: SignedStore = Remembering()
        validators = [LocalValidator(Validator(m, committee, ledgers, store)) for m in members]
        creation = await b.submit(Call(b.id, "Deploying a recipient", b"", CREATION), user)
        sent = await _send(a, b, creation.created, user)
        relayer = Relayer(ledgers, validators, relaying, batch=BATCH)
        carried = []
        began = time.perf_counter()
        while sum(c.packets for c in carried if c.what == "acknowledge") < PACKETS:
            step = await relayer.step()
            if step.failures:
                raise step.failures[0]
            carried += step.carried
        whole = time.perf_counter() - began
    gas = {
        what: mean(c.receipt.work / c.packets for c in carried if c.what == what)
        for what in ("deliver", "acknowledge")
    }
    return [
        Result(
            "relay_packets_per_second", PACKETS / whole, "packets/s, delivered and acknowledged"
        ),
        Result("gas_deliver_message_batch100", gas["deliver"], "gas a packet"),
        Result("gas_acknowledge_message_batch100", gas["acknowledge"], "gas a packet"),
        Result("gas_send_message", sent, "gas a message"),
    ]


async def _send(a: EvmLedger, b: EvmLedger, recipient: bytes, user: Signer) -> float:
    selector = keccak256(b"sendMessage(bytes,bytes,bytes[])")[:4]
    arguments = (b.address_of(recipient), bytes(31) + b"\1", [])
    data = selector + encode(("bytes", "bytes", "bytes[]"), arguments)
    call = Call(a.id, "Sending", a.deployment.contracts["messages"], data)
    works = []
    for _ in range(PACKETS // 50):
        done = await asyncio.gather(*(a.submit(call, user) for _ in range(50)))
        works += [receipt.work for receipt in done]
    return mean(works[1:])
