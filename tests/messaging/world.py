"""Ledgers in memory, with gateways that obey the contracts' rules, and nodes that can lie.

A `Chain` is what is true. Everybody sees it through a `NodeView` of their own (the part of the
ledger port that validators and relayers use), and each view can fail, lag and lie by itself.
A `LightClient` decides about proofs as `CommitteeClient.sol` does, sharing no code with
`caimi.messaging.proof`: it decodes the ABI, has eth-account make the EIP-712 digest, and folds
the multiproof as OpenZeppelin's contract does.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from coincurve import PrivateKey
from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_account import Account
from eth_account.messages import encode_typed_data

from caimi.chains import InteroperableAddress
from caimi.errors.ledgers import LedgerUnavailable, ProofRefused, TransactionReverted
from caimi.errors.messaging import EventsMissing
from caimi.errors.node import NodeUnreachable
from caimi.hashing import keccak256
from caimi.ibc.commitments import (
    UNIVERSAL_ERROR_ACKNOWLEDGEMENT,
    acknowledgement_commitment,
    acknowledgement_key,
    commitment_key,
    packet_commitment,
    receipt_key,
)
from caimi.ibc.packet import Packet, Payload
from caimi.ibc.statements import Kind
from caimi.ledgers.port import (
    NEWEST,
    At,
    Block,
    Call,
    Committee,
    Done,
    Exactly,
    LedgerId,
    RelayFee,
    Route,
    SentPacket,
    Signer,
    WrittenAcknowledgement,
)
from caimi.ledgers.port.clients import LightClient as ClientInfo
from caimi.messaging.checkpoint import Attestation, make_committee
from caimi.messaging.progress import Progress
from caimi.messaging.relayer import Relayer
from caimi.messaging.validator import Validator
from caimi.persistence import open_signed_store

Told = TypeVar("Told", SentPacket, WrittenAcknowledgement)
START = 1_800_000_000
Told = SentPacket | WrittenAcknowledgement | RelayFee
MAX_CLOCK_DRIFT = 600
HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
PROOF_TYPE = (
    "((bytes32,bytes32,uint64,uint64,uint64,bytes32,uint32),uint256,bytes,bytes32[],bool[])"
)
MEMBERS = [
    {"name": "origin", "type": "bytes32"},
    {"name": "committee", "type": "bytes32"},
    {"name": "from", "type": "uint64"},
    {"name": "height", "type": "uint64"},
    {"name": "time", "type": "uint64"},
    {"name": "root", "type": "bytes32"},
    {"name": "size", "type": "uint32"},
]


class KeySigner:
    """A key in memory (port `Signer`)."""

    def __init__(self, secret: int) -> None:
        self.key = PrivateKey.from_int(secret)

    @property
    def account(self) -> bytes:
        return keccak256(self.key.public_key.format(compressed=False)[1:])[12:]

    def sign_digest(self, digest: bytes) -> bytes:
        signature = self.key.sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes([signature[64] + 27])


# --- the light client, as the contract has it ---------------------------------------------------


@dataclass
class LightClient:
    """Says whether a committee's proof proves facts of the ledger behind `origin`."""

    origin: bytes
    committee: Committee
    valid_until: int = (1 << 64) - 1

    def verify(
        self, kind: Kind, keys: Sequence[bytes], values: Sequence[bytes], proof: bytes, now: int
    ) -> int:
        """Give the proved time; raises `ProofRefused`."""
        try:
            (decoded,) = decode((PROOF_TYPE,), proof)
        except (DecodingError, OverflowError) as error:
            raise ProofRefused("not an ABI encoding") from error
        members, signers, signatures, siblings, flags = decoded
        origin, committee, start, height, time, root, size = members
        _require(time <= now + MAX_CLOCK_DRIFT, "FutureTime")
        _require(origin == self.origin, "WrongOrigin")
        _require(committee == self.committee.hash, "UnknownCommittee")
        _require(now <= self.valid_until, "CommitteeExpired")
        self._check_signatures(typed_data(kind, members), signers, signatures)
        _require((height > start) == (kind is Kind.CHECKPOINT), "InvalidCheckpoint")
        _require(height >= start, "InvalidCheckpoint")
        absent = kind is Kind.ABSENCE
        _require(absent or all(value != bytes(32) for value in values), "ZeroValue")
        _require(0 < len(keys) <= size and root != bytes(32), "InvalidLeaves")
        leaves = [keccak256(keccak256(k + v)) for k, v in zip(keys, values, strict=True)]
        _require(_fold(leaves, siblings, flags) == root, "InvalidMerkleProof")
        return int(time)

    def _check_signatures(self, message: Any, signers: int, signatures: bytes) -> None:
        members = self.committee.members
        _require(signers >> len(members) == 0, "UnknownSigner")
        chosen = [member for place, member in enumerate(members) if signers >> place & 1]
        _require(len(signatures) == 65 * len(chosen), "InvalidSignaturesLength")
        for place, member in enumerate(chosen):
            signature = signatures[65 * place : 65 * place + 65]
            low = int.from_bytes(signature[32:64]) <= HALF_ORDER
            _require(low and signature[64] in (27, 28), "InvalidSignature")
            try:
                account = Account.recover_message(message, signature=signature)
            except Exception as error:  # whatever eth-account finds wrong with it
                raise ProofRefused("InvalidSignature") from error
            _require(bytes.fromhex(account[2:]) == member, "InvalidSignature")
        _require(len(chosen) >= self.committee.threshold, "TooFewSignatures")


