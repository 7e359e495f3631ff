"""A ledger in memory, for tests and simulation: the port over `caimi.contracts`, unlike EVM.

It keeps no past and has no coin; its blocks carry the reading of an agreed clock; accounts are
words with Ed25519 keys; a call is written down as words too, and lapses when it is not taken in
time. Whoever holds the `MemoryChain` moves its clock and decides what is final.
"""

from memory_ledger.chain import MemoryChain
from memory_ledger.site import MemorySite
from memory_ledger.words import Wallet, WordBook

__all__ = ["MemoryChain", "MemorySite", "Wallet", "WordBook"]
