"""An owner grants licences for nothing and takes them back, each once, on ledgers of any family."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from mortal import Killed, die_everywhere, mortal_journal

from caimi.client.context import Context
from caimi.client.deprecation import deprecate
from caimi.client.granting import grant, revoke
from caimi.client.licences import licences
from caimi.client.publish import publish
from caimi.client.pull import pull
from caimi.client.transfer import transfer
from caimi.demo.world import World, start_world
from caimi.errors.custody import NotEnoughShares
from caimi.errors.ledgers import TransactionReverted
from caimi.errors.operations import (
    AlreadyLicensed,
    NotAtHome,
    NotLicensed,
    NotTheOwner,
    UnknownLedger,
    UsageError,
)
from caimi.ledgers.port import Account, GrantedLicence, LedgerId, RevokedLicence
from caimi.models.package import Package
from caimi.uri import ModelUri
from offered_example import offer_example

FAMILIES = ("embedded", "memory,embedded", "sqlite,embedded")
"""The first kind is the home's, the last one that of the other ledgers."""
STEPS = 100


def offer_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    about = folder / "path" / "memory_ledger-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: memory-ledger\nVersion: 1\n")
    offer = "[caimi.sandboxes]\nmemory = memory_ledger.sandbox:MEMORY\n"
    (about / "entry_points.txt").write_text(offer)
    monkeypatch.syspath_prepend(str(about.parent))


