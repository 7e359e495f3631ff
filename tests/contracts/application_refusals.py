"""What bridges, their limits, and markets refuse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from caimi.contracts.buckets import LaneLimits
from caimi.contracts.identifiers import (
    COIN,
    NOBODY,
    Account,
    ClientId,
    Currency,
    InteroperableAccount,
    TokenId,
)
from caimi.contracts.offers import LicencePrice
from caimi.contracts.orders import LicenceOrder
from caimi.contracts.sending import PacketSent
from caimi.contracts.transfers import ModelTransfer
from caimi.contracts.visiting import VisitingModel
from contracts.local_ledgers import (
    ADMIN,
    ALICE,
    BOB,
    CAROL,
    GUARD,
    LEAVER,
    START,
    LocalPair,
    only,
)
from contracts.refusals import Refused, arriving, case, payload
from contracts.registry_refusals import NO_TOKEN, visitor

HOUR = START + 3600
ONE = LaneLimits(1, 0, 5, 5, 0)


# --- the bridge: sending ------------------------------------------------------------------------


def sending(
    pair: LocalPair,
    token: TokenId | None = None,
    to: tuple[bytes, int] = (BOB, 0),
    timeout: int = HOUR,
) -> Refused:
    alpha = pair.alpha
    found = alpha.publish() if token is None else token
    if token is None:
        alpha.approve(ALICE, found)
    bridge, route = alpha.contracts.bridge, alpha.route
    return alpha, ALICE, lambda call: bridge.send(call, route, found, to, timeout)


@case("EnforcedPause")
def sending_while_paused(pair: LocalPair) -> Refused:
    pair.alpha.do(GUARD, pair.alpha.contracts.bridge.pause)
    return sending(pair)


@case("ExpectedPause")
def going_on_while_going(pair: LocalPair) -> Refused:
    return pair.alpha, ADMIN, pair.alpha.contracts.bridge.unpause


@case("TooDeep")
def sending_deeper_than_anybody_may_ask(pair: LocalPair) -> Refused:
    return sending(pair, to=(BOB, 9_001))


@case("InvalidRecipient")
def sending_to_nobody(pair: LocalPair) -> Refused:
    return sending(pair, to=(b"", 0))


@case("InvalidRecipient")
def sending_to_129_bytes(pair: LocalPair) -> Refused:
    return sending(pair, to=(b"x" * 129, 0))


@case("InvalidRecipient")
def sending_a_word_to_an_evm_ledger(pair: LocalPair) -> Refused:
    routes = pair.alpha.contracts.gateway.routes
    ledger = bytes.fromhex("000100000101" + "00")
    pair.alpha.route = pair.alpha.do(
        ADMIN, lambda call: routes.add(call, Account(b"committee-client"), ledger)
    ).result
    return sending(pair)


@case("UnknownModel")
def sending_nothing(pair: LocalPair) -> Refused:
    return sending(pair, NO_TOKEN)


@case("ERC721InsufficientApproval")
def sending_without_approval(pair: LocalPair) -> Refused:
    return sending(pair, pair.alpha.publish())


@case("PayloadTooLarge")
def sending_what_has_a_long_home(pair: LocalPair) -> Refused:
    port = pair.alpha.contracts.bridge._port
    bridge = pair.alpha.site.bridge
    return (
        pair.alpha,
        bridge,
        lambda call: port.send(call, bridge, pair.alpha.route, HOUR, bytes(2049)),
    )


def visiting(pair: LocalPair, **changes: Any) -> TokenId:
    """Let a model of beta visit alpha."""
    ledger, caller, act = taking(pair, replace(visitor(pair), **changes))
    ledger.do(caller, act)
    model = visitor(pair)
    return TokenId(replace(model, **changes).model)


@case("NotTheWay")
def sending_on_to_where_it_has_been(pair: LocalPair) -> Refused:
    token, alpha = visiting(pair), pair.alpha
    alpha.approve(CAROL, token)
    routes = alpha.contracts.gateway.routes
    client = Account(b"committee-client")
    second = alpha.do(ADMIN, lambda call: routes.add(call, client, pair.beta.site.ledger)).result
    bridge = alpha.contracts.bridge
    return alpha, CAROL, lambda call: bridge.send(call, second, token, (BOB, 0), HOUR)


@case("SupplyCapReached")
def sending_over_the_cap(pair: LocalPair) -> Refused:
    accountant, route = pair.alpha.contracts.bridge.accountant, pair.alpha.route
    pair.alpha.do(ADMIN, lambda call: accountant.set_supply_cap(call, route, 0))
    return sending(pair)


@case("AccessManagedUnauthorized")
def cap_by_a_guardian(pair: LocalPair) -> Refused:
    accountant = pair.alpha.contracts.bridge.accountant
    return pair.alpha, GUARD, lambda call: accountant.set_supply_cap(call, pair.alpha.route, 0)


@case("NumberOutOfRange")
def cap_of_129_bits(pair: LocalPair) -> Refused:
    accountant, route = pair.alpha.contracts.bridge.accountant, pair.alpha.route
    return pair.alpha, ADMIN, lambda call: accountant.set_supply_cap(call, route, 1 << 128)


@case("NotConserved")
def more_back_than_left(pair: LocalPair) -> Refused:
    accountant = pair.alpha.contracts.bridge.accountant
    return pair.alpha, ALICE, lambda call: accountant.come_back(call, pair.alpha.route, 1)


# --- the bridge: receiving ----------------------------------------------------------------------


def taking(
    pair: LocalPair,
    model: VisitingModel,
    to: bytes = CAROL,
    depth: tuple[int, int, int] = (0, 0, 0),
    **changes: str,
) -> Refused:
    """Have alpha's bridge take a model that beta sent; `depth` is sent at, demanded, proved at."""
    transfer = ModelTransfer(model, BOB, to, depth[0], depth[1])
    return carrying(pair, transfer.encode(), depth[2], **changes)


