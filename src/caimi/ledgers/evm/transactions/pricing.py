"""What a transaction costs before it is signed: gas, fees, and whether the account can pay."""

from __future__ import annotations

from dataclasses import dataclass

from caimi.errors.ledgers import InsufficientFunds, LedgerError, WorkAboveBound
from caimi.ledgers.evm.abi.calls import EvmCall
from caimi.ledgers.evm.abi.quantities import fields, hexed, quantity
from caimi.ledgers.evm.rpc.chain import Chain
from caimi.ledgers.evm.rpc.client import Request, RpcRefusal
from caimi.ledgers.evm.rpc.provider import Json
from caimi.ledgers.evm.transactions.fees import FeePolicy, Fees


@dataclass(frozen=True, slots=True)
class Priced:
    """A gas limit and the fees offered."""

    gas: int
    fees: Fees


def message(call: EvmCall[object], sender: bytes) -> dict[str, str]:
    """Write a call as the execution API's transaction object."""
    written = {"from": hexed(sender), "data": hexed(call.data), "value": hex(call.value)}
    if call.target:
        written["to"] = hexed(call.target)
    return written


async def price(chain: Chain, policy: FeePolicy, call: EvmCall[object], sender: bytes) -> Priced:
    """Estimate gas with a margin, choose fees, and check the balance, in one round trip.

    A node finds an estimate by some twenty trials; where the call brings its `work`, one trial with
    that much gas is all, and only when it fails there is an estimate.

    Raises:
        TransactionReverted: the contract would refuse the call now.
        InsufficientFunds: the account cannot pay value and highest fee; says how much is missing.
        FeeAboveCap: fees are above the policy's cap.
        WorkAboveBound: it takes more gas than the call allows.
    """
    estimating: Request = ("eth_estimateGas", [message(call, sender)])
    trial: Request = ("eth_call", [{**message(call, sender), "gas": hex(call.work)}, "latest"])
    estimate, held, head, tip = await chain.rpc.gather(
        [
            trial if call.work else estimating,
            ("eth_getBalance", [hexed(sender), "latest"]),
            ("eth_getBlockByNumber", ["latest", False]),
            ("eth_maxPriorityFeePerGas", []),
        ]
    )
    known = call.work > 0 and not isinstance(estimate, RpcRefusal)
    if call.work and (not known or call.work > _block_gas(chain, head)):
        known, (estimate,) = False, await chain.rpc.gather([estimating])
    balance = quantity(_sure(chain, held))
    if balance < call.value:
        raise insufficient(chain, call, sender, balance, call.value)
    if isinstance(estimate, RpcRefusal):
        if "insufficient funds" in estimate.message.lower():
            raise insufficient(chain, call, sender, balance, max(call.value, balance + 1))
        raise chain.refused(call.what, estimate) from estimate
    gas = call.work if known else policy.gas(quantity(estimate))
    if 0 < call.most < gas:
        raise WorkAboveBound(f"{call.what} takes {gas} gas, and is allowed {call.most}.")
    fees = policy.offer(*_market(_sure(chain, head), tip))
    needed = call.value + gas * fees.most
    if balance < needed:
        raise insufficient(chain, call, sender, balance, needed)
    return Priced(gas, fees)


async def reprice(chain: Chain, policy: FeePolicy, earlier: Fees) -> Fees:
    """Give the fees of a replacement.

    Raises:
        FeeAboveCap: it would cost more than the policy allows.
    """
    return policy.replace(earlier, *await _market_now(chain))


async def market_price(chain: Chain) -> int:
    """Give what a unit of gas costs in the next block, with the suggested tip, in wei."""
    return sum(await _market_now(chain))


async def offered_now(chain: Chain, policy: FeePolicy) -> tuple[int, Fees]:
    """Give what `market_price` gives, and the fees that a transaction would offer now.

    Raises:
        FeeAboveCap: fees are above the policy's cap.
    """
    base, tip = await _market_now(chain)
    return base + tip, policy.offer(base, tip)


def insufficient(
    chain: Chain, call: EvmCall[object], sender: bytes, balance: int, needed: int
) -> InsufficientFunds:
    """Give the error that says how much is missing."""
    return InsufficientFunds(
        f"{call.what}: account 0x{sender.hex()} has {balance} wei on {chain.ledger} and needs "
        f"{needed} wei: {needed - balance} wei are missing."
    )


async def _market_now(chain: Chain) -> tuple[int, int]:
    head, tip = await chain.rpc.gather(
        [("eth_getBlockByNumber", ["latest", False]), ("eth_maxPriorityFeePerGas", [])]
    )
    return _market(_sure(chain, head), tip)


def _market(head: Json, tip: Json) -> tuple[int, int]:
    (base,) = fields(head, "baseFeePerGas")
    # A node without the method (it is not in every specification) suggests nothing.
    return quantity(base), 10**9 if isinstance(tip, RpcRefusal) else quantity(tip)


def _block_gas(chain: Chain, head: Json) -> int:
    (limit,) = fields(_sure(chain, head), "gasLimit")
    return quantity(limit)


def _sure(chain: Chain, result: Json) -> Json:
    if isinstance(result, RpcRefusal):
        error = chain.refused("Pricing a transaction", result)
        raise error if isinstance(error, LedgerError) else result
    return result
