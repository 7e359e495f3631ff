"""A committee hands over while packets are on their way, on two embedded ledgers."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest
from ledger_site import COIN, IMPATIENT, MemoryOutbox

from caimi.composition.joining import join_ledgers
from caimi.errors.ledgers import ProofRefused, TransactionReverted
from caimi.hashing import keccak256
from caimi.ibc.packet import Packet
from caimi.ibc.path import Path
from caimi.ibc.statements import Kind
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.administration.administering import EvmAdministered
from caimi.ledgers.evm.administration.deploying import deploy
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.local.embedded import EmbeddedChain
from caimi.ledgers.evm.local.in_process import embedded_chain
from caimi.ledgers.port import Account, Committee
from caimi.messaging.checkpoint import make_committee
from caimi.messaging.proof import SignedStatement, statement_of
from caimi.messaging.rotation import Rotation
from caimi.messaging.validator import read_tree

A, B = 31511, 31512
DAY = 24 * 3600


def members(count: int) -> list[LocalSigner]:
    return sorted((LocalSigner.generate() for _ in range(count)), key=lambda m: m.account)


async def sign(
    of: EvmLedger, committee: Committee, signers: list[LocalSigner], packet: Packet, height: int
) -> bytes:
    blocks = (height - 1, height)
    block = await of.block(height)
    tree = await read_tree(of.gateway, blocks[0], block)
    origin = keccak256(of.gateway.address)
    said = statement_of(Kind.CHECKPOINT, origin, committee, blocks, block.time, tree)
    signatures = {n: signers[n].sign_digest(said.digest) for n in range(committee.threshold)}
    key = Path.commitment(packet.source_client, packet.sequence).key
    return SignedStatement(said, signatures).prove(tree, [key]).data


async def test_packets_in_flight_are_delivered_within_the_overlap_and_after_it() -> None:
    rich, old, new = LocalSigner.generate(), members(3), members(5)
    chains = {number: EmbeddedChain(number, {rich.account: 1_000_000 * COIN}) for number in (A, B)}
    outbox = MemoryOutbox()
    deployed = [await deploy(embedded_chain(chains[n]), rich, outbox=outbox) for n in (A, B)]
    a, b = (
        EvmLedger(embedded_chain(chains[n]), made, patience=IMPATIENT)
        for n, made in zip((A, B), deployed, strict=True)
    )
    first = make_committee(0, 2, [member.account for member in old])
    on_a, on_b = await join_ledgers(
        EvmAdministered(a, rich), EvmAdministered(b, rich), first, outbox=outbox
    )

    async def send(name: str, seconds: int) -> tuple[Packet, int]:
        await a.submit(a.registry.publish(name, "1.0.0", b"\1" * 32), rich)
        model = a.registry.model_id(Account(a.id, rich.account), name)
        await a.submit(a.registry.approve(model, a.bridge.account), rich)
        timeout = (await a.head()).time + seconds
        sent = await a.submit(
            a.bridge.send(on_a, model, Account(b.id, rich.account), timeout), rich
        )
        (found,) = await a.gateway.sent(sent.height - 1, sent.height)
        return found.packet, sent.height

    within, after = await send("within", DAY - 60), await send("after", DAY - 60)
    before = await b.gateway.committee(on_b)
    following = make_committee(1, 3, [member.account for member in new])
    rotation = Rotation(keccak256(a.gateway.address), before, following)
    signed = rotation.collect({member.account: rotation.sign(member) for member in old[1:]})
    forged = dataclasses.replace(following, threshold=4)
    client = (await b.clients.of(on_b)).account
    changed = b.clients.rotate(client, forged, signed.signers, signed.signatures)
    with pytest.raises(TransactionReverted) as refusal:
        await b.submit(changed, rich)
    assert refusal.value.error == "InvalidSignature"
    call = b.clients.rotate(client, following, signed.signers, signed.signatures)
    await b.submit(call, rich)
    assert await b.gateway.committee(on_b) == following

    async def deliver(sent: tuple[Packet, int], by: Committee, signers: list[LocalSigner]) -> None:
        packet, height = sent
        proof = await sign(a, by, signers, packet, height)
        await b.submit(b.gateway.receive(on_b, [packet], proof), rich)
        assert await b.gateway.receipts([(on_b, packet.sequence)]) == [True]

    await deliver(within, before, old)
    for ledger in (a, b):
        await ledger.chain.rpc.ask("evm_increaseTime", DAY - 120)
        await ledger.chain.rpc.ask("evm_mine")
    await deliver(after, following, new)
    for ledger in (a, b):
        await ledger.chain.rpc.ask("evm_increaseTime", 180)
        await ledger.chain.rpc.ask("evm_mine")
    late = await send("late", 3600)
    with pytest.raises(ProofRefused) as expired:
        await deliver(late, before, old)
    assert expired.value.error == "CommitteeExpired"
    await deliver(late, following, new)
    await asyncio.gather(a.aclose(), b.aclose())