def carrying(pair: LocalPair, value: bytes, height: int = 0, **changes: str) -> Refused:
    each = replace(payload("model", "caimi-model-3", value), **changes)
    context = arriving(pair.alpha, pair.beta, each, height)
    bridge = pair.alpha.contracts.bridge
    return pair.alpha, pair.alpha.site.gateway, lambda call: bridge.receive(call, context)


@case("OnlyGateway")
def taking_from_a_stranger(pair: LocalPair) -> Refused:
    ledger, _, act = taking(pair, visitor(pair))
    return ledger, BOB, act


@case("OnlyGateway")
def acknowledgement_from_a_stranger(pair: LocalPair) -> Refused:
    context = arriving(pair.alpha, pair.beta, payload("model", "caimi-model-3", b"x"))
    bridge = pair.alpha.contracts.bridge
    return pair.alpha, BOB, lambda call: bridge.acknowledge(call, context, b"\1")


@case("OnlyGateway")
def timeout_from_a_stranger(pair: LocalPair) -> Refused:
    context = arriving(pair.alpha, pair.beta, payload("model", "caimi-model-3", b"x"))
    bridge = pair.alpha.contracts.bridge
    return pair.alpha, BOB, lambda call: bridge.time_out(call, context)


@case("UnknownPacket")
def timeout_of_what_was_not_sent(pair: LocalPair) -> Refused:
    context = arriving(pair.alpha, pair.beta, payload("model", "caimi-model-3", b"x"))
    gateway, bridge = pair.alpha.site.gateway, pair.alpha.contracts.bridge
    return pair.alpha, gateway, lambda call: bridge.time_out(call, context)


@case("EnforcedPause")
def taking_while_paused(pair: LocalPair) -> Refused:
    pair.alpha.do(GUARD, pair.alpha.contracts.bridge.pause)
    return taking(pair, visitor(pair))


@case("UnexpectedPort")
def taking_from_another_port(pair: LocalPair) -> Refused:
    return taking(pair, visitor(pair), source_port="other")


@case("UnexpectedVersion")
def taking_another_version(pair: LocalPair) -> Refused:
    return taking(pair, visitor(pair), version="caimi-model-1")


@case("UnexpectedEncoding")
def taking_another_encoding(pair: LocalPair) -> Refused:
    return taking(pair, visitor(pair), encoding="application/json")


@case("PayloadTooLarge")
def taking_too_much(pair: LocalPair) -> Refused:
    return carrying(pair, bytes(2049))


@case("InvalidTransfer")
def taking_what_cannot_be_read(pair: LocalPair) -> Refused:
    return carrying(pair, b"transfer")


@case("InvalidTransfer")
def taking_what_has_a_second_spelling(pair: LocalPair) -> Refused:
    return carrying(pair, ModelTransfer(visitor(pair), BOB, CAROL, 0, 0).encode() + bytes(32))


