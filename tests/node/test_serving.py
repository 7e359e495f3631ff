"""A worker serves what its operator wants, whatever others grant to its key, and keeps no more."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "inference"))

import onnx_models

from caimi.client.publish import publish
from caimi.client.purchase import buy
from caimi.demo.world import World, start_world
from caimi.errors.inference import ModelNotServed, ModelNotWanted, ModelTooLarge
from caimi.errors.node import LedgerTooSlow
from caimi.errors.operations import ConfigInvalid
from caimi.inference.onnx_engine import OnnxEngine
from caimi.models.package import Package
from caimi.node import serving
from caimi.node.consent import Consent
from caimi.node.serving import LicensedModels, ServingOptions
from caimi.uri import ModelUri


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with start_world("embedded", tmp_path) as started:
        yield started


def saved(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return onnx_models.saved(folder, onnx_models.perceptron())


async def published(world: World, folder: Path, name: str = "m") -> ModelUri:
    done = await publish(
        world.publisher,
        Package.from_path(saved(folder)),
        ledger=world.a.id,
        name=name,
        version="1.0.0",
        price="0.001",
    )
    return ModelUri.parse(done.uri)


async def grant(world: World, uri: ModelUri) -> None:
    """Grant the worker's key a licence that it did not ask for."""
    to = world.working.identity.account(world.a.id)
    call = world.a.market.grant(uri.model_id, uri.selector or "", to)
    await world.a.submit(call, world.publisher.identity.signer)


def models_of(
    world: World, folder: Path, wanted: list[str] | None = None, **options: int
) -> LicensedModels:
    return LicensedModels(
        world.working,
        OnnxEngine(),
        folder,
        Consent(world.working, wanted),
        ServingOptions(**options),
    )


async def test_what_a_stranger_grants_is_not_fetched_and_what_was_bought_is_served(
    world: World, tmp_path: Path
) -> None:
    """From its home ledger, from another one, and from another one by another machine."""
    uri = await published(world, tmp_path / "x")
    models = models_of(world, tmp_path / "models")
    await grant(world, uri)
    with pytest.raises(ModelNotWanted, match=r"has not agreed"):
        await models.serve(uri)
    assert not (tmp_path / "models").exists()
    other = await published(world, tmp_path / "y", "other")
    await buy(world.working, other, ledger=world.a.id)
    assert (await models.serve(other)).uri == other
    third = await published(world, tmp_path / "z", "third")
    await buy(world.working, third, ledger=world.b.id)
    with world.working.journal.store._database.session() as db:
        db.execute("DELETE FROM operations")
    assert (await models.serve(third)).uri == third
    assert (await models.serve(other)).uri == other  # it is open


async def test_what_the_operator_lists_is_served_and_nothing_else(
    world: World, tmp_path: Path
) -> None:
    uri = await published(world, tmp_path / "x")
    await grant(world, uri)
    bare = uri.with_selector(None)
    account = f"0x{world.publisher.identity.signer.account.hex()}"
    for wanted in ([str(uri)], [str(bare)], [f"{uri.ledger}:{account}"]):
        assert (await models_of(world, tmp_path / "models", wanted).serve(uri)).uri == uri
    for wanted in (
        [],
        [str(uri.with_selector("2.0.0"))],
        [f"{world.b.id}:{account}"],
        [f"{uri.ledger}:0x{'11' * 20}"],
    ):
        with pytest.raises(ModelNotWanted):
            await models_of(world, tmp_path / "models", wanted).serve(uri)
    for text in ("anything", "eip155:1:0x12", ""):
        with pytest.raises(ConfigInvalid, match=r"Models of \[serving\]"):
            Consent(world.working, [text])


async def test_files_are_bounded_and_go_with_what_is_closed(world: World, tmp_path: Path) -> None:
    first = await published(world, tmp_path / "x")
    second = await published(world, tmp_path / "y", "second")
    for uri in (first, second):
        await grant(world, uri)
    wanted = [str(first), str(second)]
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "left over").write_bytes(b"from a process that was killed")
    models = models_of(world, folder, wanted, max_models=1)
    assert not folder.exists()
    for uri in (first, second, first):
        await models.serve(uri)
        await asyncio.gather(*models._open._discarding)
        assert len(list(folder.iterdir())) == 1
    small = models_of(world, folder, wanted, max_bytes=100)
    with pytest.raises(ModelTooLarge):
        await small.serve(first)
    await asyncio.gather(*small._open._discarding)
    assert list(folder.iterdir()) == []


async def test_without_a_licence_nothing_is_served_and_nothing_kept(
    world: World, tmp_path: Path
) -> None:
    uri = await published(world, tmp_path / "x")
    models = models_of(world, tmp_path / "models", [str(uri)])
    with pytest.raises(ModelNotServed, match=r"cannot open"):
        await models.serve(uri)
    await asyncio.gather(*models._open._discarding)
    assert list((tmp_path / "models").iterdir()) == []


async def test_a_ledger_that_hangs_is_told_in_bounded_time(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object) -> None:
        await asyncio.sleep(3600)

    monkeypatch.setattr(serving, "RESOLVE_SECONDS", 0.05)
    monkeypatch.setattr(serving, "resolve", never)
    with pytest.raises(LedgerTooSlow):
        await models_of(world, tmp_path / "models").serve(ModelUri(world.a.id, bytes(32), "1"))
