"""Packets from a real Fabric channel to an EVM ledger that believes a committee and reads both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import pytest
from conformance.crossing import Crossing
from conformance.site import World
from eth_abi.abi import encode
from fabric_site import CHAINCODE, FabricSite, fabric_site
from ledger_site import COIN, EvmSite
from test_unlike_ledgers import Pair

from caimi.errors.ledgers import ProofRefused, TransactionReverted
from caimi.errors.messaging import TooFewProofs
from caimi.ibc.commitments import packet_commitment
from caimi.ibc.path import Path as IbcPath
from caimi.keystore import LocalSigner
from caimi.ledgers.client_proofs import EndorsedReads, composite_proof
from caimi.ledgers.evm.abi.calls import contract_creation
from caimi.ledgers.evm.administration.changes import migrate_client
from caimi.ledgers.evm.administration.deploying import deploy
from caimi.ledgers.evm.artifacts import artifact
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.local.embedded import EmbeddedChain
from caimi.ledgers.evm.local.in_process import embedded_chain
from caimi.ledgers.port import COMPOSITE, ENDORSED_READS
from caimi.messaging.provers.choice import prover_for
from caimi.messaging.provers.prover import ProofRequest, Prover

NUMBERS = count(31_400)
CONSTRUCTOR = ("string", "string", "string", "uint16", "bytes32[2][]", "bytes", "address")


@pytest.fixture(scope="module")
def fabric(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FabricSite]:
    with fabric_site(tmp_path_factory.mktemp("relayed"), with_asset=False) as site:
        yield site


@pytest.fixture
async def world() -> World:
    rich = LocalSigner.generate()
    number = next(NUMBERS)  # what an earlier test left on Fabric is for another ledger
    chain = EmbeddedChain(number, {rich.account: 1_000_000 * COIN})
    site = EvmSite(lambda: embedded_chain(chain), rich, await deploy(embedded_chain(chain), rich))
    return World(site, site.open(), await site.wallet("alice"), await site.wallet("bob"))


async def created(world: World, name: str, types: tuple[str, ...], *values: object) -> bytes:
    code = artifact(name).bytecode + encode(types, values)
    call = contract_creation(world.ledger.id, f"Deploying {name}", code)
    assert isinstance(world.site, EvmSite)
    return (await world.ledger.submit(call, world.site.rich)).effect


@pytest.fixture
async def pair(world: World, fabric: FabricSite, tmp_path: Path) -> AsyncIterator[Pair]:
    """The EVM ledger's route believes the committee and both organisations together."""
    crossing = await Crossing.made(world, fabric)
    evm, client = world.ledger, crossing.here.client
    assert isinstance(evm, EvmLedger)
    reader = fabric.reader()
    keys = [each.key for each in (await reader.read([IbcPath.receipt(client, 1)])).endorsements]
    await reader.aclose()
    about = (fabric.id, fabric.network.layout.channel, CHAINCODE, 2, keys, b"\0\1")
    authority = evm.deployment.contracts["authority"]
    reads = await created(world, "EndorsedReadsClient", CONSTRUCTOR, *about, authority)
    committee = (await evm.clients.of(client)).account.native
    both = await created(world, "CompositeClient", ("uint256", "address[]"), 2, [committee, reads])
    await evm.submit(migrate_client(evm, client, both), world.site.rich)
    made = Pair(crossing, tmp_path)
    yield made
    await evm.aclose()
    await crossing.there.ledger.aclose()
    for store in made.stores:
        store.close()


async def on_fabric(world: World, pair: Pair) -> tuple[bytes, object]:
    """Publish a model on Fabric; gives it and its owner."""
    fabric = pair.other
    carol = await fabric.site.wallet("carol")
    await fabric.ledger.submit(fabric.ledger.registry.publish("digits", "1.0.0", b"\7" * 32), carol)
    return fabric.ledger.registry.model_id(fabric.account(carol), "digits"), carol


async def committee_prover(pair: Pair) -> tuple[Prover, ProofRequest]:
    """What proves to the committee's client alone."""
    evm, fabric = pair.evm.ledger, pair.other.ledger
    client = await evm.clients.of(pair.evm.client)
    case = ProofRequest(fabric, evm, await fabric.finalized(), pair.validators)
    return prover_for(client.inner[0]), case


