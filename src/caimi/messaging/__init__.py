"""How ledgers talk: checkpoints, validators, relayers."""
