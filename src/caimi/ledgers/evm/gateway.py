"""Packets: the port's `Gateway` over the IBC v2 router contract."""

from __future__ import annotations

from collections.abc import Sequence

from caimi.chains import InteroperableAddress
from caimi.errors.ledgers import EventInvalid, TransactionReverted
from caimi.hashing import keccak256
from caimi.ledgers.evm.abi import Interface
from caimi.ledgers.evm.abi_codec import Value
from caimi.ledgers.evm.contract import Contract
from caimi.ledgers.evm.logs import EventReader, RawLog
from caimi.ledgers.evm.packets import to_tuple
from caimi.ledgers.evm.state_proofs import read_state_proof
from caimi.ledgers.ibc_proto import decode_acknowledgements, decode_packet
from caimi.ledgers.port import (
    Call,
    Committee,
    LedgerId,
    Packet,
    Route,
    SentPacket,
    WrittenAcknowledgement,
)
from caimi.messaging.client_proofs import StateProof, commitment_slot

_MAX_ROUTES = 10_000


class EvmGateway:
    """The gateway of one EVM ledger; `clients` is the committee client's interface."""

    def __init__(
        self, contract: Contract, address: bytes, events: EventReader, clients: Interface
    ) -> None:
        self.address = address
        self._contract = contract
        self._events = events
        self._clients = clients
        self._client_ids: dict[bytes, str] = {}  # by their hashes, as events name them

    async def routes(self) -> list[Route]:
        """List the routes that have a counterparty; ids count up, so no log is searched."""
        routes: list[Route] = []
        for number in range(_MAX_ROUTES):
            client_id = f"caimi-{self._contract.chain.number}-{number}"
            try:
                _, counterparty, ledger = await self._contract.read("getClient", client_id)
            except TransactionReverted as refusal:
                if refusal.error == "UnknownClient":
                    break
                raise
            self._client_ids[keccak256(client_id.encode())] = client_id
            if counterparty:
                known = InteroperableAddress.from_bytes(ledger).ledger
                routes.append(Route(client_id, counterparty, LedgerId(known)))
        return routes

    async def committee(self, client_id: str, at: int | None = None) -> Committee:
        """Read the present committee of a route's client.

        Raises:
            TransactionReverted: there is no such route.
        """
        address, _, _ = await self._contract.read("getClient", client_id, at=at)
        client = Contract(self._contract.chain, address, self._clients)
        (epoch,) = await client.read("epoch", at=at)
        digest, threshold, members, operators, _ = await client.read("committee", epoch, at=at)
        return Committee(epoch, threshold, tuple(members), operators, digest)

    async def sent(self, from_height: int, to_height: int) -> list[SentPacket]:
        """List packets committed in blocks (from_height, to_height], in log order."""
        return [
            SentPacket(decode_packet(values["packet"]), log.tx, log.height)
            for log, values in await self._logs("PacketSent", from_height, to_height)
        ]

    async def written(self, from_height: int, to_height: int) -> list[WrittenAcknowledgement]:
        """List acknowledgements written in blocks (from_height, to_height], in log order.

        Raises:
            EventInvalid: one is for a client that the gateway does not have.
        """
        logs = await self._logs("AcknowledgementWritten", from_height, to_height)
        if any(values["clientHash"] not in self._client_ids for _, values in logs):
            await self.routes()
        try:
            return [
                WrittenAcknowledgement(
                    self._client_ids[values["clientHash"]],
                    values["sequence"],
                    decode_acknowledgements(values["acknowledgement"]),
                    log.tx,
                    log.height,
                )
                for log, values in logs
            ]
        except KeyError as error:
            raise EventInvalid("An acknowledgement is for a client that there is not.") from error

    async def commitments(self, keys: Sequence[bytes], at: int | None = None) -> list[bytes]:
        """Give the 32-byte commitments stored at `keys`; zero when absent."""
        reads = [self._contract.reading("getCommitment", key) for key in keys]
        return [bytes(value) for (value,) in await self._contract.chain.reads(reads, at)]

    async def receipts(
        self, packets: Sequence[tuple[str, int]], at: int | None = None
    ) -> list[bool]:
        """Tell which (destination client, sequence) have been received here."""
        reads = [
            self._contract.reading("hasReceipt", client, sequence) for client, sequence in packets
        ]
        return [bool(value) for (value,) in await self._contract.chain.reads(reads, at)]

    async def state_proof(self, keys: Sequence[bytes], height: int) -> StateProof:
        """Prove what the state of block `height` says of the commitments at `keys`.

        Raises:
            LedgerRefused: the node gives no proofs, or none of that height any more.
        """
        slots = [commitment_slot(key) for key in keys]
        return await read_state_proof(
            self._contract.chain.rpc, self._contract.address, slots, height
        )

    def receive(self, client_id: str, packets: Sequence[Packet], proof: bytes) -> Call:
        """Deliver packets that `proof` proves."""
        return self._contract.call(
            f"Delivering {len(packets)} packets over {client_id}",
            "recvPackets",
            client_id,
            [to_tuple(packet) for packet in packets],
            proof,
        )

    def acknowledge(
        self,
        client_id: str,
        packets: Sequence[Packet],
        acknowledgements: Sequence[Sequence[bytes]],
        proof: bytes,
    ) -> Call:
        """End packets sent from here, by proof of their acknowledgements."""
        return self._contract.call(
            f"Acknowledging {len(packets)} packets over {client_id}",
            "ackPackets",
            client_id,
            [to_tuple(packet) for packet in packets],
            [list(each) for each in acknowledgements],
            proof,
        )

    def time_out(self, client_id: str, packets: Sequence[Packet], proof: bytes) -> Call:
        """End packets sent from here, by proof that they were not received in time."""
        return self._contract.call(
            f"Timing out {len(packets)} packets over {client_id}",
            "timeoutPackets",
            client_id,
            [to_tuple(packet) for packet in packets],
            proof,
        )

    def add_client(self, client: bytes, counterparty: bytes) -> Call:
        """Register a light client of the ledger `counterparty` (ERC-7930); administrators only."""
        return self._contract.call("Adding a route", "addClient", client, counterparty)

    async def rotate(
        self, client_id: str, following: Committee, signers: int, signatures: bytes
    ) -> Call:
        """Hand a route's client over to `following`, as its present committee signed.

        Raises:
            TransactionReverted: there is no such route.
        """
        address, _, _ = await self._contract.read("getClient", client_id)
        return Contract(self._contract.chain, address, self._clients).call(
            f"Handing {client_id} over to epoch {following.epoch}",
            "rotate",
            following.threshold,
            list(following.members),
            following.operators,
            signers,
            signatures,
        )

    def set_counterparty(self, client_id: str, counterparty_client_id: str) -> Call:
        """Name the other side's client of a route, once; administrators only."""
        return self._contract.call(
            f"Joining {client_id} and {counterparty_client_id}",
            "setCounterparty",
            client_id,
            counterparty_client_id,
        )

    async def _logs(
        self, name: str, from_height: int, to_height: int
    ) -> list[tuple[RawLog, dict[str, Value]]]:
        event = self._contract.interface.events[name]
        logs = await self._events.raw(
            [self._contract.address], [event.topic], from_height + 1, to_height
        )
        return [(log, event.decode(log.topics, log.data)) for log in logs]
