"""Somebody who holds the malicious members' keys, sees everything, and wants models and money.

Attacks go through the production adapter and proof code, from an honest node. Each is something
that one guard of the contracts or validators is there for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

from caimi.contracts.transfers import ModelTransfer
from caimi.errors.base import CaimiError
from caimi.errors.node import NodeUnreachable
from caimi.hashing import keccak256
from caimi.ibc.commitments import (
    UNIVERSAL_ERROR_ACKNOWLEDGEMENT,
    acknowledgement_commitment,
    packet_commitment,
)
from caimi.ibc.packet import Packet
from caimi.ibc.path import Path
from caimi.ibc.statements import Kind
from caimi.ledgers.evm.abi.calls import EvmCall, nothing
from caimi.ledgers.evm.artifacts import artifact
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.port import Call, Done, LedgerId, SentPacket
from caimi.messaging.attestations import gather_signatures
from caimi.messaging.checkpoint import Attestation, LedgerStatement
from caimi.messaging.proof import SignedStatement, Tree, absence_facts, statement_of
from caimi.messaging.validator import Validator, read_tree
from faults.actors import Link, ValidatorActor
from faults.node import NodeFaults
from faults.process import Process
from faults.unlike_chain import UnlikeChain

if TYPE_CHECKING:
    from faults.world import RouteEnd, World


class Adversary:
    """Attacks until the chaos is over; `won` counts the transactions that a contract accepted."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rng = Random(f"{world.settings.seed}/adversary")
        self.key = world.genesis.attacker
        self.tried = 0
        self.won = 0
        self.forged: set[str] = set()
        process = Process("adversary")
        self.ledgers: dict[LedgerId, EvmLedger] = {
            name: world.genesis.open(name, process, NodeFaults(), self.rng)
            for name in world.genesis.chains
        }

    async def run(self) -> None:
        settings = self.world.settings
        moments = sorted(self.rng.uniform(20.0, settings.seconds) for _ in range(settings.attacks))
        for moment in moments:
            await asyncio.sleep(max(0.0, moment - self.world.loop.now))
            self.world.spawn(self._attack())

    async def _attack(self) -> None:
        attack = self.rng.choice(
            [
                self._replay,
                self._forge_packet,
                self._forge_packet,
                self._alter_packet,
                self._forge_acknowledgement,
                self._forge_absence,
                self._call_directly,
                self._time_out_early,
                self._time_out_received,
                self._deliver_after_refund,
                self._deliver_unfinal,
                self._deliver_over_another_route,
                self._deliver_under_another_name,
            ]
        )
        self.tried += 1
        routes = self.world.routes
        weak = self.world.genesis.weak
        if weak and self.rng.random() < 0.7:
            routes = [route for route in routes if {route.source, route.dest} == weak]
        route = self.rng.choice(routes)
        try:
            await attack(route)
        except CaimiError:
            return

    async def sign_as(self, validator: ValidatorActor) -> Attestation:
        """Answer a relayer for a malicious member: nothing, or something else than was asked."""
        if self.rng.random() < 0.5:
            raise NodeUnreachable("It pretends to be down.")
        tree = Tree.of([(self.rng.randbytes(32), self.rng.randbytes(32))])
        said = statement_of(
            Kind.CHECKPOINT, self.rng.randbytes(32), validator.committee, (1, 2), 3, tree
        )
        return Attestation(said, validator.key.sign_digest(said.digest))

    async def _submit(self, call: Call[None]) -> Done[None]:
        signer = self.world.genesis.signer(call.ledger, self.key)
        receipt = await self.ledgers[call.ledger].submit(call, signer)
        self.won += 1
        return receipt

    async def _submit_forgery(self, call: Call[None]) -> None:
        self.forged.add((await self._submit(call)).tx)

    # --- forgeries --------------------------------------------------------------------------------

    def _sign(self, statement: LedgerStatement, route: RouteEnd) -> SignedStatement:
        """Sign with what keys there are; sometimes fill up with signatures of others' names."""
        committee = self.world.genesis.committees[frozenset((route.source, route.dest))]
        signatures = {
            committee.members.index(validator.key.account): validator.key.sign_digest(
                statement.digest
            )
            for validator in self.world.validators
            if validator.evil and validator.committee == committee
        }
        if self.rng.random() < 0.5:
            own = self.key.sign_digest(statement.digest)
            for place in range(len(committee.members)):
                if len(signatures) < committee.threshold:
                    signatures.setdefault(place, self.rng.choice([own, *signatures.values()]))
        return SignedStatement(statement, signatures)

    async def _statement(
        self, kind: Kind, route: RouteEnd, about: LedgerId, tree: Tree, late: int = 0
    ) -> SignedStatement:
        committee = self.world.genesis.committees[frozenset((route.source, route.dest))]
        ledger = self.ledgers[about]
        final = await ledger.finalized()
        blocks = (final.height - (kind is Kind.CHECKPOINT), final.height)
        origin = keccak256(ledger.gateway.address)
        said = statement_of(kind, origin, committee, blocks, final.time + late, tree)
        return self._sign(said, route)

    async def _forge_packet(self, route: RouteEnd) -> None:
        """Say that a packet was sent which gives a model to the attacker."""
        packet = await self._false_packet(route)
        key = Path.commitment(packet.source_client, packet.sequence).key
        tree = Tree.of([(key, packet_commitment(packet))])
        signed = await self._statement(Kind.CHECKPOINT, route, route.source, tree)
        proof = signed.prove(tree, tree.keys)
        dest = self.ledgers[route.dest]
        await self._submit_forgery(dest.gateway.receive(route.counterparty, [packet], proof.data))

    async def _false_packet(self, route: RouteEnd) -> Packet:
        """Take a real transfer of any route, and change where it goes, and to whom."""
        sent: list[SentPacket] = []
        for ledger in self.ledgers.values():
            head = await ledger.head()
            sent += await ledger.gateway.sent(ledger.deployed_at, head.height)
        payloads = [entry.packet.payloads[0] for entry in sent]
        transfers = [payload for payload in payloads if payload.dest_port == "model"]
        if not transfers:
            raise NodeUnreachable("Nothing was transferred yet.")
        sample = self.rng.choice(transfers)
        transfer = ModelTransfer.decode(sample.value)
        mine = self.key.account  # the publisher is part of the id of the model
        value = replace(transfer, sender=mine, recipient=mine).encode()
        now = (await self.ledgers[route.dest].head()).time
        sequence = self.rng.choice([self.rng.randint(1, 6), self.rng.randint(50, 1_000_000)])
        payload = replace(sample, value=value)
        return Packet(sequence, route.client, route.counterparty, now + 3_000, (payload,))

    async def _alter_packet(self, route: RouteEnd) -> None:
        """Deliver something else with the good proof of a packet."""
        entry = await self._sent_packet(route)
        signed, tree = await self._signed_by_the_honest(route, entry)
        false = await self._false_packet(route)
        packet = replace(entry.packet, payloads=false.payloads)
        await self._deliver(route, replace(entry, packet=packet), signed, tree)

    async def _forge_acknowledgement(self, route: RouteEnd) -> None:
        """Say that the destination refused a packet, so that the sender is refunded."""
        entry = await self._sent_packet(route)
        packet = entry.packet
        acknowledgements = (UNIVERSAL_ERROR_ACKNOWLEDGEMENT,)
        tree = Tree.of(
            [
                (
                    Path.acknowledgement(packet.dest_client, packet.sequence).key,
                    acknowledgement_commitment(acknowledgements),
                )
            ]
        )
        signed = await self._statement(Kind.CHECKPOINT, route, route.dest, tree)
        gateway = self.ledgers[route.source].gateway
        proof = signed.prove(tree, tree.keys)
        await self._submit_forgery(
            gateway.acknowledge(route.client, [packet], [acknowledgements], proof.data)
        )

    async def _forge_absence(self, route: RouteEnd) -> None:
        """Say that a packet was not received in time."""
        packet = (await self._sent_packet(route)).packet
        tree = Tree.of(absence_facts([(packet.dest_client, packet.sequence)]))
        signed = await self._statement(Kind.ABSENCE, route, route.dest, tree, late=500)
        proof = signed.prove(tree, tree.keys)
        gateway = self.ledgers[route.source].gateway
        await self._submit_forgery(gateway.time_out(route.client, [packet], proof.data))

    # --- true statements at the wrong time or place -----------------------------------------------

    async def _sent_packet(self, route: RouteEnd) -> SentPacket:
        ledger = self.ledgers[route.source]
        head = await ledger.head()
        sent = await ledger.gateway.sent(ledger.deployed_at, head.height)
        mine = [entry for entry in sent if entry.packet.source_client == route.client]
        if not mine:
            raise NodeUnreachable("There is nothing to attack.")
        return self.rng.choice(mine[-3:])

    async def _signed_by_the_honest(
        self, route: RouteEnd, entry: SentPacket
    ) -> tuple[SignedStatement, Tree]:
        """Have a packet attested as a relayer does, and let malicious members help."""
        source = self.ledgers[route.source]
        blocks = (entry.height - 1, entry.height)
        block = await source.block(entry.height)
        tree = await read_tree(source.gateway, blocks[0], block)
        return await self._gather(
            route,
            route.source,
            lambda committee: statement_of(
                Kind.CHECKPOINT,
                keccak256(source.gateway.address),
                committee,
                blocks,
                block.time,
                tree,
            ),
            lambda link: link.attest(source.id, *blocks),
        ), tree

    async def _signed_absence(
        self, route: RouteEnd, packet: Packet, final: int, time: int
    ) -> tuple[SignedStatement, Tree]:
        dest = self.ledgers[route.dest]
        names = [(packet.dest_client, packet.sequence)]
        tree = Tree.of(absence_facts(names))
        return await self._gather(
            route,
            route.dest,
            lambda committee: statement_of(
                Kind.ABSENCE,
                keccak256(dest.gateway.address),
                committee,
                (final, final),
                time,
                tree,
            ),
            lambda link: link.attest_absence(dest.id, final, names),
        ), tree

    async def _gather(
        self,
        route: RouteEnd,
        about: LedgerId,
        state: Callable[..., LedgerStatement],
        ask: Callable[[Link], Awaitable[Attestation]],
    ) -> SignedStatement:
        committee = self.world.genesis.committees[frozenset((route.source, route.dest))]
        statement = state(committee)
        links = [
            _Corrupt(self.world, each, self.rng, statement)
            for each in self.world.validators
            if each.committee == committee
        ]
        return await gather_signatures(statement, committee, links, ask)  # type: ignore[arg-type]

    async def _deliver(
        self, route: RouteEnd, entry: SentPacket, signed: SignedStatement, tree: Tree
    ) -> None:
        key = Path.commitment(entry.packet.source_client, entry.packet.sequence).key
        gateway = self.ledgers[route.dest].gateway
        proof = signed.prove(tree, [key])
        await self._submit(gateway.receive(route.counterparty, [entry.packet], proof.data))

    async def _replay(self, route: RouteEnd) -> None:
        """Repeat something that a gateway accepted before, word for word."""
        name = self.rng.choice([route.source, route.dest])
        chain = self.world.genesis.chains[name]
        if isinstance(chain, UnlikeChain):
            chain.replay(self.rng)
            return
        gateway = self.world.genesis.deployments[name].contracts["gateway"]
        accepted = [
            outcome.transaction.data
            for outcome in chain.receipts.values()
            if outcome.succeeded and outcome.transaction.to == gateway and outcome.logs
        ]
        if accepted:
            data = self.rng.choice(accepted[-6:])
            await self._submit(EvmCall(name, "Replaying", gateway, data, 0, nothing))

    async def _time_out_early(self, route: RouteEnd) -> None:
        """Prove that a packet was not received, before its time is up."""
        packet = (await self._sent_packet(route)).packet
        final = await self.ledgers[route.dest].finalized()
        signed, tree = await self._signed_absence(route, packet, final.height, final.time)
        proof = signed.prove(tree, [Path.receipt(packet.dest_client, packet.sequence).key])
        gateway = self.ledgers[route.source].gateway
        await self._submit(gateway.time_out(route.client, [packet], proof.data))

    async def _time_out_received(self, route: RouteEnd) -> None:
        """Be the first, once a received packet's time is up, to ask for proof of its absence."""
        packet = (await self._sent_packet(route)).packet
        dest = self.ledgers[route.dest]
        for _ in range(200):
            final = await dest.finalized()
            if final.time >= packet.timeout:
                break
            await asyncio.sleep(2.0)
        signed, tree = await self._signed_absence(route, packet, final.height, final.time)
        proof = signed.prove(tree, [Path.receipt(packet.dest_client, packet.sequence).key])
        gateway = self.ledgers[route.source].gateway
        await self._submit(gateway.time_out(route.client, [packet], proof.data))

    async def _deliver_after_refund(self, route: RouteEnd) -> None:
        """Keep a good proof of a packet until it has timed out at its source; then deliver it."""
        entry = await self._sent_packet(route)
        source = self.ledgers[route.source]
        signed: tuple[SignedStatement, Tree] | None = None
        path = Path.commitment(entry.packet.source_client, entry.packet.sequence)
        for _ in range(40):
            if signed is None and (await source.finalized()).height >= entry.height:
                try:
                    signed = await self._signed_by_the_honest(route, entry)
                except CaimiError:
                    signed = None
            (commitment,) = await source.gateway.commitments([path])
            if signed is not None and not any(commitment):
                await self._deliver(route, entry, *signed)
                return
            await asyncio.sleep(8.0)

    async def _deliver_unfinal(self, route: RouteEnd) -> None:
        """Have a packet attested and delivered before its block is final."""
        for _ in range(60):
            entry = await self._sent_packet(route)
            if entry.height > (await self.ledgers[route.source].finalized()).height:
                await self._deliver(route, entry, *await self._signed_by_the_honest(route, entry))
                # Now the block had better disappear.
                self.world.genesis.chains[route.source].reorganise(
                    self.world.genesis.chains[route.source].depth, 1.0
                )
                return
            await asyncio.sleep(4.0)

    async def _deliver_over_another_route(self, route: RouteEnd) -> None:
        """Use a good proof of a packet for one ledger at another's client."""
        entry = await self._sent_packet(route)
        signed, tree = await self._signed_by_the_honest(route, entry)
        other = self.rng.choice([r for r in self.world.routes if r != route])
        packet = replace(entry.packet, source_client=other.client, dest_client=other.counterparty)
        proof = signed.prove(tree, [Path.commitment(route.client, entry.packet.sequence).key])
        gateway = self.ledgers[other.dest].gateway
        await self._submit(gateway.receive(other.counterparty, [packet], proof.data))

    async def _deliver_under_another_name(self, route: RouteEnd) -> None:
        """Deliver a packet once more, as one for another client of the same ledger."""
        entry = await self._sent_packet(route)
        signed, tree = await self._signed_by_the_honest(route, entry)
        other = self.rng.choice([r for r in self.world.routes if r != route])
        packet = replace(entry.packet, dest_client=other.counterparty)
        await self._deliver(route, replace(entry, packet=packet), signed, tree)

    # --- calls that only contracts may make -------------------------------------------------------

    async def _call_directly(self, route: RouteEnd) -> None:
        """Call the bridge as if one were its gateway."""
        if route.dest not in self.world.genesis.evm:
            return  # contracts there are called by nobody but each other
        packet = await self._false_packet(route)
        (payload,) = packet.payloads
        bridge = self.ledgers[route.dest].bridge.account.native
        method = artifact("ModelBridge").interface["onRecvPacket"]
        context: tuple[object, ...] = (
            packet.source_client,
            packet.dest_client,
            packet.sequence,
            (
                payload.source_port,
                payload.dest_port,
                payload.version,
                payload.encoding,
                payload.value,
            ),
            self.key.account,
        )
        # Whatever else a context has is a number.
        more = _depth_one_commas(method.inputs[0]) + 1 - len(context)
        data = method.encode((*context, *[0] * more))
        await self._submit(EvmCall(route.dest, "Posing as the gateway", bridge, data, 0, nothing))


def _depth_one_commas(kind: str) -> int:
    depth = count = 0
    for letter in kind:
        depth += (letter == "(") - (letter == ")")
        count += letter == "," and depth == 1
    return count


class _Corrupt(Link):
    """A way to a validator by which a malicious one signs whatever the adversary asks for."""

    def __init__(
        self, world: World, validator: ValidatorActor, rng: Random, statement: LedgerStatement
    ) -> None:
        super().__init__(world, validator, rng)
        self._statement = statement
        self._signer = validator

    async def _carry(self, ask: Callable[[Validator], Awaitable[Attestation]]) -> Attestation:
        if self._signer.evil:
            signature = self._signer.key.sign_digest(self._statement.digest)
            return Attestation(self._statement, signature)
        return await super()._carry(ask)
