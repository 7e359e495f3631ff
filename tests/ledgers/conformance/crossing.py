"""The ledger under test and another one, joined by routes, and a committee that signs by hand."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from coincurve import PrivateKey

from caimi.hashing import keccak256
from caimi.ibc.commitments import acknowledgement_commitment
from caimi.ibc.packet import Packet
from caimi.ibc.path import Path
from caimi.ibc.statements import Kind
from caimi.ledgers.port import Account, Committee, Done, Ledger, RelayFee, Signer
from caimi.messaging.checkpoint import make_committee
from caimi.messaging.proof import Proof, SignedStatement, Tree, absence_facts, statement_of
from caimi.messaging.validator import read_tree
from caimi.signatures import account_of
from conformance.site import Site, World

HOUR = 3600
THRESHOLD = 3


class MemberKey:
    """A validator's key (port `AttestationKey`)."""

    def __init__(self) -> None:
        self._key = PrivateKey(secrets.token_bytes(32))
        self.account = account_of(self._key.public_key)

    def sign_digest(self, digest: bytes) -> bytes:
        signature = self._key.sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes([signature[64] + 27])


@dataclass(frozen=True)
class End:
    """One end of the crossing: a site, a connection, its route's client, and who pays there."""

    site: Site
    ledger: Ledger
    client: str
    carrier: Signer

    def account(self, who: Signer) -> Account:
        """Give somebody's account at this end."""
        return Account(self.ledger.id, who.account)


def new_members() -> list[MemberKey]:
    return sorted((MemberKey() for _ in range(4)), key=lambda member: member.account)


