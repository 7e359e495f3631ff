"""Packets (port `Gateway`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from caimi.chains import InteroperableAddress
from caimi.contracts.identifiers import ClientId
from caimi.contracts.receiving import AcknowledgementWritten
from caimi.contracts.routes import GatewayRoute
from caimi.contracts.sending import PacketSent
from caimi.errors.ledgers import CallRefused, LedgerRefused
from caimi.ibc.packet import Packet
from caimi.ibc.path import Path
from caimi.ledgers.client_proofs import EndorsedReads, StateProof
from caimi.ledgers.machine.calls import MachineCall, nothing, same
from caimi.ledgers.machine.clients import committee_of
from caimi.ledgers.machine.facts import sent_packet, written_acknowledgement
from caimi.ledgers.machine.fresh import answering_freshly
from caimi.ledgers.machine.machine import Machine
from caimi.ledgers.machine.refusing import named
from caimi.ledgers.port import (
    NEWEST,
    Account,
    At,
    Committee,
    LedgerId,
    Route,
    SentPacket,
    WrittenAcknowledgement,
)


@answering_freshly
class MachineGateway:
    """The gateway of one ledger."""

    def __init__(self, chain: Machine) -> None:
        self._chain = chain
        self._gateway = chain.contracts.gateway
        self.address: bytes = chain.site.here(chain.site.gateway)

    async def routes(self) -> list[Route]:
        return [
            Route(name, route.counterparty, self._id(route.ledger))
            for name, route in self._all()
            if route.counterparty
        ]

    async def committee(self, client_id: str, at: At = NEWEST) -> Committee:
        with named(f"Reading the committee of {client_id}"):
            state = self._chain.at(at)
            client = self._gateway.routes.get(state, client_id).client
            return committee_of(self._chain, self._chain.account(client), state)

    # --- packets --------------------------------------------------------------------------------

    async def sent(self, from_height: int, to_height: int) -> list[SentPacket]:
        return sent_on(self._chain, from_height, to_height)

    async def find_sent(self, client_id: str, sequence: int) -> SentPacket | None:
        for sent in await self.sent(0, self._chain.head.height):
            if (sent.packet.source_client, sent.packet.sequence) == (client_id, sequence):
                return sent
        return None

    async def traffic(
        self, from_height: int, to_height: int
    ) -> tuple[list[SentPacket], list[WrittenAcknowledgement]]:
        written = written_on(self._chain, from_height, to_height)
        return await self.sent(from_height, to_height), written

    async def whole_traffic(
        self, from_height: int, to_height: int
    ) -> tuple[list[SentPacket], list[WrittenAcknowledgement]]:
        return await self.traffic(from_height, to_height)

    async def commitments(self, paths: Sequence[Path], at: At = NEWEST) -> list[bytes]:
        state = self._chain.at(at)
        return [self._gateway.commitments.get(state, path) or bytes(32) for path in paths]

    async def newest_sent(self, clients: Sequence[str], at: At = NEWEST) -> list[int]:
        state = self._chain.at(at)
        return [self._gateway.routes.newest_sent(state, client) for client in clients]

    async def receipts(self, packets: Sequence[tuple[str, int]], at: At = NEWEST) -> list[bool]:
        state = self._chain.at(at)
        return [self._gateway.commitments.has_receipt(state, *name) for name in packets]

    async def state_proof(self, paths: Sequence[Path], height: int) -> StateProof:
        raise LedgerRefused(f"{self._chain.id} proves nothing of its state.")

    async def endorsed_reads(self, paths: Sequence[Path]) -> EndorsedReads:
        return await self._chain.endorsed_reads(paths)

    def receive(self, client_id: str, packets: Sequence[Packet], proof: bytes) -> MachineCall[None]:
        return self._call("Delivering", "receive", client_id, tuple(packets), proof)

    def acknowledge(
        self,
        client_id: str,
        packets: Sequence[Packet],
        acknowledgements: Sequence[Sequence[bytes]],
        proof: bytes,
    ) -> MachineCall[None]:
        given = tuple(tuple(each) for each in acknowledgements)
        return self._call("Acknowledging", "acknowledge", client_id, tuple(packets), given, proof)

    def time_out(
        self, client_id: str, packets: Sequence[Packet], proof: bytes
    ) -> MachineCall[None]:
        return self._call("Timing out", "time out", client_id, tuple(packets), proof)

    # --- administration -------------------------------------------------------------------------

    def add_route(self, client: bytes, ledger: LedgerId) -> MachineCall[str]:
        behind = InteroperableAddress.from_caip(ledger).to_bytes()
        arguments = (client, behind)
        return MachineCall(self._chain.id, "Adding a route", "add route", arguments, same)

    def set_counterparty(self, client_id: str, counterparty: str) -> MachineCall[None]:
        return self._call("Joining", "set counterparty", client_id, counterparty)

    def recover_client(self, client_id: str, substitute: Account) -> MachineCall[None]:
        """Give a route whose client is frozen another one; administrators only."""
        native = self._chain.native(substitute)
        return self._call(f"Recovering {client_id}", "recover client", client_id, native)

    # --- parts ----------------------------------------------------------------------------------

    def _all(self) -> Iterator[tuple[ClientId, GatewayRoute]]:
        """Give all routes by name; names count up."""
        prefix, number = self._gateway.routes.prefix, 0
        while True:
            name = ClientId(f"{prefix}-{number}")
            try:
                yield name, self._gateway.routes.get(self._chain.state, name)
            except CallRefused:
                return
            number += 1

    def _id(self, ledger: bytes) -> LedgerId:
        return LedgerId(InteroperableAddress.from_bytes(ledger).ledger)

    def _call(self, what: str, act: str, *arguments: object) -> MachineCall[None]:
        return MachineCall(self._chain.id, what, act, arguments, nothing)


def sent_on(chain: Machine, from_height: int, to_height: int) -> list[SentPacket]:
    """List the packets sent in blocks (from_height, to_height]."""
    return [sent_packet(*told) for told in chain.told_of(PacketSent, from_height, to_height)]


def written_on(chain: Machine, from_height: int, to_height: int) -> list[WrittenAcknowledgement]:
    """List the acknowledgements written in those blocks."""
    told = chain.told_of(AcknowledgementWritten, from_height, to_height)
    return [written_acknowledgement(*each) for each in told]
