"""A gateway's routes: one way each to one other ledger, with the light client that verifies it.

A light client can be replaced when it is frozen, and migrated from when it is not: then what the
one before proves counts for as long as a packet can last. A pause stops sending and receiving on
one route, never the end of a packet that was sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from caimi.contracts.authority import Authority, AuthorityRole
from caimi.contracts.execution import Effect, Execution, refuse, require
from caimi.contracts.identifiers import NOBODY, Account, ClientId, InteroperableLedger
from caimi.contracts.interoperable import is_ledger, ledger_name
from caimi.contracts.light_client import Fact, LedgerVerifier, LedgerVerifiers, ProvedAt
from caimi.contracts.packet_rules import MAX_TIMEOUT, is_client_id
from caimi.contracts.records import Table
from caimi.contracts.state import State
from caimi.errors.ledgers import CallRefused

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class ClientAdded(Effect):
    """There is a new route."""

    client_id: ClientId
    client: Account
    ledger: InteroperableLedger


@dataclass(frozen=True, slots=True)
class CounterpartySet(Effect):
    """A route knows the other side's client."""

    client_id: ClientId
    counterparty: str


@dataclass(frozen=True, slots=True)
class ClientRecovered(Effect):
    """A frozen light client was replaced."""

    client_id: ClientId
    client: Account


@dataclass(frozen=True, slots=True)
class ClientMigrated(Effect):
    """A light client was replaced; the one before counts until `previous_until`, in seconds."""

    client_id: ClientId
    client: Account
    previous_until: int


@dataclass(frozen=True, slots=True)
class RoutePauseChanged(Effect):
    """A route sends and receives no more, or does again."""

    client_id: ClientId
    paused: bool


@dataclass(frozen=True, slots=True)
class GatewayRoute:
    """One route. `counterparty` is the other side's client, empty until it is set."""

    client: Account
    ledger: InteroperableLedger
    counterparty: str = ""
    next_sequence: int = 1
    paused: bool = False
    previous: Account = NOBODY
    previous_until: int = 0


_ROUTES: Final[Table[tuple[str], GatewayRoute]] = Table("gateway/routes", GatewayRoute)
_COUNT: Final[Table[tuple[()], int]] = Table("gateway/route-count", int)
_DEFAULTS: Final[Table[tuple[bytes], str]] = Table("gateway/default-clients", str)