def _require(condition: bool, error: str) -> None:
    if not condition:
        raise ProofRefused(error, error=error)


def typed_data(kind: Kind, values: Sequence[Any]) -> Any:
    return encode_typed_data(
        domain_data={"name": "CAIMI", "version": "1"},
        message_types={kind.value: MEMBERS},
        message_data={m["name"]: value for m, value in zip(MEMBERS, values, strict=True)},
    )


def _fold(leaves: list[bytes], proof: Sequence[bytes], flags: Sequence[bool]) -> bytes:
    """OpenZeppelin's MerkleProof.processMultiProof."""
    _require(len(leaves) + len(proof) == len(flags) + 1, "InvalidMerkleProof")
    if not flags:
        return leaves[0] if leaves else proof[0]
    queue = list(leaves)
    rest = list(proof)
    try:
        for flag in flags:
            one = queue.pop(0)
            two = queue.pop(0) if flag else rest.pop(0)
            queue.append(keccak256(min(one, two) + max(one, two)))
    except IndexError as error:
        raise ProofRefused("InvalidMerkleProof") from error
    _require(not rest, "InvalidMerkleProof")
    return queue[-1]


# --- chains -------------------------------------------------------------------------------------


@dataclass
class State:
    """A gateway's storage at one height, and what came of packets."""

    commitments: dict[bytes, bytes] = field(default_factory=dict)
    sequences: Counter[str] = field(default_factory=Counter)
    effects: Counter[tuple[str, int]] = field(default_factory=Counter)
    ended: dict[tuple[str, int], str] = field(default_factory=dict)
    sent: list[SentPacket] = field(default_factory=list)
    written: list[WrittenAcknowledgement] = field(default_factory=list)
    fees: list[RelayFee] = field(default_factory=list)
    held: dict[tuple[str, int, bytes, bytes], int] = field(default_factory=dict)
    earned: Counter[bytes] = field(default_factory=Counter)
    skipped: int = 0

    def copy(self) -> State:
        contents = {each.name: copy(getattr(self, each.name)) for each in fields(self)}
        return State(**contents)


def fee_name(fee: RelayFee) -> tuple[str, int, bytes, bytes]:
    return fee.client_id, fee.sequence, fee.relayer, fee.payer


def sequence_of(entry: SentPacket | WrittenAcknowledgement) -> int:
    return entry.packet.sequence if isinstance(entry, SentPacket) else entry.sequence


