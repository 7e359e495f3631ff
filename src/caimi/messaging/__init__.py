"""How ledgers talk: IBC v2 packets, checkpoints, validators, relayers."""