class Routes:
    """The routes of one gateway. The names of its clients begin with `prefix`."""

    def __init__(
        self, ledger: InteroperableLedger, authority: Authority, verifiers: LedgerVerifiers
    ) -> None:
        self.prefix = f"caimi-{ledger_name(ledger)}"
        self._authority = authority
        self._verifiers = verifiers

    # --- administration -------------------------------------------------------------------------

    def add(self, call: Execution, client: Account, ledger: bytes) -> ClientId:
        """Add a route; gives its name, unique over all ledgers. Administrators only."""
        self._authority.check(call, AuthorityRole.ADMINISTRATOR)
        state = call.state
        exists = self._verifiers.find(state, client) is not None
        require(exists, "InvalidLightClient", client=client)
        require(is_ledger(ledger), "InvalidLedger", ledger=ledger)
        behind = InteroperableLedger(ledger)
        count = _COUNT.get(state, ()) or 0
        client_id = ClientId(f"{self.prefix}-{count}")
        _COUNT.put(state, (), count + 1)
        _ROUTES.put(state, (client_id,), GatewayRoute(client, behind))
        if _DEFAULTS.get(state, (ledger,)) is None:
            _DEFAULTS.put(state, (ledger,), client_id)
        call.emit(ClientAdded(client_id, client, behind))
        return client_id

    def set_counterparty(self, call: Execution, client_id: ClientId, counterparty: str) -> None:
        """Name the other side's client, once. Administrators only."""
        self._authority.check(call, AuthorityRole.ADMINISTRATOR)
        route = self.get(call.state, client_id)
        require(not route.counterparty, "CounterpartyAlreadySet", client_id=client_id)
        require(is_client_id(counterparty), "InvalidClientId", client_id=counterparty)
        self._put(call, client_id, replace(route, counterparty=counterparty))
        call.emit(CounterpartySet(client_id, counterparty))

    def recover(self, call: Execution, client_id: ClientId, substitute: Account) -> None:
        """Replace a frozen light client, so that packets in flight can still end.

        Administrators only.
        """
        self._authority.check(call, AuthorityRole.ADMINISTRATOR)
        route = self.get(call.state, client_id)
        self._require_frozen(call, client_id, route)
        self._require_sound(call, substitute)
        self._put(call, client_id, replace(route, client=substitute))
        call.emit(ClientRecovered(client_id, substitute))

    def migrate(self, call: Execution, client_id: ClientId, client: Account) -> None:
        """Replace a light client that is not frozen. Administrators only."""
        self._authority.check(call, AuthorityRole.ADMINISTRATOR)
        route = self.get(call.state, client_id)
        self._require_sound(call, client)
        until = call.time + MAX_TIMEOUT
        migrated = replace(route, client=client, previous=route.client, previous_until=until)
        self._put(call, client_id, migrated)
        call.emit(ClientMigrated(client_id, client, until))

    def pause(self, call: Execution, client_id: ClientId) -> None:
        """Stop sending and receiving on a route. Guardians only."""
        self._authority.check(call, AuthorityRole.GUARDIAN)
        self._pause(call, client_id)

    def pause_frozen(self, call: Execution, client_id: ClientId) -> None:
        """Pause the route of a frozen client, whose packets nobody could end. Open to anyone."""
        self._require_frozen(call, client_id, self.get(call.state, client_id))
        self._pause(call, client_id)

    def unpause(self, call: Execution, client_id: ClientId) -> None:
        """Let a route carry packets again. Administrators only."""
        self._authority.check(call, AuthorityRole.ADMINISTRATOR)
        route = self.get(call.state, client_id)
        require(route.paused, "RouteNotPaused", client_id=client_id)
        self._put(call, client_id, replace(route, paused=False))
        call.emit(RoutePauseChanged(client_id, False))

    # --- reading --------------------------------------------------------------------------------

    def get(self, state: State, client_id: str) -> GatewayRoute:
        """Give a route; refuses ``UnknownClient``."""
        route = _ROUTES.get(state, (client_id,))
        if route is None:
            refuse("UnknownClient", client_id=client_id)
        return route

    def joined(self, state: State, client_id: str) -> GatewayRoute:
        """Give a route that knows its other side; refuses ``NoCounterparty``."""
        route = self.get(state, client_id)
        require(bool(route.counterparty), "NoCounterparty", client_id=client_id)
        return route

    def open(self, state: State, client_id: str) -> GatewayRoute:
        """Give a route that carries packets; refuses ``RoutePaused``."""
        route = self.joined(state, client_id)
        require(not route.paused, "RoutePaused", client_id=client_id)
        return route

    def newest_sent(self, state: State, client_id: str) -> int:
        """Give the sequence of the packet sent last; 0 when there is none, or no such route."""
        route = _ROUTES.get(state, (client_id,))
        return 0 if route is None else route.next_sequence - 1

    def default(self, state: State, ledger: InteroperableLedger) -> ClientId | None:
        """Give the first client added for a ledger, or None."""
        found = _DEFAULTS.get(state, (ledger,))
        return None if found is None else ClientId(found)

    def verifier(self, state: State, client: Account) -> LedgerVerifier:
        """Give a route's light client."""
        found = self._verifiers.find(state, client)
        assert found is not None, "A route has a light client that exists."
        return found

    # --- for the gateway ------------------------------------------------------------------------

    def take_sequence(self, call: Execution, client_id: ClientId, route: GatewayRoute) -> int:
        """Give the next packet's sequence, and count on."""
        self._put(call, client_id, replace(route, next_sequence=route.next_sequence + 1))
        return route.next_sequence

    def verify_membership(
        self, call: Execution, route: GatewayRoute, facts: Sequence[Fact], proof: bytes
    ) -> ProvedAt:
        """Tell when facts held, by the route's client or the one before a migration."""
        return self._ask(
            call, route, lambda verifier: verifier.verify_membership(call, facts, proof)
        )

    def verify_absence(
        self, call: Execution, route: GatewayRoute, keys: Sequence[bytes], proof: bytes
    ) -> ProvedAt:
        """As `verify_membership`."""
        return self._ask(call, route, lambda verifier: verifier.verify_absence(call, keys, proof))

    def _ask(
        self, call: Execution, route: GatewayRoute, question: Callable[[LedgerVerifier], R]
    ) -> R:
        current = self.verifier(call.state, route.client)
        if route.previous == NOBODY or call.time >= route.previous_until:
            return question(current)
        try:
            return question(current)
        except CallRefused:
            return question(self.verifier(call.state, route.previous))

    # --- checks ---------------------------------------------------------------------------------

    def _put(self, call: Execution, client_id: ClientId, route: GatewayRoute) -> None:
        _ROUTES.put(call.state, (client_id,), route)

    def _pause(self, call: Execution, client_id: ClientId) -> None:
        route = self.get(call.state, client_id)
        require(not route.paused, "RoutePaused", client_id=client_id)
        self._put(call, client_id, replace(route, paused=True))
        call.emit(RoutePauseChanged(client_id, True))

    def _require_frozen(self, call: Execution, client_id: ClientId, route: GatewayRoute) -> None:
        frozen = self.verifier(call.state, route.client).frozen(call.state)
        require(frozen, "ClientNotFrozen", client_id=client_id)

    def _require_sound(self, call: Execution, client: Account) -> None:
        found = self._verifiers.find(call.state, client)
        sound = found is not None and not found.frozen(call.state)
        require(sound, "InvalidLightClient", client=client)