@dataclass
class Crossing:
    """Two ends and a committee for both directions."""

    here: End
    there: End
    members: list[MemberKey]
    committee: Committee

    @classmethod
    async def made(cls, world: World, far: Site) -> Crossing:
        members, other = new_members(), far.open()
        committee = make_committee(1, THRESHOLD, [member.account for member in members])
        mine = await world.site.add_client(other, committee)
        theirs = await far.add_client(world.ledger, committee)
        await world.site.join(mine, theirs)
        await far.join(theirs, mine)
        return cls(
            End(world.site, world.ledger, mine, await world.site.wallet("carrier")),
            End(far, other, theirs, await far.wallet("carrier")),
            members,
            committee,
        )

    async def in_step(self) -> int:
        """Let time pass where it is earlier, so that both ledgers have one; gives it."""
        times = [(await end.ledger.head()).time for end in (self.here, self.there)]
        for end, time in zip((self.here, self.there), times, strict=True):
            if time < max(times):
                await end.site.advance(max(times) - time)
        return max(times)

    async def pass_time(self, seconds: int) -> None:
        for end in (self.here, self.there):
            await end.site.advance(seconds)

    async def send(
        self,
        start: End,
        owner: Signer,
        token: bytes,
        to: Account,
        *,
        depth: int = 0,
        lasts: int = HOUR,
    ) -> tuple[Packet, int]:
        """Send a model; gives the packet and the height that it was sent at."""
        ledger, end = start.ledger, self.other(start)
        await self.in_step()
        await ledger.submit(ledger.registry.approve(token, ledger.bridge.account), owner)
        timeout = (await ledger.head()).time + lasts
        call = ledger.bridge.send(start.client, token, to, timeout, depth)
        done = await ledger.submit(call, owner)
        (sent,) = await ledger.gateway.sent(done.height - 1, done.height)
        packet = sent.packet
        assert (packet.source_client, packet.sequence) == (start.client, done.effect)
        assert (packet.dest_client, packet.timeout) == (end.client, timeout)
        return packet, done.height

    async def deliver(self, packets: Sequence[Packet], start: End, first: int) -> Done[None]:
        """Deliver packets of the blocks from `first` on."""
        end = self.other(start)
        keys = [Path.commitment(each.source_client, each.sequence).key for each in packets]
        proof = await self._prove_sent(start, end, first, keys)
        ordered = [packets[place] for place in proof.order]
        call = end.ledger.gateway.receive(end.client, ordered, proof.data)
        return await end.ledger.submit(call, end.carrier)

    async def acknowledge(
        self, packet: Packet, start: End, height: int, given: Sequence[bytes] = ()
    ) -> Done[None]:
        """Bring back the answer that the other ledger wrote at a height, or say another."""
        end = self.other(start)
        _, written = await end.ledger.gateway.traffic(height - 1, height)
        (answer,) = (each for each in written if each.sequence == packet.sequence)
        key = Path.acknowledgement(packet.dest_client, packet.sequence).key
        proof = await self._prove_sent(end, start, height, [key])
        gateway = start.ledger.gateway
        said = given or answer.acknowledgements
        call = gateway.acknowledge(start.client, [packet], [said], proof.data)
        return await start.ledger.submit(call, start.carrier)

    async def carry(self, packet: Packet, start: End, height: int) -> None:
        """Deliver a packet and bring its answer back."""
        delivered = await self.deliver([packet], start, height)
        await self.acknowledge(packet, start, delivered.height)

    async def time_out(self, packet: Packet, start: End) -> Done[None]:
        """Bring proof that the other ledger has not received a packet."""
        proof = await self._prove_absence(packet, start)
        call = start.ledger.gateway.time_out(start.client, [packet], proof.data)
        return await start.ledger.submit(call, start.carrier)

    async def collect(self, packet: Packet, start: End, height: int, fee: RelayFee) -> Done[None]:
        """Bring proof of the answer that the other ledger wrote at a height, for a fee."""
        end = self.other(start)
        _, (answer,) = await end.ledger.gateway.traffic(height - 1, height)
        key = Path.acknowledgement(packet.dest_client, packet.sequence).key
        proof = await self._prove_sent(end, start, height, [key])
        value = acknowledgement_commitment(answer.acknowledgements)
        call = start.ledger.fees.claim(start.client, [fee], [value], proof.data)
        return await start.ledger.submit(call, start.carrier)

    async def give_back(self, packet: Packet, start: End, fee: RelayFee) -> Done[None]:
        """Bring proof that the other ledger has not received a packet, for a fee."""
        proof = await self._prove_absence(packet, start)
        call = start.ledger.fees.refund(start.client, [fee], proof.data)
        return await start.ledger.submit(call, start.carrier)

    def other(self, end: End) -> End:
        return self.there if end is self.here else self.here

    async def _prove_absence(self, packet: Packet, start: End) -> Proof:
        end, name = self.other(start), (packet.dest_client, packet.sequence)
        await self.in_step()
        height = (await end.ledger.head()).height
        tree, keys = Tree.of(absence_facts([name])), [Path.receipt(*name).key]
        return await self._prove(end, start, Kind.ABSENCE, tree, (height, height), keys)

    async def _prove_sent(self, of: End, at: End, first: int, keys: Sequence[bytes]) -> Proof:
        await self.in_step()
        final = await of.ledger.finalized()
        blocks = (first - 1, final.height)
        tree = await read_tree(of.ledger.gateway, blocks[0], final)
        return await self._prove(of, at, Kind.CHECKPOINT, tree, blocks, keys)

    async def _prove(
        self, of: End, at: End, kind: Kind, tree: Tree, blocks: tuple[int, int], keys
    ) -> Proof:
        time = (await of.ledger.block(blocks[1])).time
        return await self.sign(of, at, (kind, blocks, time), tree, keys)

    async def sign(
        self, of: End, at: End, what: tuple[Kind, tuple[int, int], int], tree: Tree, keys
    ) -> Proof:
        """Have the committee sign a statement: its kind, blocks and time; and prove keys by it."""
        committee = await at.ledger.gateway.committee(at.client)
        origin, (kind, blocks, time) = keccak256(of.ledger.gateway.address), what
        said = statement_of(kind, origin, committee, blocks, time, tree)
        signatures = {n: self.members[n].sign_digest(said.digest) for n in range(THRESHOLD)}
        return SignedStatement(said, signatures).prove(tree, keys)
