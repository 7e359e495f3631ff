"""How much may be paid over a route, in each currency."""

from __future__ import annotations

from caimi.contracts.execution import Execution
from caimi.contracts.identifiers import COIN, ClientId, Currency
from caimi.contracts.limits import RouteLimits
from caimi.contracts.purchases import PurchaseRecord


def lane(client_id: str, currency: Currency) -> str:
    """Name a currency's own limits over a route: the coin's are those of the route's name."""
    return client_id if currency == COIN else f"{client_id}/0x{currency.hex()}"


class Paying:
    """The limits of one market's payments.

    A route's own count and breaker are for all currencies, or whoever makes tokens would send more
    than the other side takes.
    """

    def __init__(self, limits: RouteLimits) -> None:
        self._limits = limits

    def send(self, call: Execution, client_id: ClientId, currency: Currency, amount: int) -> bool:
        """Count a payment by the caller; tells whether it counts against a limit of value."""
        coin = currency == COIN
        paid = self._limits.send(call, client_id, call.caller, amount if coin else 0)
        if not coin:
            paid = self._limits.send(call, lane(client_id, currency), call.caller, amount)
        return paid != 0

    def end(
        self, call: Execution, client_id: ClientId, record: PurchaseRecord, *, refunded: bool
    ) -> None:
        """Note that a payment has ended, one way or the other."""
        paid, coin = record.amount if record.counted else 0, record.currency == COIN
        buyer, limits = record.buyer, self._limits
        limits.end(call, client_id, buyer, paid if coin else 0, refunded=refunded)
        if not coin:
            limits.end(call, lane(client_id, record.currency), buyer, paid, refunded=refunded)
