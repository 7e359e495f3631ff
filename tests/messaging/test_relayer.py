"""One relayer, one behaviour at a time."""

import asyncio
from dataclasses import replace

import pytest
from chains import Chain, sequence_of
from world import World

from caimi.errors.ledgers import LedgerUnavailable, TransactionReverted
from caimi.errors.messaging import EventsMissing, NotEnoughAttestations, RangeTooLarge
from caimi.ibc.path import Path
from caimi.ledgers.port import NEWEST, At, Exactly, SentPacket, WrittenAcknowledgement
from caimi.messaging.open_packets import MAX_UNTOLD, OpenPackets
from caimi.messaging.relayer import Relayer
from caimi.messaging.retries import FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS, Retries


def effects(chain: Chain) -> int:
    return sum(chain.state.effects.values())


async def test_a_packet_is_delivered_and_acknowledged(world: World) -> None:
    a, b = world.chains
    packet = a.send(b)
    relayer = world.relayer()
    await world.settle(relayer)
    assert b.state.effects == {(packet.dest_client, 1): 1}
    assert a.state.ended == {(packet.source_client, 1): "acknowledged"}
    assert len(relayer._backlog.retries) == 0


async def test_a_refused_packet_ends_with_its_error_acknowledgement(world: World) -> None:
    a, b = world.chains
    packet = a.send(b, value=b"fail")
    await world.settle(world.relayer())
    assert effects(b) == 0
    assert a.state.ended == {(packet.source_client, 1): "acknowledged"}


async def test_a_late_packet_times_out_and_takes_no_effect(world: World) -> None:
    a, b = world.chains
    packet = a.send(b, lasts=60)
    world.pass_time(61)
    await world.settle(world.relayer())
    assert effects(b) == 0
    assert a.state.ended == {(packet.source_client, 1): "timed out"}


async def test_many_packets_share_a_transaction(world: World) -> None:
    a, b = world.chains
    for _ in range(10):
        a.send(b)
    await world.settle(world.relayer(batch=5))
    assert (b.transactions, len(a.state.ended)) == (2, 10)


async def test_a_batch_does_not_wait_for_the_block_of_another(world: World) -> None:
    a, b = world.chains
    for _ in range(2):
        a.send(b)
    world.finalize()
    views = world.views()

    another = asyncio.Event()

    async def until_another_is_submitted() -> None:
        views[b.id].before_submit = submitted
        await another.wait()

    async def submitted() -> None:
        another.set()

    views[b.id].before_submit = until_another_is_submitted
    async with asyncio.timeout(5):
        await world.relayer(views=views, batch=1).step()
    assert (effects(b), b.transactions) == (2, 2)


async def test_packets_go_both_ways_between_three_ledgers(tmp_path) -> None:
    world = World(tmp_path, ledgers=3)
    for here in world.chains:
        for there in world.chains:
            if here is not there:
                here.send(there)
    await world.settle(world.relayer())
    assert [len(chain.state.ended) for chain in world.chains] == [2, 2, 2]
    world.close()


async def test_nothing_is_carried_before_it_is_final(world: World) -> None:
    a, b = world.chains
    a.depth = 5
    a.send(b)
    relayer = world.relayer()
    a.mine(4)
    assert not (await relayer.step()).did_anything
    a.mine()
    assert (await relayer.step()).did_anything


async def test_a_packet_that_a_reorganisation_removed_is_never_carried(world: World) -> None:
    a, b = world.chains
    relayer = world.relayer()
    a.send(b)
    await relayer.step()
    a.reorg(1)
    await world.settle(relayer)
    assert effects(b) == 0


async def test_a_delivery_that_a_reorganisation_removed_is_made_again(world: World) -> None:
    a, b = world.chains
    relayer = world.relayer()
    a.send(b)
    world.finalize()
    await relayer.step()
    assert effects(b) == 1
    b.reorg(1)
    world.pass_time(int(FIRST_WAIT_SECONDS))
    await world.settle(relayer)
    assert effects(b) == 1
    assert len(a.state.ended) == 1


