"""Which acts may be carried out, and what they do: the same wherever that is.

Whoever carries acts out asks `ActRules.admit` first, then `perform`: a ledger in this process, or a
program beside a ledger elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from caimi.contracts.deployment import Contracts
from caimi.contracts.execution import Executed, Execution, refuse
from caimi.contracts.identifiers import Account as Native
from caimi.contracts.state import State
from caimi.errors.ledgers import CallInvalid, CallRefused
from caimi.ledgers.machine.acts import Act
from caimi.ledgers.machine.calls import SignedAct
from caimi.ledgers.machine.outcomes import ActOutcome
from caimi.ledgers.machine.typed import flat
from caimi.ledgers.port import AccountCodec, LedgerId


@dataclass(frozen=True, slots=True)
class ActRules:
    """The acts of one ledger, over its contracts."""

    ledger: LedgerId
    contracts: Contracts
    accounts: AccountCodec
    acts: Mapping[str, Act]

    def admit(self, signed: SignedAct, age: int) -> None:
        """Let a call pass that may be carried out when the ledger is so old (`Machine.age`).

        Raises:
            CallInvalid: its author did not sign it, it is for another ledger, or it has lapsed.
        """
        said = signed.envelope
        if said.ledger != self.ledger:
            raise CallInvalid(f"{signed.tx} is for {said.ledger}, not for {self.ledger}.")
        if not signed.is_signed(self.accounts):
            raise CallInvalid(f"{said.author!r} did not sign {signed.tx}: it is damaged.")
        if age > said.until:
            raise CallInvalid(f"{signed.tx} lapsed after {said.until}, and it is {age} here.")

    def perform(self, signed: SignedAct, state: State, height: int, time: int) -> ActOutcome:
        """Carry out a call that was admitted: what it does is in `state`, or nothing is."""
        said = signed.envelope
        call = Execution(state, height, time, Native(said.author))
        try:
            done = self.run(call, said.act, _arguments(signed))
        except CallRefused as refusal:
            return ActOutcome(None, (), refusal)
        return ActOutcome(flat(done.result), done.effects, None)

    def run(self, call: Execution, name: str, arguments: tuple[Any, ...]) -> Executed[Any]:
        """Do an act by its name; raises `CallRefused`, and nothing of it remains."""
        act = self.acts.get(name)
        if act is None:
            refuse("UnknownAct", act=name)
        return self.contracts.run(call, lambda inner: act.do(self.contracts, inner, arguments))


def _arguments(signed: SignedAct) -> tuple[Any, ...]:
    try:
        return signed.envelope.read_arguments()
    except ValueError as error:
        refuse("MalformedArguments", detail=str(error))
