"""What a node counts, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter


class NodeMetrics:
    """Counters of one node, in a registry of its own so that several nodes fit in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.attestations = Counter(
            "caimi_attestations",
            "Checkpoints and absences signed",
            ["kind"],
            registry=self.registry,
        )
        self.shares = Counter("caimi_shares", "Decryption shares given", registry=self.registry)