@case("InvalidTransfer")
def taking_another_tag(pair: LocalPair) -> Refused:
    value = ModelTransfer(visitor(pair), BOB, CAROL, 0, 0).encode()
    return carrying(pair, (2).to_bytes(32) + value[32:])


@case("TooDeep")
def taking_deeper_than_anybody_may_ask(pair: LocalPair) -> Refused:
    return taking(pair, visitor(pair), depth=(0, 9_001, 10_000))


@case("NotYet")
def taking_before_it_is_deep(pair: LocalPair) -> Refused:
    return taking(pair, visitor(pair), depth=(10, 5, 14))


@case("InvalidRecipient")
def taking_for_what_is_no_account(pair: LocalPair) -> Refused:
    return taking(pair, visitor(pair), b"B0B")


@case("InvalidRecipient")
def taking_for_the_bridge(pair: LocalPair) -> Refused:
    return taking(pair, visitor(pair), pair.alpha.site.bridge)


@case("InvalidRecipient")
def taking_for_the_registry(pair: LocalPair) -> Refused:
    return taking(pair, visitor(pair), pair.alpha.site.registry)


@case("InvalidHome")
def taking_from_no_home(pair: LocalPair) -> Refused:
    return taking(pair, replace(visitor(pair), home=pair.beta.site.ledger))


def homely(pair: LocalPair) -> VisitingModel:
    """Give a model of alpha as it would come back."""
    site = pair.alpha.site
    return replace(visitor(pair), home=site.here(site.registry), publisher=ALICE)


@case("NotLockedTowards")
def taking_back_what_did_not_leave(pair: LocalPair) -> Refused:
    pair.alpha.publish()
    return taking(pair, homely(pair))


@case("NotLockedTowards")
def taking_back_over_another_route_than_it_left_by(pair: LocalPair) -> Refused:
    ledger, owner, act = sending(pair)
    ledger.do(owner, act)
    routes, client = ledger.contracts.gateway.routes, Account(b"committee-client")
    other = ledger.do(ADMIN, lambda call: routes.add(call, client, pair.beta.site.ledger)).result
    ledger.route = other
    return taking(pair, homely(pair))


@case("NotAVoyage")
def taking_back_what_came_over_others(pair: LocalPair) -> Refused:
    return taking(pair, replace(homely(pair), path=(pair.beta.site.ledger,)))


@case("NotAVoyage")
def taking_from_its_home_by_a_way(pair: LocalPair) -> Refused:
    return taking(pair, replace(visitor(pair), path=(b"x",)))


@case("NotAVoyage")
def taking_what_is_of_another_registry_here(pair: LocalPair) -> Refused:
    return taking(pair, replace(homely(pair), home=pair.alpha.site.here(BOB)))


@case("NotLockedTowards")
def taking_on_what_did_not_go_on(pair: LocalPair) -> Refused:
    return taking(pair, replace(visitor(pair), path=(pair.alpha.site.ledger,)))


# --- the emergency exit -------------------------------------------------------------------------


def unlocking(pair: LocalPair, to: bytes, caller: Account = LEAVER) -> Refused:
    ledger, owner, act = sending(pair)
    ledger.do(owner, act)
    token = TokenId(homely(pair).model)
    bridge, route = ledger.contracts.bridge, ledger.route
    return ledger, caller, lambda call: bridge.unlock_dead(call, token, route, Account(to))


@case("AccessManagedUnauthorized")
def unlocking_by_the_administrator(pair: LocalPair) -> Refused:
    return unlocking(pair, ALICE, ADMIN)


@case("NotTheSender")
def unlocking_for_another(pair: LocalPair) -> Refused:
    return unlocking(pair, BOB)


@case("NotLockedTowards")
def unlocking_twice(pair: LocalPair) -> Refused:
    ledger, caller, act = unlocking(pair, ALICE)
    ledger.do(caller, act)
    return ledger, caller, act


@case("InvalidRecipient")
def unlocking_for_the_bridge(pair: LocalPair) -> Refused:
    ledger, caller, act = unlocking(pair, pair.alpha.site.bridge)
    token = TokenId(homely(pair).model)
    passages = ledger.contracts.bridge._passages
    ledger.do(caller, lambda call: passages.confirm(call.state, token))
    return ledger, caller, act


# --- limits -------------------------------------------------------------------------------------


