"""Making way: what nobody follows any more under an account's lowest nonce is put aside.

A transaction waits for all of its account's before it. The lowest may be of a process that died
without writing it down, be given up, or be lost to every node by a reorganisation: whoever comes
after it would wait for ever. An empty transfer to the account itself takes its nonce. Whose
transaction it was finds its nonce used, and does what it had to do under another one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from caimi.errors.ledgers import FeeAboveCap, InsufficientFunds, LedgerRefused
from caimi.ledgers.evm.abi.calls import EvmCall, nothing
from caimi.ledgers.evm.rpc.chain import Chain
from caimi.ledgers.evm.transactions.fees import FeePolicy
from caimi.ledgers.evm.transactions.outgoing import Attempt, sign_apart
from caimi.ledgers.evm.transactions.pricing import price, reprice
from caimi.ledgers.port import Signer


async def make_way(
    chain: Chain,
    policy: FeePolicy,
    signer: Signer,
    nonce: int,
    known: Attempt | None,
    send: Callable[[Attempt], Awaitable[bool]],
) -> None:
    """Put an empty transfer in the place of what waits under `nonce`.

    `known` is what was sent from here under it, `send` hands the node a transaction and tells
    whether it took it. What waits there may be somebody else's and its fees unknown, so the offer
    doubles until it is enough, up to the policy's cap. What cannot be done now is left undone.
    """
    what = f"Making way for nonce {nonce + 1}"
    call = EvmCall(chain.ledger, what, signer.account, b"", 0, nothing)
    try:
        priced = await price(chain, policy, call, signer.account)
        fees = priced.fees if known is None else await reprice(chain, policy, known.fees)
        while True:
            attempt = await sign_apart(
                call, signer, number=chain.number, nonce=nonce, gas=priced.gas, fees=fees
            )
            if await send(attempt) or fees.most == policy.cap:
                return
            most = min(2 * fees.most, policy.cap)
            fees = replace(fees, most=most, tip=min(max(2 * fees.tip, 1), most))
    except (FeeAboveCap, InsufficientFunds, LedgerRefused):
        return
