"""Decodes logs of a deployment's contracts into the port's facts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from caimi.errors.ledgers import EventInvalid
from caimi.ledgers.evm.abi.codec import Value
from caimi.ledgers.evm.abi.interface import EventType
from caimi.ledgers.evm.facets.event_facts import EVENTS, Make
from caimi.ledgers.evm.facets.gateway import EvmGateway
from caimi.ledgers.evm.rpc.contract import Contract
from caimi.ledgers.evm.rpc.logs import RawLog, event_values
from caimi.ledgers.port import Account, Fact, FactKind, LedgerId


@dataclass(frozen=True, slots=True)
class _Reading:
    """How one event of a contract is read.

    `texts` are its parameters that are strings, `accounts` those that are addresses.

    Texts are read as bytes first: contracts do not look into some of them, and what is no UTF-8 in
    one model's must not stop whoever follows them all.
    """

    event: EventType
    texts: tuple[str, ...]
    accounts: tuple[str, ...]
    kind: FactKind
    make: Make

    def values(self, log: RawLog, ledger: LedgerId) -> dict[str, Value]:
        found = event_values(self.event, log)
        for name in self.texts:
            found[name] = found[name].decode("utf-8", "replace")
        for name in self.accounts:
            found[name] = Account(ledger, found[name])
        return found


@cache  # there are as many as kinds of events, and every ledger that is opened reads all
def _reading_of(event: EventType, kind: FactKind, make: Make) -> _Reading:
    as_bytes = tuple(
        (name, "bytes" if type_ == "string" else type_, indexed)
        for name, type_, indexed in event.parameters
    )
    texts = tuple(name for name, type_, _ in event.parameters if type_ == "string")
    accounts = tuple(name for name, type_, _ in event.parameters if type_ == "address")
    return _Reading(replace(event, parameters=as_bytes), texts, accounts, kind, make)


class FactDecoder:
    """Decodes logs of the contracts of one deployment, given by their names in it."""

    def __init__(self, contracts: Mapping[str, Contract], gateway: EvmGateway) -> None:
        self._gateway = gateway
        self._ledger = contracts["gateway"].chain.ledger
        self._readings: dict[tuple[bytes, bytes], _Reading] = {}
        for name, events in EVENTS.items():
            contract = contracts[name]
            for event_name, (kind, make) in events.items():
                event = contract.interface.events[event_name]
                self._readings[contract.address, event.topic] = _reading_of(
                    event,
                    kind,  # type: ignore[arg-type] # classes can be hashed
                    make,
                )

    def query(self, kinds: Collection[FactKind]) -> tuple[list[bytes], list[bytes]]:
        """Give the addresses and the first topics of the logs that tell facts of some kinds."""
        wanted = [place for place, reading in self._readings.items() if reading.kind in kinds]
        return list(dict.fromkeys(a for a, _ in wanted)), list(dict.fromkeys(t for _, t in wanted))

    async def decode(
        self, logs: Sequence[RawLog], kinds: Collection[FactKind]
    ) -> list[tuple[RawLog, Fact]]:
        """Give the facts of some kinds that logs tell; logs that tell none are left out.

        Raises:
            EventInvalid: a log cannot be decoded, or is of a client that there is not.
        """
        found: list[tuple[RawLog, Fact]] = []
        for log in logs:
            reading = self._readings.get((log.address, log.topics[0])) if log.topics else None
            if reading is not None and reading.kind in kinds:
                values = reading.values(log, self._ledger)
                client = await self._client(values.get("clientHash"), log)
                found.append((log, reading.make(values, client, log)))
        return found

    async def _client(self, client_hash: bytes | None, log: RawLog) -> str:
        if client_hash is None:
            return ""
        client = await self._gateway.client_named(client_hash)
        if client is None:
            raise EventInvalid(f"{log.tx} is of a client that there is not.")
        return client
