"""The way to a ledger: a node over HTTP."""

from __future__ import annotations

from typing import Final

from caimi.chains import parse_ledger_id
from caimi.errors.ids import InvalidLedgerId
from caimi.errors.ledgers import CallInvalid, LedgerAnswerInvalid
from caimi.ledgers.evm.abi.quantities import quantity
from caimi.ledgers.evm.rpc.chain import Chain
from caimi.ledgers.evm.rpc.client import RetryPolicy, Rpc, RpcRefusal
from caimi.ledgers.evm.rpc.finality import Finality
from caimi.ledgers.evm.rpc.http import HttpProvider, place_of
from caimi.ledgers.port import LedgerId

_LOOK_SECONDS: Final = 5.0


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


async def ledger_at(url: str) -> LedgerId:
    """Ask a node which ledger it serves.

    Raises:
        LedgerUnavailable: it does not answer.
        LedgerAnswerInvalid: it is no node of an EVM ledger.
    """
    rpc = Rpc(HttpProvider(url, timeout=_LOOK_SECONDS), place_of(url), RetryPolicy(1))
    try:
        return evm_ledger(f"eip155:{quantity(await rpc.ask('eth_chainId'))}")
    except (RpcRefusal, InvalidLedgerId) as error:
        raise LedgerAnswerInvalid(f"{rpc.name} does not say which ledger it serves.") from error
    finally:
        await rpc.aclose()
