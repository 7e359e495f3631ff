"""The chaincode: CAIMI's contracts, carried out over what one peer keeps.

A peer asks its organisation's own process to try a transaction, and signs what came of it; the
others' do the same, and what they sign has to be equal. So everything here follows from the state
and the arguments alone, but for one thing: whether a tick is ahead of this organisation's clock,
which it answers for with its signature.

Whatever an act does is done once: its name is kept, and who reads that it is not there conflicts
with who writes it. Every act reads the clock, so that one which was endorsed before a tick, and is
ordered after it, is not valid: no packet is both received and timed out, and what has lapsed never
takes effect.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from caimi.contracts.execution import Execution
from caimi.contracts.identifiers import Account
from caimi.contracts.state import Overlay
from caimi.errors.fabric import ChaincodeRefusal
from caimi.errors.ledgers import CallInvalid
from caimi.ibc.path import Path, PathKind
from caimi.ledgers.fabric.chaincode.contract_state import ContractState
from caimi.ledgers.fabric.chaincode.stub import ChaincodeStub
from caimi.ledgers.fabric.keys import CLOCK, LEDGER, act_name, kept
from caimi.ledgers.fabric.reads import MAX_PATHS, RECEIVED, StateReads, read_path
from caimi.ledgers.fabric.telling import EVENT, ToldAct, encode_told
from caimi.ledgers.machine.calls import SignedAct, decode_act
from caimi.ledgers.machine.rules import ActRules
from caimi.ledgers.machine.values import encode_value

MAX_ACTS: Final = 100
MAX_TOLD_BYTES: Final = 1 << 20
MAX_SKEW: Final = 5
"""How many seconds a tick may be ahead of an endorser's clock."""
TICK_SECONDS: Final = 5
"""How far apart ticks are at least: each undoes what was endorsed before it."""
_MAX_NUMBER: Final = 20  # digits


class ActStatus(StrEnum):
    """What became of an act in a transaction."""

    DONE = "done"
    KNOWN = "known"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Chaincode:
    """What an organisation runs. All of them must be set up alike, but for their clocks.

    `administrator` and `guardian` (native accounts) are who begins: an organisation that was told
    of others does not endorse the founding. `clock` gives this organisation's time in seconds.
    """

    rules: ActRules
    administrator: bytes
    guardian: bytes
    clock: Callable[[], int]

    def invoke(self, stub: ChaincodeStub) -> bytes:
        """Try a transaction; gives its answer (port `ChaincodeContract`).

        Raises:
            ChaincodeRefusal: it is not to be endorsed, and nothing it wrote counts.
        """
        match list(stub.arguments):
            case [b"found"]:
                return self._found(stub)
            case [b"tick", time]:
                return self._tick(stub, _number(time))
            case [b"acts", height, *acts] if 0 < len(acts) <= MAX_ACTS:
                return self._carry_out(stub, _number(height), acts)
            case [b"read", *paths] if 0 < len(paths) <= MAX_PATHS:
                return self._read(stub, paths)
            case [b"about"]:
                return encode_value((stub.get(LEDGER), _time(stub)))
        called = stub.arguments[0][:40] if stub.arguments else b""
        raise ChaincodeRefusal(f"{called!r} of {len(stub.arguments)} arguments is nothing here.")

    def _found(self, stub: ChaincodeStub) -> bytes:
        if stub.get(LEDGER) is not None:
            raise ChaincodeRefusal("The ledger was founded before.")
        stub.put(LEDGER, self.rules.ledger.encode())
        frame = Overlay(ContractState(stub))
        first = Execution(frame, 0, _time(stub), Account(self.administrator))
        self.rules.contracts.found(first, first.caller, Account(self.guardian))
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

    def _carry_out(self, stub: ChaincodeStub, height: int, raws: Sequence[bytes]) -> bytes:
        self._require_founded(stub)
        time = _time(stub)
        frame = Overlay(ContractState(stub))
        told: dict[str, ToldAct] = {}
        statuses: list[tuple[str, str]] = []
        for raw in raws:
            try:
                signed = self._admitted(raw, time)
            except (CallInvalid, ValueError) as error:
                statuses.append((ActStatus.INVALID, str(error)))
                continue
            if signed.tx in told or stub.get(act_name(signed.tx)) is not None:
                statuses.append((ActStatus.KNOWN, ""))
                continue
            outcome = self.rules.perform(signed, frame, height, time)
            stub.put(act_name(signed.tx), kept(b""))
            told[signed.tx] = ToldAct(signed.tx, signed.envelope.author, outcome)
            statuses.append((ActStatus.DONE, ""))
        if told:
            frame.commit()
            payload = encode_told(tuple(told.values()))
            if len(payload) > MAX_TOLD_BYTES:
                raise ChaincodeRefusal(
                    f"It would tell {len(payload)} bytes: at most {MAX_TOLD_BYTES}."
                )
            stub.raise_event(EVENT, payload)
        return encode_value(tuple(statuses))

    def _read(self, stub: ChaincodeStub, raws: Sequence[bytes]) -> bytes:
        time = _time(stub)  # before the rest, so that what is absent is absent at that time
        self._require_founded(stub)
        commitments, state = self.rules.contracts.gateway.commitments, ContractState(stub)
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
            ledger = self.rules.ledger
            return StateReads(ledger, stub.channel, time, tuple(paths), tuple(values)).encode()
        except ValueError as error:
            raise ChaincodeRefusal(f"That cannot be read: {error}.") from error

    def _require_founded(self, stub: ChaincodeStub) -> None:
        if stub.get(LEDGER) != self.rules.ledger.encode():
            raise ChaincodeRefusal(f"{self.rules.ledger} was not founded here.")

    def _admitted(self, raw: bytes, time: int) -> SignedAct:
        signed = decode_act(raw, self.rules.accounts)
        self.rules.admit(signed, time)
        return signed


def _time(stub: ChaincodeStub) -> int:
    return int.from_bytes(stub.get(CLOCK) or b"")


def _number(text: bytes) -> int:
    """Read a number from decimal digits without leading zeros."""
    if text.isdigit() and len(text) <= _MAX_NUMBER and (text == b"0" or text[:1] != b"0"):
        number = int(text)
        if number < 1 << 63:
            return number
    raise ChaincodeRefusal(f"{text[:40]!r} is no number.")