@dataclass
class Chain:
    """One ledger. Every transaction makes a block; `depth` blocks later it is final."""

    world: World
    number: int
    depth: int = 2
    blocks: list[Block] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    routes: list[Route] = field(default_factory=list)
    clients: dict[str, LightClient] = field(default_factory=dict)
    refuses: Callable[[Packet], bool] = lambda packet: False
    ack_fails: Callable[[Packet], bool] = lambda packet: False
    most_packets: int = 1_000
    work_price: int = 1
    transactions: int = 0
    forks: int = 0

    def __post_init__(self) -> None:
        self.id = LedgerId(f"eip155:{self.number}")
        contract = bytes([self.number]) * 20
        self.address = InteroperableAddress(0, bytes([self.number]), contract).to_bytes()
        self.blocks.append(Block(0, self.world.now, bytes(32)))
        self.states.append(State())

    @property
    def height(self) -> int:
        return len(self.blocks) - 1

    @property
    def final_height(self) -> int:
        return max(0, self.height - self.depth)

    @property
    def state(self) -> State:
        return self.states[-1]

    def mine(self, count: int = 1) -> None:
        """Make empty blocks."""
        for _ in range(count):
            self._add(self.state)

    def reorg(self, depth: int) -> None:
        """Undo the newest blocks; as many empty ones take their places."""
        depth = min(depth, self.height)
        self.undo(depth)
        self.mine(depth)

    def undo(self, depth: int) -> None:
        """Undo the newest blocks."""
        del self.blocks[len(self.blocks) - depth :], self.states[len(self.states) - depth :]
        self.forks += 1

    def _add(self, state: State) -> None:
        self.world.now += 1
        height = len(self.blocks)
        seed = f"{self.number}/{height}/{self.forks}".encode()
        self.blocks.append(Block(height, self.world.now, keccak256(seed)))
        self.states.append(state)

    def execute(self, change: Callable[[State], None]) -> Done[None]:
        """Make a block with one transaction; raises when it reverts, and then there is none."""
        state = self.state.copy()
        change(state)
        self._add(state)
        self.transactions += 1
        return Done(self.id, f"0x{self.transactions:064x}", self.height, self.world.now, 1, 1, None)

    def client_to(self, other: Chain) -> Route:
        return next(route for route in self.routes if route.counterparty == other.id)

    def send(self, other: Chain, *, value: bytes = b"ok", lasts: int = 3_600) -> Packet:
        """Send a packet to `other`."""
        route = self.client_to(other)
        sequence = self.state.sequences[route.client_id] + 1
        payload = Payload("app", "app", "v1", "application/x-solidity-abi", value)
        packet = Packet(
            sequence,
            route.client_id,
            route.counterparty_client_id,
            self.world.now + lasts,
            (payload,),
        )

        def change(state: State) -> None:
            state.sequences[route.client_id] = sequence
            key = commitment_key(route.client_id, sequence)
            state.commitments[key] = packet_commitment(packet)
            state.sent.append(SentPacket(packet, "0x", len(self.blocks)))

        self.execute(change)
        return packet

    def receive(self, client: str, packets: Sequence[Packet], proof: bytes) -> Done[None]:
        """As Gateway.sol's recvPackets."""
        now = self.world.now + 1
        route = self._check_batch(client, packets, source_is_here=False)
        keys = [commitment_key(route.counterparty_client_id, p.sequence) for p in packets]
        values = [packet_commitment(packet) for packet in packets]
        self.clients[client].verify(Kind.CHECKPOINT, keys, values, proof, now)

        def change(state: State) -> None:
            for packet in packets:
                key = acknowledgement_key(client, packet.sequence)
                if key in state.commitments or now >= packet.timeout:
                    state.skipped += 1
                    continue
                fails = packet.payloads[0].value == b"fail"
                acks = (UNIVERSAL_ERROR_ACKNOWLEDGEMENT if fails else b"\x01",)
                if not fails:
                    state.effects[client, packet.sequence] += 1
                state.commitments[key] = acknowledgement_commitment(acks)
                state.written.append(
                    WrittenAcknowledgement(client, packet.sequence, acks, "0x", len(self.blocks))
                )

        return self.execute(change)

    def acknowledge(
        self,
        client: str,
        packets: Sequence[Packet],
        acknowledgements: Sequence[Sequence[bytes]],
        proof: bytes,
    ) -> Done[None]:
        """As Gateway.sol's ackPackets."""
        route = self._check_batch(client, packets, source_is_here=True)
        keys = [acknowledgement_key(route.counterparty_client_id, p.sequence) for p in packets]
        values = [acknowledgement_commitment(acks) for acks in acknowledgements]
        now = self.world.now + 1
        self.clients[client].verify(Kind.CHECKPOINT, keys, values, proof, now)
        return self.execute(lambda state: self._end(state, packets, "acknowledged"))

    def time_out(self, client: str, packets: Sequence[Packet], proof: bytes) -> Done[None]:
        """As Gateway.sol's timeoutPackets."""
        route = self._check_batch(client, packets, source_is_here=True)
        keys = [receipt_key(route.counterparty_client_id, p.sequence) for p in packets]
        absent = [bytes(32)] * len(keys)
        now = self.world.now + 1
        time = self.clients[client].verify(Kind.ABSENCE, keys, absent, proof, now)
        if any(time < packet.timeout for packet in packets):
            raise TransactionReverted("TimeoutNotReached")
        return self.execute(lambda state: self._end(state, packets, "timed out"))

    def escrow(self, packet: Packet, relayer: bytes, amount: int, payer: bytes = b"payer") -> None:
        """As RelayFees.sol's escrow."""
        assert commitment_key(packet.source_client, packet.sequence) in self.state.commitments
        names = (packet.source_client, packet.sequence, relayer, payer)
        fee = RelayFee(*names, amount, packet.timeout, len(self.blocks))

        def change(state: State) -> None:
            state.fees.append(fee)
            state.held[fee_name(fee)] = state.held.get(fee_name(fee), 0) + amount

        self.execute(change)

    def claim(
        self, client: str, fees: Sequence[RelayFee], values: Sequence[bytes], proof: bytes
    ) -> Done[None]:
        """As RelayFees.sol's claim."""
        route = next(route for route in self.routes if route.client_id == client)
        keys = [acknowledgement_key(route.counterparty_client_id, fee.sequence) for fee in fees]
        self.clients[client].verify(Kind.CHECKPOINT, keys, values, proof, self.world.now + 1)

        def change(state: State) -> None:
            for fee in fees:
                state.earned[fee.relayer] += state.held.pop(fee_name(fee), 0)

        return self.execute(change)

    def _check_batch(
        self, client: str, packets: Sequence[Packet], *, source_is_here: bool
    ) -> Route:
        route = next(route for route in self.routes if route.client_id == client)
        ends = (client, route.counterparty_client_id)
        if not 0 < len(packets) <= self.most_packets:
            raise TransactionReverted("too much for one block")
        for packet in packets:
            if self.refuses(packet):
                raise TransactionReverted(f"packet {packet.sequence} is refused")
            if (packet.source_client, packet.dest_client) != (
                ends if source_is_here else ends[::-1]
            ):
                raise TransactionReverted("WrongRoute")
        return route

    def _end(self, state: State, packets: Sequence[Packet], how: str) -> None:
        for packet in packets:
            key = commitment_key(packet.source_client, packet.sequence)
            if key not in state.commitments:
                state.skipped += 1
                continue
            if state.commitments[key] != packet_commitment(packet):
                raise TransactionReverted("CommitmentMismatch")
            if self.ack_fails(packet):
                continue  # the application refuses the callback: the packet stays open
            del state.commitments[key]
            state.ended[packet.source_client, packet.sequence] = how


