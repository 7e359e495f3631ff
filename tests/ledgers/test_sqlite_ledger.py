"""The port's suite on the example: a ledger in a file, which every connection opens for itself."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from conformance.site import World
from sqlite_site import SqliteSite

from caimi.client.keyring import Keyring
from caimi.composition.joining import administration_of, name_counterparty
from caimi.composition.ledgers import family_of, prepare_ledger
from caimi.config import Config, LedgerSection
from caimi.contracts.deployment import Contracts
from caimi.errors.ids import InvalidAccountId
from caimi.errors.ledgers import CallInvalid, LedgerUnavailable, TransactionReverted, WrongLedger
from caimi.errors.operations import ConfigInvalid
from caimi.ledgers.machine.ed25519_keys import Ed25519Key
from caimi.ledgers.machine.ledger import MachineLedger
from caimi.ledgers.port import LedgerId, LedgerPlace
from caimi.messaging.checkpoint import make_committee
from conformance import (
    CoinlessFacet,
    KeyAccountsFacet,
    LedgerConformance,
    NoFeesFacet,
    NoForkFacet,
    NoProofsFacet,
    NoReadsFacet,
    NoWatchingFacet,
    PastFacet,
)
from memory_ledger import MemorySite
from offered_example import EXAMPLE, offer_example
from sqlite_ledger import machine
from sqlite_ledger.machine import SqliteMachine

ROOT = b"\1" * 32
COMMITTEE = make_committee(0, 2, [bytes([at]) * 20 for at in (1, 2, 3)])


@pytest.fixture
def site(tmp_path: Path) -> SqliteSite:
    return SqliteSite.named("near", tmp_path)


@pytest.fixture
def far() -> MemorySite:
    return MemorySite.named("far")


class TestSqliteLedger(
    LedgerConformance,
    CoinlessFacet,
    PastFacet,
    KeyAccountsFacet,
    NoFeesFacet,
    NoWatchingFacet,
    NoForkFacet,
    NoProofsFacet,
    NoReadsFacet,
):
    """The whole suite in a file, and what only such a ledger does."""

    async def test_what_one_connection_wrote_another_reads_and_goes_on_from(
        self, world: World, site: SqliteSite
    ):
        other = site.open()
        first = await world.ledger.submit(world.ledger.receipts.anchor(ROOT, 1), world.alice)
        second = await other.submit(other.receipts.anchor(b"\2" * 32, 1), world.alice)
        assert (first.effect, second.effect, second.height) == (0, 1, first.height + 1)
        assert await world.ledger.receipts.anchored(world.account(world.alice), b"\2" * 32)
        assert await world.ledger.head() == await other.head()

    async def test_a_file_that_is_opened_again_says_what_it_said(
        self, world: World, site: SqliteSite
    ):
        model_id = await world.published()
        told = [each async for each in world.ledger.feed(-1)]
        head = await world.ledger.head()
        await world.ledger.aclose()
        again = site.open()
        await again.check()
        assert await again.head() == head
        assert (await again.registry.model(model_id)).owner == world.account(world.alice)
        assert [each async for each in again.feed(-1)] == told

    async def test_an_act_that_is_refused_leaves_a_block_and_nothing_else(
        self, world: World, site: SqliteSite
    ):
        anchor = world.ledger.receipts.anchor(ROOT, 1)
        late = await site.open().sign(anchor, world.bob)
        early = await site.open().sign(anchor, world.bob)
        await world.ledger.broadcast(early)
        before = _rows(site.file)
        for _ in range(2):
            with pytest.raises(TransactionReverted, match="AlreadyAnchored"):
                await site.open().broadcast(late)
        after = _rows(site.file)
        assert after == {**before, "blocks": before["blocks"] + 1, "acts": before["acts"] + 1}

    async def test_an_account_is_only_its_own_keys(self, world: World):
        other = Ed25519Key()
        other.account = world.alice.account
        with pytest.raises(CallInvalid, match="did not sign"):
            await world.ledger.submit(world.ledger.receipts.anchor(ROOT, 1), other)

    async def test_an_account_has_one_spelling(self, world: World):
        text = world.alice.account.decode()
        assert world.ledger.accounts.parse(text) == world.account(world.alice)
        # The last of the letters says 1 bit of the key, and 4 that are nothing.
        for wrong in (text.upper(), f"{text}=", text[:-1], f"{text[:-1]}b", "teller"):
            with pytest.raises(InvalidAccountId):
                world.ledger.accounts.parse(wrong)

    async def test_a_call_signed_for_one_ledger_is_none_of_anothers(
        self, world: World, tmp_path: Path
    ):
        signed = await world.ledger.sign(world.ledger.receipts.anchor(ROOT, 1), world.alice)
        other = SqliteSite.named("other", tmp_path)
        with pytest.raises(CallInvalid, match="is for local:near"):
            await other.open().broadcast(replace(signed, ledger=other.id))


async def test_a_section_of_the_configuration_opens_the_file(
    site: SqliteSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    offer_example(tmp_path, monkeypatch)
    said = {"id": "local:near", "name": "near", "file": str(site.file), "depth": 2}
    ledger = prepare_ledger(LedgerSection.model_validate(said))
    await ledger.check()
    await site.advance(blocks=3)
    head = await ledger.head()
    assert (await ledger.finalized()).height == head.height - 2
    await ledger.aclose()


async def test_a_person_has_a_key_of_its_kind_and_founds_a_ledger_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    offer_example(tmp_path, monkeypatch)
    monkeypatch.setenv("CAIMI_PASSPHRASE", "correct horse")
    place = LedgerPlace(LedgerId("local:shelf"), "shelf", {"file": str(tmp_path / "a"), "depth": 1})
    office, key = administration_of(place), family_of(place).keys.generate("alice")
    section = await office.deploy(place, key)
    config = Config(ledgers=[section], home=tmp_path)
    Keyring(config).new("alice")
    identity = Keyring(config).open("alice")
    ledger = prepare_ledger(section)
    await ledger.check()
    account = identity.account(ledger.id)
    assert family_of(section).accounts(section).parse(account.native.decode()) == account
    done = await ledger.submit(
        ledger.registry.publish("m", "1.0.0", ROOT), identity.signer_on(ledger.id)
    )
    assert (await ledger.registry.model(ledger.registry.model_id(account, "m"))).owner == account
    assert (await ledger.finalized()).height == done.height - 1
    await ledger.aclose()


async def test_a_ledger_is_deployed_on_once_by_whoever_administers_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    offer_example(tmp_path, monkeypatch)
    place = LedgerPlace(LedgerId("local:shelf"), "shelf", {"file": str(tmp_path / "a")})
    office, admin, guardian = administration_of(place), Ed25519Key(), Ed25519Key()
    with monkeypatch.context() as dying:
        dying.setattr(Contracts, "found", None)
        with pytest.raises(TypeError):
            await office.deploy(place, admin, guardian=guardian.account)
    sections = [await office.deploy(place, admin, guardian=guardian.account) for _ in range(2)]
    assert sections[0] == sections[1]
    ledger = prepare_ledger(sections[0])
    here = office.administered(ledger, admin)
    client = await here.add_client(MemorySite.named("far").open(), COMMITTEE)
    await name_counterparty(here, client, "caimi-far-0")
    assert len(await ledger.gateway.routes()) == 1
    await ledger.aclose()
    with pytest.raises(ConfigInvalid, match="is in its file already"):
        await office.deploy(place, guardian)
    with pytest.raises(WrongLedger, match="holds the ledger local:shelf"):
        await office.deploy(replace(place, id=LedgerId("local:other")), admin)
    with pytest.raises(LedgerUnavailable, match="cannot be in"):
        await office.deploy(replace(place, told={"file": str(tmp_path / "no" / "a")}), admin)
    with pytest.raises(ConfigInvalid, match="file"):
        await office.deploy(replace(place, told={}), admin)


async def test_a_file_that_is_not_there_or_is_anothers_is_named(tmp_path: Path):
    missing = MachineLedger(SqliteMachine(LedgerId("local:near"), tmp_path / "none.sqlite"))
    with pytest.raises(LedgerUnavailable, match="local:near is not in"):
        await missing.check()
    assert not (tmp_path / "none.sqlite").exists()
    other = SqliteSite.named("other", tmp_path)
    with pytest.raises(WrongLedger, match="holds the ledger local:other"):
        await MachineLedger(SqliteMachine(LedgerId("local:near"), other.file)).check()


async def test_a_file_that_others_hold_too_long_is_named(
    site: SqliteSite, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(machine, "BUSY", 0.01)
    ledger, alice = site.open(), Ed25519Key()
    with closing(sqlite3.connect(site.file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerUnavailable, match="cannot be used: database is locked"):
            await ledger.submit(ledger.receipts.anchor(ROOT, 1), alice)
        other.execute("ROLLBACK")
    assert (await ledger.submit(ledger.receipts.anchor(ROOT, 1), alice)).effect == 0


def test_a_ledger_is_founded_once(site: SqliteSite):
    with pytest.raises(FileExistsError):
        site.machine().found(site.admin.account, site.admin.account)


def test_the_example_is_short():
    modules = [each for each in EXAMPLE.rglob("*.py") if each.name != "lasting.py"]
    assert sum(len(each.read_text().splitlines()) for each in modules) < 400


def _rows(file: Path) -> dict[str, int]:
    with sqlite3.connect(file) as db:
        return {
            table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("blocks", "acts", "effects", "state")
        }
