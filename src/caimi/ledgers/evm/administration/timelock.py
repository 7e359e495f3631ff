"""The timelock that administers a ledger: what waits in it, and calls that move it on.

OpenZeppelin's TimelockController publishes every scheduled call with its arguments and delay, so
that anyone can see a change before it takes effect. An operation's id is the hash of its calls, its
predecessor and a salt; our salts count how often the same change was made before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from caimi.errors.ledgers import ProposalRefused
from caimi.hashing import keccak256
from caimi.ledgers.evm.abi.calls import EvmCall
from caimi.ledgers.evm.abi.codec import DecodingError, Value
from caimi.ledgers.evm.abi.interface import Method, decode, encode
from caimi.ledgers.evm.administration.roles import seen
from caimi.ledgers.evm.artifacts import CONTRACTS, artifact
from caimi.ledgers.evm.rpc.contract import Contract
from caimi.ledgers.port import Exactly

if TYPE_CHECKING:
    from caimi.ledgers.evm.ledger import EvmLedger

PROPOSER = keccak256(b"PROPOSER_ROLE")
EXECUTOR = keccak256(b"EXECUTOR_ROLE")
CANCELLER = keccak256(b"CANCELLER_ROLE")
OWNER = bytes(32)
"""Who gives and takes the other three: after a hand-over the timelock alone."""
_ROLES = (OWNER, PROPOSER, EXECUTOR, CANCELLER)
_NONE = bytes(32)
DONE = 1
"""The timestamp of an operation that was carried out."""
CANCELLED_OR_NEW = 0
"""That of one which was never proposed, or was cancelled."""
_REPETITIONS = 64
_PLAIN = re.compile(r"[-A-Za-z0-9._+#\[\]<>/]+")
"""What client ids are made of (ICS-24), and lanes of theirs: ``client/asset``.

