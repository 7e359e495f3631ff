"""Asking a node of an EVM ledger, over JSON-RPC: blocks, contracts, logs, and what it refuses."""
