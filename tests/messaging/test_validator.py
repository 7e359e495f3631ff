"""A validator signs what its own node shows to be final, once and for all."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from chains import sequence_of
from hypothesis import given, settings
from hypothesis import strategies as st
from member_keys import KeySigner
from world import World

from caimi.errors.messaging import (
    AlreadySignedOtherwise,
    EventsMissing,
    NotFinal,
    NotFollowed,
    RangeTooLarge,
    ReceivedAfterAll,
    SignedStoreDamaged,
)
from caimi.hashing import keccak256
from caimi.ibc.path import Path as IbcPath
from caimi.ibc.statements import Kind
from caimi.ledgers.port import LedgerId, SentPacket, WrittenAcknowledgement
from caimi.messaging.checkpoint import Attestation, LedgerStatement
from caimi.messaging.proof import Tree, absence_facts, block_key, range_facts
from caimi.messaging.validator import MAX_ABSENCES, MAX_BLOCKS, Validator
from caimi.persistence import open_signed_store
from caimi.persistence.place import SqliteFile
from caimi.persistence.signed_store import SqlSignedStore
from lying_node import LyingNode


def node(world: World) -> LyingNode:
    """The first validator's node of the first ledger."""
    return world.nodes[0][world.chains[0].id]


async def test_a_checkpoint_states_every_packet_and_acknowledgement_of_its_range(
    world: World,
) -> None:
    a, b = world.chains
    a.send(b)
    b.send(a)
    await world.settle(world.relayer())
    attestation = await world.doors[0].validator.attest(a.id, 0, a.final_height)
    facts = range_facts(a.state.sent, a.state.written)
    assert len(facts) == 2
    assert attestation.statement.size == 2 + 1  # and the block's hash
    assert attestation.statement.time == a.blocks[a.final_height].time
    assert attestation.signer() == world.signers[0].account


def test_it_says_which_account_it_signs_with(world: World) -> None:
    assert world.doors[0].validator.account == world.signers[0].account


async def test_it_signs_nothing_beyond_finality(world: World) -> None:
    a, b = world.chains
    a.send(b)
    world.finalize()
    validator = world.doors[0].validator
    await validator.attest(a.id, 0, a.final_height)
    with pytest.raises(NotFinal):
        await validator.attest(a.id, 0, a.final_height + 1)
    with pytest.raises(NotFinal):
        await validator.attest_absence(a.id, a.final_height + 1, [("caimi-10-11", 1)])


async def test_it_signs_nothing_of_a_ledger_it_does_not_follow(world: World) -> None:
    with pytest.raises(NotFollowed):
        await world.doors[0].validator.attest(LedgerId("eip155:1"), 0, 1)
    with pytest.raises(NotFollowed):
        await world.doors[0].validator.attest_absence(LedgerId("eip155:1"), 1, [("client", 1)])


@pytest.mark.parametrize(
    ("start", "height"), [(5, 5), (5, 4), (0, MAX_BLOCKS + 1), (-1, 1), (0, 1 << 64)]
)
async def test_ranges_out_of_bounds_are_refused(world: World, start: int, height: int) -> None:
    world.chains[0].send(world.chains[1])
    world.mine(10)
    with pytest.raises(RangeTooLarge):
        await world.doors[0].validator.attest(world.chains[0].id, start, height)


async def test_as_many_blocks_are_signed_at_once_as_may_be_and_no_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("caimi.messaging.validator.MAX_BLOCKS", 10)
    world.mine(20)
    validator, a = world.doors[0].validator, world.chains[0].id
    said = (await validator.attest(a, 1, 11)).statement
    assert (said.from_height, said.height) == (1, 11)
    with pytest.raises(RangeTooLarge, match=r"\(1, 12\] are not 1 to 10 blocks"):
        await validator.attest(a, 1, 12)


