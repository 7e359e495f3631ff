"""A version tells which others it was made from, and who had a part in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from mortal import Killed, mortal_journal

from caimi.client.catalogue import ancestors
from caimi.client.publish import Description, Published, publish
from caimi.demo.world import World, start_world
from caimi.errors.ids import InvalidModelUri
from caimi.errors.models import BrokenLineage, ManifestMalformed
from caimi.errors.operations import BegunOtherwise, UnknownSelector
from caimi.models.ancestry import Contributor
from caimi.models.package import Package
from caimi.persistence import journal_in
from caimi.storage.cid import Cid

STEPS = 40
"""More than a publication's accesses to its journal: the loop ends when none is left."""
ALICE = Contributor("fabric:models:org1.alice", "data")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with start_world("embedded", tmp_path) as started:
        yield started


async def made(
    world: World, folder: Path, name: str, version: str = "1.0.0", said: Description | None = None
) -> Published:
    file = folder / "model.bin"
    file.write_bytes(f"{name} {version}".encode())
    return await publish(
        world.publisher,
        Package.from_path(file),
        ledger=world.a.id,
        name=name,
        version=version,
        description=said,
    )


async def test_a_version_of_several_parents_and_contributors_tells_them_all(
    world: World, tmp_path: Path
) -> None:
    base = await made(world, tmp_path, "base")
    left, right = [
        await made(world, tmp_path, name, said=Description(parents=[base.uri]))
        for name in ("left", "right")
    ]
    merged = await made(
        world,
        tmp_path,
        "merged",
        said=Description(parents=[left.uri, right.uri], contributors=[ALICE]),
    )
    found = await ancestors(world.consumer, merged.uri)
    assert [each.name for each in found][::3] == ["merged", "base"]
    assert {each.name for each in found[1:3]} == {"left", "right"}
    assert [parent.hex() for parent in found[0].parents] == [left.manifest, right.manifest]
    assert found[0].contributors == (ALICE,)
    await world.store.delete(Cid(bytes.fromhex(base.manifest)))
    with pytest.raises(BrokenLineage, match=base.manifest):
        await ancestors(world.consumer, merged.uri)


async def test_the_newest_version_is_the_parent_where_none_is_named(
    world: World, tmp_path: Path
) -> None:
    first = await made(world, tmp_path, "m")
    second = await made(world, tmp_path, "m", "2.0.0")
    alone = await made(world, tmp_path, "m", "3.0.0", Description(parents=[]))
    found = await ancestors(world.consumer, second.uri)
    assert [each.digest.hex() for each in found] == [second.manifest, first.manifest]
    assert len(await ancestors(world.consumer, alone.uri)) == 1


async def test_what_is_wrong_with_an_ancestry_is_found_before_anything_is_sealed(
    world: World, tmp_path: Path
) -> None:
    base = await made(world, tmp_path, "base")
    stored = set((world.folder / "store").rglob("*"))
    for said, kind in (
        (Description(parents=["caimi:garbage"]), InvalidModelUri),
        (Description(parents=[base.uri.replace("1.0.0", "9.0.0")]), UnknownSelector),
        (Description(parents=[base.uri, base.uri]), ManifestMalformed),
        (Description(contributors=[ALICE, ALICE]), ManifestMalformed),
    ):
        with pytest.raises(kind):
            await made(world, tmp_path, "m", said=said)
    assert set((world.folder / "store").rglob("*")) == stored


async def test_a_killed_publication_goes_on_with_the_ancestry_of_today_or_is_refused(
    world: World, tmp_path: Path
) -> None:
    base = await made(world, tmp_path, "base")
    outcomes = set()
    for step in range(STEPS):
        path, over = tmp_path / f"journal-{step}.sqlite", True
        dying = replace(
            world, publisher=replace(world.publisher, journal=mortal_journal(path, step))
        )
        said = Description(contributors=[ALICE])
        try:
            await made(dying, tmp_path, f"m{step}", said=said)
        except Killed:
            over = False
        resumed = replace(world, publisher=replace(world.publisher, journal=journal_in(path)))
        for other in (Description(parents=[base.uri], contributors=[ALICE]), Description()):
            if over:
                continue
            try:
                done = await made(resumed, tmp_path, f"m{step}", said=other)
            except BegunOtherwise:
                outcomes.add("refused")
                continue
            outcomes.add("done")
            (told, *before) = await ancestors(world.consumer, done.uri)
            assert len(before) == len(other.parents or ())
            assert told.contributors == tuple(other.contributors)
            break
        resumed.publisher.journal.close()
        if over:
            break
    assert outcomes == {"refused", "done"}
