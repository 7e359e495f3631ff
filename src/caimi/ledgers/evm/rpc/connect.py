"""The way to a ledger: a node over HTTP."""

from __future__ import annotations

from caimi.chains import parse_ledger_id
from caimi.errors.ledgers import CallInvalid
from caimi.ledgers.evm.rpc.chain import Chain
from caimi.ledgers.evm.rpc.client import RetryPolicy, Rpc
from caimi.ledgers.evm.rpc.finality import Finality
from caimi.ledgers.evm.rpc.http import HttpProvider, place_of
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


def evm_ledger(text: str) -> LedgerId:
    """Give `text` back when it is the CAIP-2 id of an EVM ledger.

    Raises:
        InvalidLedgerId, CallInvalid: it is not.
    """
    if not parse_ledger_id(text).startswith("eip155:"):
        raise CallInvalid(f"{text} is not an EVM ledger.")
    return LedgerId(text)
