"""Putting CAIMI's contracts on an EVM ledger, joining ledgers, and governing them."""