def limiting(pair: LocalPair, limits: LaneLimits, receiving: bool = False) -> Refused:
    bridge, route = pair.alpha.contracts.bridge, pair.alpha.route
    return (
        pair.alpha,
        ADMIN,
        lambda call: bridge.limits.set_limits(call, route, limits, receiving=receiving),
    )


def limited(
    pair: LocalPair, act: Callable[[Any], Any], limits: LaneLimits = ONE, receiving: bool = False
) -> Refused:
    ledger, caller, limit = limiting(pair, limits, receiving)
    ledger.do(caller, limit)
    return ledger, ALICE, act


@case("InvalidLimits")
def limits_of_no_packet(pair: LocalPair) -> Refused:
    return limiting(pair, LaneLimits(0, 1))


@case("InvalidLimits")
def limits_of_a_packet_larger_than_the_bucket(pair: LocalPair) -> Refused:
    return limiting(pair, LaneLimits(1, 1, 6, 5))


@case("NumberOutOfRange")
def limits_of_33_bits(pair: LocalPair) -> Refused:
    return limiting(pair, LaneLimits(1 << 32, 1))


@case("NumberOutOfRange")
def limits_of_105_bits(pair: LocalPair) -> Refused:
    return limiting(pair, LaneLimits(1, 1, 0, 1 << 104))


@case("AmountOverCap")
def sending_more_than_a_packet_may(pair: LocalPair) -> Refused:
    limits, route = pair.alpha.contracts.bridge.limits, pair.alpha.route
    return limited(pair, lambda call: limits.send(call, route, ALICE, 6))


@case("AmountOverCap")
def receiving_more_than_a_packet_may(pair: LocalPair) -> Refused:
    limits, route = pair.alpha.contracts.bridge.limits, pair.alpha.route
    return limited(pair, lambda call: limits.receive(call, route, 6), receiving=True)


@case("RateExceeded")
def sending_a_second(pair: LocalPair) -> Refused:
    limits, route = pair.alpha.contracts.bridge.limits, pair.alpha.route

    def send(call: Any) -> None:
        limits.send(call, route, ALICE, 5)

    made = limited(pair, send, replace(ONE, count=40))
    pair.alpha.do(ALICE, send)
    return made


@case("ShareExceeded")
def sending_more_than_a_share(pair: LocalPair) -> Refused:
    limits, route = pair.alpha.contracts.bridge.limits, pair.alpha.route

    def send(call: Any) -> None:
        limits.send(call, route, ALICE, 0)

    made = limited(pair, send, replace(ONE, count=39))
    pair.alpha.do(ALICE, send)
    return made


@case("RateExceeded")
def receiving_into_an_empty_bucket(pair: LocalPair) -> Refused:
    limits, route = pair.alpha.contracts.bridge.limits, pair.alpha.route

    def receive(call: Any) -> None:
        limits.receive(call, route, 0)

    made = limited(pair, receive, receiving=True)
    pair.alpha.do(ALICE, receive)
    pair.alpha.do(ADMIN, lambda call: limits.close_breaker(call, route))
    pair.alpha.do(ALICE, receive)
    breakers = limits._breakers
    pair.alpha.do(ALICE, lambda call: breakers.delete(call.state, (route,)))
    return made


@case("BreakerOpen")
def sending_after_the_bucket_was_emptied(pair: LocalPair) -> Refused:
    limits, route = pair.alpha.contracts.bridge.limits, pair.alpha.route
    made = limited(pair, lambda call: limits.send(call, route, ALICE, 0), receiving=True)
    pair.alpha.do(ALICE, lambda call: limits.receive(call, route, 0))
    return made


@case("RouteDead")
def closing_the_breaker_of_a_dead_route(pair: LocalPair) -> Refused:
    ledger, caller, act = unlocking(pair, ALICE)
    ledger.do(caller, act)
    limits = ledger.contracts.bridge.limits
    return ledger, ADMIN, lambda call: limits.close_breaker(call, ledger.route)


@case("AccessManagedUnauthorized")
def opening_the_breaker_by_a_stranger(pair: LocalPair) -> Refused:
    limits = pair.alpha.contracts.bridge.limits
    return pair.alpha, BOB, lambda call: limits.open_breaker(call, pair.alpha.route)


# --- licences and prices ------------------------------------------------------------------------


