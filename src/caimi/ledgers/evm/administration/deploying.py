"""Putting CAIMI's contracts on a ledger.

Every transaction has an outbox key, so a deployment that was killed goes on where it stopped.

Roles of the AccessManager: the deployer administers (routes, applications, roles); the bridge alone
mints and burns foreign models; the emergency exit alone gives back what is locked towards a dead
ledger; guardians can only stop things (pause the bridge or one route, freeze a client, end an
exit).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from caimi.ibc.applications import APPLICATIONS
from caimi.ledgers.evm.abi.calls import EvmCall, Included, contract_creation
from caimi.ledgers.evm.abi.codec import Value
from caimi.ledgers.evm.abi.interface import encode
from caimi.ledgers.evm.administration.resuming import begun_first
from caimi.ledgers.evm.artifacts import artifact
from caimi.ledgers.evm.deployment import Deployment
from caimi.ledgers.evm.rpc.chain import Chain
from caimi.ledgers.evm.rpc.contract import Contract
from caimi.ledgers.evm.rpc.logs import EventReader
from caimi.ledgers.evm.transactions.sender import Sender
from caimi.ledgers.port import Outbox, Signer

BRIDGE_ROLE = 1
GUARDIAN_ROLE = 2
EXIT_ROLE = 3
EXIT_DELAY = 30 * 24 * 3600
"""Seconds that an emergency exit lies open before a committee is heard; the least there can be."""

KINDS: Final[Mapping[str, str]] = {
    "authority": "AccessManager",
    "gateway": "Gateway",
    "registry": "ModelRegistry",
    "receipts": "ReceiptLog",
    "bridge": "ModelBridge",
    "market": "LicenceMarket",
    "messages": "MessagePort",
    "fees": "RelayFees",
    "exit": "EmergencyExit",
}
"""What each contract of a deployment is, in the order in which they are made."""

ROLES: Final[Mapping[int, tuple[str, Mapping[str, tuple[str, ...]]]]] = {
    BRIDGE_ROLE: ("bridge", {"registry": ("mintForeign", "burnForeign")}),
    GUARDIAN_ROLE: (
        "guardian",
        {
            "bridge": ("pause", "openBreaker"),
            "market": ("openBreaker",),
            "gateway": ("pauseRoute",),
            "exit": ("stop",),
        },
    ),
    EXIT_ROLE: ("exit", {"bridge": ("unlockDead",), "market": ("refundDead",)}),
}
"""Each role's label, and what it may call of which contract."""

_WAVES: Final = (
    ("authority",),
    ("gateway", "registry", "receipts"),
    ("bridge", "market", "messages", "fees"),
    ("exit",),
)
"""What needs nothing of one another is made at once."""


class _Works:
    """Submits one deployer's calls under keys of one prefix."""

    def __init__(self, chain: Chain, signer: Signer, outbox: Outbox | None, prefix: str) -> None:
        self._chain = chain
        self._sender = Sender(chain, EventReader(chain, {}))
        self._signer = signer
        self._outbox = outbox
        self._prefix = prefix

    async def submit(self, calls: Mapping[str, EvmCall[object]]) -> dict[str, Included]:
        """Carry out calls that need nothing of one another, by the last parts of their keys."""
        keys = {f"{self._prefix}/{step}": step for step in calls}
        done = await begun_first(
            self._outbox,
            {key: partial(self._one, key, calls[step]) for key, step in keys.items()},
        )
        return {step: done[key] for key, step in keys.items()}

    async def _one(self, key: str, call: EvmCall[object]) -> Included:
        return await self._sender.submit(call, self._signer, self._outbox, key)

    def creation(self, name: str, *arguments: Value) -> EvmCall[object]:
        contract = artifact(KINDS[name])
        data = contract.bytecode + encode(contract.interface.constructor, arguments)
        return contract_creation(self._chain.ledger, f"Deploying {contract.name}", data)


async def deploy(
    chain: Chain,
    signer: Signer,
    *,
    guardian: bytes | None = None,
    outbox: Outbox | None = None,
    key: str = "deploy",
) -> Deployment:
    """Deploy everything on a ledger and set the roles; `guardian` is the deployer unless given.

    Raises:
        InsufficientFunds: the deployer cannot pay.
        TransactionReverted: a contract refuses.
    """
    await chain.verify()
    works = _Works(chain, signer, outbox, f"{key}/{chain.ledger}")
    made: dict[str, Included] = {}
    contracts: dict[str, bytes] = {}
    for wave in _WAVES:
        made |= await works.submit(
            {
                name: works.creation(name, *constructed(name, contracts, signer.account))
                for name in wave
            }
        )
        contracts = {name: done.created for name, done in made.items()}
    router = Contract(chain, contracts["gateway"], artifact("Gateway").interface)
    ports = {
        f"port-{each.port}": router.call(
            f"Registering the {each.contract}",
            "addApplication",
            each.port,
            contracts[each.contract],
        )
        for each in APPLICATIONS
    }
    await works.submit({"roles": _roles(chain, contracts, guardian or signer.account), **ports})
    return Deployment(chain.ledger, contracts, made["authority"].height)


def constructed(name: str, at: Mapping[str, bytes], deployer: bytes) -> tuple[Value, ...]:
    """Give what a contract is constructed with; `at` is where those before it are."""
    match name:
        case "authority":
            return (deployer,)
        case "gateway" | "registry":
            return (at["authority"],)
        case "receipts":
            return ()
        case "bridge" | "market":
            return at["gateway"], at["registry"], at["authority"]
        case "exit":
            return at["gateway"], at["bridge"], EXIT_DELAY, at["authority"]
        case _:
            return (at["gateway"],)


def _roles(chain: Chain, contracts: Mapping[str, bytes], guardian: bytes) -> EvmCall[None]:
    authority = Contract(chain, contracts["authority"], artifact("AccessManager").interface)
    label, assign, grant = (
        authority.interface[name] for name in ("labelRole", "setTargetFunctionRole", "grantRole")
    )
    holders = {
        BRIDGE_ROLE: contracts["bridge"],
        GUARDIAN_ROLE: guardian,
        EXIT_ROLE: contracts["exit"],
    }
    steps = []
    for role, (said, allowed) in ROLES.items():
        steps.append(label.encode(role, said))
        for name, methods in allowed.items():
            selectors = [artifact(KINDS[name]).interface[each].selector for each in methods]
            steps.append(assign.encode(contracts[name], selectors, role))
        steps.append(grant.encode(role, holders[role], 0))
    return authority.call("Setting roles", "multicall", steps)
