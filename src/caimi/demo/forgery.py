"""A proof with one bit changed, offered to the ledger that accepted the true one."""

from __future__ import annotations

from collections.abc import Sequence

from caimi.demo.report import refused
from caimi.errors.ledgers import TransactionReverted
from caimi.hashing import keccak256
from caimi.ibc.path import Path
from caimi.ibc.statements import Kind
from caimi.ledgers.port import Ledger, Route, SentPacket, Signer
from caimi.messaging.attestations import ValidatorClient, gather_signatures
from caimi.messaging.proof import statement_of
from caimi.messaging.validator import read_tree


async def offer_forged_proof(
    source: Ledger,
    destination: Ledger,
    route: Route,
    validators: Sequence[ValidatorClient],
    signer: Signer,
) -> str:
    """Prove the newest packet of `route` again, change one bit of the proof, and offer both.

    Gives the name of the contract's refusal of the changed one; the true one must pass.

    Raises:
        DemoFailed: the changed proof was accepted.
    """
    newest = await _newest(source, route)
    blocks = (newest.height - 1, newest.height)
    block = await source.block(newest.height)
    tree = await read_tree(source.gateway, newest.height - 1, block)
    committee = await destination.gateway.committee(route.counterparty_client_id)
    statement = statement_of(
        Kind.CHECKPOINT,
        keccak256(source.gateway.address),
        committee,
        blocks,
        block.time,
        tree,
    )
    ledger = source.id
    signed = await gather_signatures(
        statement, committee, validators, lambda validator: validator.attest(ledger, *blocks)
    )
    key = Path.commitment(newest.packet.source_client, newest.packet.sequence).key
    proof = bytearray(signed.prove(tree, [key]).data)
    receive = destination.gateway.receive
    client = route.counterparty_client_id
    await destination.sign(receive(client, [newest.packet], bytes(proof)), signer)
    proof[proof.index(statement.root)] ^= 1
    refusal = await refused(
        destination.sign(receive(client, [newest.packet], bytes(proof)), signer),
        TransactionReverted,
    )
    return refusal.what


async def _newest(source: Ledger, route: Route) -> SentPacket:
    head = await source.finalized()
    packets = await source.gateway.sent(source.deployed_at - 1, head.height)
    return [entry for entry in packets if entry.packet.source_client == route.client_id][-1]
