"""Routes between two configured ledgers: planned, added at both ends once, checked, listed, paused.

The additions between two ledgers are one operation of the journal, and their transactions are in
its outbox, so that a run which was killed, between the ends too, is finished by the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from caimi.composition.deploying import TellingOutbox
from caimi.composition.joining import administration_of, join_ledgers
from caimi.config import LedgerSection
from caimi.errors.base import CaimiError
from caimi.errors.deploying import RouteBegun, RouteDiffers
from caimi.errors.operations import NoRoute
from caimi.journal import Journal, Operation
from caimi.ledgers.port import (
    COMMITTEE,
    COMPOSITE,
    Account,
    Administration,
    ClientTerms,
    Committee,
    Drafts,
    Ledger,
    LedgerId,
    LedgerPlan,
    LightClient,
    ReadEndorsers,
    Route,
    RouteEnd,
    Signer,
    kind_name,
    offered,
)

KIND = "route"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ListedRoute:
    """One end of a route, as its ledger shows it, and as the ledger behind it does.

    `joined` is whether that one names this end too; None where it is not configured or silent.
    `signers` is "m of n" of the committee in it, empty where there is none.
    """

    ledger: LedgerId
    route: Route
    client: str
    signers: str
    joined: bool | None
    paused: bool
    frozen: bool


@dataclass(frozen=True, slots=True)
class Unlisted:
    """A ledger whose routes could not be read, and why."""

    ledger: LedgerId
    error: CaimiError


@dataclass(frozen=True, slots=True)
class Joined:
    """Both ends of a route, by their ledgers."""

    clients: Mapping[LedgerId, str]


class Routing:
    """The adding of one route, while its operation is held.

    `ends` are each ledger's section and its end of the route, in order of the ledgers' ids.
    `drafts` takes what another account is to propose to a ledger's timelock.
    """

    def __init__(
        self,
        operation: Operation,
        journal: Journal,
        ends: Sequence[tuple[LedgerSection, RouteEnd]],
        drafts: Drafts | None = None,
    ) -> None:
        self._operation = operation
        self._journal = journal
        self._drafts = drafts
        self._offices = [administration_of(section) for section, _ in ends]
        self._ends = [end for _, end in ends]

    async def there(self) -> Joined | None:
        """Give a route of these terms that is on both ledgers, by this journal or without it.

        None when one was begun and is not ended, or there is none.
        """
        if "terms" in self._operation.facts and not self._operation.finished:
            return None
        one, other = self._ends
        known = {route.client_id: route for route in await other.here.gateway.routes()}
        for route in await one.here.gateway.routes():
            back = known.get(route.counterparty_client_id)
            if route.counterparty != other.here.id or back is None:
                continue
            found = Joined({one.here.id: route.client_id, other.here.id: back.client_id})
            if not await self._wrong(found):
                return found
        return None

    async def plan(self, accounts: Sequence[Account], *, anew: bool = False) -> list[LedgerPlan]:
        """Tell what is left to be done at each end; `anew`, all of it, whatever was begun.

        Raises:
            RouteBegun: it was begun with other terms.
            RouteUnfit: an account does not administer its ledger, or there is no such client.
        """
        begun = self._operation.facts.get("terms")
        if not anew and begun is not None and begun != self._terms():
            ids = " and ".join(end.here.id for end in self._ends)
            raise RouteBegun(f"A route between {ids} was begun with other terms: {begun}.")
        outbox = None if anew else self._journal
        key = self._operation.key
        plans = (
            office.plan_route(end, account.native, outbox=outbox, key=key, drafts=self._drafts)
            for office, end, account in self._with(accounts)
        )
        return list(await asyncio.gather(*plans))

    async def carry_out(self, signers: Sequence[Signer], tell: TellingOutbox) -> Joined:
        """Add both ends, name each to the other, check both, and end the operation.

        Raises:
            RouteDiffers: a ledger shows something else than was added.
            ChangeWaits: a ledger's timelock has not made a change yet; another run goes on.
        """
        if self._operation.finished:
            await self._operation.reopen()
        await self._operation.note(terms=self._terms())
        one, other = self._ends
        sides = [
            office.administered(end.here, signer, self._drafts)
            for office, end, signer in self._with(signers)
        ]
        on_one, on_other = await join_ledgers(
            sides[0],
            sides[1],
            one.committee,
            terms=(one.terms, other.terms),
            outbox=tell,
            key=self._operation.key,
        )
        joined = Joined({one.here.id: on_one, other.here.id: on_other})
        tell.tell("Checking both ends")
        wrong = await self._wrong(joined)
        if wrong:
            raise RouteDiffers(f"The route is not as planned: {'; '.join(wrong)}.")
        await self._operation.note(clients=dict(joined.clients))
        await self._operation.finish()
        return joined

    async def _wrong(self, joined: Joined) -> list[str]:
        """Say what of a route is not as these ends have it."""
        wrong = []
        for place, (office, end) in enumerate(zip(self._offices, self._ends, strict=True)):
            mine = joined.clients[end.here.id]
            theirs = joined.clients[self._ends[1 - place].here.id]
            shown = {route.client_id: route for route in await end.here.gateway.routes()}.get(mine)
            if shown != Route(mine, theirs, end.of.id):
                wrong.append(f"{mine} on {end.here.id} names another counterparty")
                continue
            said = await office.audit_route(end, mine)
            wrong += [f"{each}, of {mine} on {end.here.id}" for each in said]
        return wrong

    def _with(self, given: Sequence[T]) -> Iterator[tuple[Administration, RouteEnd, T]]:
        return zip(self._offices, self._ends, given, strict=True)

    def _terms(self) -> dict[str, object]:
        return {end.here.id: _written(end.committee, end.terms) for end in self._ends}


async def list_routes(
    ledgers: Mapping[LedgerId, Ledger],
) -> tuple[list[ListedRoute], list[Unlisted]]:
    """List the ends of all routes on some ledgers, and the ledgers that could not be read."""
    asked = await asyncio.gather(
        *(ledger.gateway.routes() for ledger in ledgers.values()), return_exceptions=True
    )
    known: dict[LedgerId, list[Route]] = {}
    unread = []
    for ledger, found in zip(ledgers, asked, strict=True):
        if isinstance(found, CaimiError):
            unread.append(Unlisted(ledger, found))
        elif isinstance(found, BaseException):
            raise found
        else:
            known[ledger] = found
    listed = await asyncio.gather(
        *(
            _listed(ledgers[ledger], route, known.get(route.counterparty))
            for ledger, routes in known.items()
            for route in routes
        )
    )
    return list(listed), unread


async def _listed(ledger: Ledger, route: Route, behind: Sequence[Route] | None) -> ListedRoute:
    client = await ledger.clients.of(route.client_id)
    (frozen,) = await ledger.clients.frozen([client.account])
    below = _committee_in(client)
    committee = None if below is None else await ledger.clients.committee(below)
    back = Route(route.counterparty_client_id, route.client_id, ledger.id)
    return ListedRoute(
        ledger.id,
        route,
        _described(client),
        "" if committee is None else f"{committee.threshold} of {len(committee.members)}",
        None if behind is None else back in behind,
        False if ledger.watching is None else await ledger.watching.route_paused(route.client_id),
        frozen,
    )


def routes_between(
    listed: Sequence[ListedRoute], one: LedgerId, other: LedgerId, client: str | None
) -> list[ListedRoute]:
    """Give both ends of the one route between two ledgers, or of that with a client id.

    Raises:
        NoRoute: there is none, or none that is named alone.
    """
    ends = [
        each
        for each in listed
        if (each.ledger, each.route.counterparty) == (one, other)
        and client in (None, each.route.client_id, each.route.counterparty_client_id)
    ]
    if not ends:
        raise NoRoute(
            f"No route leads from {one} to {other}"
            f"{'' if client is None else f' by the client {client}'}.",
            next_step="Run `caimi route list` to see the routes there are.",
        )
    if len(ends) > 1:
        several = ", ".join(each.route.client_id for each in ends)
        raise NoRoute(
            f"{len(ends)} routes lead from {one} to {other}: {several}.",
            why="One of them has to be chosen.",
            next_step="Name its client id with --route.",
        )
    (end,) = ends
    names = (end.route.counterparty_client_id, end.route.client_id)
    return [
        end,
        *(
            each
            for each in listed
            if each.ledger == other
            and (each.route.client_id, each.route.counterparty_client_id) == names
        ),
    ]


async def pause_routes(
    ends: Sequence[ListedRoute],
    ledgers: Mapping[LedgerId, Ledger],
    signers: Mapping[LedgerId, Signer],
    outbox: TellingOutbox,
    key: str,
) -> None:
    """Pause the ends that are not; `outbox` and `key` as `Ledger.submit` has them.

    Raises:
        NotOffered: a ledger pauses no routes from here; none is paused then.
        NotAllowed: a signer is no guardian.
    """
    watching = {
        ledger.id: offered(ledger.watching, ledger.id, "pausing routes from here")
        for ledger in (ledgers[end.ledger] for end in ends)
    }
    for end in ends:
        if not end.paused:
            await ledgers[end.ledger].submit(
                watching[end.ledger].pause_route(end.route.client_id),
                signers[end.ledger],
                outbox=outbox,
                key=f"{key}/{end.ledger}/{end.route.client_id}",
            )


def _committee_in(client: LightClient) -> Account | None:
    if client.kind == COMMITTEE:
        return client.account
    found = [_committee_in(each) for each in client.inner]
    return next((each for each in found if each is not None), None)


def _described(client: LightClient) -> str:
    if client.kind != COMPOSITE:
        return kind_name(client.kind)
    inner = ", ".join(map(_described, client.inner))
    return f"{client.threshold} of {inner}"


def _written(committee: Committee, terms: ClientTerms) -> dict[str, object]:
    """Give what an end was begun with, for the journal."""
    return {
        "committee": committee.hash.hex(),
        "clients": list(terms.kinds),
        "threshold": terms.needed,
        "bond": terms.bond,
        "windows": [terms.challenge_seconds, terms.confirmation_seconds],
        "proposers": [who.hex() for who in terms.proposers],
        **({} if terms.endorsers is None else {"endorsers": _written_endorsers(terms.endorsers)}),
    }


def _written_endorsers(who: ReadEndorsers) -> dict[str, object]:
    return {
        "source": [who.channel, who.chaincode],
        "threshold": who.threshold,
        "keys": [[part.hex() for part in key] for key in who.keys],
        "organisations": who.organisations.hex(),
    }
