"""Putting CAIMI's contracts on a ledger.

Every transaction has an outbox key, so a deployment that was killed goes on where it stopped.

Roles of the AccessManager: the deployer administers (routes, applications, roles); the bridge alone
mints and burns foreign models; the emergency exit alone gives back what is locked towards a dead
ledger; guardians can only stop things (pause the bridge or one route, freeze a client, end an
exit).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from caimi.ibc.applications import APPLICATIONS
from caimi.ledgers.evm.abi.calls import EvmCall, Included, contract_creation
from caimi.ledgers.evm.abi.codec import Value
from caimi.ledgers.evm.abi.interface import encode
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
