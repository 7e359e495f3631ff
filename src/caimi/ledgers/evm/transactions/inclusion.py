"""What became of transactions that were sent: included, failed, waiting, or displaced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from caimi.errors.ledgers import LedgerAnswerInvalid, TransactionFailed, TransactionReverted
from caimi.ledgers.evm.abi.calls import Included
from caimi.ledgers.evm.abi.quantities import data, fields, hexed, quantity
from caimi.ledgers.evm.rpc.chain import Chain
from caimi.ledgers.evm.rpc.client import RpcRefusal
from caimi.ledgers.evm.rpc.logs import EventReader, parse_log
from caimi.ledgers.evm.rpc.provider import Json
from caimi.ledgers.evm.rpc.reverts import reverted
from caimi.ledgers.evm.transactions.outgoing import Attempt
from caimi.ledgers.evm.transactions.pricing import message


@dataclass(frozen=True, slots=True)
class IncludedAttempt:
    """Which of several attempts was included, at what height, and whether it succeeded."""

    attempt: Attempt
    height: int
    succeeded: bool
    receipt: Json


@dataclass(frozen=True, slots=True)
class Standing:
    """How attempts stand: the included one, or None and the account's next nonce."""

    outcome: IncludedAttempt | None
    next_nonce: int


async def standing(chain: Chain, sender: bytes, attempts: Sequence[Attempt]) -> Standing:
    """Look for the attempts' receipts and the account's next nonce, in one round trip.

    A node may answer in any order, so a used nonce without a receipt proves nothing at once.
    """
    nonce, *receipts = await chain.rpc.gather(
        [("eth_getTransactionCount", [hexed(sender), "latest"])]
        + [("eth_getTransactionReceipt", [attempt.tx]) for attempt in attempts]
    )
    if isinstance(nonce, RpcRefusal):
        raise chain.refused("eth_getTransactionCount", nonce) from nonce
    outcomes: list[IncludedAttempt] = []
    for attempt, receipt in zip(attempts, receipts, strict=True):
        if receipt is None or isinstance(receipt, RpcRefusal):
            continue
        tx, height, status = fields(receipt, "transactionHash", "blockNumber", "status")
        if hexed(data(tx, 32)) != attempt.tx:
            raise LedgerAnswerInvalid(f"{chain.ledger} sent another transaction's receipt.")
        if height is not None:
            outcomes.append(
                IncludedAttempt(attempt, quantity(height), quantity(status) == 1, receipt)
            )
    # A failure under an earlier nonce is why the newest attempt exists; it says nothing about it.
    counted = [o for o in outcomes if o.succeeded or o.attempt.nonce == attempts[-1].nonce]
    counted.sort(key=lambda outcome: not outcome.succeeded)
    return Standing(counted[0] if counted else None, quantity(nonce))


async def nonce_at(chain: Chain, sender: bytes, height: int) -> int:
    """Give how many transactions the account had sent at a height."""
    try:
        return quantity(await chain.rpc.ask("eth_getTransactionCount", hexed(sender), hex(height)))
    except RpcRefusal as refusal:
        raise chain.refused("eth_getTransactionCount", refusal) from refusal


async def accepted(chain: Chain, events: EventReader, outcome: IncludedAttempt) -> Included:
    """Give the receipt of a success, with our contracts' events."""
    used, each, logs, created = fields(
        outcome.receipt, "gasUsed", "effectiveGasPrice", "logs", "contractAddress"
    )
    if not isinstance(logs, list):
        raise LedgerAnswerInvalid(f"{chain.ledger} sent a receipt without logs.")
    block = await chain.block(outcome.height)
    return Included(
        ledger=chain.ledger,
        tx=outcome.attempt.tx,
        height=outcome.height,
        time=block.time,
        work=quantity(used),
        fee=quantity(used) * quantity(each),
        events=events.decode([parse_log(log) for log in logs]),
        created=b"" if created is None else data(created, 20),
    )


async def failure(chain: Chain, sender: bytes, outcome: IncludedAttempt) -> TransactionReverted:
    """Give the error of a failure: the contract's reason, had by running the call once more."""
    attempt = outcome.attempt
    call = {**message(attempt.call, sender), "gas": hex(attempt.gas)}
    for height in (outcome.height - 1, outcome.height):
        try:
            await chain.rpc.ask("eth_call", call, hex(max(height, 0)))
        except RpcRefusal as refusal:
            if refusal.data:
                return reverted(attempt.call.what, refusal.data, tx=attempt.tx)
    (used,) = fields(outcome.receipt, "gasUsed")
    return TransactionFailed(
        f"{attempt.call.what} failed in transaction {attempt.tx} "
        f"(gas used {quantity(used)} of {attempt.gas}).",
        tx=attempt.tx,
    )
