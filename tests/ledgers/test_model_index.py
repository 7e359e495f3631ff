"""Searches and histories say what the ledger says, whatever is kept of it on the machine."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from conformance.feed import ACTS, Busy
from conformance.site import World
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_site import COIN, EvmSite

from caimi.client import model_index
from caimi.client.assets import Assets
from caimi.client.catalogue import FoundModel, history, search
from caimi.client.context import Context
from caimi.client.events import event_of
from caimi.client.pricing import asked_now
from caimi.errors.ledgers import LedgerUnavailable
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.abi.assets import coin_of
from caimi.ledgers.evm.administration.deploying import deploy
from caimi.ledgers.evm.local.embedded import EmbeddedChain
from caimi.ledgers.evm.local.in_process import embedded_chain
from caimi.ledgers.machine.ledger import MachineLedger
from caimi.ledgers.port import Account, Asset, Ledger, LedgerId, Price, name_of
from caimi.uri import ModelUri
from memory_ledger import MemorySite

ELSEWHERE = LedgerId("eip155:99999")


@dataclass
class Place:
    """A ledger in memory, somebody who publishes there, and a folder."""

    site: MemorySite
    world: World
    folder: Path

    def searcher(self, ledger: Ledger | None = None, folder: Path | None = None) -> Context:
        return searcher(ledger or self.site.open(), folder or self.folder)


def searcher(ledger: Ledger, folder: Path | None) -> Context:
    def find(_name: str) -> Ledger:
        return ledger

    # What a search reads of a context; the rest is for those who act.
    made = SimpleNamespace(
        ledgers={ledger.id: ledger},
        ledger=find,
        index_folder=folder,
        assets=Assets(),
        name=lambda account: name_of(account, ledger.accounts),
    )
    return cast("Context", made)


async def place_at(folder: Path, name: str = "near", depth: int = 0) -> Place:
    site = MemorySite.named(name)
    site.chain.depth = depth
    alice, bob = await site.wallet("alice"), await site.wallet("bob")
    return Place(site, World(site, site.open(), alice, bob), folder)


@pytest.fixture
async def place(tmp_path: Path) -> Place:
    return await place_at(tmp_path / "models")


async def as_the_ledger_says(ledger: MachineLedger) -> list[tuple[str, str, str]]:
    models = await ledger.registry.models(-1, (await ledger.head()).height)
    return [
        (
            each.name,
            ledger.accounts.text(each.publisher),
            (await ledger.registry.versions(each.model_id))[-1].version,
        )
        for each in models
    ]


def lines(found: list[FoundModel]) -> list[tuple[str, str, str]]:
    return [(each.name, each.publisher, each.latest) for each in found]


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.sampled_from(ACTS), st.integers(0, 9)),
            st.tuples(st.sampled_from(("look", "elsewhere", "wait")), st.integers(0, 4)),
            st.tuples(st.just("undo"), st.integers(0, 3)),
        ),
        max_size=25,
    ),
    depth=st.integers(0, 3),
)
async def test_a_search_says_what_the_ledger_says_now_whatever_was_undone(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]], depth: int
):
    folder = tmp_path_factory.mktemp("index")
    place = await place_at(folder, depth=depth)
    chain, busy = place.site.chain, Busy(place.world, 0)
    # Two who keep their own files, one of them seldom looking.
    contexts = [place.searcher(), place.searcher(folder=folder / "other")]
    for name, which in (*steps, ("look", 0), ("elsewhere", 0)):
        if name in ACTS:
            await busy.act(name, which)
        elif name == "wait":
            await place.site.advance(blocks=which)
        elif name == "undo":
            chain.undo(min(which, chain.head.height - chain.final.height))
            known = {each.model_id for each in await place.site.open().registry.models(-1, 1 << 30)}
            busy.models = [each for each in busy.models if each in known]
        else:
            context = contexts[name == "elsewhere"]
            ledger = place.site.open()
            found = await search(context)
            assert lines(found) == await as_the_ledger_says(ledger)
            for each in found:
                model_id = ModelUri.parse(each.uri).model_id
                told = await history(context, each.uri)
                entries = await ledger.registry.history(model_id)
                assert [(t.event, t.tx, t.height) for t in told] == [
                    (event_of(entry.fact), entry.tx, entry.height) for entry in entries
                ]
                assert all(t.final == (t.height <= chain.final.height) for t in told)


async def test_a_model_just_published_is_found_and_marked_until_it_is_final(place: Place):
    place.site.chain.depth = 3
    await place.site.advance(blocks=4)
    await place.world.published("young")
    for blocks in (0, 1, 1):
        await place.site.advance(blocks=blocks)
        (found,) = await search(place.searcher(), "youn")
        assert not found.final
    await place.site.advance()
    (found,) = await search(place.searcher(), "youn")
    assert found.final
    assert await search(place.searcher(), "old") == []
    assert [each.name for each in await search(place.searcher(), found.uri[-20:])] == ["young"]


class Read:
    """A connection that counts what is asked for, and may fail after so many blocks."""

    def __init__(self, ledger: Ledger, fails_after: int = 1 << 60) -> None:
        self._ledger = ledger
        self.fails_after = fails_after
        self.ranges: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    async def feed(self, after: int, until: int | None = None, **kinds: Any):
        self.ranges.append(after)
        count = 0
        async for told in self._ledger.feed(after, until, **kinds):
            if count == self.fails_after:
                raise LedgerUnavailable("The node is down.")
            count += 1
            yield told


async def test_the_next_search_reads_only_what_is_new(place: Place):
    for number in range(3):
        await place.world.published(f"m{number}")
    await place.site.advance(blocks=200)
    ledger = Read(place.site.open())
    assert len(await search(place.searcher(cast("Ledger", ledger)))) == 3
    reached = place.site.chain.head.height
    await place.world.published("m3")
    for _ in range(2):
        assert len(await search(place.searcher(cast("Ledger", ledger)))) == 4
    assert ledger.ranges == [-1, reached - 64, reached + 1 - 64]


async def test_a_first_reading_that_was_cut_short_goes_on_where_it_was(
    place: Place, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(model_index, "_FACTS", 4)
    for number in range(40):
        await place.world.published(f"m{number}")
    broken = Read(place.site.open(), fails_after=30)
    with pytest.raises(LedgerUnavailable):
        await search(place.searcher(cast("Ledger", broken)))
    mended = Read(place.site.open())
    assert len(await search(place.searcher(cast("Ledger", mended)))) == 40
    assert mended.ranges == [max(28 - 64, -1)]
    assert place.site.chain.head.height == 40


async def test_the_first_reading_shows_how_far_it_is_and_the_next_nothing(place: Place):
    await place.world.published()
    shown: list[tuple[str, int, int | None]] = []

    def progress(stage: str, done: int, total: int | None) -> None:
        shown.append((stage, done, total))

    for _ in range(2):
        await search(place.searcher(), progress=progress)
    assert shown == [("index local:near", 1, 2), ("index local:near", 2, 2)]


async def test_a_network_that_was_set_up_anew_is_another(place: Place, tmp_path: Path):
    await place.world.published("before")
    await search(place.searcher())
    # The same name, addresses and first block: only what was trusted never to change tells.
    for blocks in (0, 5):
        again = await place_at(place.folder)
        await again.site.advance(blocks=blocks)
        await again.world.published(f"after-{blocks}")
        found = await search(again.searcher())
        assert [each.name for each in found] == [f"after-{blocks}"]
    assert len(list(place.folder.glob("*.sqlite"))) == 1
    other = await place_at(place.folder, name="far")
    assert await search(other.searcher()) == []
    assert len(list(place.folder.glob("*.sqlite"))) == 2


@pytest.mark.parametrize("damage", [b"", b"nothing that is a database" * 500])
async def test_a_damaged_file_is_made_again(place: Place, damage: bytes):
    await place.world.published()
    await search(place.searcher())
    (path,) = place.folder.glob("*.sqlite")
    path.write_bytes(damage)
    assert [each.name for each in await search(place.searcher())] == ["tumour-mlp"]
    ledger = Read(place.site.open())
    await search(place.searcher(cast("Ledger", ledger)))
    assert ledger.ranges == [max(1 - 64, -1)]
    assert path.read_bytes()[:6] == b"SQLite"


async def test_where_nothing_can_be_kept_everything_is_read_each_time(place: Place, tmp_path: Path):
    await place.world.published()
    (tmp_path / "file").write_text("in the way")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        for _ in range(2):
            found = await search(place.searcher(folder=folder))
            assert [each.name for each in found] == ["tumour-mlp"]
    assert [e.name for e in await search(searcher(place.site.open(), None))] == ["tumour-mlp"]


async def test_two_who_search_at_once_do_not_hinder_each_other(
    place: Place, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(model_index, "_FACTS", 4)
    for number in range(20):
        await place.world.published(f"m{number}")
    found = await asyncio.gather(*(search(place.searcher()) for _ in range(6)))
    assert [len(each) for each in found] == [20] * 6


async def test_only_so_many_networks_are_kept_and_the_oldest_goes(place: Place):
    for number in range(20):
        other = await place_at(place.folder, name=f"n{number}")
        await search(other.searcher())
        files = list(place.folder.glob("*.sqlite"))
        assert len(files) == min(number + 1, 16)
    kept = Read(other.site.open())
    await search(other.searcher(cast("Ledger", kept)))
    assert kept.ranges == [-1]


def rewrite(path: Path, change: str) -> None:
    db = sqlite3.connect(path)
    with db:
        db.execute(f"UPDATE facts SET {change}")
    db.close()


@pytest.fixture(scope="module")
def evm() -> EvmSite:
    rich = LocalSigner.generate()
    chain = EmbeddedChain(31337, {rich.account: 1_000_000 * COIN})
    deployment = asyncio.run(deploy(embedded_chain(chain), rich))
    return EvmSite(lambda: embedded_chain(chain), rich, deployment)


@pytest.fixture
async def selling(evm: EvmSite) -> AsyncIterator[World]:
    ledger = evm.open()
    yield World(evm, ledger, await evm.wallet("alice"), await evm.wallet("bob"))
    await ledger.aclose()


class Elsewhere:
    """As much of a ledger as its prices take."""

    @property
    def coins(self) -> Elsewhere:
        return self

    id = ELSEWHERE
    asset = coin_of(ELSEWHERE)


async def test_prices_are_those_that_the_ledger_asks_for(selling: World, tmp_path: Path):
    ledger, market, registry = selling.ledger, selling.ledger.market, selling.ledger.registry
    context = searcher(ledger, tmp_path)
    context.ledgers[ELSEWHERE] = Elsewhere()  # type: ignore[index]
    model_id, there = await selling.published("priced"), coin_of(ELSEWHERE)

    async def check(offered: dict[LedgerId, str]) -> None:
        (found,) = await search(context, "priced", ledger.id)
        assert found.prices == await asked_now(context, ledger.id, model_id)
        assert {each.ledger: each.amount for each in found.prices} == offered

    await check({})
    here, payee = selling.account(selling.alice), Account(ELSEWHERE, b"\1" * 20)
    dear = [Price(coin_of(ledger.id).of(5 * COIN), here), Price(there.of(COIN), payee)]
    dear.append(Price(Asset(ledger.id, b"\7" * 20).of(COIN), here))
    await ledger.submit(market.set_prices(model_id, dear), selling.alice)
    await check({ledger.id: "5", ELSEWHERE: "1"})
    withdrawn = market.set_prices(model_id, [Price(there.of(0), payee, offered=False)])
    await ledger.submit(withdrawn, selling.alice)
    await check({ledger.id: "5"})
    alice, bob = selling.account(selling.alice), selling.account(selling.bob)
    await ledger.submit(registry.transfer(model_id, alice, bob), selling.alice)
    await check({})
    await ledger.submit(market.set_prices(model_id, [Price(there.of(COIN), payee)]), selling.bob)
    await check({ELSEWHERE: "1"})
    await ledger.submit(registry.transfer(model_id, bob, alice), selling.bob)
    await check({ledger.id: "5"})


async def test_a_model_that_the_file_made_up_is_not_shown_as_this_ledgers(
    selling: World, tmp_path: Path
):
    ledger = selling.ledger
    model_id, made_up = await selling.published("mine"), b"\1" * 32
    alice = selling.alice.account.hex()
    changes = (
        f"about = x'{made_up.hex()}', body = replace(body, '{model_id.hex()}', '{made_up.hex()}')",
        f"body = replace(body, '{alice}', '{bytes(20).hex()}')",
        f"body = replace(body, '{alice}', '00')",
    )
    for number, change in enumerate(changes):
        folder = tmp_path / str(number)
        assert len(await search(searcher(ledger, folder), "mine")) == 1
        (path,) = folder.glob("*.sqlite")
        rewrite(path, change)
        assert await search(searcher(ledger, folder), "mine") == []