async def test_an_ending_that_a_reorganisation_removed_is_made_again(world: World) -> None:
    a, b = world.chains
    relayer = world.relayer()
    a.send(b)
    world.finalize()
    await relayer.step()
    world.finalize()
    assert [one.what for one in (await relayer.step()).carried] == ["acknowledge"]
    await relayer.step()
    a.reorg(1)
    assert not a.state.ended
    world.pass_time(int(FIRST_WAIT_SECONDS))
    await world.settle(relayer)
    assert len(a.state.ended) == 1


async def test_a_lost_race_costs_nothing_more_and_is_no_failure(world: World) -> None:
    a, b = world.chains
    a.send(b)
    world.finalize()
    views = world.views()
    slow, fast = world.relayer(views=views), world.relayer()
    views[b.id].before_submit = fast.step
    progress = await slow.step()
    assert not progress.failures
    assert (effects(b), b.state.skipped) == (1, 1)
    await world.settle(slow)
    assert len(a.state.ended) == 1


async def test_a_timeout_that_passes_between_reading_and_delivery_is_refunded(
    world: World,
) -> None:
    a, b = world.chains
    packet = a.send(b, lasts=30)
    world.finalize()
    views = world.views()

    async def time_passes() -> None:
        world.pass_time(60)

    views[b.id].before_submit = time_passes
    relayer = world.relayer(views=views)
    await relayer.step()
    assert (effects(b), b.state.skipped) == (0, 1)
    await world.settle(relayer)
    assert a.state.ended == {(packet.source_client, 1): "timed out"}


async def test_one_refused_packet_does_not_hold_up_the_others(world: World) -> None:
    a, b = world.chains
    for _ in range(9):
        a.send(b)
    b.refuses = lambda packet: packet.sequence == 4
    relayer = world.relayer()
    world.finalize()
    first = await relayer.step()
    assert [type(error) for error in first.failures] == [TransactionReverted]
    done = await world.settle(relayer)
    assert effects(b) == 8
    assert len(a.state.ended) == 8
    assert all(isinstance(error, TransactionReverted) for error in done.failures)


async def test_a_batch_too_large_for_a_block_is_split(world: World) -> None:
    a, b = world.chains
    for _ in range(9):
        a.send(b)
    b.most_packets = a.most_packets = 2
    done = await world.settle(world.relayer())
    assert len(a.state.ended) == 9
    assert not done.failures


async def test_a_refused_callback_is_tried_again_ever_more_rarely(world: World) -> None:
    a, b = world.chains
    a.send(b)
    a.truth.mailbox.refuses_endings = True
    relayer = world.relayer()
    await world.settle(relayer)
    before = a.transactions
    for _ in range(20):
        world.finalize()
        await relayer.step()
    assert a.transactions - before <= 3
    a.truth.mailbox.refuses_endings = False
    world.pass_time(int(LONGEST_WAIT_SECONDS))
    await world.settle(relayer)
    assert len(a.state.ended) == 1


async def test_an_acknowledgement_read_before_its_packet_is_not_lost(world: World) -> None:
    a, b = world.chains
    a.send(b)
    await world.settle(world.relayer(), steps=1)
    world.finalize()
    views = world.views()
    views[a.id].behind = a.height  # this relayer's node of the source has seen nothing yet
    relayer = world.relayer(views=views)
    await relayer.step()
    views[a.id].behind = 0
    await world.settle(relayer)
    assert len(a.state.ended) == 1


async def test_a_source_node_that_falls_behind_loses_no_packet(world: World) -> None:
    a, b = world.chains
    views = world.views()
    relayer = world.relayer(views=views)
    a.send(b)
    for door in world.doors:
        door.down = True
    world.finalize()
    await relayer.step()
    views[a.id].behind = a.height
    await relayer.step()
    views[a.id].behind = 0
    for door in world.doors:
        door.down = False
    await world.settle(relayer)
    assert len(a.state.ended) == 1


async def test_two_ledgers_may_give_their_clients_the_same_names(tmp_path) -> None:
    world = World(tmp_path, ledgers=3, hub=1, prefix="caimi-shared")
    a, b, c = world.chains
    assert len({route.counterparty_client_id for route in b.routes}) == 1
    a.send(b)
    c.send(b)
    await world.settle(world.relayer())
    assert (len(a.state.ended), len(c.state.ended)) == (1, 1)
    world.close()