def granting(pair: LocalPair, caller: Account, version: str = "1.0.0", to: bytes = b"") -> Refused:
    token, market = pair.alpha.publish(), pair.alpha.contracts.market
    consumer = to or pair.beta.site.here(CAROL)
    return (
        pair.alpha,
        caller,
        lambda call: market.licences.grant(call, token, version, consumer),
    )


@case("NotModelOwner")
def grant_by_a_stranger(pair: LocalPair) -> Refused:
    return granting(pair, BOB)


@case("NotHome")
def grant_away_from_home(pair: LocalPair) -> Refused:
    token, market = visiting(pair), pair.alpha.contracts.market
    consumer = pair.beta.site.here(CAROL)
    return (
        pair.alpha,
        CAROL,
        lambda call: market.licences.grant(call, token, "1.0.0", consumer),
    )


@case("InvalidConsumer")
def grant_to_a_ledger(pair: LocalPair) -> Refused:
    return granting(pair, ALICE, to=pair.beta.site.ledger)


@case("UnknownVersion")
def grant_of_no_version(pair: LocalPair) -> Refused:
    return granting(pair, ALICE, "2.0.0")


@case("AlreadyLicensed")
def grant_twice(pair: LocalPair) -> Refused:
    ledger, caller, act = granting(pair, ALICE)
    ledger.do(caller, act)
    return ledger, caller, act


def revoking(pair: LocalPair, caller: Account) -> Refused:
    ledger, owner, act = granting(pair, ALICE)
    licence = ledger.do(owner, act).result
    licences = ledger.contracts.market.licences
    return ledger, caller, lambda call: licences.revoke(call, licence)


@case("UnknownLicence")
def revoking_nothing(pair: LocalPair) -> Refused:
    licences = pair.alpha.contracts.market.licences
    return pair.alpha, ALICE, lambda call: licences.revoke(call, b"\1" * 32)


@case("NotModelOwner")
def revoking_by_a_stranger(pair: LocalPair) -> Refused:
    return revoking(pair, BOB)


@case("AlreadyRevoked")
def revoking_twice(pair: LocalPair) -> Refused:
    ledger, caller, act = revoking(pair, ALICE)
    ledger.do(caller, act)
    return ledger, caller, act


def pricing(pair: LocalPair, *prices: LicencePrice, caller: Account = ALICE) -> Refused:
    token, market = pair.beta.publish(), pair.beta.contracts.market
    return pair.beta, caller, lambda call: market.set_prices(call, token, prices)


def price(pair: LocalPair, amount: int = 5, offered: bool = True) -> LicencePrice:
    return LicencePrice(pair.beta.site.here(CAROL), COIN, amount, offered)


@case("TooManyPrices")
def thirty_three_prices(pair: LocalPair) -> Refused:
    return pricing(pair, *[price(pair)] * 33)


def paying(pair: LocalPair, payee: bytes, asset: bytes = COIN) -> Refused:
    return pricing(
        pair, replace(price(pair), payee=InteroperableAccount(payee), asset=Currency(asset))
    )


ON_EVM = bytes.fromhex("00010000010114")


@case("InvalidPayee")
def price_for_a_ledger(pair: LocalPair) -> Refused:
    return paying(pair, pair.beta.site.ledger)


@case("InvalidPayee")
def price_for_a_word_on_an_evm_ledger(pair: LocalPair) -> Refused:
    return paying(pair, bytes.fromhex("00010000010105") + b"alice")


@case("InvalidPayee")
def price_for_nobody_on_an_evm_ledger(pair: LocalPair) -> Refused:
    return paying(pair, ON_EVM + bytes(20))


@case("InvalidPayee")
def price_for_what_is_no_account_here(pair: LocalPair) -> Refused:
    return paying(pair, pair.beta.site.here(Account(b"C4R0L")))


@case("InvalidAsset")
def price_in_a_word_on_an_evm_ledger(pair: LocalPair) -> Refused:
    return paying(pair, ON_EVM + b"\1" * 20, b"gold")


@case("InvalidAsset")
def price_in_an_asset_of_65_bytes(pair: LocalPair) -> Refused:
    return paying(pair, pair.beta.site.here(CAROL), b"x" * 65)


@case("NotModelOwner")
def price_by_a_stranger(pair: LocalPair) -> Refused:
    return pricing(pair, price(pair), caller=BOB)


@case("NumberOutOfRange")
def price_below_nothing(pair: LocalPair) -> Refused:
    return pricing(pair, price(pair, -5))


