"""What a watcher sees of an EVM gateway beyond the port: deliveries as they were called, pauses."""

from __future__ import annotations

from collections.abc import Iterator

from caimi.errors.ledgers import LedgerAnswerInvalid
from caimi.ibc.packet import Packet, Payload
from caimi.ledgers.evm.abi.calls import EvmCall
from caimi.ledgers.evm.abi.codec import DecodingError, Value
from caimi.ledgers.evm.abi.interface import decode
from caimi.ledgers.evm.abi.quantities import data, fields
from caimi.ledgers.evm.facets.gateway import EvmGateway
from caimi.ledgers.evm.rpc.client import RpcRefusal
from caimi.ledgers.evm.rpc.contract import Contract
from caimi.ledgers.port import NEWEST, At, Delivery, Ending

_TRACE = {"tracer": "callTracer"}
_ARRIVALS = (
    "AcknowledgementWritten",
    "AcknowledgementDeferred",
    "PacketAcknowledged",
    "PacketTimedOut",
)


class EvmWatching(EvmGateway):
    """The gateway of one EVM ledger as a watcher reads it (port `Watching`)."""

    async def delivered(self, from_height: int, to_height: int) -> list[Delivery]:
        """List packets received in blocks (from_height, to_height], as they were delivered."""
        names = ["AcknowledgementWritten", "AcknowledgementDeferred"]
        logs = [
            (log, values, name == names[1])
            for log, name, values in await self._logs(names, from_height, to_height)
        ]
        await self._learn_clients([values["clientHash"] for _, values, _ in logs])
        shown = {tx: await self._received_in(tx) for tx in {log.tx for log, _, _ in logs}}
        found = []
        for log, values, deferred in logs:
            client = self._client_ids.get(values["clientHash"])
            if client is None:
                raise LedgerAnswerInvalid(f"{log.tx} is of a client that there is not.")
            packet, proof = shown[log.tx].get((client, values["sequence"]), (None, b""))
            found.append(
                Delivery(client, values["sequence"], log.height, log.tx, deferred, packet, proof)
            )
        return found

    async def ended(self, from_height: int, to_height: int) -> list[Ending]:
        """List packets that ended in blocks (from_height, to_height], and with which answers."""
        found = []
        for name in ("PacketAcknowledged", "PacketTimedOut"):
            acknowledged = name == "PacketAcknowledged"
            logs = await self._logs([name], from_height, to_height)
            await self._learn_clients([values["clientHash"] for _, _, values in logs])
            shown = {
                tx: await self._answered_in(tx) if acknowledged else {}
                for tx in {log.tx for log, _, _ in logs}
            }
            for log, _, values in logs:
                client = self._client_ids.get(values["clientHash"])
                if client is None:
                    raise LedgerAnswerInvalid(f"{log.tx} is of a client that there is not.")
                sequence = values["sequence"]
                answers, proof = shown[log.tx].get((client, sequence), (None, b""))
                found.append(
                    Ending(client, sequence, log.height, log.tx, acknowledged, answers, proof)
                )
        return found

    async def arrivals(self, from_height: int, to_height: int) -> set[tuple[str, int]]:
        """Name packets received and ended in blocks (from_height, to_height], all of them.

        Raises:
            EventsMissing: the node left something out.
        """
        logs = await self._whole_logs(_ARRIVALS, from_height, to_height)
        await self._learn_clients([values["clientHash"] for _, _, values in logs])
        return {
            (self._client_ids[values["clientHash"]], values["sequence"])
            for _, _, values in logs
            if values["clientHash"] in self._client_ids
        }

    async def route_paused(self, client_id: str, at: At = NEWEST) -> bool:
        """Tell whether a route is paused."""
        (paused,) = await self._contract.read("routePaused", client_id, at=at)
        return bool(paused)

    def pause_route(self, client_id: str) -> EvmCall[None]:
        """Stop sending and receiving over a route; guardians only."""
        return self._contract.call(f"Pausing {client_id}", "pauseRoute", client_id)

    async def report_conflict(self, client_id: str, first: bytes, second: bytes) -> EvmCall[None]:
        """Freeze a committee's client by two statements that contradict each other."""
        address, _, _ = await self._contract.read("getClient", client_id)
        client = Contract(self._contract.chain, address, self._clients)
        return client.call(f"Reporting a conflict of {client_id}", "reportConflict", first, second)

    async def _received_in(self, tx: str) -> dict[tuple[str, int], tuple[Packet, bytes]]:
        """Give the packets that a transaction delivered, with their proofs."""
        found: dict[tuple[str, int], tuple[Packet, bytes]] = {}
        for call in await self._calls(tx):
            for packets, proof in self._arguments("recvPackets", call):
                for packet in map(_packet, packets):
                    found[packet.dest_client, packet.sequence] = (packet, proof)
        return found

    async def _answered_in(self, tx: str) -> dict[tuple[str, int], tuple[tuple[bytes, ...], bytes]]:
        """Give the acknowledgements that a transaction brought, by packet, with their proofs."""
        found: dict[tuple[str, int], tuple[tuple[bytes, ...], bytes]] = {}
        for call in await self._calls(tx):
            for packets, acknowledgements, proof in self._arguments("ackPackets", call):
                for packet, answers in zip(map(_packet, packets), acknowledgements, strict=False):
                    found[packet.source_client, packet.sequence] = (tuple(answers), proof)
        return found

    async def _calls(self, tx: str) -> list[bytes]:
        rpc = self._contract.chain.rpc
        sent = await rpc.ask("eth_getTransactionByHash", tx)
        target, given = fields(sent, "to", "input")
        if target is not None and data(target, 20) == self._contract.address:
            return [data(given)]
        try:
            return list(self._inner_calls(await rpc.ask("debug_traceTransaction", tx, _TRACE)))
        except RpcRefusal:
            return []

    def _inner_calls(self, root: object) -> Iterator[bytes]:
        frames = [root]
        while frames:
            frame = frames.pop()
            if not isinstance(frame, dict) or frame.get("error") is not None:
                continue
            # A delegated call runs the gateway's code on somebody else's storage.
            if frame.get("type") == "CALL" and frame.get("to") is not None:
                target, given = fields(frame, "to", "input")
                if data(target, 20) == self._contract.address:
                    yield data(given)
            inner = frame.get("calls")
            frames += inner if isinstance(inner, list) else []

    def _arguments(self, name: str, call: bytes) -> list[tuple[Value, ...]]:
        """Give what a call of the method has besides the client; nothing for another call."""
        method = self._contract.interface[name]
        if call[:4] != method.selector:
            return []
        try:
            return [decode(method.inputs, call[4:])[1:]]
        except DecodingError:
            return []


def _packet(fields_: Value) -> Packet:
    sequence, source, dest, timeout, payloads = fields_
    return Packet(sequence, source, dest, timeout, tuple(Payload(*each) for each in payloads))
