"""What gateways and their light clients refuse."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from caimi.contracts.applications import PacketContext
from caimi.contracts.committees import KnownCommittee
from caimi.contracts.execution import Execution
from caimi.contracts.identifiers import Account, ClientId
from caimi.contracts.packet_rules import check_route
from caimi.contracts.receiving import ReceiveFailed
from caimi.ibc.commitments import (
    UNIVERSAL_ERROR_ACKNOWLEDGEMENT,
    acknowledgement_commitment,
    packet_commitment,
)
from caimi.ibc.packet import Packet
from caimi.ibc.path import Path
from caimi.ibc.statements import Kind, handover_digest
from caimi.signatures import ORDER
from contracts.local_ledgers import (
    ADMIN,
    ALICE,
    BOB,
    CLIENT,
    COMMITTEE,
    GUARD,
    MEMBERS,
    START,
    Claimed,
    LocalPair,
)
from contracts.refusals import Refused, case, packet, payload

ECHO = Account(b"echo")
NOWHERE = ClientId("caimi-nowhere-1")
FACTS = [(b"\1" * 32, b"\2" * 32), (b"\3" * 32, b"\4" * 32)]


class Echo:
    """An application that answers with what it is given."""

    account = ECHO

    def receive(self, call: Execution, context: PacketContext) -> bytes:
        return context.payload.value

    def acknowledge(self, call: Execution, context: PacketContext, given: bytes) -> None:
        pass

    def time_out(self, call: Execution, context: PacketContext) -> None:
        pass


def echoing(pair: LocalPair) -> None:
    for ledger in (pair.alpha, pair.beta):
        applications = ledger.contracts.gateway.applications
        applications.install(Echo())
        ledger.do(ADMIN, lambda call, a=applications: a.add(call, "echo", ECHO))


def sending(pair: LocalPair, timeout: int = START + 60, count: int = 1, **changes: Any) -> Refused:
    echoing(pair)
    fields = {"value": b"hi", **changes}
    each = replace(payload("echo", "v1", fields.pop("value")), **fields)
    gateway = pair.alpha.contracts.gateway
    return (
        pair.alpha,
        ECHO,
        lambda call: gateway.send(call, pair.alpha.route, timeout, [each] * count),
    )


def receiving(pair: LocalPair, *packets: Packet, proof: bytes = b"") -> Refused:
    gateway, route = pair.alpha.contracts.gateway, pair.alpha.route
    return pair.alpha, BOB, lambda call: gateway.receive(call, route, packets, proof)


def arriving(pair: LocalPair, value: bytes = b"hi", **changes: str) -> Packet:
    return packet(pair.beta, pair.alpha, replace(payload("echo", "v1", value), **changes))


def delivery(pair: LocalPair, *packets: Packet) -> Refused:
    """Deliver with a proof that holds."""
    facts = [
        (Path.commitment(each.source_client, each.sequence).key, packet_commitment(each))
        for each in packets
    ]
    claimed = Claimed.about(pair.beta, facts)
    ordered = [packets[place] for place in claimed.order]
    return receiving(pair, *ordered, proof=claimed.proof())


def deliver_an_odd_answer(pair: LocalPair) -> list[str]:
    """Have an application answer by the universal error; gives why its packet failed."""
    echoing(pair)
    ledger, relayer, act = delivery(pair, arriving(pair, UNIVERSAL_ERROR_ACKNOWLEDGEMENT))
    return [failed.reason for failed in ledger.effects(relayer, act, ReceiveFailed)]


def returning(pair: LocalPair, packets: list[Packet], given: Any) -> Refused:
    """Bring acknowledgements to alpha with a proof that holds."""
    facts = [
        (
            Path.acknowledgement(each.dest_client, each.sequence).key,
            acknowledgement_commitment(answer),
        )
        for each, answer in zip(packets, given, strict=False)
    ]
    proof = Claimed.about(pair.beta, facts).proof() if facts else b""
    gateway, route = pair.alpha.contracts.gateway, pair.alpha.route
    return (
        pair.alpha,
        BOB,
        lambda call: gateway.acknowledge(call, route, packets, given, proof),
    )


def expiring(pair: LocalPair, packets: list[Packet], time: int) -> Refused:
    """Prove to alpha that packets were not received."""
    facts = [(Path.receipt(each.dest_client, each.sequence).key, bytes(32)) for each in packets]
    claimed = Claimed.about(pair.beta, facts).but(kind=Kind.ABSENCE, time=time) if facts else None
    proof = claimed.proof() if claimed else b""
    gateway, route = pair.alpha.contracts.gateway, pair.alpha.route
    return pair.alpha, BOB, lambda call: gateway.time_out(call, route, packets, proof)


def sent(pair: LocalPair) -> Packet:
    ledger, caller, act = sending(pair)
    sequence = ledger.do(caller, act).result
    each = payload("echo", "v1", b"hi")
    return Packet(sequence, pair.alpha.route, pair.beta.route, START + 60, (each,))


# --- sending ------------------------------------------------------------------------------------


@case("UnknownClient")
def sending_nowhere(pair: LocalPair) -> Refused:
    pair.alpha.route = NOWHERE
    return sending(pair)


@case("UnknownClient")
def sending_to_what_is_no_unicode(pair: LocalPair) -> Refused:
    pair.alpha.route = ClientId("\ud800")
    return sending(pair)


@case("NoCounterparty")
def sending_over_a_route_that_is_not_joined(pair: LocalPair) -> Refused:
    routes, ledger = pair.alpha.contracts.gateway.routes, pair.beta.site.ledger
    pair.alpha.route = pair.alpha.do(ADMIN, lambda c: routes.add(c, CLIENT, ledger)).result
    return sending(pair)


@case("RoutePaused")
def sending_over_a_paused_route(pair: LocalPair) -> Refused:
    routes = pair.alpha.contracts.gateway.routes
    pair.alpha.do(GUARD, lambda call: routes.pause(call, pair.alpha.route))
    return sending(pair)


@case("InvalidTimeout")
def sending_until_now(pair: LocalPair) -> Refused:
    return sending(pair, START)


@case("InvalidTimeout")
def sending_for_more_than_a_day(pair: LocalPair) -> Refused:
    return sending(pair, START + 24 * 3600 + 1)


@case("NumberOutOfRange")
def sending_until_before_time(pair: LocalPair) -> Refused:
    return sending(pair, -1)


@case("InvalidPayload")
def sending_nothing(pair: LocalPair) -> Refused:
    return sending(pair, value=b"")


@case("InvalidPayload")
def sending_without_a_version(pair: LocalPair) -> Refused:
    return sending(pair, version=" \n")


@case("InvalidPayload")
def sending_an_encoding_that_is_no_unicode(pair: LocalPair) -> Refused:
    return sending(pair, encoding="\ud800")


@case("InvalidPayloads")
def sending_seventeen_payloads(pair: LocalPair) -> Refused:
    return sending(pair, count=17)


@case("InvalidPayloads")
def sending_no_payload(pair: LocalPair) -> Refused:
    return sending(pair, count=0)


@case("InvalidPayloads")
def sending_too_much(pair: LocalPair) -> Refused:
    return sending(pair, count=2, value=bytes(131_073))


@case("NotApplication")
def sending_from_the_port_of_another(pair: LocalPair) -> Refused:
    return sending(pair, source_port="model")


@case("InvalidPort")
def sending_to_what_is_no_port(pair: LocalPair) -> Refused:
    return sending(pair, dest_port="a port")


# --- receiving ----------------------------------------------------------------------------------


@case("EmptyBatch")
def receiving_nothing(pair: LocalPair) -> Refused:
    return receiving(pair)


@case("RoutePaused")
def receiving_over_a_paused_route(pair: LocalPair) -> Refused:
    routes = pair.alpha.contracts.gateway.routes
    pair.alpha.do(GUARD, lambda call: routes.pause(call, pair.alpha.route))
    return delivery(pair, arriving(pair))


@case("InvalidSequence")
def receiving_sequence_zero(pair: LocalPair) -> Refused:
    return receiving(pair, replace(arriving(pair), sequence=0))


@case("WrongRoute")
def receiving_what_another_client_sent(pair: LocalPair) -> Refused:
    return receiving(pair, replace(arriving(pair), source_client="another-client"))


@case("WrongRoute")
def receiving_what_is_for_another_client(pair: LocalPair) -> Refused:
    return receiving(pair, replace(arriving(pair), dest_client="another-client"))


@case("NumberOutOfRange")
def receiving_a_timeout_beyond_time(pair: LocalPair) -> Refused:
    each = replace(arriving(pair), timeout=1 << 64)
    check = (each, each.source_client, each.dest_client)
    return pair.alpha, BOB, lambda _: check_route(*check)


@case("InvalidPayload")
def receiving_a_blank_version(pair: LocalPair) -> Refused:
    return receiving(pair, arriving(pair, version=" "))


@case("MalformedProof")
def receiving_without_a_proof(pair: LocalPair) -> Refused:
    return receiving(pair, arriving(pair))


@case("InvalidMerkleProof")
def receiving_another_packet_than_was_proved(pair: LocalPair) -> Refused:
    each = arriving(pair)
    fact = (Path.commitment(each.source_client, each.sequence).key, packet_commitment(each))
    proof = Claimed.about(pair.beta, [fact]).proof()
    return receiving(pair, replace(each, timeout=each.timeout + 1), proof=proof)


@case("ReentrancyGuardReentrantCall")
def receiving_while_receiving(pair: LocalPair) -> Refused:
    gateway = pair.alpha.contracts.gateway

    def enter(call: Execution) -> None:
        with call.locked("gateway"):
            gateway.receive(call, pair.alpha.route, [], b"")

    return pair.alpha, BOB, enter


@case("NotPending")
def answering_what_was_not_asked(pair: LocalPair) -> Refused:
    gateway = pair.alpha.contracts.gateway
    return (
        pair.alpha,
        ECHO,
        lambda call: gateway.write_acknowledgement(call, pair.alpha.route, 1, b"ok"),
    )


def deferred(pair: LocalPair, caller: Account, answer: bytes) -> Refused:
    echoing(pair)
    gateway, route = pair.alpha.contracts.gateway, pair.alpha.route
    Echo.receive, kept = (lambda *_: b""), Echo.receive  # type: ignore[assignment]
    try:
        ledger, relayer, act = delivery(pair, arriving(pair))
        ledger.do(relayer, act)
    finally:
        Echo.receive = kept  # type: ignore[method-assign]
    return (
        pair.alpha,
        caller,
        lambda call: gateway.write_acknowledgement(call, route, 1, answer),
    )


@case("NotPending")
def answering_for_another(pair: LocalPair) -> Refused:
    return deferred(pair, BOB, b"ok")


@case("InvalidAcknowledgement")
def answering_nothing(pair: LocalPair) -> Refused:
    return deferred(pair, ECHO, b"")


@case("InvalidAcknowledgement")
def answering_too_much(pair: LocalPair) -> Refused:
    return deferred(pair, ECHO, bytes(8_193))


# --- ending -------------------------------------------------------------------------------------


@case("EmptyBatch")
def acknowledging_nothing(pair: LocalPair) -> Refused:
    return returning(pair, [], [])


@case("LengthMismatch")
def acknowledging_two_by_one(pair: LocalPair) -> Refused:
    each = sent(pair)
    return returning(pair, [each, each], [(b"ok",)])


@case("InvalidAcknowledgement")
def acknowledging_one_payload_by_two(pair: LocalPair) -> Refused:
    return returning(pair, [sent(pair)], [(b"ok", b"ok")])


@case("InvalidAcknowledgement")
def acknowledging_by_nothing(pair: LocalPair) -> Refused:
    return returning(pair, [sent(pair)], [(b"",)])


@case("CommitmentMismatch")
def acknowledging_another_packet(pair: LocalPair) -> Refused:
    each = sent(pair)
    return returning(pair, [replace(each, timeout=each.timeout + 1)], [(b"ok",)])


@case("CommitmentMismatch")
def acknowledging_what_is_no_unicode(pair: LocalPair) -> Refused:
    each = sent(pair)
    odd = replace(each.payloads[0], version="\ud800")
    return returning(pair, [replace(each, payloads=(odd,))], [(b"ok",)])


@case("EmptyBatch")
def timing_out_nothing(pair: LocalPair) -> Refused:
    return expiring(pair, [], START)


@case("TimeoutNotReached")
def timing_out_too_early(pair: LocalPair) -> Refused:
    return expiring(pair, [sent(pair)], START + 59)


# --- routes and applications --------------------------------------------------------------------


def routing(pair: LocalPair, caller: Account, method: str, *arguments: Any) -> Refused:
    routes = pair.alpha.contracts.gateway.routes
    return pair.alpha, caller, lambda call: getattr(routes, method)(call, *arguments)


@case("AccessManagedUnauthorized")
def route_by_a_guardian(pair: LocalPair) -> Refused:
    return routing(pair, GUARD, "add", CLIENT, pair.beta.site.ledger)


@case("InvalidLightClient")
def route_without_a_client(pair: LocalPair) -> Refused:
    return routing(pair, ADMIN, "add", BOB, pair.beta.site.ledger)


@case("InvalidLedger")
def route_to_an_account(pair: LocalPair) -> Refused:
    return routing(pair, ADMIN, "add", CLIENT, pair.beta.gateway)


@case("CounterpartyAlreadySet")
def counterparty_twice(pair: LocalPair) -> Refused:
    return routing(pair, ADMIN, "set_counterparty", pair.alpha.route, "another-client")


@case("InvalidClientId")
def counterparty_that_is_no_client(pair: LocalPair) -> Refused:
    routes = pair.alpha.contracts.gateway.routes
    route = pair.alpha.do(ADMIN, lambda c: routes.add(c, CLIENT, pair.beta.site.ledger)).result
    return routing(pair, ADMIN, "set_counterparty", route, "short")


@case("ClientNotFrozen")
def recovery_of_a_sound_client(pair: LocalPair) -> Refused:
    return routing(pair, ADMIN, "recover", pair.alpha.route, CLIENT)


@case("InvalidLightClient")
def migration_to_nothing(pair: LocalPair) -> Refused:
    return routing(pair, ADMIN, "migrate", pair.alpha.route, BOB)


@case("InvalidLightClient")
def recovery_by_the_frozen_client(pair: LocalPair) -> Refused:
    pair.alpha.do(GUARD, client(pair).freeze)
    return routing(pair, ADMIN, "recover", pair.alpha.route, CLIENT)


@case("ClientNotFrozen")
def pause_by_anyone_of_a_sound_route(pair: LocalPair) -> Refused:
    return routing(pair, BOB, "pause_frozen", pair.alpha.route)


@case("AccessManagedUnauthorized")
def pause_by_a_stranger(pair: LocalPair) -> Refused:
    return routing(pair, BOB, "pause", pair.alpha.route)


@case("RoutePaused")
def pause_twice(pair: LocalPair) -> Refused:
    ledger, caller, act = routing(pair, GUARD, "pause", pair.alpha.route)
    ledger.do(caller, act)
    return ledger, caller, act


@case("RouteNotPaused")
def going_on_while_going(pair: LocalPair) -> Refused:
    return routing(pair, ADMIN, "unpause", pair.alpha.route)


def adding(pair: LocalPair, caller: Account, port: str, account: Account) -> Refused:
    applications = pair.alpha.contracts.gateway.applications
    return pair.alpha, caller, lambda call: applications.add(call, port, account)


@case("AccessManagedUnauthorized")
def port_by_a_stranger(pair: LocalPair) -> Refused:
    return adding(pair, BOB, "other", pair.alpha.site.bridge)


@case("InvalidPort")
def port_of_one_letter(pair: LocalPair) -> Refused:
    return adding(pair, ADMIN, "x", pair.alpha.site.bridge)


@case("InvalidApplication")
def port_of_no_application(pair: LocalPair) -> Refused:
    return adding(pair, ADMIN, "other", BOB)


@case("PortTaken")
def port_twice(pair: LocalPair) -> Refused:
    return adding(pair, ADMIN, "model", pair.alpha.site.market)


@case("UnknownPort")
def application_at_no_port(pair: LocalPair) -> Refused:
    applications = pair.alpha.contracts.gateway.applications
    return pair.alpha, BOB, lambda call: applications.at(call.state, "other")


# --- the committee client -----------------------------------------------------------------------


def client(pair: LocalPair) -> Any:
    found = pair.alpha.contracts.clients.find(pair.alpha.state, CLIENT)
    assert found is not None
    return found


def claim(pair: LocalPair) -> Claimed:
    return Claimed.about(pair.beta, FACTS)


def proving(
    pair: LocalPair, claimed: Claimed, signatures: bytes | None = None, signers: int | None = None
) -> Refused:
    proof = claimed.proof(signatures, signers)
    found = client(pair)
    facts = [claimed.facts[place] for place in claimed.order]
    if claimed.kind is Kind.ABSENCE:
        keys = [key for key, _ in facts]
        return pair.alpha, BOB, lambda call: found.verify_absence(call, keys, proof)
    return pair.alpha, BOB, lambda call: found.verify_membership(call, facts, proof)


@case("ClientFrozen")
def proof_to_a_frozen_client(pair: LocalPair) -> Refused:
    pair.alpha.do(GUARD, client(pair).freeze)
    return proving(pair, claim(pair))


@case("FutureTime")
def proof_of_the_future(pair: LocalPair) -> Refused:
    return proving(pair, claim(pair).but(time=START + 601))


@case("WrongOrigin")
def proof_of_another_ledger(pair: LocalPair) -> Refused:
    return proving(pair, claim(pair).but(origin=b"\5" * 32))


@case("UnknownCommittee")
def proof_by_strangers(pair: LocalPair) -> Refused:
    return proving(pair, claim(pair).but(committee=replace(COMMITTEE, epoch=1)))


@case("TooFewSignatures")
def proof_by_two(pair: LocalPair) -> Refused:
    return proving(pair, claim(pair).but(signing=(0, 1)))


@case("UnknownSigner")
def proof_by_a_fifth(pair: LocalPair) -> Refused:
    return proving(pair, claim(pair), signers=0b10111)


@case("InvalidSignaturesLength")
def proof_with_half_a_signature(pair: LocalPair) -> Refused:
    signed = b"".join(claim(pair).signatures())
    return proving(pair, claim(pair), signed[:-1])


@case("InvalidSignaturesLength")
def proof_with_one_signature_more(pair: LocalPair) -> Refused:
    signed = b"".join(claim(pair).signatures())
    return proving(pair, claim(pair), signed + bytes(65))


@case("HighS")
def proof_with_a_high_s(pair: LocalPair) -> Refused:
    first, *others = claim(pair).signatures()
    high = (ORDER - int.from_bytes(first[32:64])).to_bytes(32)
    return proving(pair, claim(pair), first[:32] + high + first[64:] + b"".join(others))


@case("MalformedSignature")
def proof_with_zeros(pair: LocalPair) -> Refused:
    return proving(pair, claim(pair), bytes(65) + b"".join(claim(pair).signatures()[1:]))


@case("InvalidSignature")
def proof_by_who_is_no_member(pair: LocalPair) -> Refused:
    other = claim(pair).but(height=11).signatures()
    return proving(pair, claim(pair), b"".join(other))


@case("DuplicateSignature")
def proof_by_one_twice(pair: LocalPair) -> Refused:
    first, _, third = claim(pair).signatures()
    return proving(pair, claim(pair), first + first + third)


@case("SignatureOutOfOrder")
def proof_in_another_order(pair: LocalPair) -> Refused:
    first, second, third = claim(pair).signatures()
    return proving(pair, claim(pair), second + first + third)


@case("ZeroValue")
def proof_of_a_zero(pair: LocalPair) -> Refused:
    return proving(pair, claim(pair).but(facts=[(b"\1" * 32, bytes(32))]))


@case("InvalidCheckpoint")
def proof_of_no_blocks(pair: LocalPair) -> Refused:
    return proving(pair, claim(pair).but(start=10))


@case("InvalidCheckpoint")
def absence_of_blocks(pair: LocalPair) -> Refused:
    facts = [(b"\1" * 32, bytes(32))]
    return proving(pair, claim(pair).but(kind=Kind.ABSENCE, start=9, facts=facts))


@case("InvalidLeaves")
def proof_of_more_than_there_is(pair: LocalPair) -> Refused:
    return proving(pair, claim(pair).but(size=1))


@case("InvalidLeaves")
def proof_of_nothing(pair: LocalPair) -> Refused:
    found, proof = client(pair), claim(pair).proof()
    return pair.alpha, BOB, lambda call: found.verify_membership(call, [], proof)


@case("InvalidCheckpoint")
def proof_of_a_zero_root(pair: LocalPair) -> Refused:
    return proving(pair, claim(pair).but(root=bytes(32)))


@case("InvalidMerkleProof")
def proof_of_another_root(pair: LocalPair) -> Refused:
    return proving(pair, claim(pair).but(root=b"\5" * 32))


@case("MalformedProof")
def proof_that_is_none(pair: LocalPair) -> Refused:
    found = client(pair)
    return pair.alpha, BOB, lambda call: found.verify_membership(call, FACTS, b"proof")


def following(count: int = 4) -> tuple[int, tuple[bytes, ...], bytes]:
    return (3, COMMITTEE.members, bytes(range(count)))


def rotating(pair: LocalPair, given: Any, signed: Any = None) -> Refused:
    found = client(pair)
    head = found.head(pair.alpha.state)
    digest = handover_digest(head.origin, COMMITTEE.hash, 1, signed or given)
    signatures = b"".join(key.sign(digest) for key in MEMBERS[:3])
    return pair.alpha, BOB, lambda call: found.rotate(call, given, 7, signatures)


@case("InvalidMember")
def rotation_to_a_short_member(pair: LocalPair) -> Refused:
    return rotating(pair, (3, (*COMMITTEE.members[:3], b"\xff"), bytes(4)), following())


@case("InvalidSignature")
def rotation_that_was_not_signed(pair: LocalPair) -> Refused:
    return rotating(pair, following(), (4, *following()[1:]))


@case("InvalidThreshold")
def rotation_to_half_of_the_members(pair: LocalPair) -> Refused:
    return rotating(pair, (2, *following()[1:]))


@case("InvalidOperators")
def rotation_without_an_operator(pair: LocalPair) -> Refused:
    return rotating(pair, following(3))


@case("InvalidMember")
def rotation_to_members_out_of_order(pair: LocalPair) -> Refused:
    return rotating(pair, (3, COMMITTEE.members[::-1], bytes(range(4))))


@case("OperatorMajority")
def rotation_to_one_operator(pair: LocalPair) -> Refused:
    return rotating(pair, (3, COMMITTEE.members, bytes([0, 1, 1, 1])))


@case("ClientFrozen")
def rotation_of_a_frozen_client(pair: LocalPair) -> Refused:
    pair.alpha.do(GUARD, client(pair).freeze)
    return rotating(pair, following())


@case("CommitteeExpired")
def proof_by_who_handed_over_a_day_ago(pair: LocalPair) -> Refused:
    ledger, caller, act = rotating(pair, following())
    ledger.do(caller, act)
    pair.alpha.time += 24 * 3600 + 1
    return proving(pair, claim(pair))


@case("UnknownEpoch")
def committee_of_an_epoch_to_come(pair: LocalPair) -> Refused:
    found = client(pair)
    return pair.alpha, BOB, lambda call: found.committee(call.state, 1)


def reporting(pair: LocalPair, first: Claimed, second: Claimed) -> Refused:
    found, evidence = client(pair), (first.evidence(), second.evidence())
    return pair.alpha, BOB, lambda call: found.report_conflict(call, *evidence)


@case("NoConflict")
def report_of_what_agrees(pair: LocalPair) -> Refused:
    return reporting(pair, claim(pair), claim(pair).but(height=11, time=START + 1))


@case("NoConflict")
def report_of_two_absences_of_one_height(pair: LocalPair) -> Refused:
    first = claim(pair).but(kind=Kind.ABSENCE, facts=[(b"\1" * 32, bytes(32))])
    return reporting(pair, first, first.but(facts=[(b"\2" * 32, bytes(32))]))


@case("TooFewSignatures")
def report_of_what_too_few_signed(pair: LocalPair) -> Refused:
    return reporting(pair, claim(pair), claim(pair).but(time=START + 1, signing=(0, 1)))


@case("MalformedProof")
def report_of_a_third_kind(pair: LocalPair) -> Refused:
    found, evidence = client(pair), claim(pair).evidence()
    odd = (2).to_bytes(32) + evidence[32:]
    return pair.alpha, BOB, lambda call: found.report_conflict(call, odd, evidence)


@case("NoConflict")
def report_of_an_answer_that_came_later(pair: LocalPair) -> Refused:
    found = client(pair)
    key = Path.acknowledgement("some-client", 1).key
    member = claim(pair).but(facts=[(key, b"\1" * 32)], height=12).proof()
    absent = claim(pair).but(
        facts=[(Path.receipt("some-client", 1).key, bytes(32))], kind=Kind.ABSENCE, height=11
    )
    return (
        pair.alpha,
        BOB,
        lambda call: found.report_false_absence(
            call, ("some-client", 1), b"\1" * 32, absent.proof(), member
        ),
    )


@case("AccessManagedUnauthorized")
def freezing_by_the_administrator(pair: LocalPair) -> Refused:
    return pair.alpha, ADMIN, client(pair).freeze


@case("EmptyOrigin")
def client_of_nothing(pair: LocalPair) -> Refused:
    clients = pair.alpha.contracts.clients
    return pair.alpha, ADMIN, lambda call: clients.add(call, BOB, b"", COMMITTEE)


@case("ClientExists")
def client_twice(pair: LocalPair) -> Refused:
    clients, gateway = pair.alpha.contracts.clients, pair.beta.gateway
    return pair.alpha, ADMIN, lambda call: clients.add(call, CLIENT, gateway, COMMITTEE)


@case("InvalidThreshold")
def client_of_one_who_is_enough(pair: LocalPair) -> Refused:
    clients, gateway = pair.alpha.contracts.clients, pair.beta.gateway
    alone = KnownCommittee(0, 1, COMMITTEE.members[:1], b"\0")
    return pair.alpha, ADMIN, lambda call: clients.add(call, ALICE, gateway, alone)
