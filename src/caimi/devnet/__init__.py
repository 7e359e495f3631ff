"""A local network of real processes: ledgers, nodes, a relayer and a worker on loopback."""
