"""The way to a ledger in this process."""

from __future__ import annotations

from collections.abc import Mapping

from caimi.ledgers.evm.local.embedded import EmbeddedChain
from caimi.ledgers.evm.local.embedded_rpc import EmbeddedProvider
from caimi.ledgers.evm.rpc.chain import Chain
from caimi.ledgers.evm.rpc.client import Rpc
from caimi.ledgers.evm.rpc.finality import Depth
from caimi.ledgers.port import LedgerId


def embedded_chain(chain: EmbeddedChain) -> Chain:
    """Reach a ledger in this process; it never reorganises, so its head is final."""
    ledger = LedgerId(f"eip155:{chain.number}")
    return Chain(Rpc(EmbeddedProvider(chain), f"embedded {ledger}"), ledger, Depth(0))


def new_embedded_chain(number: int, accounts: Mapping[bytes, int]) -> Chain:
    """Make a ledger in this process with chain id `number` and funded `accounts` (wei)."""
    return embedded_chain(EmbeddedChain(number, accounts))