@pytest.fixture
async def world(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    offer_memory(tmp_path, monkeypatch)
    offer_example(tmp_path, monkeypatch)
    async with start_world(getattr(request, "param", "embedded"), tmp_path) as started:
        yield started


@pytest.fixture
async def uri(world: World, tmp_path: Path) -> str:
    file = tmp_path / "model.bin"
    file.write_bytes(b"weights")
    package = Package.from_path(file)
    done = await publish(world.publisher, package, ledger=world.a.id, name="m", version="1.0.0")
    return done.uri


@pytest.fixture
def reader(world: World) -> Account:
    """Give an account that is not of the model's ledger."""
    return world.consumer.identity.account(world.b.id)


async def changes(world: World, uri: str) -> list[str]:
    told = await world.a.registry.history(ModelUri.parse(uri).model_id)
    kinds = {GrantedLicence: "granted", RevokedLicence: "revoked"}
    return [kinds[type(each.fact)] for each in told if type(each.fact) in kinds]


async def live(world: World, uri: str, reader: Account) -> bool:
    model_id = ModelUri.parse(uri).model_id
    return (await world.a.market.licence(model_id, "1.0.0", reader)).live


@pytest.mark.parametrize(
    ("world", "where"), [*((each, "b") for each in FAMILIES), ("embedded", "a")], indirect=["world"]
)
async def test_what_is_granted_opens_and_what_is_revoked_does_not(
    world: World, uri: str, where: str, tmp_path: Path
) -> None:
    reader = world.consumer.identity.account(getattr(world, where).id)

    async def open_into(name: str) -> None:
        await pull(world.consumer, uri, tmp_path / name, paying_ledger=reader.ledger)

    async def listed() -> list[tuple[str, str, bool]]:
        found = await licences(world.consumer, [reader])
        return [(each.uri, each.consumer, each.live) for each in found]

    name = world.consumer.name(reader)
    given = await grant(world.publisher, uri, reader)
    assert (given.uri, given.consumer, given.ledger) == (uri, name, world.a.id)
    assert await listed() == [(uri, name, True)]
    await open_into("opened")
    assert (tmp_path / "opened" / "model.bin").read_bytes() == b"weights"
    taken = await revoke(world.publisher, uri, reader)
    assert (taken.licence_id, taken.consumer) == (given.licence_id, name)
    assert taken.tx != given.tx
    assert await listed() == [(uri, name, False)]
    with pytest.raises(NotEnoughShares, match="holds no live licence"):
        await open_into("refused")
    await grant(world.publisher, uri, reader)
    assert await listed() == [(uri, name, True)]


@pytest.mark.parametrize("world", FAMILIES, indirect=True)
async def test_what_is_killed_is_done_once(
    world: World, uri: str, reader: Account, tmp_path: Path
) -> None:
    given = await die_everywhere(
        world.publisher, tmp_path, lambda context: grant(context, uri, reader)
    )
    assert await changes(world, uri) == ["granted"]
    taken = await die_everywhere(
        world.publisher, tmp_path, lambda context: revoke(context, uri, reader)
    )
    assert await changes(world, uri) == ["granted", "revoked"]
    assert given.tx != taken.tx
    assert not await live(world, uri, reader)


async def test_what_is_repeated_is_done_once(world: World, uri: str, reader: Account) -> None:
    me, other = world.publisher, world.working.identity.account(world.a.id)
    await grant(me, uri, reader)
    with pytest.raises(AlreadyLicensed, match="already holds"):
        await grant(me, uri, reader)
    assert await changes(world, uri) == ["granted"]
    with pytest.raises(NotLicensed, match="it was never granted"):
        await revoke(me, uri, other)
    await revoke(me, uri, reader)
    with pytest.raises(NotLicensed, match="it was revoked before"):
        await revoke(me, uri, reader)
    assert await changes(world, uri) == ["granted", "revoked"]


@pytest.mark.parametrize("world", ["embedded", "memory,embedded"], indirect=True)
@pytest.mark.parametrize("killed", ["granting", "revoking"])
async def test_what_was_undone_after_a_kill_is_done_again(
    world: World, uri: str, killed: str, tmp_path: Path
) -> None:
    """A receipt of the killed run's transaction is no proof that the licence is so now."""
    reader = world.consumer.identity.account(world.a.id)
    undo, again = (revoke, grant) if killed == "granting" else (grant, revoke)
    if killed == "revoking":
        await grant(world.publisher, uri, reader)
    for step in range(STEPS):
        path, over = tmp_path / f"{step}.sqlite", True
        journal = mortal_journal(path, step)
        try:
            await again(replace(world.publisher, journal=journal), uri, reader)
        except Killed:
            over = False
        finally:
            journal.close()
        if await live(world, uri, reader) is (killed == "granting"):
            await undo(world.publisher, uri, reader)  # by another machine
        journal = mortal_journal(path, STEPS)
        await again(replace(world.publisher, journal=journal), uri, reader)
        journal.close()
        assert await live(world, uri, reader) is (killed == "granting")
        if over:
            assert step > 3
            return
        await undo(world.publisher, uri, reader)
    raise AssertionError("it never completed")


@pytest.mark.parametrize("world", FAMILIES, indirect=True)
async def test_the_owner_alone_grants_and_revokes(world: World, uri: str, reader: Account) -> None:
    def stranger(context: Context) -> str:
        return world.a.accounts.text(context.identity.account(world.a.id))

    with pytest.raises(NotTheOwner, match=f"not to {stranger(world.working)}"):
        await grant(world.working, uri, reader)
    assert await changes(world, uri) == []
    await grant(world.publisher, uri, reader)
    with pytest.raises(NotTheOwner, match=f"not to {stranger(world.consumer)}"):
        await revoke(world.consumer, uri, reader)
    assert await changes(world, uri) == ["granted"]
    assert await live(world, uri, reader)


async def test_whose_ledger_is_not_configured_is_granted_nothing(world: World, uri: str) -> None:
    unknown = Account(LedgerId("eip155:9"), b"\x22" * 20)
    with pytest.raises(UnknownLedger):
        await grant(world.publisher, uri, unknown)
    assert await changes(world, uri) == []


async def test_while_a_model_is_abroad_its_licences_stand(world: World, uri: str) -> None:
    me = world.publisher
    first, second = (each.identity.account(world.a.id) for each in (world.consumer, world.working))
    await grant(me, uri, first)
    await transfer(me, uri, to=world.b.id, recipient=me.identity.account(world.b.id))
    with pytest.raises(NotAtHome, match=f"not on {world.a.id}, its home"):
        await grant(me, uri, second)
    with pytest.raises(NotAtHome):
        await revoke(me, uri, first)
    assert await changes(world, uri) == ["granted"]
    await transfer(me, uri, to=world.a.id, recipient=me.identity.account(world.a.id))
    await revoke(me, uri, first)
    await grant(me, uri, second)
    assert await changes(world, uri) == ["granted", "revoked", "granted"]


async def test_a_licence_is_revoked_of_the_version_that_is_named(
    world: World, uri: str, tmp_path: Path
) -> None:
    reader = world.consumer.identity.account(world.a.id)
    bare = ModelUri.parse(uri).with_selector(None)
    given = await grant(world.publisher, bare, reader)
    assert given.uri == uri
    with pytest.raises(UsageError, match="names no version"):
        await revoke(world.publisher, bare, reader)
    await deprecate(world.publisher, uri, "wrong")
    await revoke(world.publisher, uri, reader)
    for _ in range(2):
        with pytest.raises(TransactionReverted, match="VersionIsDeprecated"):
            await grant(world.publisher, uri, reader)
    assert await changes(world, uri) == ["granted", "revoked"]