def buying(
    pair: LocalPair, amount: int = 5, offered: bool = True, reader: bytes = NOBODY
) -> Refused:
    ledger, seller, act = pricing(pair, price(pair, offered=offered))
    ledger.do(seller, act)
    token = TokenId(ledger.contracts.registry.publications.model_id(ALICE, "digits"))
    market = ledger.contracts.market
    return ledger, BOB, lambda call: market.buy(call, token, "1.0.0", (COIN, amount), reader)


@case("PriceChanged")
def buying_for_less(pair: LocalPair) -> Refused:
    return buying(pair, 4)


@case("PriceChanged")
def buying_what_is_not_offered(pair: LocalPair) -> Refused:
    return buying(pair, 0, offered=False)


@case("PriceChanged")
def buying_what_nobody_offered(pair: LocalPair) -> Refused:
    market = pair.beta.contracts.market
    return pair.beta, BOB, lambda call: market.buy(call, NO_TOKEN, "1.0.0", (COIN, 0))


@case("InvalidReader")
def buying_for_what_is_no_account(pair: LocalPair) -> Refused:
    return buying(pair, reader=Account(b"C4R0L"))


@case("AlreadyLicensed")
def buying_twice(pair: LocalPair) -> Refused:
    ledger, caller, act = buying(pair)
    ledger.do(caller, act)
    return ledger, caller, act


@case("NotEnough")
def buying_without_the_money(pair: LocalPair) -> Refused:
    ledger, caller, act = buying(pair)
    spend = 999
    ledger.do(caller, lambda call: ledger.coins.take(call, COIN, spend))
    return ledger, caller, act


# --- purchases over a route ---------------------------------------------------------------------


def ordering(pair: LocalPair, version: str = "1.0.0", amount: int = 5, **changes: Any) -> Refused:
    beta = pair.beta
    route, timeout = changes.get("route", beta.route), changes.get("timeout", HOUR)
    token = changes.get("token", NO_TOKEN)
    paid = (changes.get("currency", COIN), amount)
    reader = changes.get("reader", NOBODY)
    market = beta.contracts.market
    return (
        beta,
        BOB,
        lambda call: market.buy_remote(call, route, (token, version), paid, timeout, reader),
    )


@case("InvalidReader")
def ordering_for_what_is_no_account(pair: LocalPair) -> Refused:
    return ordering(pair, reader=Account(b"C4R0L"))


@case("InvalidAsset")
def ordering_in_what_no_ledger_has(pair: LocalPair) -> Refused:
    return ordering(pair, currency=Currency(b"x" * 65))


@case("InvalidVersion")
def ordering_the_newest(pair: LocalPair) -> Refused:
    return ordering(pair, "newest")


@case("WrongLength")
def ordering_a_model_of_31_bytes(pair: LocalPair) -> Refused:
    return ordering(pair, token=b"\1" * 31)


@case("AlreadyPurchased")
def ordering_twice(pair: LocalPair) -> Refused:
    ledger, caller, act = ordering(pair)
    ledger.do(caller, act)
    return ledger, caller, act


@case("UnknownClient")
def ordering_from_nowhere(pair: LocalPair) -> Refused:
    return ordering(pair, route=ClientId("caimi-nowhere-1"))


@case("NotEnough")
def ordering_without_the_money(pair: LocalPair) -> Refused:
    return ordering(pair, amount=1_001)


@case("BreakerOpen")
def ordering_in_a_currency_that_is_stopped(pair: LocalPair) -> Refused:
    token = Currency(b"\x77" * 20)
    lane = f"{pair.beta.route}/0x{token.hex()}"
    limits = pair.beta.contracts.market.limits
    pair.beta.do(GUARD, lambda call: limits.open_breaker(call, lane))
    return ordering(pair, currency=token)


def selling(pair: LocalPair, order: LicenceOrder | bytes, caller: Account | None = None) -> Refused:
    """Have beta's market sell what alpha's buyer ordered."""
    value = order if isinstance(order, bytes) else order.encode()
    each = payload("licence", "caimi-licence-2", value)
    context = arriving(pair.beta, pair.alpha, each)
    market = pair.beta.contracts.market
    return (
        pair.beta,
        caller or pair.beta.site.gateway,
        lambda call: market.receive(call, context),
    )


def order_of(pair: LocalPair, consumer: bytes | None = None) -> LicenceOrder:
    found = pair.alpha.site.here(BOB) if consumer is None else consumer
    return LicenceOrder(NO_TOKEN, "1.0.0", found, COIN, 5)


