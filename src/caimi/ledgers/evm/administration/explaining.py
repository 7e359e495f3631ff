"""What the calls of an administrator do, in words; a call that CAIMI does not make has none.

Only what is listed here is explained: to anything else an administrator's signature is refused,
since one call of the AccessManager gives a ledger away.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from caimi.errors.batches import UnknownCall
from caimi.ledgers.evm.abi.codec import DecodingError, Value
from caimi.ledgers.evm.abi.interface import Method, decode
from caimi.ledgers.evm.administration.deploying import GUARDIAN_ROLE, KINDS
from caimi.ledgers.evm.administration.route_clients import CONTRACTS, FREEZABLE, PROPOSER_ROLE
from caimi.ledgers.evm.administration.timelock import TimelockCall, described
from caimi.ledgers.evm.artifacts import artifact
from caimi.ledgers.port import OPTIMISTIC

if TYPE_CHECKING:
    from caimi.ledgers.evm.ledger import EvmLedger

TIMELOCK: Final = "timelock"
_CHANGES: Final[Mapping[tuple[str, str], str]] = {
    ("gateway", "addClient"): "route add: a new route",
    ("gateway", "setCounterparty"): "route add: naming the other end",
    ("gateway", "unpauseRoute"): "unpause-route",
    ("gateway", "recoverClient"): "recover-client",
    ("gateway", "migrateClient"): "migrate-client",
    ("bridge", "unpause"): "unpause-bridge",
    ("bridge", "closeBreaker"): "close-breaker",
    ("market", "closeBreaker"): "close-breaker --licences",
    ("bridge", "setLimits"): "set-limits",
    ("market", "setLimits"): "set-sales or set-payments",
    ("bridge", "setSupplyCap"): "set-supply-cap",
    ("exit", "open"): "open-exit",
}
"""The name of each change, by the contract and the function that makes it."""
_MAX_DEPTH: Final = 4


class Explainer:
    """Explains calls on one ledger, whose administrator may be the timelock at an address."""

    def __init__(self, ledger: EvmLedger, timelock: bytes = b"") -> None:
        self._ledger = ledger
        contracts = ledger.deployment.contracts
        self._places = {address: (name, KINDS[name]) for name, address in contracts.items()}
        if timelock:
            self._places[timelock] = (TIMELOCK, "TimelockController")

    def explain(self, call: TimelockCall) -> list[str]:
        """Say what a call does, a line for each step; a step within another is indented.

        Raises:
            UnknownCall: it, or one within it, is no change that CAIMI makes.
        """
        return list(self._said(call, 0))

    def _said(self, call: TimelockCall, depth: int) -> Iterator[str]:
        place, method, values = self._read(call)
        shown = described(place, method, values)
        if call.value:
            raise UnknownCall(f"{shown} pays {call.value} of the smallest coins.")
        margin = "  " * depth
        if place == TIMELOCK and depth == 0:
            yield from self._of_timelock(method, values)
        elif place == "authority":
            yield from (margin + each for each in self._of_authority(method, values, shown, depth))
        elif (place, method.name) in _CHANGES:
            yield f"{margin}{_CHANGES[place, method.name]}: {shown}"
        else:
            raise UnknownCall(f"{shown} is no change that CAIMI makes.")

    def _read(self, call: TimelockCall) -> tuple[str, Method, tuple[Value, ...]]:
        known = self._places.get(call.target)
        if known is None:
            raise UnknownCall(
                f"A call of 0x{call.data[:4].hex()} goes to 0x{call.target.hex()}, which is no "
                "contract of this deployment, nor its timelock."
            )
        place, kind = known
        for method in artifact(kind).interface.methods.values():
            if method.selector == call.data[:4]:
                try:
                    values = decode(method.inputs, call.data[4:])
                except DecodingError as error:
                    raise UnknownCall(f"{place}.{method.name} with damaged arguments.") from error
                if method.encode(*values) != call.data:
                    raise UnknownCall(f"{place}.{method.name} with more than its arguments.")
                return place, method, values
        raise UnknownCall(f"{place} has no function 0x{call.data[:4].hex()}.")

    def _of_timelock(self, method: Method, values: tuple[Value, ...]) -> Iterator[str]:
        match method.name, values:
            case "schedule", (target, value, data, _, _, delay):
                steps = [TimelockCall(target, value, data)]
                yield f"propose, to be carried out after {delay} s"
            case "scheduleBatch", (targets, amounts, payloads, _, _, delay):
                steps = _steps(targets, amounts, payloads)
                yield f"propose, to be carried out together after {delay} s"
            case "execute", (target, value, data, _, _):
                steps = [TimelockCall(target, value, data)]
                yield "carry out what has waited"
            case "executeBatch", (targets, amounts, payloads, _, _):
                steps = _steps(targets, amounts, payloads)
                yield "carry out what has waited, together"
            case "cancel", (known,):
                steps = []
                yield f"cancel the operation 0x{known.hex()}"
            case _:
                raise UnknownCall(f"{described(TIMELOCK, method, values)}: no change of CAIMI's.")
        for step in steps:
            yield from self._said(step, 1)

    def _of_authority(
        self, method: Method, values: tuple[Value, ...], shown: str, depth: int
    ) -> Iterator[str]:
        """Explain what `route add` asks of the AccessManager, and nothing else."""
        authority = self._ledger.deployment.contracts["authority"]
        match method.name, values:
            case "multicall", (parts,) if depth < _MAX_DEPTH:
                yield "route add: together"
                for part in parts:
                    yield from self._said(TimelockCall(authority, 0, part), depth + 1)
            case "setTargetFunctionRole", (target, selectors, role) if (
                target not in self._places and (tuple(selectors), role) in _assigned()
            ):
                who = "guardians freeze" if role == GUARDIAN_ROLE else "proposers make claims of"
                yield f"route add: letting {who} the client 0x{target.hex()}"
            case "grantRole", (role, who, 0) if role == PROPOSER_ROLE:
                yield f"route add: letting 0x{who.hex()} propose claims"
            case "labelRole", (role, "proposer") if role == PROPOSER_ROLE:
                yield "route add: naming the role of who proposes claims"
            case _:
                raise UnknownCall(f"{shown} is no change that CAIMI makes.")


def _assigned() -> set[tuple[tuple[bytes, ...], int]]:
    """Give which functions of a client are given to which role."""
    freezes = [artifact(CONTRACTS[kind]).interface["freeze"].selector for kind in FREEZABLE]
    claims = artifact(CONTRACTS[OPTIMISTIC]).interface["propose"].selector
    return {((each,), GUARDIAN_ROLE) for each in freezes} | {((claims,), PROPOSER_ROLE)}


def _steps(targets: Value, amounts: Value, payloads: Value) -> list[TimelockCall]:
    if not len(targets) == len(amounts) == len(payloads):
        raise UnknownCall("The timelock is given calls whose parts are of other numbers.")
    return [TimelockCall(*each) for each in zip(targets, amounts, payloads, strict=True)]
