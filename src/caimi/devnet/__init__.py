"""A local network of real processes on loopback: ledgers, nodes, a relayer, watcher and worker."""
