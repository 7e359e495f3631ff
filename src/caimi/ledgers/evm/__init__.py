"""The EVM family of the ledger port: chains that answer Ethereum JSON-RPC, or one in process."""
