"""What services count, for Prometheus; docs/runbook.md says what to do about it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from caimi.errors.base import CaimiError
from caimi.errors.messaging import MessagingError
from caimi.ledgers.port import Ledger, LedgerId
from caimi.messaging.attestations import ValidatorClient
from caimi.messaging.checkpoint import Attestation
from caimi.messaging.open_packets import OpenPackets
from caimi.messaging.progress import Carried, Progress
from caimi.messaging.watcher import Watched
from caimi.tls.contexts import all_expirations

_COINS: Final = "in the ledger's smallest coin"


class CertificateMetrics(Collector):
    """When the certificates end that this process shows and believes, as it has read them."""

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Give one gauge, of each file's first end."""
        gauge = GaugeMetricFamily(
            "caimi_certificate_expires_seconds",
            "When a certificate that is shown or believed ends, Unix seconds, by its file",
            labels=["file"],
        )
        for file, ends in sorted(all_expirations().items()):
            gauge.add_metric([file], ends)
        yield gauge


class NodeMetrics:
    """What one node counts, in a registry of its own so that several nodes fit in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.attestations = self._counter(
            "caimi_attestations", "Checkpoints and absences signed", "kind"
        )
        self.refusals = self._counter(
            "caimi_attestations_refused",
            "Checkpoints and absences refused, by the error's code",
            "code",
        )
        self.alarms = self._counter(
            "caimi_validator_alarms",
            "Contradictions seen in a ledger, by the error's code: a person must look",
            "ledger",
            "code",
        )
        self.signing_stopped = self._gauge(
            "caimi_signing_stopped",
            "1 when nothing more is signed of the ledger until an operator clears it",
            "ledger",
        )
        self.final_height = self._gauge("caimi_final_height", "Newest final block", "ledger")
        self.final_time = self._gauge(
            "caimi_final_time_seconds", "Time of the newest final block, Unix seconds", "ledger"
        )
        self.shares = self._counter("caimi_shares", "Decryption shares given")

    def _counter(self, name: str, what: str, *labels: str) -> Counter:
        return Counter(name, what, labels, registry=self.registry)

    def _gauge(self, name: str, what: str, *labels: str) -> Gauge:
        return Gauge(name, what, labels, registry=self.registry)


class RelayerMetrics:
    """What one relayer counts."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.registry = CollectorRegistry()
        self._clock = clock
        route = ("ledger", "client")
        self.waiting = Gauge(
            "caimi_packets_waiting",
            "Packets sent on a ledger over a client that have not ended",
            route,
            registry=self.registry,
        )
        self.oldest = Gauge(
            "caimi_oldest_packet_seconds",
            "Age of the oldest packet that has not ended",
            route,
            registry=self.registry,
        )
        self.packets = Counter(
            "caimi_packets_carried",
            "Packets delivered, acknowledged and timed out, by the ledger that was written to",
            ("what", "ledger"),
            registry=self.registry,
        )
        self.gas = Counter(
            "caimi_relayer_gas", "Gas spent", ("what", "ledger"), registry=self.registry
        )
        self.fees = Counter(
            "caimi_relayer_fees", f"Fees paid, {_COINS}", ("ledger",), registry=self.registry
        )
        self.income = Counter(
            "caimi_relayer_income", f"Fees collected, {_COINS}", ("ledger",), registry=self.registry
        )
        self.outstanding = Gauge(
            "caimi_relayer_fees_escrowed",
            f"Fees escrowed for this relayer and not collected yet, {_COINS}",
            ("ledger",),
            registry=self.registry,
        )
        self.capped = Gauge(
            "caimi_relayer_capped",
            "1 while something waits because work on the ledger costs more than the cap",
            ("ledger",),
            registry=self.registry,
        )
        self.balance = Gauge(
            "caimi_relayer_balance",
            f"What the relayer has to pay fees with, {_COINS}",
            ("ledger",),
            registry=self.registry,
        )
        self.signatures = Counter(
            "caimi_signatures",
            "Attestations that a validator gave when asked",
            ("validator",),
            registry=self.registry,
        )
        self.missing_signatures = Counter(
            "caimi_signatures_missing",
            "Attestations that a validator did not give, by the error's code",
            ("validator", "code"),
            registry=self.registry,
        )

    def carried(self, done: Carried) -> None:
        """Count one transaction."""
        ledger = done.receipt.ledger
        self.packets.labels(done.what, ledger).inc(done.packets)
        self.gas.labels(done.what, ledger).inc(done.receipt.work)
        if done.receipt.fee is not None:
            self.fees.labels(ledger).inc(done.receipt.fee.units)
        if done.income:
            self.income.labels(ledger).inc(done.income)

    def stepped(self, ledgers: Iterable[LedgerId], progress: Progress) -> None:
        """Take one step's result."""
        for ledger in ledgers:
            self.capped.labels(ledger).set(ledger in progress.capped)

    def counted(self, validators: Iterable[ValidatorClient]) -> list[ValidatorClient]:
        """Give `validators` so that their answers are counted."""
        return [_Counted(each, self) for each in validators]

    async def measure(self, known: Iterable[OpenPackets]) -> None:
        """Set the queue's gauges, and the balance of who earns its fees on each ledger.

        Raises:
            LedgerUnavailable…: a ledger does not answer.
        """
        for each in known:
            ledger = each.ledger
            for route in each.routes:
                heights = [
                    entry.height
                    for (client, _), entry in each.sent.items()
                    if client == route.client_id
                ]
                self.waiting.labels(ledger.id, route.client_id).set(len(heights))
                age = 0.0
                if heights:
                    sent_at = (await ledger.block(min(heights))).time
                    age = max(0.0, self._clock() - sent_at)
                self.oldest.labels(ledger.id, route.client_id).set(age)
            escrowed = sum(fee.amount.units for fees in each.fees.values() for fee in fees.values())
            self.outstanding.labels(ledger.id).set(escrowed)
            if ledger.coins is not None and each.earner is not None:
                held = await ledger.coins.balance(each.earner)
                self.balance.labels(ledger.id).set(held.units)