async def test_it_remembers_neither_ended_packets_nor_those_of_ledgers_it_does_not_serve(
    tmp_path,
) -> None:
    world = World(tmp_path, ledgers=3)
    a, b, c = world.chains
    relayer = world.relayer(views=world.views([a, b]))
    everywhere = world.relayer()
    for _ in range(5):
        a.send(b)
        a.send(c)
        c.send(b)
        a.send(b, lasts=1)
    await world.settle(everywhere)
    await world.settle(relayer)
    for known in relayer._open.values():
        assert (known.sent, known.written) == ({}, {})
    assert len(relayer._backlog.retries) == 0
    world.close()


async def test_it_does_not_keep_packets_for_ledgers_it_does_not_serve(tmp_path) -> None:
    world = World(tmp_path, ledgers=3)
    a, b, c = world.chains
    a.send(c)
    relayer = world.relayer(views=world.views([a, b]))
    await world.settle(relayer)
    assert relayer._open[a.id].sent == {}
    world.close()


async def test_a_packet_received_but_not_yet_final_is_not_sent_again(world: World) -> None:
    a, b = world.chains
    a.send(b)
    world.finalize()
    b.depth = 100
    for _ in range(3):
        await world.relayer().step()
    assert (b.transactions, b.state.skipped) == (1, 0)


async def test_a_packet_that_another_relayer_just_ended_is_not_ended_again(world: World) -> None:
    a, b = world.chains
    first, second = world.relayer(), world.relayer()
    a.send(b)
    world.finalize()
    await first.step()
    await second.step()
    world.finalize()
    await first.step()
    assert (len(a.state.ended), a.transactions) == (1, 2)
    await second.step()
    assert (a.transactions, a.state.skipped) == (2, 0)


async def test_no_timeout_is_claimed_before_the_time_is_final(world: World) -> None:
    a, b = world.chains
    a.send(b, lasts=30)
    world.finalize()
    b.depth = 10
    world.pass_time(60)
    relayer = world.relayer()
    for _ in range(3):
        progress = await relayer.step()
        assert (progress.failures, progress.carried) == ([], [])
    b.mine(10)
    assert [one.what for one in (await relayer.step()).carried] == ["time out"]


async def test_a_restarted_relayer_carries_on(world: World) -> None:
    a, b = world.chains
    for _ in range(3):
        a.send(b)
    for _ in range(6):
        await world.settle(world.relayer(), steps=1)
    assert (effects(b), len(a.state.ended)) == (3, 3)