Other text stands in quotes, lest it be read as more.
"""


@dataclass(frozen=True, slots=True)
class TimelockCall:
    """One call of an operation."""

    target: bytes
    value: int
    data: bytes


@dataclass(frozen=True, slots=True)
class TimelockOperation:
    """A change that waits: `ready_at` in seconds since the epoch, `says` each step in words."""

    id: bytes
    steps: tuple[TimelockCall, ...]
    predecessor: bytes
    salt: bytes
    ready_at: int
    says: tuple[str, ...]


class Timelock:
    """A TimelockController on one ledger."""

    def __init__(self, ledger: EvmLedger, address: bytes) -> None:
        self._ledger = ledger
        self._contract = Contract(ledger.chain, address, artifact("TimelockController").interface)
        self.address = address

    async def delay(self) -> int:
        """Give the delay in seconds that every operation waits at least."""
        (seconds,) = await self._contract.read("getMinDelay")
        return int(seconds)

    async def holders(self) -> Mapping[bytes, tuple[bytes, ...]]:
        """Give who holds each of the four roles, in ascending order."""
        head = await self._ledger.chain.head_height()
        granted = await seen(self._ledger, self._contract, "RoleGranted", head)
        pairs = sorted({(bytes(one["role"]), bytes(one["account"])) for one in granted})
        held = await self._ledger.chain.reads(
            [self._contract.reading("hasRole", *pair) for pair in pairs], Exactly(head)
        )
        found: dict[bytes, tuple[bytes, ...]] = dict.fromkeys(_ROLES, ())
        for (role, account), (holds,) in zip(pairs, held, strict=True):
            if holds:
                found[role] = (*found.get(role, ()), account)
        return found

    async def pending(self) -> list[TimelockOperation]:
        """List the operations that wait, or are ready and not carried out, the next one first."""
        head = await self._ledger.chain.head_height()
        scheduled = await seen(self._ledger, self._contract, "CallScheduled", head)
        salted = await seen(self._ledger, self._contract, "CallSalt", head)
        salts = {bytes(one["id"]): bytes(one["salt"]) for one in salted}
        # One that was cancelled and scheduled again is in the log twice, the same both times.
        calls: dict[bytes, dict[int, dict[str, Value]]] = {}
        for one in scheduled:
            calls.setdefault(bytes(one["id"]), {})[int(one["index"])] = one
        times = await self._ledger.chain.reads(
            [self._contract.reading("getTimestamp", known) for known in calls], Exactly(head)
        )
        found = []
        for (known, parts), (ready_at,) in zip(calls.items(), times, strict=True):
            if ready_at <= DONE:
                continue
            steps = tuple(
                TimelockCall(parts[at]["target"], parts[at]["value"], parts[at]["data"])
                for at in sorted(parts)
            )
            predecessor, salt = bytes(parts[0]["predecessor"]), salts.get(known, _NONE)
            said = tuple(describe(self._ledger, step) for step in steps)
            found.append(TimelockOperation(known, steps, predecessor, salt, int(ready_at), said))
        return sorted(found, key=lambda operation: (operation.ready_at, operation.id))

    async def operation(self, operation_id: bytes) -> TimelockOperation:
        """Give one that is pending.

        Raises:
            ProposalRefused: none of this id is.
        """
        for operation in await self.pending():
            if operation.id == operation_id:
                return operation
        raise ProposalRefused(
            f"No operation 0x{operation_id.hex()} is pending on {self._ledger.id}: it was never "
            "proposed, was cancelled, or has been carried out."
        )

    async def propose(self, change: EvmCall[object]) -> tuple[bytes, EvmCall[None]]:
        """Give the id and the call that schedule `change` after the timelock's delay.

        Raises:
            ProposalRefused: the same change is pending already.
        """
        step = TimelockCall(change.target, change.value, change.data)
        salts = [count.to_bytes(32, "big") for count in range(_REPETITIONS)]
        ids = [_single(step, _NONE, salt) for salt in salts]
        times = await self._ledger.chain.reads(
            [self._contract.reading("getTimestamp", one) for one in ids]
        )
        for one, salt, (ready_at,) in zip(ids, salts, times, strict=True):
            if ready_at > DONE:
                raise ProposalRefused(
                    f"{change.what} is pending on {self._ledger.id} already, "
                    f"as operation 0x{one.hex()}."
                )
            if ready_at == 0:
                return one, self._contract.call(
                    f"Proposing: {change.what}",
                    "schedule",
                    step.target,
                    step.value,
                    step.data,
                    _NONE,
                    salt,
                    await self.delay(),
                )
        raise ProposalRefused(
            f"{change.what} was carried out {_REPETITIONS} times on {self._ledger.id}; "
            "propose it with a salt of your own."
        )

    async def together(self, changes: Sequence[EvmCall[object]]) -> TimelockOperation:
        """Give the one operation, of no salt, that makes `changes` together, as it stands now.

        Its `ready_at` is `CANCELLED_OR_NEW` where it does not wait, and `DONE` once it was made.
        """
        steps = tuple(TimelockCall(each.target, each.value, each.data) for each in changes)
        single = len(steps) == 1
        known = _single(steps[0], _NONE, _NONE) if single else _batch(steps, _NONE, _NONE)
        said = tuple(describe(self._ledger, step) for step in steps)
        return await self.again(TimelockOperation(known, steps, _NONE, _NONE, 0, said))

    async def again(self, operation: TimelockOperation) -> TimelockOperation:
        """Give an operation as it stands now; see `together`."""
        (ready_at,) = await self._contract.read("getTimestamp", operation.id)
        return replace(operation, ready_at=int(ready_at))

    async def schedule(self, what: str, operation: TimelockOperation) -> EvmCall[None]:
        """Give the call that proposes what `together` gave, to be made after the delay."""
        steps, delay = operation.steps, await self.delay()
        names = operation.predecessor, operation.salt, delay
        if len(steps) == 1:
            one = steps[0]
            arguments: tuple[Value, ...] = (one.target, one.value, one.data)
        else:
            arguments = (
                [step.target for step in steps],
                [step.value for step in steps],
                [step.data for step in steps],
            )
        method = "schedule" if len(steps) == 1 else "scheduleBatch"
        return self._contract.call(f"Proposing: {what}", method, *arguments, *names)

    def execute(self, operation: TimelockOperation) -> EvmCall[None]:
        """Give the call that carries an operation out.

        Raises:
            ProposalRefused: its id is not that of what was published under it.
        """
        what = f"Carrying out {'; '.join(operation.says)}"
        targets = [step.target for step in operation.steps]
        values = [step.value for step in operation.steps]
        payloads = [step.data for step in operation.steps]
        if operation.id == _single(operation.steps[0], operation.predecessor, operation.salt):
            return self._contract.call(
                what,
                "execute",
                targets[0],
                values[0],
                payloads[0],
                operation.predecessor,
                operation.salt,
                value=values[0],
            )
        if operation.id != _batch(operation.steps, operation.predecessor, operation.salt):
            raise ProposalRefused(
                f"What was published as operation 0x{operation.id.hex()} has another id."
            )
        return self._contract.call(
            what,
            "executeBatch",
            targets,
            values,
            payloads,
            operation.predecessor,
            operation.salt,
            value=sum(values),
        )

    def cancel(self, operation: TimelockOperation) -> EvmCall[None]:
        """Give the call that takes an operation back."""
        return self._contract.call(
            f"Cancelling {'; '.join(operation.says)}", "cancel", operation.id
        )


def describe(ledger: EvmLedger, step: TimelockCall) -> str:
    """Write a call as ``contract.function(arguments)``; what is unknown stays hexadecimal."""
    places = {address: name for name, address in ledger.deployment.contracts.items()}
    place = places.get(step.target, f"0x{step.target.hex()}")
    for kind in CONTRACTS:
        for method in artifact(kind).interface.methods.values():
            if method.selector != step.data[:4]:
                continue
            try:
                values = decode(method.inputs, step.data[4:])
            except DecodingError:
                continue
            return described(place, method, values)
    return f"{place}: 0x{step.data.hex()}"


def described(place: str, method: Method, values: Sequence[Value]) -> str:
    """Write a call of a contract as ``contract.function(arguments)``."""
    return f"{place}.{method.name}({', '.join(map(_shown, values))})"


def _shown(value: Value) -> str:
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    if isinstance(value, tuple):
        return f"({', '.join(map(_shown, value))})"
    if isinstance(value, str) and not _PLAIN.fullmatch(value):
        return json.dumps(value)
    return str(value)


def _single(step: TimelockCall, predecessor: bytes, salt: bytes) -> bytes:
    types = ["address", "uint256", "bytes", "bytes32", "bytes32"]
    return keccak256(encode(types, [step.target, step.value, step.data, predecessor, salt]))


def _batch(steps: Sequence[TimelockCall], predecessor: bytes, salt: bytes) -> bytes:
    types = ["address[]", "uint256[]", "bytes[]", "bytes32", "bytes32"]
    targets = [step.target for step in steps]
    values, payloads = [step.value for step in steps], [step.data for step in steps]
    return keccak256(encode(types, [targets, values, payloads, predecessor, salt]))