class WatcherMetrics:
    """What one watcher counts."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.registry = CollectorRegistry()
        self._clock = clock
        self.findings = Counter(
            "caimi_watcher_findings",
            "Contradictions found between two ledgers, by the error's code",
            ("ledger", "client", "code"),
            registry=self.registry,
        )
        self.paused = Gauge(
            "caimi_route_paused",
            "1 while a route is paused",
            ("ledger", "client"),
            registry=self.registry,
        )
        self.failures = Counter(
            "caimi_watcher_failures",
            "Steps that could not read or write a ledger, by the error's code",
            ("code",),
            registry=self.registry,
        )
        self.allowance = Gauge(
            "caimi_route_allowance",
            "How many models a route may carry now, by direction",
            ("ledger", "client", "direction"),
            registry=self.registry,
        )
        self.breaker = Gauge(
            "caimi_route_breaker_open",
            "1 while a route's breaker is open",
            ("ledger", "client"),
            registry=self.registry,
        )
        self.out = Gauge(
            "caimi_route_models_out",
            "How many of the ledger's models are away over a route",
            ("ledger", "client"),
            registry=self.registry,
        )
        self.seen = Gauge(
            "caimi_watcher_seen_seconds",
            "When everything was last read and judged without a failure, Unix seconds",
            registry=self.registry,
        )

    def found(self, ledger: LedgerId, client: str, finding: MessagingError) -> None:
        """Count one finding."""
        self.findings.labels(ledger, client, finding.code).inc()

    async def measure(self, ledgers: Iterable[Ledger]) -> None:
        """Read what every route may carry; raises as the ledgers do."""
        for ledger in ledgers:
            for route in await ledger.gateway.routes():
                place = (ledger.id, route.client_id)
                now = await ledger.bridge.allowance(route.client_id)
                self.allowance.labels(*place, "sending").set(now.sending)
                self.allowance.labels(*place, "receiving").set(now.receiving)
                self.breaker.labels(*place).set(now.breaker_open)
                self.out.labels(*place).set(now.out)

    def stepped(self, watched: Watched) -> None:
        """Take one step's result."""
        for failure in watched.failures:
            self.failures.labels(failure.code).inc()
        for (ledger, client), paused in watched.paused.items():
            self.paused.labels(ledger, client).set(paused)
        if not watched.failures:
            self.seen.set(self._clock())


class _Counted:
    """A validator whose answers are counted (port `ValidatorClient`)."""

    def __init__(self, validator: ValidatorClient, metrics: RelayerMetrics) -> None:
        self._validator = validator
        self._metrics = metrics
        self.name = validator.name

    async def attest(self, ledger: LedgerId, from_height: int, height: int) -> Attestation:
        try:
            return self._count(await self._validator.attest(ledger, from_height, height))
        except CaimiError as error:
            self._metrics.missing_signatures.labels(self.name, error.code).inc()
            raise

    async def attest_absence(
        self, ledger: LedgerId, height: int, packets: Sequence[tuple[str, int]]
    ) -> Attestation:
        try:
            return self._count(await self._validator.attest_absence(ledger, height, packets))
        except CaimiError as error:
            self._metrics.missing_signatures.labels(self.name, error.code).inc()
            raise

    def _count(self, attestation: Attestation) -> Attestation:
        self._metrics.signatures.labels(self.name).inc()
        return attestation