async def test_a_range_with_too_much_in_it_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("caimi.messaging.reading.MAX_FACTS", 3)
    a, b = world.chains
    for _ in range(4):
        a.send(b)
    world.finalize()
    validator = world.doors[0].validator
    with pytest.raises(RangeTooLarge, match="more than 3"):
        await validator.attest(a.id, 0, 4)
    assert (await validator.attest(a.id, 1, 4)).statement.size == 3 + 1


async def test_a_range_read_in_pieces_has_the_root_of_the_whole(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = world.chains
    for _ in range(3):
        a.send(b)
        b.send(a)
        await world.settle(world.relayer(), steps=2)
    validator = world.doors[0].validator
    whole = await validator.attest(a.id, 0, a.final_height)
    monkeypatch.setattr("caimi.messaging.reading._READ_BLOCKS", 2)
    assert await validator.attest(a.id, 0, a.final_height) == whole
    assert whole.statement.size >= 5 + 1


@pytest.mark.parametrize(("left_out", "piece"), [(1, 500), (2, 500), (1, 1), (2, 2)])
async def test_nothing_is_signed_when_the_node_leaves_out_a_packet_between_others(
    world: World, left_out: int, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("caimi.messaging.reading._READ_BLOCKS", piece)
    a, b = world.chains
    for _ in range(4):
        a.send(b)
    world.finalize()
    node(world).omits = lambda entry: sequence_of(entry) == 1 + left_out
    node(world).covers_up = True
    validator = world.doors[0].validator
    with pytest.raises(EventsMissing, match=f"Packet {2 + left_out} "):
        await validator.attest(a.id, 0, a.final_height)
    node(world).omits = lambda entry: False
    assert (await validator.attest(a.id, 0, a.final_height)).statement.size == 4 + 1


async def test_the_packets_of_two_routes_are_counted_apart(tmp_path: Path) -> None:
    world = World(tmp_path, ledgers=3)
    a, b, c = world.chains
    for other in (b, c, c, b, c):
        a.send(other)
    world.finalize()
    attestation = await world.doors[0].validator.attest(a.id, 0, a.final_height)
    assert attestation.statement.size == 5 + 1
    world.close()


@pytest.mark.parametrize("count", [0, MAX_ABSENCES + 1])
async def test_too_many_absences_or_none_are_refused(world: World, count: int) -> None:
    world.mine(10)
    packets = [("caimi-10-11", 1)] * count
    with pytest.raises(RangeTooLarge, match=f"{count} packets are not 1 to 1000"):
        await world.doors[0].validator.attest_absence(world.chains[0].id, 1, packets)


async def test_as_many_absences_are_signed_at_once_as_may_be_and_of_any_sequence(
    world: World,
) -> None:
    world.mine(10)
    packets = [("caimi-10-11", sequence) for sequence in range(1, MAX_ABSENCES)]
    packets.append(("caimi-10-11", (1 << 64) - 1))
    said = await world.doors[0].validator.attest_absence(world.chains[0].id, 1, packets)
    assert said.statement.size == MAX_ABSENCES


@pytest.mark.parametrize("sequence", [-1, 0, 1 << 64])
async def test_an_absence_of_an_impossible_sequence_is_refused(world: World, sequence: int) -> None:
    world.mine(10)
    with pytest.raises(RangeTooLarge, match="Sequences are from 1"):
        await world.doors[0].validator.attest_absence(
            world.chains[0].id, 1, [("caimi-10-11", sequence)]
        )


async def test_a_range_in_which_nothing_happened_states_its_last_blocks_hash(
    world: World,
) -> None:
    world.mine(10)
    a = world.chains[0]
    said = (await world.doors[0].validator.attest(a.id, 0, 5)).statement
    assert (said.size, said.root) == (1, Tree.of([(block_key(5), a.blocks[5].hash)]).merkle.root)


def test_a_blocks_key_is_the_hash_of_its_path_and_no_packets() -> None:
    assert block_key(5) == keccak256(b"blocks/" + bytes(7) + b"\x05")
    # A client id holds no slash (contracts/evm/src/gateway/Gateway.sol numbers them).
    assert block_key(5) != IbcPath.commitment("blocks", 5).key


async def test_the_absence_of_a_received_packet_is_not_signed(world: World) -> None:
    a, b = world.chains
    packet = a.send(b)
    await world.settle(world.relayer())
    with pytest.raises(ReceivedAfterAll):
        await world.doors[0].validator.attest_absence(
            b.id, b.final_height, [(packet.dest_client, 2), (packet.dest_client, 1)]
        )


async def test_an_absence_is_judged_at_the_height_asked_for(archived: World) -> None:
    a, b = archived.chains
    packet = a.send(b)
    archived.mine(3)
    before = b.height
    await archived.settle(archived.relayer())
    name = (packet.dest_client, 1)
    attestation = await archived.doors[0].validator.attest_absence(b.id, before, [name])
    assert attestation.statement.kind is Kind.ABSENCE
    assert attestation.statement.height == before


async def test_it_never_signs_two_roots_for_one_range(world: World) -> None:
    a, b = world.chains
    packet = a.send(b)
    world.finalize()
    validator = world.doors[0].validator
    height = a.final_height
    first = await validator.attest(a.id, 0, height)
    assert await validator.attest(a.id, 0, height) == first
    node(world).forged = [SentPacket(replace(packet, sequence=2), "0x", 1)]
    with pytest.raises(AlreadySignedOtherwise):
        await validator.attest(a.id, 0, height)


async def test_it_never_signs_two_times_for_one_height(world: World) -> None:
    a, b = world.chains
    a.send(b)
    world.finalize()
    validator = world.doors[0].validator
    await validator.attest(a.id, 0, a.final_height)
    node(world).time_shift = 1
    with pytest.raises(AlreadySignedOtherwise):
        await validator.attest_absence(a.id, a.final_height, [("caimi-10-11", 1)])


async def test_it_keeps_its_word_after_a_restart(world: World, tmp_path: Path) -> None:
    a, b = world.chains
    packet = a.send(b)
    world.finalize()
    first = await world.doors[0].validator.attest(a.id, 0, a.final_height)
    world.stores[0].close()
    world.stores[0] = open_signed_store(None, tmp_path / "0.sqlite")
    again = Validator(world.signers[0], world.committee, world.nodes[0], world.stores[0])
    assert await again.attest(a.id, 0, a.final_height) == first
    node(world).forged = [SentPacket(replace(packet, sequence=2), "0x", 1)]
    with pytest.raises(AlreadySignedOtherwise):
        await again.attest(a.id, 0, a.final_height)


async def test_dying_between_remembering_and_answering_is_harmless(world: World) -> None:
    a, b = world.chains
    a.send(b)
    world.finalize()

    class Killed(Exception):
        pass

    class DyingSigner(KeySigner):
        def sign_digest(self, digest: bytes) -> bytes:
            raise Killed

    dying = Validator(DyingSigner(1_000), world.committee, world.nodes[0], world.stores[0])
    with pytest.raises(Killed):
        await dying.attest(a.id, 0, a.final_height)
    await world.doors[0].validator.attest(a.id, 0, a.final_height)


async def test_what_was_not_remembered_is_not_signed(world: World, tmp_path: Path) -> None:
    a, b = world.chains
    a.send(b)
    world.finalize()
    asked = []

    class Watching(KeySigner):
        def sign_digest(self, digest: bytes) -> bytes:
            asked.append(digest)
            return super().sign_digest(digest)

    class Full(SqlSignedStore):
        def remember(self, *_: object) -> None:
            raise SignedStoreDamaged("The disk is full.")

    full = Full(SqliteFile(tmp_path / "full.sqlite"))
    validator = Validator(Watching(1_000), world.committee, world.nodes[0], full)
    with pytest.raises(SignedStoreDamaged):
        await validator.attest(a.id, 0, a.final_height)
    assert asked == []


async def test_a_chain_that_changes_below_its_finality_gets_no_second_signature(
    world: World,
) -> None:
    a, b = world.chains
    a.send(b)
    world.finalize()
    validator = world.doors[0].validator
    height = a.final_height
    await validator.attest(a.id, 0, height)
    a.undo(a.height)
    a.send(b, value=b"fail")
    world.finalize()
    with pytest.raises(AlreadySignedOtherwise):
        await validator.attest(a.id, 0, height)


async def test_concurrent_questions_get_one_answer(world: World) -> None:
    a, b = world.chains
    a.send(b)
    world.finalize()
    validator = world.doors[0].validator
    answers = await asyncio.gather(*(validator.attest(a.id, 0, a.final_height) for _ in range(20)))
    assert len(set(answers)) == 1


def test_an_attestation_of_absence_differs_from_one_of_presence() -> None:
    present = LedgerStatement(
        Kind.CHECKPOINT, b"\x01" * 32, b"\x05" * 32, 1, 5, 100, b"\x02" * 32, 3
    )
    absent = replace(present, kind=Kind.ABSENCE, from_height=5)
    assert present.digest != absent.digest
    assert absence_facts([("client", 1)])[0][1] == bytes(32)
    assert Attestation(present, bytes(65)) != Attestation(absent, bytes(65))


Told = SentPacket | WrittenAcknowledgement


@given(data=st.data())
@settings(max_examples=40)
def test_nothing_is_signed_of_which_a_node_left_out_anything_at_all(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Acknowledgements, the first or the last packets of a range, whole blocks: any of them."""

    async def play() -> None:
        world = World(tmp_path_factory.mktemp("w"))
        a, b = world.chains
        for _ in range(data.draw(st.integers(1, 4))):
            one, other = data.draw(st.sampled_from([(a, b), (b, a)]))
            one.send(other)
        await world.settle(world.relayer())
        validator = world.doors[0].validator
        everything: list[Told] = [*a.state.sent, *a.state.written]
        left_out = data.draw(st.lists(st.sampled_from(everything), unique_by=id))
        node(world).omits = lambda entry: entry in left_out
        start = data.draw(st.integers(0, a.final_height - 1))
        height = data.draw(st.integers(start + 1, a.final_height))
        lacking = [each for each in left_out if start < each.height <= height]
        try:
            said = await validator.attest(a.id, start, height)
            assert not lacking
        except EventsMissing:
            assert lacking
            node(world).omits = lambda entry: False
            # That it was asked while its node lagged stands in nothing's way.
            said = await validator.attest(a.id, start, height)
        there = [each for each in everything if start < each.height <= height]
        assert said.statement.size == len(there) + 1
        world.close()

    asyncio.run(play())


async def test_a_false_nothing_signed_before_is_mended_by_clearing_and_the_packet_goes_on(
    world: World,
) -> None:
    a, b = world.chains
    packet = a.send(b)
    world.finalize()
    # Validators of a release that believed what logs leave out.
    for views in world.nodes:
        views[a.id].omits, views[a.id].covers_up = lambda entry: True, True
    height = a.state.sent[0].height
    for door in world.doors:
        await door.validator.attest(a.id, height - 1, height)
    for views in world.nodes:
        views[a.id].omits, views[a.id].covers_up = lambda entry: False, False
    relayer = world.relayer()
    await world.settle(relayer, steps=3)
    assert not b.state.effects
    for store in world.stores:
        store.clear(keccak256(a.address))
    world.pass_time(60)
    await world.settle(relayer, steps=8)
    assert b.state.effects[packet.dest_client, packet.sequence] == 1
    # What had been signed is still not contradicted.
    with pytest.raises(AlreadySignedOtherwise):
        await world.doors[0].validator.attest(a.id, height - 1, height)
