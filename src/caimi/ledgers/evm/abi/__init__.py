"""How an EVM ledger writes values: the contract ABI, hexadecimal, accounts, coins and calls."""
