"""What a node counts, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


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
        self.refusals = Counter(
            "caimi_attestations_refused",
            "Checkpoints and absences refused, by the error's code",
            ["code"],
            registry=self.registry,
        )
        self.alarms = Counter(
            "caimi_validator_alarms",
            "Contradictions seen in a ledger, by the error's code: a person must look",
            ["ledger", "code"],
            registry=self.registry,
        )
        self.signing_stopped = Gauge(
            "caimi_signing_stopped",
            "1 when nothing more is signed of the ledger until an operator clears it",
            ["ledger"],
            registry=self.registry,
        )
        self.final_height = Gauge(
            "caimi_final_height", "Newest final block", ["ledger"], registry=self.registry
        )
        self.final_time = Gauge(
            "caimi_final_time_seconds",
            "Time of the newest final block, Unix seconds",
            ["ledger"],
            registry=self.registry,
        )
        self.shares = Counter("caimi_shares", "Decryption shares given", registry=self.registry)
