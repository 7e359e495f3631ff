"""Three ledgers, each twice, with routes between them, and a committee that signs anything."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from caimi.contracts.identifiers import Account, ClientId
from caimi.contracts.receiving import AcknowledgementWritten
from caimi.hashing import keccak256
from caimi.ibc.commitments import acknowledgement_commitment, packet_commitment
from caimi.ibc.packet import Packet
from caimi.ibc.path import Path
from caimi.ibc.statements import Kind
from contracts.evm_accounts import Key
from contracts.local_ledgers import COMMITTEE, Claimed
from contracts.twin import ADMINISTRATOR, Twin

NUMBERS = (101, 102, 103)
USERS = tuple(Key.of(f"user {number}") for number in range(4))


class Ledgers:
    """The ledgers, and who carries packets between them."""

    def __init__(self) -> None:
        self.twins = tuple(Twin(number) for number in NUMBERS)
        self.route: dict[tuple[int, int], ClientId] = {}
        """The client by which the first ledger knows the second."""
        for here in range(len(NUMBERS)):
            for there in range(len(NUMBERS)):
                if here != there:
                    other = self.twins[there]
                    self.route[here, there] = self.twins[here].join(
                        f"client {there}", other.gateway, other.ledger, COMMITTEE
                    )
        for (here, there), client_id in self.route.items():
            twin, counterparty = self.twins[here], self.route[there, here]
            gateway = twin.contracts.gateway.routes
            twin.step(
                ADMINISTRATOR,
                lambda call, g=gateway, a=client_id, b=counterparty: g.set_counterparty(call, a, b),
                "Gateway",
                "setCounterparty",
                client_id,
                counterparty,
            )
        for twin in self.twins:
            for user in USERS:
                twin.fund(user.account)

    def client(self, here: int, there: int) -> Account:
        """Give the light client by which one ledger verifies another."""
        twin = self.twins[here]
        return twin.contracts.gateway.routes.get(twin.state, self.route[here, there]).client

    def claim(self, source: int, facts: Sequence[tuple[bytes, bytes]]) -> Claimed:
        """Have the committee sign facts of a ledger."""
        twin = self.twins[source]
        origin = keccak256(twin.gateway)
        return Claimed(origin, facts, height=twin.evm.height, time=twin.evm.time)

    def prove(
        self, source: int, facts: Sequence[tuple[bytes, bytes]], kind: Kind = Kind.CHECKPOINT
    ) -> tuple[bytes, tuple[int, ...]]:
        """Prove facts of a ledger; gives the proof, and the facts' order."""
        claimed = self.claim(source, facts).but(kind=kind)
        return claimed.proof(), claimed.order

    # --- carrying, as a relayer does ------------------------------------------------------------

    def deliver(self, packets: Sequence[Packet], source: int, dest: int, relayer: Account):
        """Deliver packets to a ledger; gives what was written there."""
        client_id = self.route[dest, source]
        facts = [
            (Path.commitment(each.source_client, each.sequence).key, packet_commitment(each))
            for each in packets
        ]
        proof, order = self.prove(source, facts)
        ordered = [packets[place] for place in order]
        twin = self.twins[dest]
        return twin.step(
            relayer,
            lambda call: twin.contracts.gateway.receive(call, client_id, ordered, proof),
            "Gateway",
            "recvPackets",
            client_id,
            [as_struct(each) for each in ordered],
            proof,
        )

    def acknowledge(
        self,
        answered: Sequence[tuple[Packet, tuple[bytes, ...]]],
        source: int,
        dest: int,
        relayer: Account,
    ):
        """Bring acknowledgements back to the ledger that sent."""
        client_id = self.route[source, dest]
        facts = [
            (
                Path.acknowledgement(packet.dest_client, packet.sequence).key,
                acknowledgement_commitment(given),
            )
            for packet, given in answered
        ]
        proof, order = self.prove(dest, facts)
        ordered = [answered[place] for place in order]
        twin = self.twins[source]
        return twin.step(
            relayer,
            lambda call: twin.contracts.gateway.acknowledge(
                call,
                client_id,
                [packet for packet, _ in ordered],
                [given for _, given in ordered],
                proof,
            ),
            "Gateway",
            "ackPackets",
            client_id,
            [as_struct(packet) for packet, _ in ordered],
            [given for _, given in ordered],
            proof,
        )

    def time_out(self, packets: Sequence[Packet], source: int, dest: int, relayer: Account):
        """Prove at the ledger that sent that packets were not received."""
        client_id = self.route[source, dest]
        facts = [(Path.receipt(each.dest_client, each.sequence).key, bytes(32)) for each in packets]
        proof, order = self.prove(dest, facts, Kind.ABSENCE)
        ordered = [packets[place] for place in order]
        twin = self.twins[source]
        return twin.step(
            relayer,
            lambda call: twin.contracts.gateway.time_out(call, client_id, ordered, proof),
            "Gateway",
            "timeoutPackets",
            client_id,
            [as_struct(each) for each in ordered],
            proof,
        )


def as_struct(packet: Packet) -> tuple[object, ...]:
    """Give a packet as Solidity's struct."""
    return (
        packet.sequence,
        packet.source_client,
        packet.dest_client,
        packet.timeout,
        [
            (each.source_port, each.dest_port, each.version, each.encoding, each.value)
            for each in packet.payloads
        ],
    )


def written(done: object) -> dict[int, tuple[bytes, ...]]:
    """Give the acknowledgements that a step wrote, by sequence."""
    effects = [] if done is None else done.effects  # type: ignore[attr-defined]
    return {
        each.sequence: each.acknowledgements
        for each in effects
        if isinstance(each, AcknowledgementWritten)
    }


@cache
def ledgers() -> Ledgers:
    """Make the ledgers, once in this process."""
    return Ledgers()