# --- nodes --------------------------------------------------------------------------------------


async def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class _Built(Call[None]):
    """A call of these ledgers: what it does."""

    run: Callable[[], Done[None]]


class NodeView:
    """One node of a chain, as the ledger port shows it. Set its attributes to make it lie."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.id = chain.id
        self.address = chain.address
        self.gateway = self
        self.clients = self
        self.fees: NodeView | None = self
        self.deployed_at = 1
        self.down = False
        self.fails_next = 0
        self.behind = 0
        """How many blocks this node has not seen yet."""
        self.forged: list[SentPacket | WrittenAcknowledgement] = []
        self.omits: Callable[[SentPacket | WrittenAcknowledgement | RelayFee], bool] = (
            lambda entry: False
        )
        """Which events this node leaves out without a word."""
        self.covers_up = False
        """Whether its headers and receipts tell the same lies as its logs."""
        self.ahead_finality = 0
        """How many blocks too many this node calls final."""
        self.time_shift = 0
        self.before_submit: Callable[[], Awaitable[object]] = _nothing
        """What happens between the next decision to send and the sending."""
        self.calls: Counter[str] = Counter()

    async def _asked(self, what: str) -> None:
        self.calls[what] += 1
        await asyncio.sleep(0)
        if self.fails_next or self.down:
            self.fails_next = max(0, self.fails_next - 1)
            raise LedgerUnavailable(f"{what} on {self.id} failed.")

    def _height(self, at: At = NEWEST) -> int:
        height = max(0, self.chain.height - self.behind)
        if not isinstance(at, Exactly):
            return height if at is NEWEST else self._final_height()
        if at.height > height:
            raise LedgerUnavailable(f"{self.id} has no block {at.height} yet.")
        return at.height

    async def head(self) -> Block:
        await self._asked("head")
        return self.chain.blocks[self._height()]

    def _final_height(self) -> int:
        head = self._height()
        return min(max(0, head - self.chain.depth + self.ahead_finality), head)

    async def finalized(self) -> Block:
        await self._asked("finalized")
        return await self.block(self._final_height())

    async def block(self, height: int) -> Block:
        await self._asked("block")
        block = self.chain.blocks[self._height(Exactly(height))]
        return replace(block, time=block.time + self.time_shift)

    async def routes(self) -> list[Route]:
        await self._asked("routes")
        return list(self.chain.routes)

    async def of(self, client_id: str) -> ClientInfo:
        return ClientInfo(client_id.encode(), "caimi-committee")

    async def committee(self, client: str | bytes, at: At = NEWEST) -> Committee:
        await self._asked("committee")
        client_id = client.decode() if isinstance(client, bytes) else client
        return self.chain.clients[client_id].committee

    async def sent(self, from_height: int, to_height: int) -> list[SentPacket]:
        await self._asked("sent")
        state = self.chain.states[self._height(Exactly(to_height))]
        return self._told(state.sent, SentPacket, from_height, to_height)

    async def traffic(
        self, from_height: int, to_height: int
    ) -> tuple[list[SentPacket], list[WrittenAcknowledgement]]:
        sent = await self.sent(from_height, to_height)
        state = self.chain.states[self._height(Exactly(to_height))]
        return sent, self._told(state.written, WrittenAcknowledgement, from_height, to_height)

    async def whole_traffic(
        self, from_height: int, to_height: int
    ) -> tuple[list[SentPacket], list[WrittenAcknowledgement]]:
        shown = await self.traffic(from_height, to_height)
        state = self.chain.states[self._height(Exactly(to_height))]
        for true, told in zip((state.sent, state.written), shown, strict=True):
            if self.covers_up or self.forged:
                continue
            there = [entry for entry in true if from_height < entry.height <= to_height]
            if there != told:
                raise EventsMissing(f"The node of {self.id} left something out.")
        return shown

    def _told(
        self, true: list[Told], kind: type[Told], from_height: int, to_height: int
    ) -> list[Told]:
        forged = [entry for entry in self.forged if isinstance(entry, kind)]
        every = [entry for entry in (*true, *forged) if not self.omits(entry)]
        return [entry for entry in every if from_height < entry.height <= to_height]

    async def commitments(self, keys: Sequence[bytes], at: At = NEWEST) -> list[bytes]:
        await self._asked("commitments")
        state = self.chain.states[self._height(at)]
        return [state.commitments.get(key, bytes(32)) for key in keys]

    async def receipts(self, packets: Sequence[tuple[str, int]], at: At = NEWEST) -> list[bool]:
        await self._asked("receipts")
        state = self.chain.states[self._height(at)]
        return [acknowledgement_key(*name) in state.commitments for name in packets]

    async def escrowed(self, relayer: bytes, from_height: int, to_height: int) -> list[RelayFee]:
        await self._asked("escrowed")
        fees = self.chain.states[self._height(Exactly(to_height))].fees
        seen = [fee for fee in fees if not self.omits(fee)]
        return [f for f in seen if f.relayer == relayer and from_height < f.height <= to_height]

    async def held(self, fees: Sequence[RelayFee], at: At = NEWEST) -> list[int]:
        await self._asked("held")
        state = self.chain.states[self._height(at)]
        return [state.held.get(fee_name(fee), 0) for fee in fees]

    def claim(
        self, client_id: str, fees: Sequence[RelayFee], values: Sequence[bytes], proof: bytes
    ) -> Call[None]:
        return self._call("claim", lambda: self.chain.claim(client_id, fees, values, proof))

    async def work_price(self) -> int:
        await self._asked("work price")
        return self.chain.work_price

    def receive(self, client_id: str, packets: Sequence[Packet], proof: bytes) -> Call[None]:
        return self._call("receive", lambda: self.chain.receive(client_id, packets, proof))

    def acknowledge(
        self,
        client_id: str,
        packets: Sequence[Packet],
        acknowledgements: Sequence[Sequence[bytes]],
        proof: bytes,
    ) -> Call[None]:
        return self._call(
            "acknowledge",
            lambda: self.chain.acknowledge(client_id, packets, acknowledgements, proof),
        )

    def time_out(self, client_id: str, packets: Sequence[Packet], proof: bytes) -> Call[None]:
        return self._call("time out", lambda: self.chain.time_out(client_id, packets, proof))

    def _call(self, what: str, run: Callable[[], Done[None]]) -> Call[None]:
        return _Built(self.id, what, run)

    async def submit(self, call: Call[None], signer: Signer, **_: object) -> Done[None]:
        await self._asked("submit")
        hook, self.before_submit = self.before_submit, _nothing
        await hook()
        assert isinstance(call, _Built)
        return call.run()


class Door:
    """The way to one validator in this process (port `ValidatorClient`)."""

    def __init__(self, name: str, validator: Validator) -> None:
        self.name = name
        self.validator = validator
        self.down = False
        self.seconds = 0.0
        self.asked = 0
        self.answers: Callable[[Attestation], Attestation] = lambda attestation: attestation

    async def _through(self, ask: Callable[[], Awaitable[Attestation]]) -> Attestation:
        self.asked += 1
        if self.down:
            raise NodeUnreachable(f"{self.name} does not answer.")
        if self.seconds:
            await asyncio.sleep(self.seconds)
        # What comes over the network is JSON.
        told = json.loads(self.answers(await ask()).to_json())
        return Attestation.from_document(told)

    async def attest(self, ledger: LedgerId, from_height: int, height: int) -> Attestation:
        return await self._through(lambda: self.validator.attest(ledger, from_height, height))

    async def attest_absence(
        self, ledger: LedgerId, height: int, packets: Sequence[tuple[str, int]]
    ) -> Attestation:
        return await self._through(lambda: self.validator.attest_absence(ledger, height, packets))


# --- the world ----------------------------------------------------------------------------------


class World:
    """`ledgers` chains, every one connected to every other, and a committee of `members`."""

    def __init__(
        self,
        folder: Path,
        *,
        ledgers: int = 2,
        members: int = 3,
        threshold: int = 2,
        depth: int = 2,
    ) -> None:
        self.now = START
        self.folder = folder
        self.signers = [KeySigner(1_000 + place) for place in range(members)]
        self.committee = make_committee(1, threshold, [s.account for s in self.signers])
        self.chains = [Chain(self, 10 + place, depth) for place in range(ledgers)]
        for here in self.chains:
            for there in self.chains:
                if here is not there:
                    name = f"caimi-{here.number}-{there.number}"
                    back = f"caimi-{there.number}-{here.number}"
                    here.routes.append(Route(name, back, there.id))
                    here.clients[name] = LightClient(keccak256(there.address), self.committee)
        self.nodes = [self.views() for _ in self.signers]
        self.stores = [open_signed_store(None, folder / f"{p}.sqlite") for p in range(members)]
        self.doors = [
            Door(f"validator {place}", Validator(signer, self.committee, views, store))
            for place, (signer, views, store) in enumerate(
                zip(self.signers, self.nodes, self.stores, strict=True)
            )
        ]

    def views(self, chains: Iterable[Chain] | None = None) -> dict[LedgerId, NodeView]:
        """Nodes for one participant."""
        return {chain.id: NodeView(chain) for chain in chains or self.chains}

    def relayer(self, **settings: Any) -> Relayer:
        """Make a relayer on nodes of its own, whose clock is the world's."""
        views = settings.pop("views", None) or self.views()
        return Relayer(views, self.doors, KeySigner(77), clock=lambda: float(self.now), **settings)

    def mine(self, count: int = 1) -> None:
        """Make blocks everywhere."""
        for _ in range(count):
            for chain in self.chains:
                chain.mine()

    def finalize(self) -> None:
        """Make what is on the chains now final."""
        self.mine(max(chain.depth for chain in self.chains))

    def pass_time(self, seconds: int) -> None:
        self.now += seconds
        self.mine()

    async def settle(self, relayer: Relayer, steps: int = 6) -> Progress:
        """Let `relayer` work on a calm world."""
        done = Progress()
        for _ in range(steps):
            self.finalize()
            progress = await relayer.step()
            done.carried += progress.carried
            done.failures += progress.failures
        return done

    def close(self) -> None:
        for store in self.stores:
            store.close()
