"""One ledger twice: as the Solidity contracts, and as the contracts in Python.

Every step is made on both. It must be accepted by both, with the same result and the same facts, or
refused by both, for the same reason with the same arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from caimi.chains import InteroperableAddress
from caimi.contracts.authority import AuthorityRole
from caimi.contracts.committees import KnownCommittee
from caimi.contracts.deployment import Contracts
from caimi.contracts.execution import Effect, Executed, Execution, execute
from caimi.contracts.identifiers import Account, ClientId, InteroperableLedger
from caimi.contracts.site import Site
from caimi.contracts.state import MemoryState, Overlay, State
from caimi.errors.ledgers import CallRefused
from caimi.ledgers.evm.abi.codec import Value
from contracts.evm_accounts import FUNDS, EvmAccounts, Key, NativeCoins
from contracts.evm_contracts import EvmContracts, Said
from contracts.facts import UNREAD, fact_of, same
from contracts.scripted import ANSWERS, Answer, Scripted

ADMINISTRATOR, GUARDIAN, LEAVER = (Key.of(name).account for name in ("admin", "guardian", "exit"))
DEPOSIT = 10**14
"""What Solidity's market asks at first."""
UNSAID = {"", "InvalidTransfer", "InvalidPayload", "MalformedProof"}
"""What is refused here where Solidity's own decoder cannot read at all."""
RENAMED = {"MerkleProofInvalidMultiproof": "InvalidMerkleProof"}
"""Where OpenZeppelin's library refuses before the contract does."""


class Twin:
    """One ledger, deployed the same way twice."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.evm = EvmContracts(number, ADMINISTRATOR, GUARDIAN, LEAVER)
        self.ledger = InteroperableLedger(
            InteroperableAddress.from_caip(f"eip155:{number}").to_bytes()
        )
        self.site = Site(
            self.ledger,
            *(
                Account(self.evm.address(name))
                for name in ("Gateway", "ModelRegistry", "ModelBridge", "LicenceMarket")
            ),
        )
        self.coins = NativeCoins()
        self.contracts = Contracts.over(self.site, EvmAccounts(), self.coins)
        self.state: State = MemoryState()
        self.steps = self.refusals = 0
        self._python(
            ADMINISTRATOR,
            lambda call: self.contracts.found(call, ADMINISTRATOR, GUARDIAN),
        )
        self._python(
            ADMINISTRATOR,
            lambda call: self.contracts.authority.grant(call, AuthorityRole.EXIT, LEAVER),
        )
        self._python(
            ADMINISTRATOR,
            lambda call: self.contracts.market.treasury.set_relay_deposit(call, DEPOSIT),
        )

        for answer in ANSWERS:
            self._add_application(answer)

    def _add_application(self, answer: Answer) -> None:
        account = Account(self.evm.create(answer.creation))
        applications = self.contracts.gateway.applications
        applications.install(Scripted(account, answer))
        done = self.step(
            ADMINISTRATOR,
            lambda call: applications.add(call, answer.port, account),
            "Gateway",
            "addApplication",
            answer.port,
            account,
        )
        assert done is not None

    @property
    def gateway(self) -> bytes:
        """The gateway's ERC-7930 address."""
        return self.site.here(self.site.gateway)

    def join(self, name: str, gateway: bytes, ledger: bytes, committee: KnownCommittee) -> ClientId:
        """Add a committee client and a route to another ledger; gives the route."""
        client = Account(
            self.evm.add_client(
                name,
                gateway,
                committee.epoch,
                committee.threshold,
                committee.members,
                committee.operators,
            )
        )
        self._python(
            ADMINISTRATOR,
            lambda call: self.contracts.clients.add(call, client, gateway, committee),
        )
        done = self.step(
            ADMINISTRATOR,
            lambda call: self.contracts.gateway.routes.add(call, client, ledger),
            "Gateway",
            "addClient",
            client,
            ledger,
        )
        assert done is not None
        return ClientId(done.result)

    def branch(self) -> Callable[[], None]:
        """Begin a trace; gives what ends it and undoes it on both sides."""
        before, state = self.evm.machine.evm.snapshot(), self.state
        height, time = self.evm.height, self.evm.time
        self.state = Overlay(state)

        def end() -> None:
            self.evm.machine.evm.revert(before)
            self.state, self.evm.height, self.evm.time = state, height, time

        return end

    def pass_time(self, seconds: int, blocks: int = 1) -> None:
        self.evm.time += seconds
        self.evm.height += blocks

    def fund(self, account: bytes) -> None:
        self.evm.fund(account, FUNDS)

    def call(self, caller: Account, state: State | None = None) -> Execution:
        return Execution(state or self.state, self.evm.height, self.evm.time, caller)

    def step(
        self,
        caller: Account,
        act: Callable[[Execution], Any],
        name: str,
        method: str,
        *arguments: Value,
        value: int = 0,
    ) -> Executed[Any] | None:
        """Make one step on both sides; gives what it did, or None where both refuse it."""
        self.steps += 1
        said = self.evm.call(caller, name, method, *arguments, value=value)
        try:
            done = self._python(caller, act)
        except CallRefused as refused:
            self.refusals += 1
            self._compare_refusals(method, said, refused)
            return None
        assert said.reason is None, f"only Solidity refuses {method}: {said}"
        facts = [fact_of(effect) for effect in done.effects]
        assert [name for name, _ in facts] == [name for name, _ in said.events], method
        for (fact, values), (_, seen) in zip(facts, said.events, strict=True):
            assert same(values, seen), f"{method}: {fact} {values} is not {seen}"
        if said.values:
            result = done.result if len(said.values) > 1 else (done.result,)
            assert same(result, said.values), f"{method} gives {done.result}, not {said.values}"
        return done

    def read(self, found: Any, name: str, method: str, *arguments: Value) -> None:
        """Compare what is read; `found` may be a call that refuses."""
        said = self.evm.read(name, method, *arguments)
        try:
            value = found() if callable(found) else found
        except CallRefused as refused:
            self._compare_refusals(method, said, refused)
            return
        assert said.reason is None, f"only Solidity refuses to read {method}: {said}"
        result = value if len(said.values) > 1 else (value,)
        assert same(result, said.values), f"{method}{arguments} is {value}, not {said.values}"

    def _python(self, caller: Account, act: Callable[[Execution], Any]) -> Executed[Any]:
        return execute(self.call(caller), act)

    def _compare_refusals(self, method: str, said: Said, refused: CallRefused) -> None:
        assert said.reason is not None, f"only Python refuses {method}: {refused}"
        if said.reason in UNREAD:
            assert refused.reason in UNSAID, f"{method}: {refused} where Solidity says nothing"
            return
        reason = RENAMED.get(said.reason, said.reason)
        assert refused.reason == reason, f"{method}: {refused} is not {said}"
        given = tuple(refused.arguments.values())
        assert same(given, said.arguments), f"{method}: {refused} is not about {said.arguments}"


def effects_of(done: Executed[Any] | None, kind: type[Effect]) -> list[Any]:
    """Give a step's effects of one kind."""
    return [] if done is None else [each for each in done.effects if isinstance(each, kind)]
