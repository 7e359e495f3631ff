"""A simulated world of ledgers, validators, relayers and users, deterministic from one seed."""
