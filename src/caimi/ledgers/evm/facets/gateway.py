"""Packets: the port's `Gateway` over the IBC v2 router contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from caimi.chains import InteroperableAddress
from caimi.errors.ledgers import (
    EventInvalid,
    LedgerAnswerInvalid,
    LedgerRefused,
    TransactionReverted,
)
from caimi.hashing import keccak256
from caimi.ibc.packet import Packet
from caimi.ibc.path import Path
from caimi.ibc.protobuf import decode_acknowledgements, decode_packet
from caimi.ledgers.client_proofs import EndorsedReads, StateProof, commitment_slot
from caimi.ledgers.evm.abi.calls import EvmCall
from caimi.ledgers.evm.abi.codec import Value
from caimi.ledgers.evm.abi.interface import Interface
from caimi.ledgers.evm.facets.light_clients import read_committee
from caimi.ledgers.evm.facets.packets import to_tuple
from caimi.ledgers.evm.facets.voyages import ready_height
from caimi.ledgers.evm.proofs.completeness import Completeness
from caimi.ledgers.evm.proofs.state_proofs import read_state_proof
from caimi.ledgers.evm.rpc.contract import Contract
from caimi.ledgers.evm.rpc.logs import EventReader, RawLog
from caimi.ledgers.port import (
    NEWEST,
    At,
    Committee,
    LedgerId,
    Route,
    SentPacket,
    WrittenAcknowledgement,
)

_MAX_ROUTES = 10_000
_ROUTES_AT_ONCE = 4
# Reading a commitment takes some three thousand gas, and a node lends a call tens of millions.
_KEYS = 1_000
_NOTHING = bytes(32)
_TRAFFIC = ("PacketSent", "AcknowledgementWritten")


class EvmGateway:
    """The gateway of one EVM ledger, deployed at a height.

    `clients` is the committee client's interface.
    """

    def __init__(
        self,
        contract: Contract,
        address: bytes,
        events: EventReader,
        clients: Interface,
        deployed_at: int,
    ) -> None:
        self.address = address
        self._deployed_at = deployed_at
        self._contract = contract
        self._events = events
        self._clients = clients
        self._completeness: dict[tuple[str, ...], Completeness] = {}  # by the events' names
        self._client_ids: dict[bytes, str] = {}  # by their hashes, as events name them

    async def routes(self) -> list[Route]:
        """List the routes that have a counterparty."""
        return [
            Route(name, counterparty, LedgerId(InteroperableAddress.from_bytes(ledger).ledger))
            for name, _, counterparty, ledger in await self._registered()
            if counterparty
        ]

    async def route_by(self, client: bytes) -> str | None:
        """Give the id of the newest route whose light client is at an address, joined or not."""
        registered = reversed(await self._registered())
        return next((name for name, address, _, _ in registered if address == client), None)

    async def _registered(self) -> list[tuple[str, bytes, str, bytes]]:
        """Give each route's id, client, other end and ledger; ids count up: no log is searched."""
        found: list[tuple[str, bytes, str, bytes]] = []
        for first in range(0, _MAX_ROUTES, _ROUTES_AT_ONCE):
            names = [
                f"caimi-{self._contract.chain.number}-{number}"
                for number in range(first, first + _ROUTES_AT_ONCE)
            ]
            reads = [self._contract.reading("getClient", name) for name in names]
            for name, answer in zip(
                names, await self._contract.chain.try_reads(reads), strict=True
            ):
                if isinstance(answer, TransactionReverted):
                    if answer.error == "UnknownClient":
                        return found
                    raise answer
                client, counterparty, ledger = answer
                self._client_ids[keccak256(name.encode())] = name
                found.append((name, client, counterparty, ledger))
        return found

    async def client_named(self, client_hash: bytes) -> str | None:
        """Give the client id that events name by its hash; None when there is none."""
        if client_hash not in self._client_ids:
            await self.routes()
        return self._client_ids.get(client_hash)

    async def committee(self, client_id: str, at: At = NEWEST) -> Committee:
        """Read the present committee of a route's client.

        Raises:
            TransactionReverted: there is no such route.
        """
        address, _, _ = await self._contract.read("getClient", client_id, at=at)
        return await read_committee(Contract(self._contract.chain, address, self._clients), at)

    async def sent(self, from_height: int, to_height: int) -> list[SentPacket]:
        """List packets committed in blocks (from_height, to_height], in log order."""
        return [
            _sent_packet(log, values)
            for log, _, values in await self._logs(["PacketSent"], from_height, to_height)
        ]

    async def find_sent(self, client_id: str, sequence: int) -> SentPacket | None:
        """Find one packet that was sent; None when there is none of that name."""
        event = self._contract.interface.events["PacketSent"]
        topics = [event.topic, keccak256(client_id.encode()), sequence.to_bytes(32)]
        head = await self._contract.chain.head_height()
        logs = await self._events.raw([self._contract.address], topics, self._deployed_at, head)
        return _sent_packet(logs[0], event.decode(logs[0].topics, logs[0].data)) if logs else None

    async def traffic(
        self, from_height: int, to_height: int
    ) -> tuple[list[SentPacket], list[WrittenAcknowledgement]]:
        """List packets committed and acknowledgements written in those blocks, in log order.

        Raises:
            EventInvalid: an acknowledgement is for a client that the gateway does not have.
        """
        return await self._read(await self._logs(_TRAFFIC, from_height, to_height))

    async def whole_traffic(
        self, from_height: int, to_height: int
    ) -> tuple[list[SentPacket], list[WrittenAcknowledgement]]:
        """Give what `traffic` gives, once the blocks' headers and receipts say that it is all.

        Raises:
            EventsMissing: the node left out logs, or has not the receipts that headers commit to.
            EventInvalid: see `traffic`.
        """
        return await self._read(await self._whole_logs(_TRAFFIC, from_height, to_height))

    async def _read(
        self, logs: Sequence[tuple[RawLog, str, dict[str, Value]]]
    ) -> tuple[list[SentPacket], list[WrittenAcknowledgement]]:
        names = _TRAFFIC
        await self._learn_clients(
            [values["clientHash"] for _, name, values in logs if name == names[1]]
        )
        sent = [_sent_packet(log, values) for log, name, values in logs if name == names[0]]
        try:
            written = [
                WrittenAcknowledgement(
                    self._client_ids[values["clientHash"]],
                    values["sequence"],
                    decode_acknowledgements(values["acknowledgement"]),
                    log.tx,
                    log.height,
                )
                for log, name, values in logs
                if name == names[1]
            ]
        except KeyError as error:
            raise EventInvalid("An acknowledgement is for a client that there is not.") from error
        return sent, written

    async def commitments(self, paths: Sequence[Path], at: At = NEWEST) -> list[bytes]:
        """Give the 32-byte commitments stored at `paths`; zero when absent.

        Raises:
            LedgerAnswerInvalid: the node answers with more or fewer.
        """
        keys = [path.key for path in paths]
        pieces = [keys[start : start + _KEYS] for start in range(0, len(keys), _KEYS)]
        reads = [self._contract.reading("getCommitments", piece) for piece in pieces]
        found: list[bytes] = []
        for piece, (values,) in zip(
            pieces, await self._contract.chain.reads(reads, at), strict=True
        ):
            if len(values) != len(piece):
                raise LedgerAnswerInvalid(f"{len(values)} commitments came for {len(piece)} keys.")
            found += values
        return found

    async def newest_sent(self, clients: Sequence[str], at: At = NEWEST) -> list[int]:
        """Give the sequence of the packet sent last over each route; 0 when there is none."""
        reads = [self._contract.reading("nextSequenceSend", client) for client in clients]
        newest: list[int] = []
        for answer in await self._contract.chain.try_reads(reads, at):
            if not isinstance(answer, TransactionReverted):
                newest.append(answer[0] - 1)
            elif answer.error == "UnknownClient":
                newest.append(0)
            else:
                raise answer
        return newest

    async def receipts(self, packets: Sequence[tuple[str, int]], at: At = NEWEST) -> list[bool]:
        """Tell which (destination client, sequence) have been received here."""
        answers = [Path.acknowledgement(client, sequence) for client, sequence in packets]
        return [value != _NOTHING for value in await self.commitments(answers, at)]

    async def state_proof(self, paths: Sequence[Path], height: int) -> StateProof:
        """Prove what the state of block `height` says of the commitments at `paths`.

        Raises:
            LedgerRefused: the node gives no proofs, or none of that height any more.
        """
        slots = [commitment_slot(path.key) for path in paths]
        return await read_state_proof(
            self._contract.chain.rpc, self._contract.address, slots, height
        )

    async def endorsed_reads(self, paths: Sequence[Path]) -> EndorsedReads:
        """Refuse: blocks and their state speak for such a ledger."""
        raise LedgerRefused(f"Of {self._contract.chain.ledger} nobody signs what was read.")

    def receive(self, client_id: str, packets: Sequence[Packet], proof: bytes) -> EvmCall[None]:
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
    ) -> EvmCall[None]:
        """End packets sent from here, by proof of their acknowledgements."""
        return self._contract.call(
            f"Acknowledging {len(packets)} packets over {client_id}",
            "ackPackets",
            client_id,
            [to_tuple(packet) for packet in packets],
            [list(each) for each in acknowledgements],
            proof,
        )

    def time_out(self, client_id: str, packets: Sequence[Packet], proof: bytes) -> EvmCall[None]:
        """End packets sent from here, by proof that they were not received in time."""
        return self._contract.call(
            f"Timing out {len(packets)} packets over {client_id}",
            "timeoutPackets",
            client_id,
            [to_tuple(packet) for packet in packets],
            proof,
        )

    def add_client(self, client: bytes, counterparty: bytes) -> EvmCall[str]:
        """Register a light client of the ledger `counterparty` (ERC-7930); administrators only.

        Its effect is the client's id.
        """
        call = self._contract.call("Adding a route", "addClient", client, counterparty)
        return call.giving(lambda included: included.value("ClientAdded", "clientId", str))

    def set_counterparty(self, client_id: str, counterparty: str) -> EvmCall[None]:
        """Name the other side's client of a route, once; administrators only."""
        what = f"Joining {client_id} and {counterparty}"
        return self._contract.call(what, "setCounterparty", client_id, counterparty)

    async def _learn_clients(self, hashes: Sequence[bytes]) -> None:
        if any(each not in self._client_ids for each in hashes):
            await self.routes()

    async def _whole_logs(
        self, names: tuple[str, ...], from_height: int, to_height: int
    ) -> list[tuple[RawLog, str, dict[str, Value]]]:
        """Give what `_logs` gives, once headers and receipts say that it is all."""
        logs = await self._logs(names, from_height, to_height)
        if names not in self._completeness:
            topics = [self._contract.interface.events[name].topic for name in names]
            self._completeness[names] = Completeness(
                self._contract.chain, self._contract.address, topics
            )
        await self._completeness[names].check(
            from_height + 1, to_height, [log for log, _, _ in logs]
        )
        return logs

    async def _logs(
        self, names: Sequence[str], from_height: int, to_height: int
    ) -> list[tuple[RawLog, str, dict[str, Value]]]:
        """Give the logs of the named events, each with its event's name and values."""
        named = [self._contract.interface.events[name] for name in names]
        events = {event.topic: event for event in named}
        logs = await self._events.raw(
            [self._contract.address], [list(events)], from_height + 1, to_height
        )
        return [
            (log, event.name, event.decode(log.topics, log.data))
            for log in logs
            for event in (events[log.topics[0]],)
        ]


def _sent_packet(log: RawLog, values: Mapping[str, Value]) -> SentPacket:
    packet = decode_packet(values["packet"])
    return SentPacket(packet, log.tx, log.height, ready_height(packet))
