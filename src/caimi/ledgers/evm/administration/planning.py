"""What a deployment, or a route, is about to do on an EVM ledger, and what it will cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from caimi.ibc.applications import APPLICATIONS
from caimi.ledgers.evm.abi.assets import coin_of
from caimi.ledgers.evm.administration.deploying import KINDS
from caimi.ledgers.evm.rpc.chain import Chain
from caimi.ledgers.evm.transactions.fees import FeePolicy
from caimi.ledgers.evm.transactions.pricing import offered_now
from caimi.ledgers.port import Account, LedgerPlan, Outbox, PlannedStep

Step = tuple[str, str, int]
"""The last part of a transaction's outbox key, what it does, and about how much gas it takes."""

WORK: Final[Mapping[str, int]] = {
    "AccessManager": 2_750_000,
    "Gateway": 4_950_000,
    "ModelRegistry": 4_600_000,
    "ReceiptLog": 305_000,
    "ModelBridge": 5_100_000,
    "LicenceMarket": 5_350_000,
    "MessagePort": 1_670_000,
    "RelayFees": 1_470_000,
    "EmergencyExit": 2_460_000,
    "CommitteeClient": 2_530_000,
    "member": 25_000,
    "CompositeClient": 1_080_000,
    "OptimisticClient": 2_610_000,
    "EndorsedReadsClient": 2_980_000,
    "endorser": 72_000,
    "StorageProofClient": 2_360_000,
    "roles": 410_000,
    "port": 65_000,
    "route": 160_000,
    "guard": 53_000,
    "proposers": 100_000,
    "counterparty": 47_000,
    "proposal": 120_000,
}
"""Gas, measured on a ledger of the Cancun rules; where gas counts otherwise, so do these."""


def deployment_steps() -> list[Step]:
    """List what `deploying.deploy` does, in its order."""
    made = [(name, f"Deploying {kind}", WORK[kind]) for name, kind in KINDS.items()]
    ports = [
        (f"port-{each.port}", f"Registering the {each.contract}", WORK["port"])
        for each in APPLICATIONS
    ]
    return [*made, ("roles", "Setting roles", WORK["roles"]), *ports]


async def plan_steps(
    chain: Chain, account: bytes, steps: Iterable[Step], outbox: Outbox | None, prefix: str
) -> LedgerPlan:
    """Price steps, whose outbox keys begin with `prefix`, for an account.

    Raises:
        FeeAboveCap: fees are above what is ever offered.
    """
    planned = []
    for step, what, work in steps:
        begun = outbox is not None and await outbox.sent(f"{prefix}/{step}") is not None
        planned.append(PlannedStep(what, work, begun))
    left = sum(step.work for step in planned if not step.begun)
    policy = FeePolicy()
    price, fees = await offered_now(chain, policy)
    coin = coin_of(chain.ledger)
    return LedgerPlan(
        chain.ledger,
        Account(chain.ledger, account),
        tuple(planned),
        likely=coin.of(left * price),
        most=coin.of(policy.gas(left) * fees.most),
        held=coin.of(await chain.balance(account)),
    )
