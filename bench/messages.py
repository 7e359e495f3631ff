"""Two anvils joined by a committee, and messages from a user on one to a contract on the other."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from eth_abi.abi import encode

from bench.network import start_anvil
from caimi.composition.joining import join_ledgers
from caimi.hashing import keccak256
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.abi.calls import EvmCall, contract_creation, nothing
from caimi.ledgers.evm.abi.codec import Value
from caimi.ledgers.evm.abi.quantities import hexed, quantity
from caimi.ledgers.evm.administration.administering import EvmAdministered
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.transactions.fees import GWEI, Fees
from caimi.ledgers.evm.transactions.outgoing import sign_call
from caimi.ledgers.port import Account, Committee, Ledger, LedgerId
from caimi.messaging.checkpoint import Attestation, make_committee
from caimi.messaging.progress import Carried
from caimi.messaging.relayer import Relayer
from caimi.messaging.signed_store import SignedStore
from caimi.messaging.validator import Validator

# A contract that answers every call with the selector that ERC-7786 recipients give.
RECIPIENT = bytes.fromhex("632432ef2660e01b60005260206000f3")
CREATION = bytes.fromhex("6f") + RECIPIENT + bytes.fromhex("60005260106010f3")
MESSAGE_GAS = 200_000


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
        self, ledger: LedgerId, height: int, packets: Sequence[tuple[str, int]]
    ) -> Attestation:
        return await self._validator.attest_absence(ledger, height, packets)


@dataclass(slots=True)
class Pair:
    """Ledgers `a` and `b` with a route both ways, and who acts on them.

    `user` sends messages on `a` for a contract on `b`. `secrets` are the relayer's, who has coins
    on both, and the committee's members'.
    """

    a: EvmLedger
    b: EvmLedger
    user: LocalSigner
    secrets: tuple[bytes, ...]
    committee: Committee
    message: EvmCall[None]
    _nonce: int = field(default=0, init=False)

    @property
    def ledgers(self) -> dict[LedgerId, Ledger]:
        return {self.a.id: self.a, self.b.id: self.b}

    def relayer(self, observe: Callable[[Carried], None] = lambda carried: None) -> Relayer:
        return relayer_of(self.ledgers, self.committee, self.secrets, observe)

    async def send(self, count: int) -> list[str]:
        """Hand `a` as many messages, each a transaction; mining them is the caller's matter."""
        raws = []
        for _ in range(count):
            attempt = sign_call(
                self.message,
                self.user,
                number=self.a.chain.number,
                nonce=self._nonce,
                gas=MESSAGE_GAS,
                fees=Fees(100 * GWEI, GWEI),
            )
            self._nonce += 1
            raws.append(attempt.signed.raw)
        return list(
            await self.a.chain.rpc.all([("eth_sendRawTransaction", [hexed(raw)]) for raw in raws])
        )

    async def send_in_blocks(self, count: int, each: int) -> float:
        """Send messages in blocks of `each`; give the gas of one."""
        rpc = self.a.chain.rpc
        await rpc.ask("evm_setAutomine", False)
        for start in range(0, count, each):
            txs = await self.send(min(each, count - start))
            await rpc.ask("evm_mine")
        await rpc.ask("evm_setAutomine", True)
        receipt = await rpc.ask("eth_getTransactionReceipt", txs[-1])
        assert receipt["status"] == "0x1"
        return quantity(receipt["gasUsed"])


def relayer_of(
    ledgers: Mapping[LedgerId, Ledger],
    committee: Committee,
    secrets: Sequence[bytes],
    observe: Callable[[Carried], None],
) -> Relayer:
    """Make a relayer with all the committee's validators in its process."""
    store: SignedStore = Remembering()
    validators = [
        LocalValidator(Validator(LocalSigner(secret), committee, ledgers, store))
        for secret in secrets[1:]
    ]
    return Relayer(
        ledgers, validators, dict.fromkeys(ledgers, LocalSigner(secrets[0])), observe=observe
    )


@asynccontextmanager
async def joined_anvils(
    *, members: int = 5, threshold: int = 3, mining: bool = True, states: int | None = None
) -> AsyncIterator[Pair]:
    """Start two anvils, deploy on both and join them; without `mining` blocks come when asked."""
    deployer, user = LocalSigner.generate(), LocalSigner.generate()
    keys = tuple(secrets.token_bytes(32) for _ in range(1 + members))
    relaying, *accounts = (LocalSigner(key).account for key in keys)
    async with AsyncExitStack() as stack:
        a, b = [
            await start_anvil(stack, number, deployer, [user.account, relaying], states=states)
            for number in (31337, 31338)
        ]
        await join_ledgers(
            EvmAdministered(a, deployer),
            EvmAdministered(b, deployer),
            make_committee(0, threshold, accounts),
        )
        created = (await b.submit(contract_creation(b.id, "A recipient", CREATION), user)).effect
        arguments: tuple[Value, ...] = (Account(b.id, created).interoperable, bytes(31) + b"\1", [])
        selector = keccak256(b"sendMessage(bytes,bytes,bytes[])")[:4]
        data = selector + encode(("bytes", "bytes", "bytes[]"), arguments)
        message = EvmCall(a.id, "Sending", a.deployment.contracts["messages"], data, 0, nothing)
        if not mining:
            await asyncio.gather(*(each.chain.rpc.ask("evm_setAutomine", False) for each in (a, b)))
        committee = make_committee(0, threshold, accounts)
        yield Pair(a, b, user, keys, committee, message)
