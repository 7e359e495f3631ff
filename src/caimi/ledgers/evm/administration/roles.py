"""Who may do what on a ledger, read from its AccessManager.

The manager lists neither members nor functions, so its events name the candidates and its state
says which of them hold now: a node that leaves an event out can hide a holder, never invent one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from caimi.ledgers.evm.abi.codec import Value
from caimi.ledgers.evm.administration.deploying import BRIDGE_ROLE, EXIT_ROLE, GUARDIAN_ROLE
from caimi.ledgers.evm.artifacts import artifact
from caimi.ledgers.evm.rpc.contract import Contract
from caimi.ledgers.evm.rpc.logs import EventReader
from caimi.ledgers.port import Exactly

if TYPE_CHECKING:
    from caimi.ledgers.evm.ledger import EvmLedger

ADMIN_ROLE = 0
STOPS = {
    "CommitteeClient": ("freeze",),
    "EmergencyExit": ("stop",),
    "EndorsedReadsClient": ("freeze",),
    "Gateway": ("pauseRoute",),
    "LicenceMarket": ("openBreaker",),
    "ModelBridge": ("pause", "openBreaker"),
    "OptimisticClient": ("freeze",),
}
"""What guardians may call: it stops something and moves nothing."""
MINTING = ("mintForeign", "burnForeign")
UNLOCKING = ("unlockDead",)
REFUNDING = ("refundDead",)
CLAIMING = ("propose",)
"""Of an optimistic client: a claim is bonded, and can be challenged before it counts."""


@dataclass(frozen=True, slots=True, order=True)
class Function:
    """A restricted function of a contract, and the role that may call it."""

    target: bytes
    selector: bytes
    role: int


@dataclass(frozen=True, slots=True)
class Roles:
    """What an AccessManager says at one height.

    `members` gives each role's holders with their execution delays in seconds; `functions` what
    others than administrators may call; `foreign` the roles that another role than the
    administrators' gives; `slow` what delays a change beside the administrators' own delay.
    """

    members: Mapping[int, Mapping[bytes, int]]
    functions: tuple[Function, ...]
    foreign: tuple[int, ...]
    slow: tuple[str, ...]

    def of(self, role: int) -> tuple[bytes, ...]:
        """Give a role's holders in ascending order."""
        return tuple(sorted(self.members.get(role, {})))

    def ways_around(self, contracts: Mapping[str, bytes]) -> list[str]:
        """Say what lets anyone but an administrator do more than stop, in words; [] when nothing.

        `contracts` are the deployment's: the bridge alone may mint, the exit alone give back what
        is locked or held towards a dead ledger, guardians only stop.
        """
        stops = {artifact(kind).interface[name].selector for kind in STOPS for name in STOPS[kind]}
        claims = {artifact("OptimisticClient").interface[name].selector for name in CLAIMING}
        minting = {artifact("ModelRegistry").interface[name].selector for name in MINTING}
        unlocking = {artifact("ModelBridge").interface[name].selector for name in UNLOCKING}
        refunding = {artifact("LicenceMarket").interface[name].selector for name in REFUNDING}
        own = {
            (BRIDGE_ROLE, contracts["registry"]): minting,
            (EXIT_ROLE, contracts["bridge"]): unlocking,
            (EXIT_ROLE, contracts["market"]): refunding,
        }
        ways = [
            f"role {entry.role} may call 0x{entry.selector.hex()} of 0x{entry.target.hex()}"
            for entry in self.functions
            if entry.selector not in claims
            and not (entry.role == GUARDIAN_ROLE and entry.selector in stops)
            and entry.selector not in own.get((entry.role, entry.target), ())
        ]
        for role, name in ((BRIDGE_ROLE, "bridge"), (EXIT_ROLE, "exit")):
            ways += [
                f"0x{who.hex()} may do what the {name} alone may"
                for who in self.of(role)
                if who != contracts[name]
            ]
        return ways + [
            f"role {role} is given by another than administrators" for role in self.foreign
        ]


def authority_of(ledger: EvmLedger) -> Contract:
    """Give the ledger's AccessManager."""
    address = ledger.deployment.contracts["authority"]
    return Contract(ledger.chain, address, artifact("AccessManager").interface)


async def read_roles(ledger: EvmLedger) -> Roles:
    """Read a ledger's roles at its newest block.

    Raises:
        EventInvalid, LedgerAnswerInvalid: the node does not say what an AccessManager would.
    """
    authority = authority_of(ledger)
    head = await ledger.chain.head_height()
    granted = await seen(ledger, authority, "RoleGranted", head)
    assigned = await seen(ledger, authority, "TargetFunctionRoleUpdated", head)
    holders = sorted({(int(one["roleId"]), bytes(one["account"])) for one in granted})
    pairs = sorted({(bytes(one["target"]), bytes(one["selector"])) for one in assigned})
    roles = sorted({role for role, _ in holders})
    targets = sorted({target for target, _ in pairs} | set(ledger.deployment.contracts.values()))

    async def reads(method: str, arguments: list[tuple[Value, ...]]) -> list[tuple[Value, ...]]:
        return await ledger.chain.reads(
            [authority.reading(method, *one) for one in arguments], Exactly(head)
        )

    members: dict[int, dict[bytes, int]] = {}
    for (role, who), (holds, delay) in zip(
        holders, await reads("hasRole", [*holders]), strict=True
    ):
        if holds:
            members.setdefault(role, {})[who] = delay
    allowed = [role for (role,) in await reads("getTargetFunctionRole", [*pairs])]
    givers = [giver for (giver,) in await reads("getRoleAdmin", [(role,) for role in roles])]
    waits = [wait for (wait,) in await reads("getRoleGrantDelay", [(role,) for role in roles])]
    late = [wait for (wait,) in await reads("getTargetAdminDelay", [(one,) for one in targets])]
    return Roles(
        members,
        tuple(
            Function(target, selector, role)
            for (target, selector), role in zip(pairs, allowed, strict=True)
            if role != ADMIN_ROLE
        ),
        tuple(role for role, giver in zip(roles, givers, strict=True) if giver != ADMIN_ROLE),
        tuple(
            [
                f"role {role} takes {wait} s to be given"
                for role, wait in zip(roles, waits, strict=True)
                if wait
            ]
            + [
                f"0x{target.hex()} takes {wait} s to be administered"
                for target, wait in zip(targets, late, strict=True)
                if wait
            ]
        ),
    )


async def seen(
    ledger: EvmLedger, contract: Contract, name: str, head: int
) -> list[dict[str, Value]]:
    """Give the values of every event `name` of a contract from the deployment up to `head`."""
    event = contract.interface.events[name]
    reader = EventReader(ledger.chain, {})
    logs = await reader.raw([contract.address], [event.topic], ledger.deployed_at, head)
    return [event.decode(log.topics, log.data) for log in logs]
