"""Cases of refusals: each gives a call that must be refused, and for which reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from caimi.contracts.applications import PacketContext
from caimi.contracts.execution import Execution
from caimi.contracts.identifiers import Account
from caimi.ibc.packet import Packet, Payload
from contracts.local_ledgers import LocalLedger, LocalPair

Refused = tuple[LocalLedger, Account, Callable[[Execution], Any]]


@dataclass(frozen=True)
class Case:
    """One case; `make` sets it up on fresh ledgers."""

    reason: str
    make: Callable[[LocalPair], Refused]

    @property
    def name(self) -> str:
        return f"{self.make.__module__.removeprefix('contracts.')}-{self.make.__name__}"


CASES: list[Case] = []


def case(reason: str) -> Callable[[Callable[[LocalPair], Refused]], Callable[[LocalPair], Refused]]:
    """Note a case."""

    def note(make: Callable[[LocalPair], Refused]) -> Callable[[LocalPair], Refused]:
        CASES.append(Case(reason, make))
        return make

    return note


def payload(port: str, version: str, value: bytes) -> Payload:
    return Payload(port, port, version, "application/x-solidity-abi", value)


def arriving(
    here: LocalLedger, there: LocalLedger, each: Payload, height: int = 0
) -> PacketContext:
    """Give the context of a payload from the other ledger."""
    return PacketContext(there.route, here.route, 1, each, Account(b"relayer"), height)


def packet(source: LocalLedger, dest: LocalLedger, each: Payload, sequence: int = 1) -> Packet:
    return Packet(sequence, source.route, dest.route, dest.time + 100, (each,))
