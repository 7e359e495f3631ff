"""Following a ledger: its final facts, in order, each once, from any height on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caimi.errors.ledgers import TransactionReverted
from caimi.ledgers.fact_ids import link, subject
from caimi.ledgers.port import (
    EVERY_KIND,
    MODEL_KINDS,
    Account,
    AnchoredPublications,
    AnchoredReceipts,
    ApprovedMover,
    ArrivedModel,
    Asset,
    BlockFacts,
    ChangedAlias,
    ChangedOwner,
    ChangedPrices,
    DeferredPacket,
    DepartedModel,
    DeprecatedVersion,
    EndedPacket,
    Fact,
    GrantedLicence,
    HistoryEntry,
    Ledger,
    Price,
    PublishedVersion,
    ReceivedModel,
    RefundedTransfer,
    RegisteredModel,
    RevokedLicence,
    SentModel,
    SentPacket,
    WrittenAcknowledgement,
)
from conformance.crossing import Crossing
from conformance.facet import ELSEWHERE
from conformance.packets import CrossingFacet
from conformance.site import World

ACTS = (
    "publish",
    "release",
    "alias",
    "deprecate",
    "sell",
    "entrust",
    "price",
    "grant",
    "revoke",
    "anchor",
)
_few = settings(
    max_examples=6,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)


async def read(ledger: Ledger, after: int, until: int | None = None) -> list[BlockFacts]:
    return [told async for told in ledger.feed(after, until)]


def flat(blocks: Sequence[BlockFacts]) -> list[tuple[int, str, Fact]]:
    return [(block.height, told.tx, told.fact) for block in blocks for told in block.facts]


def facts(blocks: Sequence[BlockFacts]) -> list[Fact]:
    return [fact for _, _, fact in flat(blocks)]


@dataclass
class Busy:
    """Somebody who does what they are told to, and writes down what it comes to."""

    world: World
    since: int
    done: list[tuple[int, Fact]] = field(default_factory=list)
    models: list[bytes] = field(default_factory=list)
    count: int = 0

    async def act(self, name: str, which: int) -> None:
        ledger, registry = self.world.ledger, self.world.ledger.registry
        alice, bob = self.world.alice, self.world.bob
        seller, buyer = self.world.account(alice), self.world.account(bob)
        self.count += 1
        number, root = self.count, self.since.to_bytes(16) + self.count.to_bytes(16)
        if name == "anchor":
            call = ledger.receipts.anchor(root, 3)
            done = await ledger.submit(call, bob)
            self.done.append((done.height, AnchoredReceipts(buyer, done.effect, root, 3)))
            return
        if name == "publish" or not self.models:
            model = f"m{self.since}-{number}"
            done = await ledger.submit(registry.publish(model, "1.0.0", root), alice)
            model_id, who = registry.model_id(seller, model), seller
            self.models.append(model_id)
            self.done += [
                (done.height, ChangedOwner(model_id, None, who)),
                (done.height, RegisteredModel(model_id, who, model)),
                (done.height, PublishedVersion(model_id, who, "1.0.0", root)),
            ]
            return
        market, model_id = ledger.market, self.models[which % len(self.models)]
        consumer, version = buyer, f"{number}.0.0"
        priced = Price(Asset(ELSEWHERE, b"gold").of(number), Account(ELSEWHERE, b"carol"))
        licence = (await market.licence(model_id, "1.0.0", consumer)).licence_id
        call, fact = {
            "release": (
                registry.publish_version(model_id, version, root),
                PublishedVersion(model_id, seller, version, root),
            ),
            "alias": (
                registry.set_alias(model_id, "stable", "1.0.0"),
                ChangedAlias(model_id, "stable", "1.0.0"),
            ),
            "deprecate": (
                registry.deprecate(model_id, "1.0.0", "Überholt."),
                DeprecatedVersion(model_id, "1.0.0", "Überholt."),
            ),
            "sell": (
                registry.transfer(model_id, seller, buyer),
                ChangedOwner(model_id, seller, buyer),
            ),
            "entrust": (
                registry.approve(model_id, buyer),
                ApprovedMover(model_id, seller, buyer),
            ),
            "grant": (
                market.grant(model_id, "1.0.0", consumer),
                GrantedLicence(licence, model_id, "1.0.0", consumer.interoperable, b""),
            ),
            "price": (
                market.set_prices(model_id, [priced]),
                ChangedPrices(model_id, seller, (priced,)),
            ),
            "revoke": (market.revoke(licence), RevokedLicence(licence)),
        }[name]
        try:
            done = await ledger.submit(call, alice)
        except TransactionReverted:
            return  # what is refused tells nothing
        self.done.append((done.height, fact))


class FeedFacet(CrossingFacet):
    """The port's `Ledger.feed` and `Ledger.recent`."""

    @_few
    @given(
        acts=st.lists(st.tuples(st.sampled_from((*ACTS, "")), st.integers(0, 9)), max_size=14),
        cuts=st.lists(st.floats(0, 1), max_size=4),
    )
    async def test_whatever_is_done_is_told_once_and_in_order_from_any_cut(
        self, world: World, acts: list[tuple[str, int]], cuts: list[float]
    ):
        ledger = world.ledger
        start = (await ledger.head()).height
        busy = Busy(world, start)
        for name, which in acts:
            await (busy.act(name, which) if name else world.site.advance(blocks=which))
        end = (await ledger.head()).height
        whole = await read(ledger, start)
        assert [(height, fact) for height, _, fact in flat(whole)] == busy.done
        heights = [block.height for block in whole]
        assert heights == sorted(set(heights))
        assert (heights[-1] if heights else start) == end
        for block in whole:
            assert block.time == (await ledger.block(block.height)).time
        for part in cuts:
            cut = start + round(part * (end - start))
            before = await read(ledger, start, cut)
            assert [block.height for block in before][-1:] == [cut] * (cut > start)
            assert flat(before) + flat(await read(ledger, cut)) == flat(whole)
        for model_id in busy.models:
            ids, entries = {model_id}, []
            for height, tx, fact in flat(whole):
                if type(fact) in MODEL_KINDS and subject(fact) in ids:
                    ids |= {begun} if (begun := link(fact)) is not None else set()
                    entries.append(HistoryEntry(fact, tx, height))
            assert entries == await ledger.registry.history(model_id)
        registered = [f.model_id for f in facts(whole) if isinstance(f, RegisteredModel)]
        assert registered == [each.model_id for each in await ledger.registry.models(start, end)]

    async def test_a_whole_ledger_is_told_from_its_beginning(self, world: World):
        model_id = await world.published()
        whole = facts(await read(world.ledger, world.ledger.deployed_at - 1))
        named = [f.model_id for f in whole if isinstance(f, RegisteredModel)]
        head = (await world.ledger.head()).height
        models = await world.ledger.registry.models(world.ledger.deployed_at - 1, head)
        assert named == [each.model_id for each in models]
        assert model_id in named

    async def test_only_facts_of_the_kinds_asked_for_are_told(self, world: World):
        start = (await world.ledger.head()).height
        await world.published()
        await world.ledger.submit(world.ledger.receipts.anchor(b"\7" * 32, 1), world.bob)
        end = (await world.ledger.head()).height
        whole = flat(await read(world.ledger, start))
        for kinds in ({AnchoredReceipts}, {PublishedVersion, RegisteredModel}, MODEL_KINDS):
            blocks = [told async for told in world.ledger.feed(start, kinds=kinds)]
            assert flat(blocks) == [each for each in whole if type(each[2]) in kinds]
            assert blocks[-1].height == end
            assert flat(await world.ledger.recent(start, kinds)) == flat(blocks)

    async def test_what_is_not_final_is_told_as_recent_only(self, world: World):
        deep = world.site.deep(3)
        await world.site.advance(blocks=4)
        model_id = await world.published()
        head, final = (await deep.head()).height, (await deep.finalized()).height
        told = await read(deep, final - 1)
        assert [block.height for block in told] == [final]
        assert await read(deep, final) == []
        assert await read(deep, final, until=head) == []
        recent = await deep.recent(final)
        assert recent[-1].height == head
        assert model_id in [f.model_id for f in facts(recent) if isinstance(f, RegisteredModel)]
        await world.site.advance(blocks=3)
        told = await read(deep, final)
        assert told[-1].height == head
        assert flat(told) == flat(recent)
        assert facts(await deep.recent(head)) == []
        await deep.aclose()

    async def test_an_anchored_batch_is_told(self, world: World):
        start = (await world.ledger.head()).height
        done = await world.ledger.submit(
            world.ledger.registry.anchor_batch(b"\5" * 32, 7), world.bob
        )
        told = facts(await read(world.ledger, start))
        assert told == [AnchoredPublications(done.effect, world.account(world.bob), b"\5" * 32, 7)]

    async def test_a_voyage_is_told_at_both_its_ends(self, world: World, crossing: Crossing):
        here, there, ledger = crossing.here, crossing.there, world.ledger
        model_id = await world.published()
        starts = [(await end.ledger.head()).height for end in (here, there)]
        dave = await there.site.wallet("dave")
        packet, height = await crossing.send(here, world.alice, model_id, there.account(dave))
        await crossing.carry(packet, here, height)
        back, first = await crossing.send(there, dave, model_id, world.account(world.bob))
        await crossing.carry(back, there, first)
        for end, start in zip((here, there), starts, strict=True):
            told = facts(await read(end.ledger, start))
            head = (await end.ledger.head()).height
            sent, written = await end.ledger.gateway.traffic(start, head)
            assert [f for f in told if isinstance(f, SentPacket)] == sent
            assert [f for f in told if isinstance(f, WrittenAcknowledgement)] == written
            assert not [f for f in told if isinstance(f, DeferredPacket)]
        told, client = facts(await read(ledger, starts[0])), here.client
        assert EndedPacket(client, packet.sequence, acknowledged=True) in told
        left = SentModel(
            model_id, client, packet.sequence, world.account(world.alice), dave.account
        )
        assert left in told
        assert ReceivedModel(model_id, client, back.sequence, world.account(world.bob)) in told
        told = facts(await read(there.ledger, starts[1]))
        assert ArrivedModel(model_id, ledger.registry.address, there.account(dave)) in told
        assert DepartedModel(model_id) in told

    async def test_a_packet_that_timed_out_is_told(self, world: World, crossing: Crossing):
        here = crossing.here
        model_id = await world.published()
        start = (await world.ledger.head()).height
        packet, _ = await crossing.send(here, world.alice, model_id, self.carol, lasts=60)
        await crossing.pass_time(120)
        await crossing.time_out(packet, here)
        told = facts(await read(world.ledger, start))
        assert EndedPacket(here.client, packet.sequence, acknowledged=False) in told
        back = RefundedTransfer(model_id, here.client, packet.sequence, world.account(world.alice))
        assert back in told
        assert {type(fact) for fact in told} <= EVERY_KIND
