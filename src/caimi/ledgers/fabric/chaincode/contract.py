"""The chaincode: CAIMI's contracts, carried out over what one peer keeps.

A peer asks its organisation's own process to try a transaction, and signs what came of it; the
others' do the same, and what they sign has to be equal. So everything here follows from the state
and the arguments alone, but for one thing: whether a tick is ahead of this organisation's clock,
which it answers for with its signature.

Whatever an act does is done once: its name is kept, and who reads that it is not there conflicts
with who writes it. Every act reads the clock, so that one which was endorsed before a tick, and is
ordered after it, is not valid: no packet is both received and timed out, and what has lapsed never
takes effect.

Contracts run at height 0. Nobody who endorses knows which block a transaction will be in, whoever
carries acts must not say, and what is in a block is final: any depth over it is met at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from caimi.contracts.execution import Execution
from caimi.contracts.identifiers import Account
from caimi.contracts.state import Overlay
from caimi.errors.fabric import ChaincodeRefusal, FabricTermsInvalid
from caimi.errors.ledgers import CallInvalid
from caimi.ibc.path import Path, PathKind
from caimi.ledgers.fabric.chaincode.contract_state import ContractState
from caimi.ledgers.fabric.chaincode.stub import ChaincodeStub
from caimi.ledgers.fabric.keys import CLOCK, TERMS, act_name, kept
from caimi.ledgers.fabric.reads import MAX_PATHS, RECEIVED, StateReads, read_path
from caimi.ledgers.fabric.setup import LedgerSetup
from caimi.ledgers.fabric.telling import ToldAct
from caimi.ledgers.fabric.terms import NOT_AGREED, FoundingTerms
from caimi.ledgers.machine.calls import SignedAct, decode_act
from caimi.ledgers.machine.rules import ActRules
from caimi.ledgers.machine.values import encode_value
from caimi.ledgers.port import LedgerId

MAX_ACTS: Final = 100
MAX_TOLD_BYTES: Final = 1 << 20
MAX_SKEW: Final = 5
"""How many seconds a tick may be ahead of an endorser's clock."""
TICK_SECONDS: Final = 5
"""How far apart ticks are at least: each undoes what was endorsed before it."""
_MAX_NUMBER: Final = 20  # digits
_HEIGHT: Final = 0


