"""Ledgers that are unlike EVM move models and sell licences among themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from caimi.contracts.bridge_effects import ModelReceived, TransferCompleted, TransferReturned
from caimi.contracts.buckets import LaneLimits
from caimi.contracts.execution import Effect
from caimi.contracts.identifiers import COIN, NOBODY, Account, ClientId, Currency, TokenId
from caimi.contracts.licences import LicenceGranted, licence_id
from caimi.contracts.naming import version_id
from caimi.contracts.offers import LicencePrice
from caimi.contracts.orders import LicenceAnswer
from caimi.contracts.passages import Whereabouts
from caimi.contracts.purchases import PurchaseCompleted, PurchaseReturned
from caimi.contracts.receiving import AcknowledgementWritten, ReceiveFailed
from caimi.contracts.sending import PacketSent
from caimi.errors.ledgers import CallRefused
from caimi.ibc.commitments import (
    UNIVERSAL_ERROR_ACKNOWLEDGEMENT,
    acknowledgement_commitment,
    packet_commitment,
)
from caimi.ibc.packet import Packet
from caimi.ibc.path import Path
from caimi.ibc.statements import Kind
from caimi.merkle import MerkleTree, leaf_hash
from contracts.local_ledgers import (
    ADMIN,
    ALICE,
    BOB,
    CAROL,
    FUNDS,
    GUARD,
    LEAVER,
    START,
    Claimed,
    LocalLedger,
    LocalPair,
    only,
    sign,
)
from contracts.registry_refusals import batched

HOUR = START + 3600
RELAYER, PAYEE = Account(b"relayer"), Account(b"payee")


def deliver(packet: Packet, source: LocalLedger, dest: LocalLedger) -> tuple[Effect, ...]:
    fact = (Path.commitment(packet.source_client, packet.sequence).key, packet_commitment(packet))
    proof = Claimed.about(source, [fact]).proof()
    gateway = dest.contracts.gateway
    route = ClientId(packet.dest_client)
    return dest.do(RELAYER, lambda call: gateway.receive(call, route, [packet], proof)).effects


def acknowledge(
    packet: Packet, given: Sequence[bytes], source: LocalLedger, dest: LocalLedger
) -> tuple[Effect, ...]:
    key = Path.acknowledgement(packet.dest_client, packet.sequence).key
    proof = Claimed.about(dest, [(key, acknowledgement_commitment(given))]).proof()
    gateway, route = source.contracts.gateway, ClientId(packet.source_client)
    return source.do(
        RELAYER, lambda call: gateway.acknowledge(call, route, [packet], [given], proof)
    ).effects


def carry(packet: Packet, source: LocalLedger, dest: LocalLedger) -> tuple[Effect, ...]:
    """Deliver a packet and bring its answer back; gives the effects where it ended."""
    given = only(deliver(packet, source, dest), AcknowledgementWritten).acknowledgements
    return acknowledge(packet, given, source, dest)


def send(ledger: LocalLedger, owner: Account, token: TokenId, to: bytes, depth: int = 0) -> Packet:
    ledger.approve(owner, token)
    bridge, route = ledger.contracts.bridge, ledger.route
    done = ledger.do(owner, lambda call: bridge.send(call, route, token, (to, depth), HOUR))
    return only(done.effects, PacketSent).packet


def owner_of(ledger: LocalLedger, token: TokenId) -> Account:
    return ledger.contracts.registry.ownership.owner(ledger.state, token)


def test_a_model_goes_to_another_ledger_and_comes_back() -> None:
    pair = LocalPair.made()
    token = pair.alpha.publish()
    packet = send(pair.alpha, ALICE, token, BOB)
    assert owner_of(pair.alpha, token) == pair.alpha.site.bridge
    assert only(carry(packet, pair.alpha, pair.beta), TransferCompleted).token == token
    assert owner_of(pair.beta, token) == BOB
    away = pair.alpha.contracts.bridge.passage(pair.alpha.state, token)
    assert away.whereabouts is Whereabouts.AWAY
    known = pair.beta.contracts.registry.known.visiting(pair.beta.state, token)
    assert known.home == pair.alpha.site.here(pair.alpha.site.registry)
    assert known.stated.version == "1.0.0"
    carry(send(pair.beta, BOB, token, CAROL), pair.beta, pair.alpha)
    assert owner_of(pair.alpha, token) == CAROL
    assert owner_of(pair.beta, token) == b""
    account = pair.alpha.contracts.bridge.accountant.account(pair.alpha.state, pair.alpha.route)
    assert account.out == 0


def test_a_model_that_is_not_taken_in_time_is_its_senders_again() -> None:
    pair = LocalPair.made()
    token = pair.alpha.publish()
    packet = send(pair.alpha, ALICE, token, BOB)
    pair.alpha.time = pair.beta.time = HOUR
    fact = (Path.receipt(packet.dest_client, packet.sequence).key, bytes(32))
    proof = Claimed.about(pair.beta, [fact]).but(kind=Kind.ABSENCE).proof()
    gateway, route = pair.alpha.contracts.gateway, pair.alpha.route
    done = pair.alpha.do(RELAYER, lambda call: gateway.time_out(call, route, [packet], proof))
    assert only(done.effects, TransferReturned).to == ALICE
    assert owner_of(pair.alpha, token) == ALICE


def test_a_model_waits_until_it_is_as_deep_as_its_sender_asked() -> None:
    pair = LocalPair.made()
    packet = send(pair.alpha, ALICE, pair.alpha.publish(), BOB, depth=3)
    pair.alpha.height += 2
    assert not [e for e in deliver(packet, pair.alpha, pair.beta) if isinstance(e, ModelReceived)]
    pair.alpha.height += 1
    only(deliver(packet, pair.alpha, pair.beta), ModelReceived)


def test_a_model_sent_to_what_is_no_account_comes_back() -> None:
    pair = LocalPair.made()
    token = pair.alpha.publish()
    packet = send(pair.alpha, ALICE, token, b"N0body")
    effects = deliver(packet, pair.alpha, pair.beta)
    assert only(effects, ReceiveFailed).reason == "InvalidRecipient"
    acknowledge(packet, [UNIVERSAL_ERROR_ACKNOWLEDGEMENT], pair.alpha, pair.beta)
    assert owner_of(pair.alpha, token) == ALICE


def test_a_guest_that_is_sent_back_in_vain_is_a_guest_again() -> None:
    pair = LocalPair.made()
    token = pair.alpha.publish()
    carry(send(pair.alpha, ALICE, token, BOB), pair.alpha, pair.beta)
    packet = send(pair.beta, BOB, token, b"N0body")
    assert owner_of(pair.beta, token) == b""
    carry(packet, pair.beta, pair.alpha)
    assert owner_of(pair.beta, token) == BOB
    passage = pair.beta.contracts.bridge.passage(pair.beta.state, token)
    assert passage.whereabouts is Whereabouts.VISITING


def test_what_travels_says_how_many_licences_there_are() -> None:
    pair = LocalPair.made()
    token, licences = pair.alpha.publish(), pair.alpha.contracts.market.licences
    consumer = pair.beta.site.here(CAROL)
    pair.alpha.do(ALICE, lambda call: licences.grant(call, token, "1.0.0", consumer))
    carry(send(pair.alpha, ALICE, token, BOB), pair.alpha, pair.beta)
    stated = pair.beta.contracts.registry.known.visiting(pair.beta.state, token).stated
    tally = licences.tally(pair.alpha.state, token)
    assert (stated.licence_count, stated.licence_digest) == (1, tally.digest)


def test_a_publication_that_was_signed_with_another_kind_of_key_is_published() -> None:
    pair = LocalPair.made()
    ledger, caller, act = batched(pair.alpha)
    token = TokenId(ledger.do(caller, act).result)
    assert owner_of(ledger, token) == ALICE
    publications = ledger.contracts.registry.publications
    signed = publications.sign(ALICE, "digits", "1.0.0", b"\7" * 32)
    assert len(sign(signed)) == 64


def test_a_users_call_is_carried_out_whole() -> None:
    ledger = LocalPair.made().alpha
    contracts = ledger.contracts
    done = contracts.run(
        ledger.call(ALICE),
        lambda call: contracts.registry.publish(call, "digits", "1.0.0", b"\7" * 32),
    )
    assert owner_of(ledger, TokenId(done.result)) == ALICE


def test_receipts_are_proved_in_what_their_worker_anchored() -> None:
    ledger = LocalPair.made().alpha
    receipts = ledger.contracts.receipts
    digests = [bytes([n]) * 32 for n in range(3)]
    tree = MerkleTree(leaf_hash(digest) for digest in digests)
    assert ledger.do(ALICE, lambda call: receipts.anchor(call, tree.root, 3)).result == 0
    batch = (ALICE, tree.root)
    assert receipts.is_anchored(ledger.state, batch, digests[1], tree.proof(1))
    assert not receipts.is_anchored(ledger.state, batch, digests[1], tree.proof(2))
    assert not receipts.is_anchored(ledger.state, (BOB, tree.root), digests[1], tree.proof(1))
    assert receipts.anchored(ledger.state, ALICE, tree.root) == START


# --- the market ---------------------------------------------------------------------------------


def offering(pair: LocalPair, currency: Currency = COIN) -> TokenId:
    """Publish on alpha, and offer for 5 on beta, to be paid to an account there."""
    token, market = pair.alpha.publish(), pair.alpha.contracts.market
    prices = [LicencePrice(pair.beta.site.here(PAYEE), currency, 5)]
    pair.alpha.do(ALICE, lambda call: market.set_prices(call, token, prices))
    return token


def order(
    pair: LocalPair,
    token: TokenId,
    amount: int = 5,
    currency: Currency = COIN,
    reader: Account = NOBODY,
) -> Packet:
    market, route = pair.beta.contracts.market, pair.beta.route
    wanted, paid = (token, "1.0.0"), (currency, amount)
    done = pair.beta.do(
        BOB, lambda call: market.buy_remote(call, route, wanted, paid, HOUR, reader)
    )
    return only(done.effects, PacketSent).packet


def balance(ledger: LocalLedger, account: Account, currency: Currency = COIN) -> int:
    assert ledger.coins is not None
    return ledger.coins.balance(ledger.state, account, currency)


@pytest.mark.parametrize("currency", [COIN, Currency(b"gold"), Currency(b"x" * 64)], ids=repr)
def test_a_licence_is_bought_over_a_route_and_everybody_is_paid(currency: Currency) -> None:
    pair = LocalPair.made()
    token, market = offering(pair, currency), pair.beta.contracts.market
    pair.beta.do(ADMIN, lambda call: market.treasury.set_relay_deposit(call, 2))
    packet = order(pair, token, currency=currency)
    assert market.treasury.held(pair.beta.state, currency) == (7 if currency == COIN else 5)
    effects = deliver(packet, pair.beta, pair.alpha)
    granted = only(effects, LicenceGranted)
    assert granted.consumer == pair.beta.site.here(BOB)
    assert granted.payee == pair.beta.site.here(PAYEE)
    given = only(effects, AcknowledgementWritten).acknowledgements
    ended = acknowledge(packet, given, pair.beta, pair.alpha)
    assert only(ended, PurchaseCompleted).payee == PAYEE
    pair.beta.do(PAYEE, lambda call: market.withdraw(call, currency, CAROL))
    pair.beta.do(RELAYER, lambda call: market.withdraw(call, COIN, RELAYER))
    assert balance(pair.beta, CAROL, currency) == FUNDS + 5
    assert balance(pair.beta, RELAYER) == FUNDS + 2
    assert market.treasury.held(pair.beta.state, currency) == 0
    licence = licence_id(token, version_id("1.0.0"), pair.beta.site.here(BOB))
    record = pair.alpha.contracts.market.licences.get(pair.alpha.state, licence)
    assert record is not None
    assert not record.revoked


def test_a_purchase_at_another_price_is_refunded() -> None:
    pair = LocalPair.made(coins=True)
    market = pair.beta.contracts.market
    packet = order(pair, offering(pair), 4)
    ended = carry(packet, pair.beta, pair.alpha)
    assert only(ended, PurchaseReturned).buyer == BOB
    assert market.treasury.owed(pair.beta.state, BOB, COIN) == 4
    order(pair, TokenId(b"\1" * 32))


def test_an_answer_that_is_not_our_own_kinds_refunds() -> None:
    pair = LocalPair.made(coins=True)
    packet = order(pair, offering(pair))
    (given,) = only(deliver(packet, pair.beta, pair.alpha), AcknowledgementWritten).acknowledgements
    answer = LicenceAnswer.decode(given)
    assert answer is not None
    elsewhere = (b"payee", pair.alpha.site.here(PAYEE), pair.beta.site.here(Account(b"P4YEE")))
    answers = [replace(answer, payee=payee).encode() for payee in elsewhere]
    for wrong in (b"\1", given + bytes(32), *answers):
        with pair.beta.undone():
            ended = acknowledge(packet, [wrong], pair.beta, pair.alpha)
            only(ended, PurchaseReturned)


def test_an_exit_gives_purchases_and_models_back_and_late_answers_change_nothing() -> None:
    pair = LocalPair.made(coins=True)
    packet, market = order(pair, offering(pair)), pair.beta.contracts.market
    route = pair.beta.route
    pair.beta.do(LEAVER, lambda call: market.refund_dead(call, route, packet.sequence))
    assert market.treasury.owed(pair.beta.state, BOB, COIN) == 5
    given = only(deliver(packet, pair.beta, pair.alpha), AcknowledgementWritten).acknowledgements
    ended = acknowledge(packet, given, pair.beta, pair.alpha)
    assert not [effect for effect in ended if isinstance(effect, PurchaseCompleted)]
    assert market.treasury.owed(pair.beta.state, PAYEE, COIN) == 0
    assert market.limits.breaker_open(pair.beta.state, route)


def test_a_ledger_without_coins_grants_and_sells_for_what_is_paid_elsewhere() -> None:
    pair = LocalPair.made()
    token, market = offering(pair), pair.alpha.contracts.market
    consumer = pair.beta.site.here(CAROL)
    pair.alpha.do(ALICE, lambda call: market.licences.grant(call, token, "1.0.0", consumer))
    prices = [LicencePrice(site.here(ALICE), COIN, 5) for site in (pair.beta.site, pair.alpha.site)]
    with pytest.raises(CallRefused, match="NoCoins"):
        pair.alpha.do(ALICE, lambda call: market.set_prices(call, token, prices))
    ended = carry(order(pair, token), pair.beta, pair.alpha)
    assert only(ended, PurchaseCompleted).payee == PAYEE


def test_a_reader_who_did_not_buy_has_the_licence_and_the_buyer_what_comes_back() -> None:
    pair = LocalPair.made()
    token, market = offering(pair), pair.beta.contracts.market
    readers = [licence_id(token, version_id("1.0.0"), pair.beta.site.here(x)) for x in (CAROL, BOB)]
    packet = order(pair, token, reader=CAROL)
    with pair.beta.undone():
        given_back = pair.beta.do(
            LEAVER, lambda call: market.refund_dead(call, pair.beta.route, packet.sequence)
        )
        assert only(given_back.effects, PurchaseReturned).buyer == BOB
        assert market.treasury.owed(pair.beta.state, CAROL, COIN) == 0
    carry(packet, pair.beta, pair.alpha)
    licences = pair.alpha.contracts.market.licences
    found = [licences.get(pair.alpha.state, each) for each in readers]
    assert found[0] is not None
    assert found[1] is None


def test_nobody_who_buys_for_another_keeps_the_other_from_buying() -> None:
    pair = LocalPair.made()
    token, market, route = offering(pair), pair.beta.contracts.market, pair.beta.route
    first = order(pair, token, reader=CAROL)
    wanted, paid = (token, "1.0.0"), (COIN, 5)
    done = pair.beta.do(CAROL, lambda call: market.buy_remote(call, route, wanted, paid, HOUR))
    second = only(done.effects, PacketSent).packet
    assert only(carry(second, pair.beta, pair.alpha), PurchaseCompleted).payee == PAYEE
    assert only(carry(first, pair.beta, pair.alpha), PurchaseReturned).buyer == BOB


# --- limits -------------------------------------------------------------------------------------


def test_the_delivery_that_empties_a_bucket_opens_the_breaker_of_its_route() -> None:
    pair = LocalPair.made()
    limits, route = pair.beta.contracts.bridge.limits, pair.beta.route
    one = LaneLimits(1, 1)
    pair.beta.do(ADMIN, lambda call: limits.set_limits(call, route, one, receiving=True))
    only(
        deliver(send(pair.alpha, ALICE, pair.alpha.publish(), BOB), pair.alpha, pair.beta),
        ModelReceived,
    )
    assert limits.breaker_open(pair.beta.state, route)
    second = pair.alpha.publish(name="second")
    effects = deliver(send(pair.alpha, ALICE, second, BOB), pair.alpha, pair.beta)
    assert only(effects, ReceiveFailed).reason == "BreakerOpen"
    pair.beta.do(ADMIN, lambda call: limits.close_breaker(call, route))
    assert limits.available(pair.beta.state, route, START, receiving=True) == (1, 0)


def test_a_pause_stops_no_end() -> None:
    pair = LocalPair.made()
    token = pair.alpha.publish()
    packet = send(pair.alpha, ALICE, token, BOB)
    bridge, routes = pair.alpha.contracts.bridge, pair.alpha.contracts.gateway.routes
    pair.alpha.do(GUARD, bridge.pause)
    pair.alpha.do(GUARD, lambda call: routes.pause(call, pair.alpha.route))
    only(carry(packet, pair.alpha, pair.beta), TransferCompleted)
