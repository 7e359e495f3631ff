"""EVM ledgers on this machine: an anvil beside this process, and one inside it."""