async def test_a_model_goes_to_a_ledger_that_believes_committee_and_organisations(world, pair):
    evm, fabric = pair.evm.ledger, pair.other.ledger
    client = await evm.clients.of(pair.evm.client)
    assert (client.kind, client.inner[1].kind) == (COMPOSITE, ENDORSED_READS)
    model, carol = await on_fabric(world, pair)
    sequence = await pair.send(pair.other, carol, model, world.account(world.bob))
    carried = await pair.settle(pair.relayer())
    assert carried == [f"deliver on {evm.id}", f"acknowledge on {fabric.id}"]
    assert await fabric.bridge.outcome(model, pair.other.client, sequence) == "completed"
    assert (await evm.registry.model(model)).owner == world.account(world.bob)

    # And back: what Fabric answers is proved in the same way.
    sequence = await pair.send(pair.evm, world.bob, model, pair.other.account(carol))
    carried = await pair.settle(pair.relayer())
    assert carried == [f"deliver on {fabric.id}", f"acknowledge on {evm.id}"]
    assert await evm.bridge.outcome(model, pair.evm.client, sequence) == "completed"


async def test_what_fabric_did_not_receive_in_time_comes_back(world, pair):
    evm = pair.evm.ledger
    carol = await pair.other.site.wallet("carol")
    model = await world.published()
    to = pair.other.account(carol)
    sequence = await pair.send(pair.evm, world.alice, model, to, lasts=60)
    await pair.crossing.pass_time(120)
    assert await pair.settle(pair.relayer()) == [f"time out on {evm.id}"]
    assert await evm.bridge.outcome(model, pair.evm.client, sequence) == "refunded"


async def test_an_absence_from_before_the_timeout_times_nothing_out(world, pair):
    evm, crossing = pair.evm.ledger, pair.crossing
    carol = await pair.other.site.wallet("carol")
    model = await world.published()
    packet, _ = await crossing.send(
        pair.evm, world.alice, model, pair.other.account(carol), lasts=600
    )
    receipt = IbcPath.receipt(packet.dest_client, packet.sequence)
    early = await pair.other.ledger.gateway.endorsed_reads([receipt])
    assert early.time < packet.timeout
    await crossing.pass_time(1_200)
    prover, case = await committee_prover(pair)
    names = [(packet.dest_client, packet.sequence)]
    signed = (await prover.absence(case, names))(names)

    async def time_out(reads: EndorsedReads) -> None:
        proof = composite_proof([signed.data, reads.prove([receipt.key])])
        call = evm.gateway.time_out(packet.source_client, [packet], proof)
        await evm.submit(call, pair.evm.carrier)

    with pytest.raises(TransactionReverted, match="TimeoutNotReached"):
        await time_out(early)
    await time_out(await pair.other.ledger.gateway.endorsed_reads([receipt]))
    outcome = await evm.bridge.outcome(model, packet.source_client, packet.sequence)
    assert outcome == "refunded"


async def test_neither_the_committee_nor_the_organisations_are_believed_alone(world, pair):
    evm, crossing = pair.evm.ledger, pair.crossing
    model, carol = await on_fabric(world, pair)
    packet, height = await crossing.send(pair.other, carol, model, world.account(world.bob))
    path = IbcPath.commitment(packet.source_client, packet.sequence)
    reads = await pair.other.ledger.gateway.endorsed_reads([path])
    assert reads.values == (packet_commitment(packet),)
    assert reads.height == height
    prover, case = await committee_prover(pair)
    signed = (await prover.membership(case, [path], (height - 1, height)))([path])
    both = [signed.data, reads.prove([path.key])]
    spoilt = bytearray(reads.prove([path.key]))
    spoilt[200] ^= 1
    for given in ([both[0], None], [None, both[1]], [both[0], bytes(spoilt)]):
        call = evm.gateway.receive(pair.evm.client, [packet], composite_proof(given))
        with pytest.raises((ProofRefused, TransactionReverted)):
            await evm.submit(call, pair.evm.carrier)
    call = evm.gateway.receive(pair.evm.client, [packet], composite_proof(both))
    await evm.submit(call, pair.evm.carrier)
    assert (await evm.registry.model(model)).owner == world.account(world.bob)


async def test_an_organisation_that_is_away_stops_what_needs_it(world, pair, fabric):
    model, carol = await on_fabric(world, pair)
    second = fabric.network.layout.organisations[1]
    await pair.send(pair.other, carol, model, world.account(world.bob))
    node = fabric.network.nodes[f"{second.msp}-chaincode"]
    fabric.thread.run(node.stop())
    try:
        progress = await pair.relayer().step()
        assert progress.carried == []
        assert any(TooFewProofs.code in str(each) for each in progress.failures)
    finally:
        fabric.run_instead(fabric.chaincode, second)
    assert f"deliver on {pair.evm.ledger.id}" in await pair.settle(pair.relayer())
