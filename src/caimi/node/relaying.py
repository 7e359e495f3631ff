"""The relayer as a service: its policy out of the configuration, its fees over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from fastapi import FastAPI, Request

from caimi.config import Config, RelayerRouteSection
from caimi.errors.operations import NoRoute
from caimi.hex_text import read_either_case
from caimi.ledgers.port import Account, Ledger, LedgerId, Route
from caimi.messaging.policy import Policy, RoutePolicy
from caimi.messaging.quote import Tariff, quote
from caimi.messaging.turns import RelayerSchedule
from caimi.node.connections import peer_of
from caimi.node.lanes import LaneKind, Lanes


class RelayingPolicy:
    """What `[relayer]` says of each route, for the relayer whose account is `me`.

    Construction raises `UnknownLedger` when it names a ledger that is not configured, and
    `InvalidTurns` when its turns cannot be followed.
    """

    def __init__(self, config: Config, me: bytes) -> None:
        section = config.relayer
        self._sections = [
            (each, _ledger(config, each.source), _ledger(config, each.destination))
            for each in section.routes
        ]
        caps = {LedgerId(config.ledger(name).id): cap for name, cap in section.price_caps.items()}
        turns = None
        if section.turns is not None:
            turns = RelayerSchedule(
                me,
                [read_either_case(account) for account in section.turns.accounts],
                slot_seconds=section.turns.slot_seconds,
                guard_seconds=section.turns.guard_seconds,
            )
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


def serve_quotes(
    app: FastAPI, native: bytes, ledgers: Mapping[LedgerId, Ledger], policy: RelayingPolicy
) -> None:
    """Let `app` answer what carrying one packet over a route costs now.

    `GET /v1/quote?source=<CAIP-2 id>&client=<client id>` gives `relayer`, the account to escrow
    for, and `amount` in the source's smallest coin, as a decimal string.
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
        me = ledger.accounts.text(Account(ledger.id, native))
        return {"relayer": me, "amount": str(amount.units)}
