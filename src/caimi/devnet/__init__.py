"""A local network of real processes: ledgers, nodes, a relayer, a watcher and a worker on loopback."""
