"""Where a model has gone: from its home over other ledgers to who holds it now."""

from __future__ import annotations

from dataclasses import dataclass

from caimi.client.context import Context
from caimi.ledgers.home import home_model
from caimi.ledgers.port import Account, LedgerId
from caimi.uri import ModelUri

MAX_HOPS = 4


@dataclass(frozen=True, slots=True)
class Stop:
    """A ledger that a model is on, or went on from.

    `path` are the ledgers between its home and here, `token` the id that its token has here because
    of them; `owner` is that ledger's bridge where the model went on.
    """

    ledger: LedgerId
    path: tuple[LedgerId, ...]
    token: bytes
    owner: Account | None


@dataclass(frozen=True, slots=True)
class Voyage:
    """The stops of a model, its home first. `in_flight` while a packet carries it."""

    stops: tuple[Stop, ...]
    in_flight: bool

    @property
    def last(self) -> Stop:
        """The ledger it is on, or is leaving."""
        return self.stops[-1]


async def follow(context: Context, uri: ModelUri) -> Voyage:
    """Follow a model from its home to where it is, by what each ledger says it sent on.

    When nobody holds it on the next ledger, its transfer is in flight.

    Raises:
        UnknownLedger: it went to a ledger that is not configured.
        UnknownModel: its home knows no such model.
        ForeignHome: its home is another ledger than the URI's.
    """
    ledger = context.ledger(uri.ledger)
    home = await home_model(ledger, uri.model_id)
    stops = [Stop(ledger.id, (), uri.model_id, home.owner)]
    in_flight = False
    while len(stops) <= MAX_HOPS:
        stop = stops[-1]
        lock = await ledger.bridge.lock(stop.token)
        if lock is None:
            break
        routes = await ledger.gateway.routes()
        route = next(route for route in routes if route.client_id == lock.client_id)
        path = () if len(stops) == 1 else (*stop.path, stop.ledger)
        ledger = context.ledger(route.counterparty)
        token = ledger.registry.token_id(uri.model_id, path)
        found = await ledger.registry.find(token)
        if found is None or found.owner is None:
            return Voyage(tuple(stops), in_flight=True)
        stops.append(Stop(ledger.id, path, token, found.owner))
        in_flight = not lock.completed
    return Voyage(tuple(stops), in_flight)