@case("OnlyGateway")
def selling_to_a_stranger(pair: LocalPair) -> Refused:
    return selling(pair, order_of(pair), BOB)


@case("InvalidPayload")
def selling_what_cannot_be_read(pair: LocalPair) -> Refused:
    return selling(pair, b"order")


@case("InvalidPayload")
def selling_what_has_a_second_spelling(pair: LocalPair) -> Refused:
    return selling(pair, order_of(pair).encode() + bytes(32))


@case("InvalidPayload")
def selling_for_an_asset_of_65_bytes(pair: LocalPair) -> Refused:
    return selling(pair, replace(order_of(pair), asset=Currency(b"x" * 65)))


@case("ConsumerNotBehindClient")
def selling_to_who_is_elsewhere(pair: LocalPair) -> Refused:
    return selling(pair, order_of(pair, pair.beta.site.here(BOB)))


@case("PriceChanged")
def selling_what_is_not_offered(pair: LocalPair) -> Refused:
    return selling(pair, order_of(pair))


@case("UnknownPacket")
def end_of_what_was_not_ordered(pair: LocalPair) -> Refused:
    context = arriving(pair.beta, pair.alpha, payload("licence", "caimi-licence-2", b"x"))
    market = pair.beta.contracts.market
    return pair.beta, pair.beta.site.gateway, lambda call: market.time_out(call, context)


def withdrawing(pair: LocalPair, caller: Account, to: bytes) -> Refused:
    ledger, buyer, act = buying(pair)
    ledger.do(buyer, act)
    market = ledger.contracts.market
    return (
        ledger,
        caller,
        lambda call: market.withdraw(call, COIN, Account(to)),
    )


@case("InvalidRecipient")
def withdrawing_to_the_market(pair: LocalPair) -> Refused:
    return withdrawing(pair, CAROL, pair.beta.site.market)


@case("InvalidRecipient")
def withdrawing_to_what_is_no_account(pair: LocalPair) -> Refused:
    return withdrawing(pair, CAROL, b"B0B")


@case("NothingOwed")
def withdrawing_what_is_not_owed(pair: LocalPair) -> Refused:
    return withdrawing(pair, ALICE, ALICE)


@case("AccessManagedUnauthorized")
def deposit_by_a_stranger(pair: LocalPair) -> Refused:
    market = pair.beta.contracts.market
    return pair.beta, BOB, lambda call: market.treasury.set_relay_deposit(call, 1)


@case("NumberOutOfRange")
def deposit_of_81_bits(pair: LocalPair) -> Refused:
    market = pair.beta.contracts.market
    return pair.beta, ADMIN, lambda call: market.treasury.set_relay_deposit(call, 1 << 80)


def giving_back(pair: LocalPair, caller: Account) -> Refused:
    ledger, buyer, act = ordering(pair)
    done = ledger.do(buyer, act)
    sent = only(done.effects, PacketSent).packet
    market = ledger.contracts.market
    return ledger, caller, lambda call: market.refund_dead(call, ledger.route, sent.sequence)


@case("AccessManagedUnauthorized")
def giving_back_by_the_administrator(pair: LocalPair) -> Refused:
    return giving_back(pair, ADMIN)


@case("NotPending")
def giving_back_twice(pair: LocalPair) -> Refused:
    ledger, caller, act = giving_back(pair, LEAVER)
    ledger.do(caller, act)
    return ledger, caller, act


def unpaid(act: str) -> Callable[[LocalPair], Refused]:
    """Ask a market without coins for what costs something."""

    def make(_: LocalPair) -> Refused:
        poor = LocalPair.made().alpha
        token, market = poor.publish(), poor.contracts.market
        here = LicencePrice(poor.site.here(ALICE), COIN, 5)
        acts: dict[str, Callable[[Any], Any]] = {
            "price": lambda call: market.set_prices(call, token, [here]),
            "buy": lambda call: market.buy(call, token, "1.0.0", (COIN, 0)),
            "order": lambda call: market.buy_remote(
                call, poor.route, (token, "1.0.0"), (COIN, 0), HOUR
            ),
            "withdraw": lambda call: market.withdraw(call, COIN, ALICE),
        }
        return poor, ALICE, acts[act]

    make.__name__ = f"no_coins_to_{act}"
    return make


for _act in ("price", "buy", "order", "withdraw"):
    case("NoCoins")(unpaid(_act))
