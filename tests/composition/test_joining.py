"""CAIMI is put on a ledger, and ledgers are joined, once, wherever whoever does it is killed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TypeVar

import pytest

import word_family
from caimi.composition.joining import administration_of, join_ledgers
from caimi.composition.ledgers import open_ledger
from caimi.errors.ledgers import NotOffered
from caimi.errors.operations import ConfigInvalid
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.administration.administering import EvmAdministered
from caimi.ledgers.evm.administration.deploying import deploy
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.local.embedded import EmbeddedChain
from caimi.ledgers.evm.local.in_process import embedded_chain
from caimi.ledgers.machine.administration import MachineAdministered
from caimi.ledgers.machine.ledger import MachineLedger
from caimi.ledgers.port import LedgerId, LedgerPlace, SignedCall
from caimi.messaging.checkpoint import make_committee
from embedded_node import node_of
from memory_ledger.chain import MemoryChain

T = TypeVar("T")
COINS = 1000 * 10**18
ADMIN = LocalSigner.generate()
COMMITTEE = make_committee(0, 2, [LocalSigner.generate().account for _ in range(3)])
PLACE = LedgerId("eip155:31337")


class Killed(BaseException):
    """The process ended."""


@dataclass
class DyingOutbox:
    """Keeps what is written down; the process ends after each `every` of it, before it is sent."""

    every: int
    entries: dict[str, SignedCall] = field(default_factory=dict)

    async def sent(self, key: str) -> SignedCall | None:
        return self.entries.get(key)

    async def record(self, key: str, call: SignedCall) -> None:
        assert key not in self.entries
        self.entries[key] = call
        if len(self.entries) % self.every == 0:
            raise Killed


async def again_and_again(work: Callable[[], Awaitable[T]]) -> tuple[T, int]:
    """Do it until it ends, and count the deaths; with a process all that it was at ends."""
    deaths = 0
    while True:
        try:
            return await work(), deaths
        except Killed:
            deaths += 1
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


async def over_evm(number: int) -> EvmAdministered:
    chain = embedded_chain(EmbeddedChain(number, {ADMIN.account: COINS}))
    return EvmAdministered(EvmLedger(chain, await deploy(chain, ADMIN)), ADMIN)


def over_machine(name: str) -> MachineAdministered:
    chain = MemoryChain(name)
    return MachineAdministered(MachineLedger(chain), chain.admin)


async def test_unlike_ledgers_are_joined_by_a_route_each_way() -> None:
    here = await over_evm(31337)
    there = over_machine("far")
    on_here, on_there = await join_ledgers(here, there, COMMITTEE)
    for one, client, other, far in (
        (here, on_here, there, on_there),
        (there, on_there, here, on_here),
    ):
        (route,) = await one.ledger.gateway.routes()
        assert (route.client_id, route.counterparty) == (client, other.ledger.id)
        assert route.counterparty_client_id == far
        assert (await one.ledger.gateway.committee(client)).members == COMMITTEE.members


@pytest.mark.parametrize("every", [1, 3])
async def test_joining_goes_on_where_it_was_killed(every: int) -> None:
    ends = await over_evm(31337), await over_evm(31338)
    outbox = DyingOutbox(every)
    clients, deaths = await again_and_again(lambda: join_ledgers(*ends, COMMITTEE, outbox=outbox))
    assert len({key.partition("#")[0] for key in outbox.entries}) == 8  # some perhaps made anew
    assert deaths >= 2
    for end, client in zip(ends, clients, strict=True):
        (route,) = await end.ledger.gateway.routes()
        assert route.client_id == client


@pytest.mark.parametrize("every", [1, 3])
async def test_joining_ledgers_whose_contracts_run_here_goes_on_where_it_was_killed(
    every: int,
) -> None:
    ends, outbox = (over_machine("near"), over_machine("far")), DyingOutbox(every)
    clients, deaths = await again_and_again(lambda: join_ledgers(*ends, COMMITTEE, outbox=outbox))
    assert len({key.partition("#")[0] for key in outbox.entries}) == 6
    assert deaths >= 2
    for end, client, other in zip(ends, clients, ends[::-1], strict=True):
        (route,) = await end.ledger.gateway.routes()
        assert (route.client_id, route.counterparty) == (client, other.ledger.id)
        assert (await end.ledger.gateway.committee(client)).members == COMMITTEE.members


async def test_deploying_goes_on_where_it_was_killed_and_gives_a_section() -> None:
    chain = EmbeddedChain(31337, {ADMIN.account: COINS})
    guardian = LocalSigner.generate().account
    outbox = DyingOutbox(4)
    with node_of(chain) as url:
        place = LedgerPlace(PLACE, "a", {"rpc": url, "finality": "depth:0"})
        section, deaths = await again_and_again(
            lambda: administration_of(place).deploy(place, ADMIN, guardian=guardian, outbox=outbox)
        )
        assert len(outbox.entries) == 13
        assert deaths >= 2
        assert (section.id, section.name) == (PLACE, "a")
        async with AsyncExitStack() as stack:
            await open_ledger(stack, section)  # which checks what is there


async def test_a_place_is_told_as_its_family_asks() -> None:
    place = LedgerPlace(PLACE, "a", {"rpc": "ftp://here", "contracts": {}})
    with pytest.raises(ConfigInvalid, match=r"eip155:31337: .*: rpc, contracts"):
        await administration_of(place).deploy(place, ADMIN)


def test_a_family_need_not_deploy_from_here(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    word_family.install(tmp_path / "installed", monkeypatch)
    with pytest.raises(NotOffered, match="local:far offers no deployment from here"):
        administration_of(LedgerPlace(LedgerId("local:far"), "far", family="word"))
