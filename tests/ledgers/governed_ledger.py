"""A ledger in this process, and everybody who has a part in governing it."""

from __future__ import annotations

from ledger_site import COIN, IMPATIENT

from caimi.keystore import LocalSigner
from caimi.ledgers.evm.administration.deploying import deploy
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.local.embedded import EmbeddedChain
from caimi.ledgers.evm.local.in_process import embedded_chain

DEPLOYER, GUARDIAN, PROPOSER, CANCELLER, STRANGER = (LocalSigner.generate() for _ in range(5))
EVERYBODY = (DEPLOYER, GUARDIAN, PROPOSER, CANCELLER, STRANGER)


async def new_ledger(number: int = 31337) -> EvmLedger:
    chain = EmbeddedChain(number, {who.account: 1000 * COIN for who in EVERYBODY})
    deployment = await deploy(embedded_chain(chain), DEPLOYER, guardian=GUARDIAN.account)
    return EvmLedger(embedded_chain(chain), deployment, patience=IMPATIENT)


async def wait(ledger: EvmLedger, seconds: int) -> None:
    await ledger.chain.rpc.ask("evm_increaseTime", seconds)
