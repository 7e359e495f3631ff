"""Joining two ledgers in memory by a route each, before they have any blocks."""

from __future__ import annotations

from caimi.contracts.committees import KnownCommittee
from caimi.ledgers.port import Committee
from memory_ledger.chain import MemoryChain


def join(here: MemoryChain, there: MemoryChain, committee: Committee) -> tuple[str, str]:
    """Give each a route to the other that believes a committee; gives their clients."""
    clients = _add(here, there, committee), _add(there, here, committee)
    here.begin("set counterparty", *clients)
    there.begin("set counterparty", *clients[::-1])
    return clients


def _add(here: MemoryChain, there: MemoryChain, committee: Committee) -> str:
    word = f"client{there.name}".encode()
    known = KnownCommittee(
        committee.epoch, committee.threshold, committee.members, committee.operators
    )
    here.begin("add client", word, there.site.here(there.site.gateway), known)
    return str(here.begin("add route", word, there.site.ledger))
