"""The family on a real local network: founding, sections, views, sandboxes' money and time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fabric_site import LoopThread
from trial_network import needs_programs

from caimi.config import LedgerSection
from caimi.errors.fabric import (
    FabricFoundedOtherwise,
    FabricOneOrganisation,
    FabricPortsTaken,
    FabricTermsDiffer,
)
from caimi.errors.ledgers import ContractMissing
from caimi.ledgers.fabric.connecting import machine_over
from caimi.ledgers.fabric.family import FABRIC
from caimi.ledgers.fabric.local.hosting import issuer_in, place_in, running_ledger
from caimi.ledgers.fabric.local.kept_place import write_place
from caimi.ledgers.fabric.local.network import LocalNetwork
from caimi.ledgers.fabric.sandbox import FABRIC as SANDBOXES
from caimi.ledgers.fabric.sandbox import RICHES, FabricService
from caimi.ledgers.fabric.settings import FabricPlace
from caimi.ledgers.machine.ed25519_keys import Ed25519Key
from caimi.ledgers.port import Account, LedgerId, LedgerPlace


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LoopThread, LocalNetwork]]:
    needs_programs()
    thread = LoopThread()
    running = running_ledger(tmp_path_factory.mktemp("hosted") / "network")
    try:
        yield thread, thread.run(running.__aenter__())
    finally:
        thread.run(running.__aexit__(None, None, None))
        thread.close()


@pytest.fixture(scope="module")
def place(network: tuple[LoopThread, LocalNetwork]) -> LedgerPlace:
    return place_in(network[1].layout, "b")


ADMIN = Ed25519Key()


@pytest.fixture
async def section(place: LedgerPlace) -> LedgerSection:
    assert FABRIC.administration is not None
    return await FABRIC.administration.deploy(place, ADMIN)


async def test_before_it_is_founded_money_is_not_given_and_the_plan_says_so(
    network: tuple[LoopThread, LocalNetwork], place: LedgerPlace, tmp_path: Path
) -> None:
    assert FABRIC.administration is not None
    root = network[1].layout.root
    write_place(root, place)
    service = FabricService("b", root)
    assert service.place == place
    await service.wait_ready()
    await service.fund([ADMIN.account])
    plan = await FABRIC.administration.plan(place, ADMIN.account)
    assert [step.begun for step in plan.steps] == [False]
    said = FabricPlace.model_validate(dict(place.told))
    machine = machine_over(place.id, said, said.peers)
    with pytest.raises(ContractMissing):
        await machine.check()
    await machine.aclose()


async def test_founding_is_done_once_and_by_one(section: LedgerSection, place: LedgerPlace) -> None:
    assert FABRIC.administration is not None
    assert await FABRIC.administration.deploy(place, ADMIN) == section
    plan = await FABRIC.administration.plan(place, ADMIN.account)
    assert [step.begun for step in plan.steps] == [True]
    with pytest.raises(FabricFoundedOtherwise, match=ADMIN.account.decode()):
        await FABRIC.administration.deploy(place, Ed25519Key())
    with pytest.raises(FabricFoundedOtherwise):
        await FABRIC.administration.deploy(place, ADMIN, guardian=Ed25519Key().account)
    without = {name: each for name, each in place.told.items() if name != "accounting"}
    with pytest.raises(FabricFoundedOtherwise):
        await FABRIC.administration.deploy(replace(place, told=without), ADMIN)


async def test_a_section_that_says_other_terms_is_refused(section: LedgerSection) -> None:
    assert FABRIC.administration is not None
    assert await FABRIC.administration.audit(section) == []
    said = section.model_dump(exclude_none=True)
    for other in (
        {"terms": "ab" * 32},
        {"accounting": {**said["accounting"], "decimals": 3}},
        {"accounting": {**said["accounting"], "issuer": ADMIN.account.decode()}},
    ):
        wrong = LedgerSection.model_validate({**said, **other})
        with pytest.raises(FabricTermsDiffer):
            await FABRIC.administration.audit(wrong)


async def test_views_are_the_peers_and_never_of_one_organisation(section: LedgerSection) -> None:
    views = FABRIC.views(section)
    assert list(views) == ["peer 1 of Org1MSP", "peer 2 of Org2MSP"]
    assert FABRIC.quorum(section) == 2
    for ledger in views.values():
        await ledger.check()
    heads = [(await ledger.head()).height for ledger in views.values()]
    assert abs(heads[0] - heads[1]) <= 1
    for ledger in views.values():
        await ledger.aclose()
    said = section.model_dump(exclude_none=True)
    alone = LedgerSection.model_validate({**said, "peers": said["peers"][:1]})
    with pytest.raises(FabricOneOrganisation, match="Org1MSP"):
        FABRIC.views(alone)


async def test_people_are_given_money_by_an_issuer_who_stays(
    network: tuple[LoopThread, LocalNetwork], section: LedgerSection, place: LedgerPlace
) -> None:
    root = network[1].layout.root
    assert issuer_in(root).account == issuer_in(root).account
    assert (root / "issuer.key").stat().st_mode & 0o777 == 0o600
    write_place(root, place)
    somebody = Ed25519Key().account
    await FabricService("b", root).fund([somebody])
    ledger = FABRIC.prepare(section)
    assert ledger.coins is not None
    had = await ledger.coins.balance(Account(LedgerId(section.id), somebody))
    assert had == ledger.coins.asset.of(RICHES * 100)
    await ledger.aclose()


async def test_the_second_peer_answers_for_the_first(
    network: tuple[LoopThread, LocalNetwork], section: LedgerSection
) -> None:
    thread, running = network
    thread.run(running.nodes["Org1MSP"].kill())
    ledger = FABRIC.prepare(section)
    try:
        await ledger.check()
        assert (await ledger.head()).height > 0
    finally:
        await ledger.aclose()
        thread.run(running.start_node("Org1MSP"))


def test_a_network_whose_ports_are_taken_is_not_started(
    network: tuple[LoopThread, LocalNetwork], tmp_path: Path
) -> None:
    thread, running = network
    layout = running.layout
    (tmp_path / "network.json").write_text((layout.root / "network.json").read_text())
    for name in ("OrdererMSP", "Org1MSP", "Org2MSP", "genesis.block"):
        (tmp_path / name).symlink_to(layout.root / name)
    with pytest.raises(FabricPortsTaken, match=str(layout.first_port)):
        thread.run(running_ledger(tmp_path).__aenter__())


async def test_what_is_asked_for_by_name_is_there() -> None:
    SANDBOXES.check()
    service = SANDBOXES.service(1, "b", port=1, folder=Path("kept"))
    assert service.command[-1] == f"--folder={Path('kept').absolute()}"  # noqa: ASYNC240
    assert (service.url, service.outgrown()) == (None, None)
