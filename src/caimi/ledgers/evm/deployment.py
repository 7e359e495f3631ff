"""Putting CAIMI's contracts on a ledger, and joining ledgers by routes.

Every transaction has an outbox key, so a deployment that was killed goes on where it stopped.

Roles of the AccessManager: the deployer administers (routes, applications, roles); the bridge alone
mints and burns foreign models; the emergency exit alone gives back what is locked towards a dead
ledger; guardians can only stop things (pause the bridge or one route, freeze a client, end an
exit).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from caimi.errors.ledgers import DeploymentInvalid
from caimi.ibc.applications import APPLICATIONS
from caimi.ledgers.evm.abi import encode
from caimi.ledgers.evm.abi_codec import Value
from caimi.ledgers.evm.artifacts import artifact
from caimi.ledgers.evm.calls import EvmCall, Included, contract_creation
from caimi.ledgers.evm.chain import Chain
from caimi.ledgers.evm.contract import Contract
from caimi.ledgers.evm.logs import EventReader
from caimi.ledgers.evm.market import ledger_address
from caimi.ledgers.evm.transactions import Sender
from caimi.ledgers.port import Ledger, LedgerId, Outbox, Signer

if TYPE_CHECKING:
    from caimi.ledgers.evm.ledger import EvmLedger

NAMES = (
    "authority",
    "gateway",
    "registry",
    "bridge",
    "market",
    "receipts",
    "messages",
    "fees",
    "exit",
)
BRIDGE_ROLE = 1
GUARDIAN_ROLE = 2
EXIT_ROLE = 3
EXIT_DELAY = 30 * 24 * 3600
"""Seconds that an emergency exit lies open before a committee is heard; the least there can be."""
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where CAIMI's contracts are on one ledger; none is older than block `deployed_at`."""

    ledger: LedgerId
    contracts: Mapping[str, bytes]
    deployed_at: int

    def __post_init__(self) -> None:
        missing = [name for name in NAMES if len(self.contracts.get(name, b"")) != 20]
        if missing:
            raise DeploymentInvalid(f"The deployment on {self.ledger} lacks {', '.join(missing)}.")

    def as_dict(self) -> dict[str, object]:
        """Give the JSON and TOML form."""
        return {
            "id": self.ledger,
            "deployed_at": self.deployed_at,
            "contracts": {name: f"0x{self.contracts[name].hex()}" for name in NAMES},
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, object]) -> Deployment:
        """Read the JSON and TOML form; other keys are the configuration's own.

        Raises:
            DeploymentInvalid: something is missing or malformed.
        """
        ledger, height = document.get("id"), document.get("deployed_at")
        contracts = document.get("contracts")
        if not isinstance(ledger, str) or not isinstance(height, int) or height < 0:
            raise DeploymentInvalid("A deployment names no ledger or no height.")
        if not isinstance(contracts, Mapping):
            raise DeploymentInvalid(f"The deployment on {ledger} names no contracts.")
        addresses = {}
        for name, text in contracts.items():
            if not isinstance(text, str) or _ADDRESS.fullmatch(text) is None:
                raise DeploymentInvalid(f"{name} on {ledger} has no address: {text!r:.60}.")
            addresses[str(name)] = bytes.fromhex(text[2:])
        return cls(LedgerId(ledger), addresses, height)


@dataclass(frozen=True, slots=True)
class Signers:
    """The committee that a new route trusts: `threshold` of `members` (20-byte addresses).

    `operators` says who runs each of them, as a number below 256; without it each is its own
    operator. A client refuses an operator whose members alone reach the threshold.
    """

    epoch: int
    threshold: int
    members: tuple[bytes, ...]
    operators: tuple[int, ...] | None = None

    def arguments(self) -> list[object]:
        """Give the contract's epoch, threshold, members in ascending order and operators."""
        operators = self.operators or tuple(range(len(self.members)))
        listed = sorted(zip(self.members, operators, strict=True))
        if self.operators is None:
            listed = [(member, place) for place, (member, _) in enumerate(listed)]
        members, ordered = [member for member, _ in listed], bytes(run for _, run in listed)
        return [self.epoch, self.threshold, members, ordered]


class _Works:
    """Submits one deployer's calls under keys of one prefix."""

    def __init__(self, sender: Sender, signer: Signer, outbox: Outbox | None, prefix: str) -> None:
        self._sender = sender
        self._signer = signer
        self._outbox = outbox
        self._prefix = prefix

    async def submit(self, step: str, call: EvmCall[object]) -> Included:
        return await self._sender.submit(call, self._signer, self._outbox, f"{self._prefix}/{step}")

    async def create(self, step: str, chain: Chain, name: str, *arguments: Value) -> Included:
        contract = artifact(name)
        data = contract.bytecode + encode(contract.interface.constructor, arguments)
        return await self.submit(step, contract_creation(chain.ledger, f"Deploying {name}", data))


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
    sender = Sender(chain, EventReader(chain, {}))
    works = _Works(sender, signer, outbox, f"{key}/{chain.ledger}")
    created = await works.create("authority", chain, "AccessManager", signer.account)
    authority = created.created
    gateway, registry, receipts = (
        done.created
        for done in await asyncio.gather(
            works.create("gateway", chain, "Gateway", authority),
            works.create("registry", chain, "ModelRegistry", authority),
            works.create("receipts", chain, "ReceiptLog"),
        )
    )
    bridge, market, messages, fees = (
        done.created
        for done in await asyncio.gather(
            works.create("bridge", chain, "ModelBridge", gateway, registry, authority),
            works.create("market", chain, "LicenceMarket", gateway, registry, authority),
            works.create("messages", chain, "MessagePort", gateway),
            works.create("fees", chain, "RelayFees", gateway),
        )
    )
    exit_ = await works.create(
        "exit", chain, "EmergencyExit", gateway, bridge, EXIT_DELAY, authority
    )
    contracts = {
        "authority": authority,
        "gateway": gateway,
        "registry": registry,
        "bridge": bridge,
        "market": market,
        "receipts": receipts,
        "messages": messages,
        "fees": fees,
        "exit": exit_.created,
    }
    router = Contract(chain, gateway, artifact("Gateway").interface)
    await asyncio.gather(
        works.submit("roles", _roles(chain, contracts, guardian or signer.account)),
        *(
            works.submit(
                f"port-{each.port}",
                router.call(
                    f"Registering the {each.contract}",
                    "addApplication",
                    each.port,
                    contracts[each.contract],
                ),
            )
            for each in APPLICATIONS
        ),
    )
    return Deployment(chain.ledger, contracts, created.height)