async def test_history_is_read_without_pauses_in_bounded_pieces(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("caimi.messaging.open_packets.SCAN_BLOCKS", 10)
    a, b = world.chains
    a.send(b)
    world.mine(60)
    relayer = world.relayer()
    progress = [await relayer.step() for _ in range(8)]
    assert progress[0].behind
    assert not progress[-1].behind
    await world.settle(relayer)
    assert len(a.state.ended) == 1


async def test_run_does_not_pause_while_there_is_history_to_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("caimi.messaging.open_packets.SCAN_BLOCKS", 10)
    a, b = world.chains
    a.mine(60)
    a.send(b)
    world.finalize()
    delivered = asyncio.Event()
    relayer = world.relayer(observe=lambda carried: delivered.set())
    running = asyncio.create_task(relayer.run(poll_seconds=1_000))
    async with asyncio.timeout(10):
        await delivered.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_run_pauses_while_nothing_works(world: World) -> None:
    a, b = world.chains
    views = world.views()
    views[a.id].down = views[b.id].down = True
    running = asyncio.create_task(world.relayer(views=views).run(poll_seconds=0.02))
    await asyncio.sleep(0.3)
    running.cancel()
    assert 1 <= views[a.id].calls["finalized"] <= 5
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_one_ledgers_outage_does_not_stop_the_others(tmp_path) -> None:
    world = World(tmp_path, ledgers=3)
    a, b, c = world.chains
    views = world.views()
    views[c.id].down = True
    a.send(b)
    done = await world.settle(world.relayer(views=views))
    assert len(a.state.ended) == 1
    assert {type(error) for error in done.failures} == {LedgerUnavailable}
    world.close()


async def test_without_enough_validators_nothing_is_sent_and_each_is_named(world: World) -> None:
    a, b = world.chains
    a.send(b)
    for door in world.doors[:2]:
        door.down = True
    world.finalize()
    progress = await world.relayer().step()
    (failure,) = progress.failures
    assert isinstance(failure, NotEnoughAttestations)
    assert "validator 0" in failure.what
    assert "validator 1" in failure.what
    assert b.transactions == 0


async def test_lagging_finality_delays_and_loses_nothing(world: World) -> None:
    a, b = world.chains
    views = world.views()
    views[b.id].behind = 30
    relayer = world.relayer(views=views)
    packet = a.send(b, lasts=20)
    await world.settle(relayer, steps=3)
    views[b.id].behind = 0
    world.pass_time(60)
    await world.settle(relayer)
    assert effects(b) + list(a.state.ended.values()).count("timed out") == 1
    assert (packet.source_client, 1) in a.state.ended


async def test_a_packet_is_reported_when_it_was_carried(world: World) -> None:
    a, b = world.chains
    a.send(b)
    seen = []
    await world.settle(world.relayer(observe=seen.append))
    assert [(one.what, one.packets) for one in seen] == [("deliver", 1), ("acknowledge", 1)]


@pytest.mark.parametrize("batch", [0, -1, 1_001])
def test_a_batch_out_of_bounds_is_refused(world: World, batch: int) -> None:
    with pytest.raises(RangeTooLarge, match=f"A batch of {batch} packets is not 1 to 1000"):
        Relayer({}, [], {}, batch=batch)


@pytest.mark.parametrize("batch", [1, 1_000])
def test_a_batch_at_its_bounds_is_taken(batch: int) -> None:
    assert Relayer({}, [], {}, batch=batch).open_packets == []


async def test_packets_far_apart_are_proved_in_ranges_validators_accept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("backlog", "validator"):
        monkeypatch.setattr(f"caimi.messaging.{module}.MAX_BLOCKS", 10)
    a, b = world.chains
    for gap in (9, 10, 1, 25):
        a.send(b)
        a.mine(gap)
    await world.settle(world.relayer())
    assert len(a.state.ended) == 4


async def test_a_batch_with_too_much_between_its_packets_is_proved_in_parts(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("caimi.messaging.reading.MAX_FACTS", 3)
    world = World(tmp_path, ledgers=3)
    a, b, c = world.chains
    for _ in range(4):
        a.send(b)
        a.send(c)
    relayer = world.relayer(views=world.views([a, b]))
    done = await world.settle(relayer)
    assert not done.failures
    assert len(a.state.ended) == 4
    world.close()


async def test_a_block_with_too_much_in_it_is_reported_and_does_not_hold_up_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("caimi.messaging.reading.MAX_FACTS", 2)
    a, b = world.chains
    a.send_at_once(b, [b"ok"] * 3)
    world.mine()
    a.send(b)
    world.finalize()
    progress = await world.relayer().step()
    assert {type(error) for error in progress.failures} == {RangeTooLarge}
    assert effects(b) == 1


@pytest.mark.parametrize("left_out", [1, 2, 3])
async def test_a_packet_whose_event_a_node_left_out_is_noticed_and_carried(
    world: World, left_out: int
) -> None:
    a, b = world.chains
    views = world.views()
    views[a.id].omits = lambda entry: sequence_of(entry) == left_out
    for _ in range(3):
        a.send(b)
    world.finalize()
    relayer = world.relayer(views=views)
    progress = await relayer.step()
    (noticed,) = [error for error in progress.failures if "No event tells" in error.what]
    assert isinstance(noticed, EventsMissing)
    assert f"packet {left_out} of" in noticed.what
    views[a.id].omits = lambda entry: False
    await world.settle(relayer)
    assert len(a.state.ended) == 3
    assert relayer._open[a.id].missing is None


@pytest.mark.parametrize("keeps_past", [True, False])
async def test_an_acknowledgement_whose_event_a_node_left_out_is_noticed_and_carried(
    tmp_path, keeps_past: bool
) -> None:
    world = World(tmp_path, keeps_past=keeps_past)
    a, b = world.chains
    views = world.views()
    views[b.id].omits = lambda entry: isinstance(entry, WrittenAcknowledgement)
    a.send(b)
    relayer = world.relayer(views=views)
    done = await world.settle(relayer, steps=2)
    assert [type(error) for error in done.failures] == [EventsMissing]
    views[b.id].omits = lambda entry: False
    await world.settle(relayer)
    assert len(a.state.ended) == 1
    for known in relayer._open.values():
        assert (known.sent, known.written) == ({}, {})
    world.close()


async def test_a_receipt_that_came_after_the_blocks_read_is_no_missing_event(
    world: World,
) -> None:
    a, b = world.chains
    views = world.views()
    a.send(b)
    world.finalize()
    known = OpenPackets(views[b.id], views)
    await known.scan()
    await world.relayer().step()
    world.finalize()  # a state that was final only after the scan has the receipt
    (packet,) = (sent.packet for sent in a.state.sent)
    await known.find_missing([(packet.dest_client, packet.sequence)])
    assert known.missing is None
    await known.scan()
    await known.find_missing([(packet.dest_client, packet.sequence)])
    assert known.missing is None


async def test_a_state_shown_under_an_older_height_is_no_missing_event(
    archived: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = archived.chains
    views = archived.views()
    a.send(b)
    archived.finalize()
    view, ask = views[a.id], views[a.id].commitments
    a.send(b)  # not final yet
    asked: list[At] = []

    async def early(keys: list[bytes], at: At = NEWEST) -> list[bytes]:
        asked.append(at)
        return await ask(keys, NEWEST if len(asked) <= 2 else at)

    count = view.newest_sent
    monkeypatch.setattr(view, "newest_sent", lambda clients, at=NEWEST: count(clients))
    monkeypatch.setattr(view, "commitments", early)
    known, other = (OpenPackets(views[each.id], views) for each in (a, b))
    await known.scan()
    await other.scan()
    await known.forget_ended({a.id: known, b.id: other})
    assert known.missing is None
    assert asked == [Exactly(a.final_height)] * 3


async def test_a_packet_that_goes_while_its_ledger_is_asked_is_sorted_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = world.chains
    views = world.views()
    a.send(b)
    world.finalize()
    known, other = (OpenPackets(views[each.id], views) for each in (a, b))
    await known.scan()
    await other.scan()
    ask = views[a.id].commitments

    async def meanwhile(keys: list[bytes], at: At = NEWEST) -> list[bytes]:
        known.sent.clear()
        return await ask(keys, at)

    monkeypatch.setattr(views[a.id], "commitments", meanwhile)
    found = await known.sort(known.routes[0], other)
    assert [entry.packet.sequence for entry in found.deliver] == [1]


@pytest.mark.parametrize("how", ["other contents", "another height"])
async def test_a_packet_that_a_node_told_otherwise_is_read_again_and_carried(
    world: World, how: str
) -> None:
    a, b = world.chains
    views = world.views()
    a.send(b)
    world.finalize()
    a.send(b)
    world.finalize()
    true = a.state.sent[0]
    payload = replace(true.packet.payloads[0], value=b"stolen")
    packet = true.packet if how == "another height" else replace(true.packet, payloads=(payload,))
    told = replace(true, packet=packet, height=true.height + (how == "another height"))
    views[a.id].omits = lambda entry: entry == true
    views[a.id].forged = [told]
    relayer = world.relayer(views=views)
    await relayer.step()
    views[a.id].omits, views[a.id].forged = lambda entry: False, []
    assert relayer._open[a.id].sent[true.packet.source_client, 1] == told
    done = await world.settle(relayer)
    assert any("tells otherwise" in str(error) for error in done.failures)
    assert len(a.state.ended) == 2
    assert effects(b) == 2


async def test_a_packet_that_somebody_else_ended_meanwhile_is_not_doubted(world: World) -> None:
    a, b = world.chains
    views = world.views()
    a.send(b)
    world.finalize()
    known = OpenPackets(views[a.id], views)
    await known.scan()
    (name,) = known.sent
    await world.settle(world.relayer())
    assert list(a.state.ended) == [name]
    assert not await known.doubt(name, of_sent=True, untraceable=True)
    assert (list(known.sent), known.missing) == ([name], None)


async def test_an_acknowledgement_that_a_node_told_otherwise_is_read_again_and_carried(
    world: World,
) -> None:
    a, b = world.chains
    views = world.views()
    a.send(b)
    world.finalize()
    relayer = world.relayer(views=views)
    await relayer.step()
    world.finalize()
    (true,) = b.state.written
    views[b.id].omits = lambda entry: entry == true
    views[b.id].forged = [replace(true, acknowledgements=(b"another",))]
    await relayer.step()
    assert a.state.ended == {}
    views[b.id].omits, views[b.id].forged = lambda entry: False, []
    await world.settle(relayer)
    assert len(a.state.ended) == 1


async def test_the_newest_packet_left_out_is_noticed_behind_others_that_ended(
    world: World,
) -> None:
    a, b = world.chains
    a.send(b)
    a.send(b)
    await world.settle(world.relayer())
    assert len(a.state.ended) == 2
    a.send(b)
    views = world.views()
    views[a.id].omits = lambda entry: isinstance(entry, SentPacket) and sequence_of(entry) > 1
    relayer = world.relayer(views=views)
    done = await world.settle(relayer, steps=2)
    assert any("packet 3 of" in str(error) for error in done.failures)
    views[a.id].omits = lambda entry: False
    await world.settle(relayer)
    assert len(a.state.ended) == 3


async def test_a_node_that_makes_up_how_many_were_sent_is_asked_about_the_last_ones(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = world.chains
    a.send(b)
    views = world.views()

    async def many(clients: list[str], at: At = NEWEST) -> list[int]:
        return [1 << 63] * len(clients)

    monkeypatch.setattr(views[a.id], "newest_sent", many)
    world.finalize()
    known, other = (OpenPackets(views[each.id], views) for each in (a, b))
    await known.scan()
    await other.scan()
    asked: list[int] = []
    ask = views[a.id].commitments

    async def counted(keys: list[Path], at: At = NEWEST) -> list[bytes]:
        asked.append(len(keys))
        return await ask(keys, at)

    monkeypatch.setattr(views[a.id], "commitments", counted)
    await known.forget_ended({a.id: known, b.id: other})
    assert max(asked) == MAX_UNTOLD
    assert known.missing is None
    assert list(known.sent) == [(a.routes[0].client_id, 1)]


async def test_a_node_that_always_leaves_out_an_event_is_read_again_ever_more_rarely(
    world: World,
) -> None:
    a, b = world.chains
    views = world.views()
    views[a.id].omits = lambda entry: isinstance(entry, SentPacket) and sequence_of(entry) == 1
    a.send(b)
    a.send(b)
    relayer = world.relayer(views=views)
    done = await world.settle(relayer, steps=30)
    assert 1 < sum(isinstance(error, EventsMissing) for error in done.failures) <= 4
    assert list(a.state.ended) == [(a.routes[0].client_id, 2)]


async def test_events_left_out_of_packets_that_ended_are_not_missed(world: World) -> None:
    a, b = world.chains
    for _ in range(3):
        a.send(b)
    await world.settle(world.relayer())
    a.send(b)
    views = world.views()
    views[a.id].omits = lambda entry: sequence_of(entry) <= 2
    relayer = world.relayer(views=views)
    assert not (await world.settle(relayer)).failures
    assert len(a.state.ended) == 4
    assert relayer._open[a.id]._untold == set()


async def test_an_acknowledgement_in_blocks_not_read_yet_is_not_missed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("caimi.messaging.open_packets.SCAN_BLOCKS", 10)
    a, b = world.chains
    b.mine(60)
    a.send(b)
    world.finalize()
    await world.settle(world.relayer(), steps=1)
    assert (effects(b), len(a.state.ended)) == (1, 0)
    done = await world.settle(world.relayer(), steps=12)
    assert not done.failures
    assert len(a.state.ended) == 1


async def test_a_node_that_makes_up_sequences_fills_no_memory(world: World) -> None:
    a, b = world.chains
    packet = a.send(b)
    views = world.views()
    views[a.id].forged = [SentPacket(replace(packet, sequence=(1 << 64) - 1), "0x", 1)]
    world.finalize()
    known = OpenPackets(views[a.id], views)
    await known.scan()
    assert len(known._untold) == MAX_UNTOLD


async def test_a_route_that_a_node_showed_late_loses_no_packet(world: World) -> None:
    a, b = world.chains
    views = world.views()
    relayer = world.relayer(views=views)
    a.send(b)
    views[a.id].hides_routes = True
    world.finalize()
    await relayer.step()
    views[a.id].hides_routes = False
    await world.settle(relayer)
    assert len(a.state.ended) == 1


async def test_run_carries_until_it_is_cancelled(world: World) -> None:
    a, b = world.chains
    a.send(b)
    world.finalize()
    running = asyncio.create_task(world.relayer().run(poll_seconds=0.01))
    async with asyncio.timeout(10):
        while not a.state.ended:
            await asyncio.sleep(0.01)
            world.mine()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


def counted(relayer, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Give when the relayer looked, from now on."""
    looks: list[float] = []
    look = relayer._look

    async def counting(progress):
        looks.append(asyncio.get_running_loop().time())
        return await look(progress)

    monkeypatch.setattr(relayer, "_look", counting)
    return looks


async def test_run_rests_between_looks_while_there_is_nothing_to_carry(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    relayer = world.relayer()
    looks = counted(relayer, monkeypatch)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await relayer.run(poll_seconds=0.1)
    assert 1 <= len(looks) <= 6


async def test_run_rests_between_looks_while_a_transaction_waits(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = world.chains
    views = world.views()
    views[b.id].before_submit = asyncio.Event().wait
    a.send(b)
    world.finalize()
    relayer = world.relayer(views=views)
    looks = counted(relayer, monkeypatch)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await relayer.run(poll_seconds=0.1)
    assert views[b.id].calls["submit"] == 1
    assert 2 <= len(looks) <= 7


async def test_run_tells_what_was_carried_as_soon_as_it_is_and_not_at_the_next_look(
    world: World,
) -> None:
    a, b = world.chains
    views = world.views()
    waiting, included, told = asyncio.Event(), asyncio.Event(), asyncio.Queue()

    async def waits() -> None:
        waiting.set()
        await included.wait()

    views[b.id].before_submit = waits
    a.send(b)
    world.finalize()
    running = asyncio.create_task(
        world.relayer(views=views).run(poll_seconds=1_000, stepped=told.put_nowait)
    )
    async with asyncio.timeout(20):
        await waiting.wait()
        await asyncio.sleep(0.1)  # it has looked again, found nothing, and waits
        included.set()
        while not (await told.get()).carried:
            pass
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_run_carries_what_is_new_while_a_transaction_waits_and_nothing_twice(
    world: World,
) -> None:
    a, b = world.chains
    views = world.views()
    waiting, included, delivered = asyncio.Event(), asyncio.Event(), asyncio.Queue()

    async def waits() -> None:
        waiting.set()
        await included.wait()

    views[b.id].before_submit = waits
    a.send(b)
    world.finalize()
    relayer = world.relayer(views=views, observe=delivered.put_nowait)
    running = asyncio.create_task(relayer.run(poll_seconds=0.01))
    async with asyncio.timeout(10):
        await waiting.wait()
        a.send(b)
        world.finalize()
        assert (await delivered.get()).packets == 1
        await asyncio.sleep(0.1)
        assert (effects(b), views[b.id].calls["submit"]) == (1, 2)
        included.set()
        assert (await delivered.get()).packets == 1
    assert (effects(b), views[b.id].calls["submit"]) == (2, 2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


def test_waits_double_up_to_the_longest_and_are_forgotten() -> None:
    now = 0.0
    retries = Retries(lambda: now)
    waits = []
    for _ in range(12):
        retries.tried(["a"])
        start = now
        while not retries.due("a"):
            now += FIRST_WAIT_SECONDS
        waits.append(now - start)
    assert waits[:3] == [15, 30, 60]
    assert waits[-1] == LONGEST_WAIT_SECONDS
    assert retries.due("b")
    retries.tried(["a"])
    retries.keep(set())
    assert retries.due("a")
