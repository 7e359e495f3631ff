"""Sending calls to an EVM ledger: what they cost, which nonce they have, what became of them."""
