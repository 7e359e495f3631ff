"""What is restricted is done by who has the role, and refused to everybody else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from caimi.contracts.authority import AuthorityRole
from caimi.contracts.buckets import LaneLimits
from caimi.contracts.execution import Execution
from caimi.contracts.identifiers import Account
from caimi.errors.ledgers import CallRefused
from contracts.local_ledgers import (
    ADMIN,
    ALICE,
    BOB,
    CLIENT,
    COMMITTEE,
    GUARD,
    LEAVER,
    LocalLedger,
    LocalPair,
)

Act = Callable[[Execution], Any]


@dataclass(frozen=True)
class Restricted:
    name: str
    holder: Account
    act: Callable[[LocalPair], Act]


def _client(pair: LocalPair) -> Any:
    found = pair.alpha.contracts.clients.find(pair.alpha.state, CLIENT)
    assert found is not None
    return found


def _routes(pair: LocalPair) -> Any:
    return pair.alpha.contracts.gateway.routes


def _limits(pair: LocalPair) -> Any:
    return pair.alpha.contracts.market.limits


RESTRICTED = (
    Restricted(
        "grant a role",
        ADMIN,
        lambda p: lambda c: p.alpha.contracts.authority.grant(c, AuthorityRole.EXIT, BOB),
    ),
    Restricted(
        "revoke a role",
        ADMIN,
        lambda p: lambda c: p.alpha.contracts.authority.revoke(c, AuthorityRole.EXIT, LEAVER),
    ),
    Restricted(
        "add a client",
        ADMIN,
        lambda p: lambda c: p.alpha.contracts.clients.add(c, BOB, p.beta.gateway, COMMITTEE),
    ),
    Restricted(
        "add a route", ADMIN, lambda p: lambda c: _routes(p).add(c, CLIENT, p.beta.site.ledger)
    ),
    Restricted("freeze a client", GUARD, lambda p: lambda c: _client(p).freeze(c)),
    Restricted(
        "migrate a route", ADMIN, lambda p: lambda c: _routes(p).migrate(c, p.alpha.route, CLIENT)
    ),
    Restricted("pause a route", GUARD, lambda p: lambda c: _routes(p).pause(c, p.alpha.route)),
    Restricted(
        "add an application",
        ADMIN,
        lambda p: (
            lambda c: p.alpha.contracts.gateway.applications.add(c, "other", p.alpha.site.bridge)
        ),
    ),
    Restricted("pause the bridge", GUARD, lambda p: p.alpha.contracts.bridge.pause),
    Restricted(
        "cap a supply",
        ADMIN,
        lambda p: lambda c: p.alpha.contracts.bridge.accountant.set_supply_cap(c, p.alpha.route, 1),
    ),
    Restricted(
        "set limits",
        ADMIN,
        lambda p: (
            lambda c: _limits(p).set_limits(c, p.alpha.route, LaneLimits(1, 1), receiving=True)
        ),
    ),
    Restricted(
        "open a breaker", GUARD, lambda p: lambda c: _limits(p).open_breaker(c, p.alpha.route)
    ),
    Restricted(
        "close a breaker", ADMIN, lambda p: lambda c: _limits(p).close_breaker(c, p.alpha.route)
    ),
    Restricted(
        "set the deposit",
        ADMIN,
        lambda p: lambda c: p.alpha.contracts.market.treasury.set_relay_deposit(c, 1),
    ),
)


def _unjoined(pair: LocalPair) -> Act:
    ledger = pair.beta.site.ledger
    route = pair.alpha.do(ADMIN, lambda c: _routes(pair).add(c, CLIENT, ledger)).result
    return lambda c: _routes(pair).set_counterparty(c, route, pair.beta.route)


def _frozen(pair: LocalPair) -> Act:
    contracts, gateway = pair.alpha.contracts, pair.beta.gateway
    pair.alpha.do(ADMIN, lambda c: contracts.clients.add(c, BOB, gateway, COMMITTEE))
    pair.alpha.do(GUARD, _client(pair).freeze)
    return lambda c: _routes(pair).recover(c, pair.alpha.route, BOB)


def _paused(pair: LocalPair) -> Act:
    pair.alpha.do(GUARD, lambda c: _routes(pair).pause(c, pair.alpha.route))
    return lambda c: _routes(pair).unpause(c, pair.alpha.route)


def _stopped(pair: LocalPair) -> Act:
    pair.alpha.do(GUARD, pair.alpha.contracts.bridge.pause)
    return pair.alpha.contracts.bridge.unpause


AFTER = {
    "name a counterparty": _unjoined,
    "recover a route": _frozen,
    "unpause a route": _paused,
    "unpause the bridge": _stopped,
}
"""What administrators can do only after something else."""


def _check(ledger: LocalLedger, holder: Account, act: Act) -> None:
    for caller in {ALICE, ADMIN, GUARD, LEAVER} - {holder}:
        with pytest.raises(CallRefused, match="Unauthorized"):
            ledger.do(caller, act)
    ledger.do(holder, act)


@pytest.mark.parametrize("restricted", RESTRICTED, ids=lambda each: each.name)
def test_is_done_by_who_has_the_role_alone(restricted: Restricted) -> None:
    pair = LocalPair.made()
    _check(pair.alpha, restricted.holder, restricted.act(pair))


@pytest.mark.parametrize("name", AFTER)
def test_is_done_afterwards_by_who_has_the_role_alone(name: str) -> None:
    pair = LocalPair.made()
    _check(pair.alpha, ADMIN, AFTER[name](pair))