class ActStatus(StrEnum):
    """What became of an act in a transaction."""

    DONE = "done"
    KNOWN = "known"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Chaincode:
    """What one organisation runs for a ledger.

    It endorses the founding on `terms`, or on any where that is None. `clock` gives this
    organisation's time in seconds.
    """

    ledger: LedgerId
    terms: FoundingTerms | None
    clock: Callable[[], int]

    def invoke(self, stub: ChaincodeStub) -> bytes:
        """Try a transaction; gives its answer (port `ChaincodeContract`).

        Raises:
            ChaincodeRefusal: it is not to be endorsed, and nothing it wrote counts.
        """
        match list(stub.arguments):
            case [b"found", terms]:
                return self._found(stub, terms)
            case [b"tick", time]:
                return self._tick(stub, _number(time))
            case [b"acts", *acts] if 0 < len(acts) <= MAX_ACTS:
                return self._carry_out(stub, acts)
            case [b"read", *paths] if 0 < len(paths) <= MAX_PATHS:
                return self._read(stub, paths)
            case [b"about"]:
                return encode_value((stub.get(TERMS), _time(stub)))
        called = stub.arguments[0][:40] if stub.arguments else b""
        raise ChaincodeRefusal(f"{called!r} of {len(stub.arguments)} arguments is nothing here.")

    def _found(self, stub: ChaincodeStub, encoded: bytes) -> bytes:
        if stub.get(TERMS) is not None:
            raise ChaincodeRefusal("The ledger was founded before.")
        try:
            terms = FoundingTerms.decode(encoded)
        except FabricTermsInvalid as error:
            raise ChaincodeRefusal(error.what) from error
        if terms.ledger != self.ledger:
            raise ChaincodeRefusal(f"This is {self.ledger}, not {terms.ledger}.")
        if self.terms not in (None, terms):
            raise ChaincodeRefusal(NOT_AGREED)
        stub.put(TERMS, encoded)
        frame = Overlay(ContractState(stub))
        first = Execution(frame, _HEIGHT, _time(stub), Account(terms.administrator.encode()))
        contracts = _setup(encoded).rules.contracts
        contracts.found(first, first.caller, Account(terms.guardian.encode()))
        frame.commit()
        return b""

    def _tick(self, stub: ChaincodeStub, time: int) -> bytes:
        now = _time(stub)
        if time < now + TICK_SECONDS:
            raise ChaincodeRefusal(f"It is {now} here: {time} is not {TICK_SECONDS} seconds later.")
        if time > self.clock() + MAX_SKEW:
            raise ChaincodeRefusal(f"{time} is ahead of this organisation's clock.")
        stub.put(CLOCK, time.to_bytes(8))
        return b""

    def _carry_out(self, stub: ChaincodeStub, raws: Sequence[bytes]) -> bytes:
        rules = self._rules(stub)
        time = _time(stub)
        frame = Overlay(ContractState(stub))
        told: dict[str, bytes] = {}
        statuses: list[tuple[str, str]] = []
        for raw in raws:
            try:
                signed = _admitted(rules, raw, time)
            except (CallInvalid, ValueError) as error:
                statuses.append((ActStatus.INVALID, str(error)))
                continue
            if signed.tx in told or stub.get(act_name(signed.tx)) is not None:
                statuses.append((ActStatus.KNOWN, ""))
                continue
            outcome = rules.perform(signed, frame, _HEIGHT, time)
            told[signed.tx] = ToldAct(len(told), signed.envelope.author, outcome).encode()
            statuses.append((ActStatus.DONE, ""))
        size = sum(map(len, told.values()))
        if size > MAX_TOLD_BYTES:
            raise ChaincodeRefusal(f"It would tell {size} bytes: at most {MAX_TOLD_BYTES}.")
        for tx, each in told.items():
            stub.put(act_name(tx), kept(each))
        frame.commit()
        return encode_value(tuple(statuses))

    def _read(self, stub: ChaincodeStub, raws: Sequence[bytes]) -> bytes:
        time = _time(stub)  # before the rest, so that what is absent is absent at that time
        commitments, state = self._rules(stub).contracts.gateway.commitments, ContractState(stub)
        paths: list[Path] = []
        values: list[bytes | None] = []
        try:
            for raw in raws:
                path = read_path(raw)
                if path.kind is PathKind.RECEIPT:
                    there = commitments.has_receipt(state, path.client, path.sequence)
                    values.append(RECEIVED if there else None)
                else:
                    values.append(commitments.get(state, path))
                paths.append(path)
            found = tuple(paths), tuple(values)
            return StateReads(self.ledger, stub.channel, time, *found).encode()
        except ValueError as error:
            raise ChaincodeRefusal(f"That cannot be read: {error}.") from error

    def _rules(self, stub: ChaincodeStub) -> ActRules:
        """Give the rules of the ledger that was founded here; refuses where none was."""
        encoded = stub.get(TERMS)
        if encoded is None:
            raise ChaincodeRefusal(f"{self.ledger} was not founded here.")
        return _setup(encoded).rules


def _admitted(rules: ActRules, raw: bytes, time: int) -> SignedAct:
    signed = decode_act(raw, rules.accounts)
    rules.admit(signed, time)
    return signed


@lru_cache(maxsize=1)
def _setup(terms: bytes) -> LedgerSetup:
    """Give what a ledger is made of by its terms, which never change."""
    known = FoundingTerms.decode(terms)
    return LedgerSetup(known.ledger, known.accounting)


def _time(stub: ChaincodeStub) -> int:
    return int.from_bytes(stub.get(CLOCK) or b"")


def _number(text: bytes) -> int:
    """Read a number from decimal digits without leading zeros."""
    if text.isdigit() and len(text) <= _MAX_NUMBER and (text == b"0" or text[:1] != b"0"):
        number = int(text)
        if number < 1 << 63:
            return number
    raise ChaincodeRefusal(f"{text[:40]!r} is no number.")
