"""A route after the hand-over, by commands alone on two anvils, killed (SIGKILL) in the middle."""

from __future__ import annotations

import asyncio

import pytest

from caimi.keystore import LocalSigner
from caimi.ledgers.evm.rpc.connect import http_chain
from caimi.ledgers.evm.rpc.finality import Depth
from e2e.test_deploy_join_hand_over import LEDGERS, Office, office

__all__ = ["office"]
pytestmark = [pytest.mark.e2e, pytest.mark.anvil]

DAY = 86_400


def wait(office: Office, seconds: int) -> None:
    async def warp(name: str) -> None:
        chain = http_chain(f"eip155:{LEDGERS[name]}", office.urls[name], Depth(0))
        try:
            await chain.rpc.ask("evm_increaseTime", seconds)
            await chain.rpc.ask("evm_mine")
        finally:
            await chain.rpc.aclose()

    for name in LEDGERS:
        asyncio.run(warp(name))


def test_a_route_is_added_by_both_timelocks_whatever_is_killed(office: Office) -> None:
    board = f"0x{office.accounts['board'].hex()}"
    guardian = f"0x{office.accounts['guardian'].hex()}"
    for name in LEDGERS:
        office.run("deploy", name, "-k", "deployer", "--guardian", guardian, "--yes")
        hand_over = ["governance", "hand-over", "-l", name, "--delay", "1d", "--proposer", board]
        office.run(*hand_over, "-k", "deployer")
    members = [f"0x{LocalSigner.generate().account.hex()}" for _ in range(3)]
    committee = [word for each in members for word in ("--member", each)]
    add = ["route", "add", "a", "b", "-k", "board", *committee, "--signers", "2", "--yes"]
    for steps in (1, 2):
        office.kill(steps, *add)
    first = office.run(*add)
    assert not first["added"]
    assert len(first["waits"]) == 2
    wait(office, DAY)
    office.kill(1, *add)
    second = office.run(*add)
    assert not second["added"]
    assert second["waits"] != first["waits"]
    wait(office, DAY)
    office.kill(1, *add)
    done = office.run(*add)
    assert done["added"]
    assert done["clients"] == {"eip155:31337": "caimi-31337-0", "eip155:31338": "caimi-31338-0"}
    routes = office.run("route", "list")["routes"]
    assert [each["joined"] for each in routes] == [True, True]
    assert office.run(*add) == {**done, "added": False}  # which reads both ends back
    shown = office.run("governance", "show", "-l", "a")
    assert shown["pending"] == []
    assert shown["ways_around"] == []
