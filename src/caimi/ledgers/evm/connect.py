"""Ways to a ledger: a node over HTTP, or a ledger in this process."""

from __future__ import annotations

from collections.abc import Mapping

from caimi.chains import parse_ledger_id
from caimi.errors.ledgers import CallInvalid
from caimi.ledgers.evm.chain import Chain
from caimi.ledgers.evm.embedded import EmbeddedChain
from caimi.ledgers.evm.embedded_rpc import EmbeddedProvider
from caimi.ledgers.evm.finality import Depth, Finality
from caimi.ledgers.evm.http import HttpProvider, place_of
from caimi.ledgers.evm.rpc import RetryPolicy, Rpc
from caimi.ledgers.port import LedgerId


def http_chain(
    ledger: str,
    url: str,
    finality: Finality,
    *,
    timeout: float = 20.0,
    retries: RetryPolicy | None = None,
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


def evm_ledger(text: str) -> LedgerId:
    """Give `text` back when it is the CAIP-2 id of an EVM ledger.

    Raises:
        InvalidLedgerId, CallInvalid: it is not.
    """
    if not parse_ledger_id(text).startswith("eip155:"):
        raise CallInvalid(f"{text} is not an EVM ledger.")
    return LedgerId(text)
