"""What services count is what happened."""

from __future__ import annotations

import pytest

from caimi.errors.messaging import ForgedDelivery, NotFinal
from caimi.ibc.packet import Packet
from caimi.ibc.statements import Kind
from caimi.ledgers.port import Account, Asset, Block, Done, LedgerId, Money, Route, SentPacket
from caimi.messaging.checkpoint import Attestation, LedgerStatement
from caimi.messaging.open_packets import OpenPackets
from caimi.messaging.progress import Carried
from caimi.messaging.watcher import Watched
from caimi.node.metrics import RelayerMetrics, WatcherMetrics

A, B, C = LedgerId("eip155:1"), LedgerId("eip155:2"), LedgerId("eip155:3")
ROUTE = Route("caimi-1-0", "caimi-2-0", B)


class Ledger:
    """As much of a ledger as measuring asks for; one account has coins there."""

    deployed_at = 1

    def __init__(self, name: LedgerId, rich: bytes, units: int) -> None:
        self.id, self.rich, self.units = name, rich, units

    async def block(self, height: int) -> Block:
        return Block(height, 1_000 + height, bytes(32))

    @property
    def coins(self) -> Ledger:
        return self

    async def balance(self, account: Account) -> Money:
        assert account == Account(self.id, self.rich)
        return Asset(self.id, b"").of(self.units)


class Validator:
    name = "v"

    def __init__(self) -> None:
        self.behind = False

    async def attest(self, ledger: LedgerId, from_height: int, height: int) -> Attestation:
        if self.behind:
            raise NotFinal("not yet")
        said = LedgerStatement(Kind.CHECKPOINT, bytes(32), bytes(32), 1, 2, 3, b"\x01" * 32, 1)
        return Attestation(said, bytes(65))

    async def attest_absence(self, ledger, height, packets) -> Attestation:
        raise NotFinal("not yet")


async def test_the_queue_and_the_age_of_its_oldest_packet_are_measured() -> None:
    metrics = RelayerMetrics(clock=lambda: 1_100.0)
    known = OpenPackets(Ledger(A, b"me", 7), {A, B}, Account(A, b"me"))  # type: ignore[arg-type]
    known.routes = (ROUTE,)

    def value(name: str) -> float | None:
        return metrics.registry.get_sample_value(name, {"ledger": A, "client": "caimi-1-0"})

    for sequence, height in ((1, 60), (2, 40)):
        packet = Packet(sequence, "caimi-1-0", "caimi-2-0", 9_999, ())
        known.sent["caimi-1-0", sequence] = SentPacket(packet, "0x", height)
    known.sent["caimi-1-9", 1] = SentPacket(Packet(1, "caimi-1-9", "x", 9, ()), "0x", 1)
    await metrics.measure([known])
    assert (value("caimi_packets_waiting"), value("caimi_oldest_packet_seconds")) == (2.0, 60.0)
    known.sent.clear()
    await metrics.measure([known])
    assert (value("caimi_packets_waiting"), value("caimi_oldest_packet_seconds")) == (0.0, 0.0)


async def test_the_balance_is_that_of_the_account_which_earns_on_each_ledger() -> None:
    metrics, value = RelayerMetrics(), "caimi_relayer_balance"
    known = [
        OpenPackets(Ledger(name, me, units), {A, B}, Account(name, me))  # type: ignore[arg-type]
        for name, me, units in ((A, b"me", 7), (B, b"another name", 8))
    ]
    await metrics.measure([*known, OpenPackets(Ledger(C, b"", 9), {A})])  # type: ignore[arg-type]
    balances = [metrics.registry.get_sample_value(value, {"ledger": name}) for name in (A, B, C)]
    assert balances == [7.0, 8.0, None]


def test_gas_and_fees_are_counted_where_they_were_spent() -> None:
    metrics, fee = RelayerMetrics(), Asset(B, b"").of(300)
    for _ in range(2):
        metrics.carried(Carried("deliver", ROUTE, 5, Done(B, "0x", 1, 1, 100, fee, None)))
    labels = {"what": "deliver", "ledger": B}
    assert metrics.registry.get_sample_value("caimi_packets_carried_total", labels) == 10.0
    assert metrics.registry.get_sample_value("caimi_relayer_gas_total", labels) == 200.0
    assert metrics.registry.get_sample_value("caimi_relayer_fees_total", {"ledger": B}) == 600.0


async def test_signatures_are_counted_by_validator_and_missing_ones_by_reason() -> None:
    metrics = RelayerMetrics()
    inner = Validator()
    (validator,) = metrics.counted([inner])
    await validator.attest(A, 0, 1)
    inner.behind = True
    with pytest.raises(NotFinal):
        await validator.attest(A, 0, 1)
    with pytest.raises(NotFinal):
        await validator.attest_absence(A, 1, [("c", 1)])
    value = metrics.registry.get_sample_value
    assert value("caimi_signatures_total", {"validator": "v"}) == 1.0
    assert value("caimi_signatures_missing_total", {"validator": "v", "code": "CAIMI-M005"}) == 2.0


def test_findings_pauses_and_blindness_of_a_watcher_are_told() -> None:
    metrics = WatcherMetrics(clock=lambda: 50.0)
    value = metrics.registry.get_sample_value
    metrics.found(A, "caimi-1-0", ForgedDelivery("a packet"))
    metrics.stepped(Watched(failures=[NotFinal("x")], paused={(A, "caimi-1-0"): True}))
    place = {"ledger": A, "client": "caimi-1-0"}
    assert value("caimi_watcher_findings_total", {**place, "code": "CAIMI-M030"}) == 1.0
    assert value("caimi_route_paused", place) == 1.0
    assert value("caimi_watcher_seen_seconds") == 0.0
    metrics.stepped(Watched())
    assert value("caimi_watcher_seen_seconds") == 50.0