def _roles(chain: Chain, contracts: Mapping[str, bytes], guardian: bytes) -> EvmCall[None]:
    authority = Contract(chain, contracts["authority"], artifact("AccessManager").interface)
    registry = artifact("ModelRegistry").interface
    bridge = artifact("ModelBridge").interface
    market = artifact("LicenceMarket").interface
    gateway = artifact("Gateway").interface
    leaving = artifact("EmergencyExit").interface
    stops = [bridge["pause"].selector, bridge["openBreaker"].selector]
    assign = authority.interface["setTargetFunctionRole"]
    grant = authority.interface["grantRole"]
    label = authority.interface["labelRole"]
    minting = [registry["mintForeign"].selector, registry["burnForeign"].selector]
    steps = [
        label.encode(BRIDGE_ROLE, "bridge"),
        assign.encode(contracts["registry"], minting, BRIDGE_ROLE),
        grant.encode(BRIDGE_ROLE, contracts["bridge"], 0),
        label.encode(GUARDIAN_ROLE, "guardian"),
        assign.encode(contracts["bridge"], stops, GUARDIAN_ROLE),
        assign.encode(contracts["market"], [market["openBreaker"].selector], GUARDIAN_ROLE),
        assign.encode(contracts["gateway"], [gateway["pauseRoute"].selector], GUARDIAN_ROLE),
        assign.encode(contracts["exit"], [leaving["stop"].selector], GUARDIAN_ROLE),
        grant.encode(GUARDIAN_ROLE, guardian, 0),
        label.encode(EXIT_ROLE, "exit"),
        assign.encode(contracts["bridge"], [bridge["unlockDead"].selector], EXIT_ROLE),
        assign.encode(contracts["market"], [market["refundDead"].selector], EXIT_ROLE),
        grant.encode(EXIT_ROLE, contracts["exit"], 0),
    ]
    return authority.call("Setting roles", "multicall", steps)


async def connect_ledgers(
    a: EvmLedger,
    b: EvmLedger,
    committee: Signers,
    signer: Signer,
    *,
    outbox: Outbox | None = None,
    key: str = "route",
) -> tuple[str, str]:
    """Join two ledgers by a route each way; gives the client ids on `a` and on `b`.

    `signer` administers both deployments.

    Raises:
        TransactionReverted: a contract refuses (the signer may not, or the committee is invalid).
    """
    on_a, on_b = await asyncio.gather(
        add_client(a, b, committee, signer, outbox, key),
        add_client(b, a, committee, signer, outbox, key),
    )
    await asyncio.gather(
        _set_counterparty(a, on_a, on_b, signer, outbox, key),
        _set_counterparty(b, on_b, on_a, signer, outbox, key),
    )
    return on_a, on_b


async def add_client(
    here: EvmLedger,
    there: Ledger,
    committee: Signers,
    signer: Signer,
    outbox: Outbox | None = None,
    key: str = "route",
) -> str:
    """Add a route to a ledger of any family, by a committee client; gives the client's id.

    Raises:
        TransactionReverted: a contract refuses.
    """
    authority = here.deployment.contracts["authority"]
    prefix = f"{key}/{here.id}/{there.id}"
    client = artifact("CommitteeClient")
    code = client.bytecode + encode(
        client.interface.constructor,
        [there.gateway.address, *committee.arguments(), authority],
    )
    created = await here.submit(
        contract_creation(here.id, f"Deploying a client of {there.id}", code),
        signer,
        outbox=outbox,
        key=f"{prefix}/client",
    )
    guard = Contract(here.chain, authority, artifact("AccessManager").interface)
    added, _ = await asyncio.gather(
        here.submit(
            here.gateway.add_client(created.effect, ledger_address(there.id)),
            signer,
            outbox=outbox,
            key=f"{prefix}/route",
        ),
        here.submit(
            guard.call(
                "Letting guardians freeze the client",
                "setTargetFunctionRole",
                created.effect,
                [client.interface["freeze"].selector],
                GUARDIAN_ROLE,
            ),
            signer,
            outbox=outbox,
            key=f"{prefix}/guard",
        ),
    )
    return added.effect


async def _set_counterparty(
    here: EvmLedger,
    client_id: str,
    other: str,
    signer: Signer,
    outbox: Outbox | None,
    key: str,
) -> None:
    await here.submit(
        here.gateway.set_counterparty(client_id, other),
        signer,
        outbox=outbox,
        key=f"{key}/{here.id}/{client_id}/counterparty",
    )
