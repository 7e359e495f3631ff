"""The Solidity contracts on one EVM, called without transactions: as fast as they run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from caimi.ledgers.evm.abi.codec import Value
from caimi.ledgers.evm.abi.interface import EventType, encode
from caimi.ledgers.evm.artifacts import artifact
from caimi.ledgers.evm.rpc.reverts import known_errors
from faults.machine import Machine, Message, hexed
from faults.transaction import SimBlock

CONTRACTS = ("Gateway", "ModelRegistry", "ModelBridge", "LicenceMarket", "ReceiptLog")
BRIDGE_ROLE, GUARDIAN_ROLE, EXIT_ROLE = 1, 2, 3


@dataclass(frozen=True)
class Said:
    """What a call said: its values and events, or the reason and the arguments of its revert."""

    values: tuple[Value, ...] = ()
    events: tuple[tuple[str, tuple[Value, ...]], ...] = ()
    reason: str | None = None
    arguments: tuple[Value, ...] = ()


@cache
def known_events() -> dict[bytes, EventType]:
    events = {}
    for name in (*CONTRACTS, "AccessManager", "CommitteeClient"):
        events.update(artifact(name).interface.by_topic)
    return events


def reason_of(output: bytes) -> tuple[str, tuple[Value, ...]]:
    """Read a revert; the reason is empty when nothing was said."""
    if not output:
        return "", ()
    error = known_errors()[output[:4]]
    return error.name, error.decode(output)


class EvmContracts:
    """One ledger's contracts, all of `CONTRACTS` and a light client for each route."""

    def __init__(self, number: int, administrator: bytes, guardian: bytes, leaver: bytes) -> None:
        self.machine = Machine(number)
        self.height, self.time = 1, 1_700_000_000
        self.places: dict[str, tuple[bytes, str]] = {}
        self._administrator = administrator
        authority = self.deploy("authority", "AccessManager", administrator)
        gateway = self.deploy("Gateway", "Gateway", authority)
        registry = self.deploy("ModelRegistry", "ModelRegistry", authority)
        bridge = self.deploy("ModelBridge", "ModelBridge", gateway, registry, authority)
        market = self.deploy("LicenceMarket", "LicenceMarket", gateway, registry, authority)
        self.deploy("ReceiptLog", "ReceiptLog")
        for role, account in (
            (BRIDGE_ROLE, bridge),
            (GUARDIAN_ROLE, guardian),
            (EXIT_ROLE, leaver),
        ):
            self.must("authority", "grantRole", role, account, 0)
        for contract, role, methods in (
            ("ModelRegistry", BRIDGE_ROLE, ("mintForeign", "burnForeign")),
            ("ModelBridge", GUARDIAN_ROLE, ("pause", "openBreaker")),
            ("LicenceMarket", GUARDIAN_ROLE, ("openBreaker",)),
            ("Gateway", GUARDIAN_ROLE, ("pauseRoute",)),
            ("ModelBridge", EXIT_ROLE, ("unlockDead",)),
            ("LicenceMarket", EXIT_ROLE, ("refundDead",)),
        ):
            self.assign(contract, role, *methods)
        self.must("Gateway", "addApplication", "model", bridge)
        self.must("Gateway", "addApplication", "licence", market)

    def address(self, name: str) -> bytes:
        return self.places[name][0]

    def assign(self, name: str, role: int, *methods: str) -> None:
        address, contract = self.places[name]
        selectors = [artifact(contract).interface[method].selector for method in methods]
        self.must("authority", "setTargetFunctionRole", address, selectors, role)

    def deploy(self, name: str, contract: str, *arguments: Value) -> bytes:
        found = artifact(contract)
        data = found.bytecode + encode(found.interface.constructor, arguments)
        self.places[name] = (self.create(data), contract)
        return self.address(name)

    def create(self, data: bytes) -> bytes:
        """Run creation code; gives the address of what it made."""
        self._enter()
        result = self.machine._run(Message(b"", data, self._administrator))
        assert result.succeeded, reason_of(result.output or b"")
        assert result.output is not None
        return result.output

    def add_client(self, name: str, *arguments: Value) -> bytes:
        """Deploy a committee client that guardians may freeze."""
        client = self.deploy(name, "CommitteeClient", *arguments, self.address("authority"))
        self.assign(name, GUARDIAN_ROLE, "freeze")
        return client

    def must(self, name: str, method: str, *arguments: Value) -> tuple[Value, ...]:
        said = self.call(self._administrator, name, method, *arguments)
        assert said.reason is None, (method, said)
        return said.values

    def call(
        self, sender: bytes, name: str, method: str, *arguments: Value, value: int = 0
    ) -> Said:
        """Make a call that lasts unless it reverts."""
        address, contract = self.places[name]
        found = artifact(contract).interface[method]
        self._enter()
        result = self.machine._run(Message(address, found.encode(*arguments), sender, value))
        assert result.output is not None, f"{method} ran out of gas"
        if not result.succeeded:
            return Said(reason=(said := reason_of(result.output))[0], arguments=said[1])
        events = []
        evm = self.machine.evm
        assert evm.result is not None
        for log in evm.result.logs:
            topics, data = log.data
            kind = known_events()[bytes(topics[0])]
            values = kind.decode([bytes(topic) for topic in topics], bytes(data))
            events.append((kind.name, tuple(values.values())))
        return Said(found.decode(result.output), tuple(events))

    def read(self, name: str, method: str, *arguments: Value) -> Said:
        """Make a call without effect."""
        before = self.machine.evm.snapshot()
        try:
            return self.call(bytes(19) + b"\x01", name, method, *arguments)
        finally:
            self.machine.evm.revert(before)

    def balance(self, account: bytes) -> int:
        return self.machine.balance(account)

    def fund(self, account: bytes, amount: int) -> None:
        self.machine.evm.set_balance(hexed(account), amount)

    def _enter(self) -> None:
        self.machine._enter(SimBlock(self.height, self.time, bytes(32), bytes(32), 0, ()))
