"""Ways to a ledger: a node over HTTP, or a ledger in this process."""

from __future__ import annotations

from collections.abc import Mapping

from caimi.chains import parse_ledger_id
from caimi.config import LedgerSection
from caimi.errors.ledgers import CallInvalid
from caimi.ledgers.evm.chain import Chain
from caimi.ledgers.evm.deployment import Deployment
from caimi.ledgers.evm.embedded import EmbeddedChain
from caimi.ledgers.evm.embedded_rpc import EmbeddedProvider
from caimi.ledgers.evm.fees import FeePolicy
from caimi.ledgers.evm.finality import Depth, Finality, parse_finality
from caimi.ledgers.evm.http import HttpProvider, place_of
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.rpc import Retries, Rpc
from caimi.ledgers.evm.transactions import Patience
from caimi.ledgers.port import LedgerId


def http_chain(
    ledger: str,
    url: str,
    finality: Finality,
    *,
    timeout: float = 20.0,
    retries: Retries | None = None,
) -> Chain:
    """Reach a ledger through a node's JSON-RPC at `url`; `timeout` in seconds bounds a request.

    Raises:
        InvalidLedgerId: `ledger` is no CAIP-2 id.
        CallInvalid: it is not an EVM ledger.
    """
    return Chain(
        Rpc(HttpProvider(url, timeout=timeout), place_of(url), retries),
        evm_ledger(ledger),
        finality,
    )


def embedded_chain(chain: EmbeddedChain) -> Chain:
    """Reach a ledger in this process; it never reorganises, so its head is final."""
    ledger = LedgerId(f"eip155:{chain.number}")
    return Chain(Rpc(EmbeddedProvider(chain), f"embedded {ledger}"), ledger, Depth(0))


def new_embedded_chain(number: int, accounts: Mapping[bytes, int]) -> Chain:
    """Make a ledger in this process with chain id `number` and funded `accounts` (wei)."""
    return embedded_chain(EmbeddedChain(number, accounts))


async def open_ledger(
    section: LedgerSection,
    *,
    policy: FeePolicy | None = None,
    patience: Patience | None = None,
) -> EvmLedger:
    """Connect to a configured ledger and check it.

    Raises:
        LedgerUnavailable, WrongLedger, ContractMissing: see `EvmLedger.check`.
        DeploymentInvalid: the section does not name every contract.
    """
    ledger = prepare_ledger(section, policy=policy, patience=patience)
    try:
        await ledger.check()
    except BaseException:
        await ledger.aclose()
        raise
    return ledger


def prepare_ledger(
    section: LedgerSection,
    *,
    policy: FeePolicy | None = None,
    patience: Patience | None = None,
) -> EvmLedger:
    """Make a configured ledger ready to be asked, without asking it anything yet.

    Raises:
        DeploymentInvalid: the section does not name every contract.
    """
    chain = http_chain(section.id, section.rpc, parse_finality(section.finality))
    deployment = Deployment.from_dict(
        {
            "id": section.id,
            "deployed_at": section.deployed_at,
            "contracts": dict(section.contracts),
        }
    )
    return EvmLedger(chain, deployment, policy=policy, patience=patience)


def evm_ledger(text: str) -> LedgerId:
    """Give `text` back when it is the CAIP-2 id of an EVM ledger.

    Raises:
        InvalidLedgerId, CallInvalid: it is not.
    """
    if not parse_ledger_id(text).startswith("eip155:"):
        raise CallInvalid(f"{text} is not an EVM ledger.")
    return LedgerId(text)
