"""The rules of our contracts as state machines over a key-value store, for ledgers of any family.

They read and write a `State`, know the time and the caller from an `Execution`, and give typed
effects; they do no I/O. What they refuse, they refuse under the names of the Solidity contracts,
and what they send between ledgers is the same to the byte, so that a ledger that runs them and an
EVM ledger exchange packets.
"""
