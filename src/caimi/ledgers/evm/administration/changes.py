"""Changes that a ledger's administrator makes, by name: each weakens security, and so waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caimi.ledgers.evm.abi.calls import EvmCall
from caimi.ledgers.evm.administration.exits import EmergencyExit
from caimi.ledgers.evm.artifacts import artifact
from caimi.ledgers.evm.rpc.contract import Contract, account

if TYPE_CHECKING:
    from caimi.ledgers.evm.ledger import EvmLedger


def unpause_route(ledger: EvmLedger, client_id: str) -> EvmCall[None]:
    """Let a route send and receive again."""
    return _gateway(ledger).call(f"Ending the pause of {client_id}", "unpauseRoute", client_id)


def unpause_bridge(ledger: EvmLedger) -> EvmCall[None]:
    """Let models move again, over every route."""
    return _bridge(ledger).call("Ending the pause of the bridge", "unpause")


def close_breaker(ledger: EvmLedger, client_id: str, *, licences: bool = False) -> EvmCall[None]:
    """Let models move, or licences be sold, again over a route, with full buckets."""
    limited = _market(ledger) if licences else _bridge(ledger)
    return limited.call(f"Closing the breaker of {client_id}", "closeBreaker", client_id)


def set_limits(
    ledger: EvmLedger, client_id: str, *, receiving: bool, count: int, per_day: int
) -> EvmCall[None]:
    """Set how many models may pass at once in one direction of a route, and how many a day refills.

    Models have no amount, so the limits of value stay zero.
    """
    way = "into" if receiving else "out of"
    return _bridge(ledger).call(
        f"Letting {count} models {way} {client_id} at once and {per_day} a day",
        "setLimits",
        client_id,
        receiving,
        (count, per_day, 0, 0, 0),
    )


def set_sales(ledger: EvmLedger, client_id: str, *, count: int, per_day: int) -> EvmCall[None]:
    """Set how many licences may be bought here at once over a route, and how many a day refills."""
    return _market(ledger).call(
        f"Selling {count} licences at once over {client_id} and {per_day} a day",
        "setLimits",
        client_id,
        True,
        (count, per_day, 0, 0, 0),
    )


def set_payments(
    ledger: EvmLedger,
    client_id: str,
    token: bytes,
    *,
    count: tuple[int, int],
    most: int,
    amount: tuple[int, int],
) -> EvmCall[None]:
    """Set what may be paid from here over a route, in a token or, when empty, the ledger's coin.

    `count` and `amount` are what passes at once and what a day refills; `most` what one payment is.
    """
    lane = f"{client_id}/0x{account(token).hex()}" if token else client_id
    return _market(ledger).call(
        f"Letting {amount[0]} be paid over {lane} at once and {amount[1]} a day",
        "setLimits",
        lane,
        False,
        (*count, most, *amount),
    )


def set_supply_cap(ledger: EvmLedger, client_id: str, cap: int) -> EvmCall[None]:
    """Bound how many home models may be away over a route at once."""
    return _bridge(ledger).call(
        f"Letting {cap} models be away over {client_id}", "setSupplyCap", client_id, cap
    )


def recover_client(ledger: EvmLedger, client_id: str, substitute: bytes) -> EvmCall[None]:
    """Give a route whose client is frozen another one."""
    return _gateway(ledger).call(
        f"Recovering {client_id}", "recoverClient", client_id, account(substitute)
    )


def migrate_client(ledger: EvmLedger, client_id: str, client: bytes) -> EvmCall[None]:
    """Give a route another client; what the old one proves counts for a day longer."""
    return _gateway(ledger).call(
        f"Migrating {client_id}", "migrateClient", client_id, account(client)
    )


def open_exit(ledger: EvmLedger, client_id: str) -> EvmCall[None]:
    """Begin to give back what is locked towards a dead ledger, over a paused route."""
    return EmergencyExit(ledger).open(client_id)


def _gateway(ledger: EvmLedger) -> Contract:
    address = ledger.deployment.contracts["gateway"]
    return Contract(ledger.chain, address, artifact("Gateway").interface)


def _market(ledger: EvmLedger) -> Contract:
    address = ledger.deployment.contracts["market"]
    return Contract(ledger.chain, address, artifact("LicenceMarket").interface)


def _bridge(ledger: EvmLedger) -> Contract:
    address = ledger.deployment.contracts["bridge"]
    return Contract(ledger.chain, address, artifact("ModelBridge").interface)
