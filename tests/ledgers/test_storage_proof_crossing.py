"""The storage proof client's contract believes a live node's own proofs, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest
from eth_abi.abi import encode
from ledger_site import COIN
from subprocess_anvil import anvil_process
from test_ledger_crossing import A, B, Crossing, Pair

from caimi.errors.ledgers import ProofRefused
from caimi.ibc.commitments import packet_commitment
from caimi.ibc.packet import Packet
from caimi.ibc.path import Path
from caimi.ibc.statements import Kind
from caimi.keystore import LocalSigner
from caimi.ledgers.client_proofs import StateProof, commitment_slot
from caimi.ledgers.evm.abi.calls import contract_creation
from caimi.ledgers.evm.artifacts import artifact
from caimi.ledgers.evm.local.anvil import AnvilOptions
from caimi.ledgers.evm.proofs.state_proofs import read_state_proof
from caimi.ledgers.evm.rpc.connect import http_chain
from caimi.ledgers.evm.rpc.contract import Contract
from caimi.ledgers.evm.rpc.finality import Depth
from caimi.loopback import free_port
from caimi.messaging.proof import block_key
from caimi.messaging.validator import read_tree

pytestmark = pytest.mark.anvil


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    rich = LocalSigner.generate()
    coins = {rich.account: 1_000_000 * COIN}
    options = {number: AnvilOptions(number, free_port()) for number in (A, B)}
    with anvil_process(options[A], coins), anvil_process(options[B], coins):
        made = Pair(
            lambda number: http_chain(f"eip155:{number}", options[number].url, Depth(0)), rich
        )
        asyncio.run(made.build())
        yield made


class Proved(Crossing):
    """A purchase sent on B, judged on A by a storage proof client over A's committee client."""

    client: Contract

    async def deploy_client(self) -> None:
        chain = self.a.chain
        gateway = Contract(
            chain, self.a.deployment.contracts["gateway"], artifact("Gateway").interface
        )
        inner = (await gateway.read("getClient", self.on_a))[0]
        made = artifact("StorageProofClient")
        code = made.bytecode + encode(
            ["address", "address"], [inner, self.b.deployment.contracts["gateway"]]
        )
        created = await self.a.submit(
            contract_creation(self.a.id, "Deploying a storage proof client", code), self.pair.rich
        )
        self.client = Contract(chain, created.effect, made.interface)

    async def state(self, key: bytes, height: int) -> tuple[StateProof, bytes]:
        """What B's node proves of a commitment, and what A's client takes of the block."""
        gateway = self.b.deployment.contracts["gateway"]
        proof = await read_state_proof(self.b.chain.rpc, gateway, [commitment_slot(key)], height)
        tree = await read_tree(self.b.gateway, height - 1, await self.b.block(height))
        trusted = await self.pair.prove(
            self.b,
            self.a,
            self.on_a,
            Kind.CHECKPOINT,
            tree,
            (height - 1, height),
            [block_key(height)],
        )
        return proof, trusted.data


async def sent(there: Proved) -> tuple[Packet, int]:
    await there.prepare()
    await there.deploy_client()
    _, packet, height = await there.buy()
    return packet, height


def test_a_packet_is_proved_by_the_nodes_own_proof(pair: Pair) -> None:
    async def cross() -> None:
        there = Proved(pair)
        packet, height = await sent(there)
        key = Path.commitment(packet.source_client, packet.sequence).key
        value = packet_commitment(packet)
        proof, trusted = await there.state(key, height)
        block = await there.b.block(height)
        found = await there.client.read(
            "verifyMembership", [key], [value], proof.membership(trusted)
        )
        assert found == (height, block.time)
        with pytest.raises(ProofRefused, match="WrongSlotValue"):
            await there.client.read(
                "verifyMembership", [key], [b"\x01" * 32], proof.membership(trusted)
            )
        # Another block than the one that was signed.
        later, _ = await there.state(key, height)
        changed = replace(later, header=later.header[:-1] + bytes([later.header[-1] ^ 1]))
        with pytest.raises(ProofRefused, match="InvalidMerkleProof"):
            await there.client.read("verifyMembership", [key], [value], changed.membership(trusted))
        await there.a.aclose()
        await there.b.aclose()

    asyncio.run(cross())


def test_a_packet_that_never_came_is_proved_missing_and_no_other_with_it(pair: Pair) -> None:
    async def cross() -> None:
        there = Proved(pair)
        _, height = await sent(there)
        client, sequence = "caimi-31502-0", 4_000
        proof, trusted = await there.state(Path.acknowledgement(client, sequence).key, height)
        key = Path.receipt(client, sequence).key
        absence = proof.absence(trusted, client, [sequence])
        (_, time) = await there.client.read("verifyAbsence", [key], absence)
        assert time == (await there.b.block(height)).time
        with pytest.raises(ProofRefused, match="WrongReceiptKey"):
            await there.client.read(
                "verifyAbsence", [key], proof.absence(trusted, client, [sequence + 1])
            )
        await there.a.aclose()
        await there.b.aclose()

    asyncio.run(cross())
