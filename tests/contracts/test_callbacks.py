"""What a gateway does with applications that misbehave, answer later, or are not there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from caimi.contracts.applications import PacketContext
from caimi.contracts.commitments import PENDING
from caimi.contracts.ending import CallbackFailed, PacketAcknowledged, PacketTimedOut
from caimi.contracts.execution import Effect, Execution, refuse
from caimi.contracts.identifiers import Account
from caimi.contracts.receiving import (
    AcknowledgementDeferred,
    AcknowledgementWritten,
    PacketSkipped,
    ReceiveFailed,
)
from caimi.contracts.sending import PacketSent
from caimi.errors.ledgers import CallRefused
from caimi.ibc.commitments import (
    UNIVERSAL_ERROR_ACKNOWLEDGEMENT,
    acknowledgement_commitment,
    packet_commitment,
)
from caimi.ibc.packet import Packet, Payload
from caimi.ibc.path import Path
from caimi.ibc.statements import Kind
from contracts.local_ledgers import (
    ADMIN,
    BOB,
    CLIENT,
    COMMITTEE,
    GUARD,
    START,
    Claimed,
    LocalLedger,
    LocalPair,
    only,
)

HOUR = 3600


@dataclass
class Script:
    """An application that does what a test says."""

    name: str
    act: Callable[[Execution, PacketContext], bytes] = lambda call, context: b"ok"
    asked: list[str] = field(default_factory=list)

    @property
    def account(self) -> Account:
        return Account(self.name.encode())

    def receive(self, call: Execution, context: PacketContext) -> bytes:
        return self._do("receive", call, context)

    def acknowledge(self, call: Execution, context: PacketContext, given: bytes) -> None:
        self._do(f"acknowledge {given.decode('latin-1')}", call, context)

    def time_out(self, call: Execution, context: PacketContext) -> None:
        self._do("time out", call, context)

    def _do(self, asked: str, call: Execution, context: PacketContext) -> bytes:
        self.asked.append(asked)
        call.state.put(b"mark/" + self.account, b"1")
        call.emit(Marked(self.name))
        return self.act(call, context)


@dataclass(frozen=True)
class Marked(Effect):
    name: str


@dataclass
class Bench:
    """Two ledgers with two scripted applications each."""

    pair: LocalPair = field(default_factory=LocalPair.made)
    first: Script = field(default_factory=lambda: Script("first"))
    second: Script = field(default_factory=lambda: Script("second"))

    def __post_init__(self) -> None:
        for ledger in (self.pair.alpha, self.pair.beta):
            for script in (self.first, self.second):
                applications = ledger.contracts.gateway.applications
                applications.install(script)
                ledger.do(
                    ADMIN, lambda call, a=applications, s=script: a.add(call, s.name, s.account)
                )

    def send(self, *ports: str) -> Packet:
        payloads = tuple(Payload(port, port, "v1", "raw", port.encode()) for port in ports)
        alpha = self.pair.alpha
        packet = Packet(1, alpha.route, self.pair.beta.route, alpha.time + HOUR, payloads)
        if len({*ports}) == 1:
            account = Account(ports[0].encode())
            send = alpha.contracts.gateway.send
            done = alpha.do(
                account, lambda call: send(call, alpha.route, alpha.time + HOUR, payloads)
            )
            return only(done.effects, PacketSent).packet
        path = Path.commitment(alpha.route, 1)
        alpha.contracts.gateway.commitments.put(alpha.state, path, packet_commitment(packet))
        return packet

    def deliver(self, packet: Packet) -> tuple[Effect, ...]:
        beta = self.pair.beta
        fact = (
            Path.commitment(packet.source_client, packet.sequence).key,
            packet_commitment(packet),
        )
        proof = Claimed.about(self.pair.alpha, [fact]).proof()
        gateway = beta.contracts.gateway
        done = beta.do(BOB, lambda call: gateway.receive(call, beta.route, [packet], proof))
        return done.effects

    def acknowledge(self, packet: Packet, *given: bytes) -> tuple[Effect, ...]:
        alpha = self.pair.alpha
        key = Path.acknowledgement(packet.dest_client, packet.sequence).key
        fact = (key, acknowledgement_commitment(given))
        proof = Claimed.about(self.pair.beta, [fact]).proof()
        gateway = alpha.contracts.gateway
        return alpha.do(
            BOB, lambda call: gateway.acknowledge(call, alpha.route, [packet], [given], proof)
        ).effects

    def time_out(self, packet: Packet) -> tuple[Effect, ...]:
        alpha, beta = self.pair.alpha, self.pair.beta
        beta.time += HOUR
        fact = (Path.receipt(packet.dest_client, packet.sequence).key, bytes(32))
        proof = Claimed.about(beta, [fact]).but(kind=Kind.ABSENCE).proof()
        alpha.time += HOUR
        gateway = alpha.contracts.gateway
        return alpha.do(
            BOB, lambda call: gateway.time_out(call, alpha.route, [packet], proof)
        ).effects

    def answer(self, packet: Packet) -> bytes | None:
        path = Path.acknowledgement(packet.dest_client, packet.sequence)
        return self.pair.beta.contracts.gateway.commitments.get(self.pair.beta.state, path)


def refusing(reason: str) -> Callable[[Execution, PacketContext], bytes]:
    def act(call: Execution, context: PacketContext) -> bytes:
        refuse(reason)

    return act


def failing(call: Execution, context: PacketContext) -> bytes:
    raise ZeroDivisionError


def marked(ledger: LocalLedger, script: Script) -> bool:
    return ledger.state.get(b"mark/" + script.account) is not None


def test_an_answer_is_committed_to_and_told() -> None:
    bench = Bench()
    packet = bench.send("first")
    effects = bench.deliver(packet)
    assert only(effects, AcknowledgementWritten).acknowledgements == (b"ok",)
    assert bench.answer(packet) == acknowledgement_commitment([b"ok"])
    assert bench.pair.beta.contracts.gateway.commitments.has_receipt(
        bench.pair.beta.state, packet.dest_client, 1
    )
    assert only(bench.deliver(packet), PacketSkipped).sequence == 1
    assert only(bench.acknowledge(packet, b"ok"), PacketAcknowledged).sequence == 1
    assert bench.first.asked == ["receive", "acknowledge ok"]


def test_what_arrives_late_is_skipped() -> None:
    bench = Bench()
    packet = bench.send("first")
    bench.pair.beta.time = packet.timeout
    assert [type(effect) for effect in bench.deliver(packet)] == [PacketSkipped]
    assert bench.answer(packet) is None
    assert bench.first.asked == []


def test_a_refusal_is_undone_and_answered_by_the_universal_error() -> None:
    bench = Bench()
    bench.first.act = refusing("Dislike")
    packet = bench.send("first")
    effects = bench.deliver(packet)
    assert only(effects, ReceiveFailed).reason == "Dislike"
    assert bench.answer(packet) == acknowledgement_commitment([UNIVERSAL_ERROR_ACKNOWLEDGEMENT])
    assert not marked(bench.pair.beta, bench.first)
    assert not any(isinstance(effect, Marked) for effect in effects)


def test_an_error_of_our_own_is_no_answer() -> None:
    bench = Bench()
    bench.first.act = failing
    packet = bench.send("first")
    with pytest.raises(ZeroDivisionError):
        bench.deliver(packet)
    assert bench.answer(packet) is None


def test_all_payloads_take_effect_or_none() -> None:
    bench = Bench()
    bench.second.act = refusing("Dislike")
    effects = bench.deliver(bench.send("first", "second"))
    assert only(effects, ReceiveFailed).reason == "Dislike"
    assert not marked(bench.pair.beta, bench.first)


def test_all_payloads_are_answered_in_order() -> None:
    bench = Bench()
    bench.first.act, bench.second.act = (lambda c, x: b"1"), (lambda c, x: b"2")
    packet = bench.send("first", "second")
    assert only(bench.deliver(packet), AcknowledgementWritten).acknowledgements == (b"1", b"2")
    only(bench.acknowledge(packet, b"1", b"2"), PacketAcknowledged)
    assert bench.first.asked[-1] == "acknowledge 1"
    assert bench.second.asked[-1] == "acknowledge 2"


def test_one_universal_error_stands_for_all_payloads() -> None:
    bench = Bench()
    packet = bench.send("first", "second")
    bench.acknowledge(packet, UNIVERSAL_ERROR_ACKNOWLEDGEMENT)
    assert bench.first.asked == bench.second.asked
    assert len(bench.first.asked) == 1


def test_not_yet_leaves_the_packet_for_another_try() -> None:
    bench = Bench()
    bench.first.act = refusing("NotYet")
    packet = bench.send("first")
    assert [type(effect) for effect in bench.deliver(packet)] == [PacketSkipped]
    assert bench.answer(packet) is None
    bench.first.act = lambda call, context: b"now"
    assert only(bench.deliver(packet), AcknowledgementWritten).acknowledgements == (b"now",)


def test_an_application_may_answer_later_once() -> None:
    bench = Bench()
    beta, gateway = bench.pair.beta, bench.pair.beta.contracts.gateway
    bench.first.act = lambda call, context: b""
    packet = bench.send("first")
    only(bench.deliver(packet), AcknowledgementDeferred)
    assert bench.answer(packet) == PENDING == (1).to_bytes(32)
    assert only(bench.deliver(packet), PacketSkipped).sequence == 1

    def write(call: Execution) -> None:
        gateway.write_acknowledgement(call, beta.route, 1, b"late")

    done = beta.do(bench.first.account, write)
    assert only(done.effects, AcknowledgementWritten).acknowledgements == (b"late",)
    assert bench.answer(packet) == acknowledgement_commitment([b"late"])
    with pytest.raises(CallRefused, match="NotPending"):
        beta.do(bench.first.account, write)


@pytest.mark.parametrize("place", [0, 1])
def test_one_of_several_cannot_answer_later(place: int) -> None:
    bench = Bench()
    (bench.first, bench.second)[place].act = lambda call, context: b""
    effects = bench.deliver(bench.send("first", "second"))
    assert only(effects, ReceiveFailed).reason == "InvalidAcknowledgement"


@pytest.mark.parametrize("answer", [UNIVERSAL_ERROR_ACKNOWLEDGEMENT, bytes(8_193)])
def test_some_answers_are_none(answer: bytes) -> None:
    bench = Bench()
    bench.first.act = lambda call, context: answer
    effects = bench.deliver(bench.send("first"))
    assert only(effects, ReceiveFailed).reason == "InvalidAcknowledgement"


def test_the_largest_packet_is_sent() -> None:
    bench = Bench()
    alpha, gateway = bench.pair.alpha, bench.pair.alpha.contracts.gateway
    half = Payload("first", "first", "v1", "raw", bytes(131_072))
    until = alpha.time + 24 * HOUR
    sender = bench.first.account
    done = alpha.do(sender, lambda call: gateway.send(call, alpha.route, until, [half, half]))
    assert only(done.effects, PacketSent).packet.timeout == until


def test_the_longest_answer_is_taken() -> None:
    bench = Bench()
    bench.first.act = lambda call, context: b"x" * 8_192
    only(bench.deliver(bench.send("first")), AcknowledgementWritten)


def test_the_end_that_an_application_refuses_can_be_tried_again() -> None:
    bench = Bench()
    packet = bench.send("first")
    bench.first.act = refusing("Dislike")
    effects = bench.acknowledge(packet, b"ok")
    assert only(effects, CallbackFailed).reason == "Dislike"
    assert not any(isinstance(effect, Marked) for effect in effects)
    assert not marked(bench.pair.alpha, bench.first)
    bench.first.act = lambda call, context: b""
    only(bench.acknowledge(packet, b"ok"), PacketAcknowledged)
    only(bench.acknowledge(packet, b"ok"), PacketSkipped)


def test_the_end_of_several_payloads_is_told_to_all_or_none() -> None:
    bench = Bench()
    packet = bench.send("first", "second")
    bench.second.act = refusing("Dislike")
    assert only(bench.time_out(packet), CallbackFailed).reason == "Dislike"
    assert not marked(bench.pair.alpha, bench.first)


def test_a_packet_that_was_not_received_ends_once() -> None:
    bench = Bench()
    packet = bench.send("first")
    only(bench.time_out(packet), PacketTimedOut)
    assert bench.first.asked == ["time out"]
    path = Path.commitment(packet.source_client, 1)
    alpha = bench.pair.alpha
    assert alpha.contracts.gateway.commitments.get(alpha.state, path) is None


def test_who_receives_cannot_receive_again() -> None:
    bench = Bench()
    gateway, route = bench.pair.beta.contracts.gateway, bench.pair.beta.route

    def act(call: Execution, context: PacketContext) -> bytes:
        gateway.receive(call, route, [], b"")
        return b"ok"

    bench.first.act = act
    effects = bench.deliver(bench.send("first"))
    assert only(effects, ReceiveFailed).reason == "ReentrancyGuardReentrantCall"


def test_who_receives_may_send() -> None:
    bench = Bench()
    beta = bench.pair.beta

    def act(call: Execution, context: PacketContext) -> bytes:
        payload = Payload("first", "first", "v1", "raw", b"back")
        sender = call.by(bench.first.account)
        beta.contracts.gateway.send(sender, beta.route, beta.time + HOUR, (payload,))
        return b"ok"

    bench.first.act = act
    effects = bench.deliver(bench.send("first"))
    assert only(effects, PacketSent).packet.payloads[0].value == b"back"


def test_the_client_before_a_migration_counts_for_a_day() -> None:
    bench = Bench()
    beta = bench.pair.beta
    other = Account(b"other-client")
    elsewhere = beta.site.here(Account(b"elsewhere"))
    beta.do(ADMIN, lambda call: beta.contracts.clients.add(call, other, elsewhere, COMMITTEE))
    beta.do(ADMIN, lambda c: beta.contracts.gateway.routes.migrate(c, beta.route, other))
    packet = bench.send("first")
    with beta.undone():
        only(bench.deliver(packet), AcknowledgementWritten)
    beta.time += 24 * HOUR - 1
    only(bench.deliver(packet), PacketSkipped)
    beta.time += 1
    with pytest.raises(CallRefused, match="WrongOrigin"):
        bench.deliver(packet)


def test_a_frozen_client_is_replaced_and_the_packet_ends() -> None:
    bench = Bench()
    alpha, routes = bench.pair.alpha, bench.pair.alpha.contracts.gateway.routes
    packet = bench.send("first")
    client = alpha.contracts.clients.find(alpha.state, CLIENT)
    assert client is not None
    alpha.do(GUARD, client.freeze)
    with pytest.raises(CallRefused, match="ClientFrozen"):
        bench.acknowledge(packet, b"ok")
    alpha.do(BOB, lambda call: routes.pause_frozen(call, alpha.route))
    fresh, gateway = Account(b"fresh"), bench.pair.beta.gateway
    alpha.do(ADMIN, lambda call: alpha.contracts.clients.add(call, fresh, gateway, COMMITTEE))
    alpha.do(ADMIN, lambda call: routes.recover(call, alpha.route, fresh))
    only(bench.acknowledge(packet, b"ok"), PacketAcknowledged)
    assert alpha.time == START
