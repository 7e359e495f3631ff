"""The relayer as a service: its policy out of the configuration, its fees over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from fastapi import FastAPI, Request

from caimi.chains import AccountId
from caimi.composition.keys import codecs_of
from caimi.config import Config, RelayerRouteSection, TurnsSection
from caimi.errors.ids import InvalidAccountId
from caimi.errors.messaging import InvalidTurns
from caimi.errors.operations import NoRoute
from caimi.ledgers.port import Account, AccountCodec, Ledger, LedgerId, Route, name_of
from caimi.messaging.policy import Policy, RoutePolicy
from caimi.messaging.quote import Tariff, quote
from caimi.messaging.turns import RelayerSchedule
from caimi.node.connections import peer_of
from caimi.node.lanes import LaneKind, Lanes


class RelayingPolicy:
    """What `[relayer]` says of each route, for the relayer with `accounts` on the ledgers.

    Construction raises `UnknownLedger` when it names a ledger that is not configured,
    `InvalidTurns` when its turns cannot be followed, and `InvalidAccountId` when they list what is
    no account.
    """

    def __init__(self, config: Config, accounts: Mapping[LedgerId, Account]) -> None:
        section = config.relayer
        self._sections = [
            (each, _ledger(config, each.source), _ledger(config, each.destination))
            for each in section.routes
        ]
        caps = {LedgerId(config.ledger(name).id): cap for name, cap in section.price_caps.items()}
        turns = {}
        if section.turns is not None:
            codecs = codecs_of(config.ledgers)
            turns = {
                ledger: _schedule(section.turns, me, codecs[ledger])
                for ledger, me in accounts.items()
            }
        self.policy = Policy(self._route, caps, turns)

    def tariff(self, source: LedgerId, route: Route) -> Tariff | None:
        """Give how a route is priced; None when it is not carried."""
        section = self._section(source, route)
        if not section.carry:
            return None
        return Tariff(
            Fraction(str(section.price_ratio)), section.margin_percent, section.minimum_fee
        )

    def _route(self, source: LedgerId, route: Route) -> RoutePolicy:
        section = self._section(source, route)
        return RoutePolicy(
            section.carry,
            section.minimum_fee,
            section.packets,
            section.work,
            section.wait_seconds,
            section.propose,
        )

    def _section(self, source: LedgerId, route: Route) -> RelayerRouteSection:
        for section, here, there in self._sections:
            if (
                here in (None, source)
                and there in (None, route.counterparty)
                and section.client in (None, route.client_id)
            ):
                return section
        return RelayerRouteSection()


def _ledger(config: Config, name: str | None) -> LedgerId | None:
    return None if name is None else LedgerId(config.ledger(name).id)


def _schedule(turns: TurnsSection, me: Account, codec: AccountCodec) -> RelayerSchedule:
    """Give the turns for what one ledger sends, among those listed who have accounts there."""
    listed = [_there(text, me.ledger, codec) for text in turns.accounts]
    if me not in listed:
        raise InvalidTurns(
            f"This relayer's account {name_of(me, codec)} is not listed in [relayer.turns]."
        )
    return RelayerSchedule(
        me,
        [each for each in listed if each is not None],
        slot_seconds=turns.slot_seconds,
        guard_seconds=turns.guard_seconds,
    )


def _there(text: str, ledger: LedgerId, codec: AccountCodec) -> Account | None:
    """Read an account of a list as one of a ledger; None where it is of others.

    A CAIP-10 id is of its ledger, and an address alone of each that writes accounts so.
    """
    if ":" in text:
        named = AccountId.parse(text)
        return codec.parse(named.address) if named.ledger == ledger else None
    try:
        return codec.parse(text.lower())
    except InvalidAccountId:
        return None


def serve_quotes(
    app: FastAPI,
    accounts: Mapping[LedgerId, Account],
    ledgers: Mapping[LedgerId, Ledger],
    policy: RelayingPolicy,
) -> None:
    """Let `app` answer what carrying one packet over a route costs now.

    `GET /v1/quote?source=<CAIP-2 id>&client=<client id>` gives `relayer`, that one of `accounts`
    to escrow for, and `amount` in the source's smallest coin, as a decimal string.
    """
    lanes = Lanes(ledgers)

    @app.get("/v1/quote")
    async def answer(source: str, client: str, request: Request) -> dict[str, str]:
        async with lanes.take(source, LaneKind.QUOTE, peer_of(request.client)):
            return await price(source, client)

    async def price(source: str, client: str) -> dict[str, str]:
        ledger = ledgers.get(LedgerId(source))
        routes = await ledger.gateway.routes() if ledger is not None else []
        route = next((each for each in routes if each.client_id == client), None)
        tariff = None if route is None else policy.tariff(LedgerId(source), route)
        if ledger is None or route is None or tariff is None or route.counterparty not in ledgers:
            raise NoRoute(f"This relayer does not carry over {client!r:.80} from {source!r:.80}.")
        amount = await quote(ledger, ledgers[route.counterparty], tariff)
        me = ledger.accounts.text(accounts[ledger.id])
        return {"relayer": me, "amount": str(amount.units)}
