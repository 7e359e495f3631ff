"""Errors of putting CAIMI on ledgers and joining them (letters C and L)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from caimi.errors.base import CaimiError
from caimi.errors.ledgers import LedgerError


class ConfigNotWritten(CaimiError):
    """What a command found out could not be added to caimi.toml."""

    code = "CAIMI-C070"
    why = "The file is kept as its owner wrote it, and only what can be added safely is added."
    next_step = "Add the lines above to the ledger's table yourself."


class NotAgreed(CaimiError):
    """A plan was shown and nobody agreed to it; nothing was done."""

    code = "CAIMI-C071"
    why = "What costs something, or cannot be taken back, is done when its plan is agreed to."
    next_step = "Run the command again and answer yes, or add --yes."


class DeploymentDiffers(LedgerError):
    """What is on a ledger is not what this version of CAIMI puts there."""

    code = "CAIMI-L060"
    why = "Another version deployed it, it was changed since, or the addresses are not CAIMI's."
    next_step = (
        "Where code is missing the node may lag: run the same command again in a while. Else "
        "correct [ledgers.contracts] in caimi.toml; or take the addresses out, and run "
        "`caimi deploy LEDGER --anew`."
    )


class DeploymentBegun(LedgerError):
    """Another account began a deployment on this ledger, and has not ended it."""

    code = "CAIMI-L061"
    why = "Two accounts would each deploy a part, and the first has paid for its own already."
    next_step = "Finish it with that account's --key, or begin a second one with --anew."


class RouteUnfit(LedgerError):
    """A route cannot be as it was asked for."""

    code = "CAIMI-L062"
    why = "Each end needs a client that its ledger has, of a committee that there is."
    next_step = "Run `caimi route add --help` for the clients there are."


class RouteBegun(LedgerError):
    """A route was begun with other terms, and is not ended."""

    code = "CAIMI-L063"
    why = "A client that is on a ledger stays what it is: other terms would need another one."
    next_step = "Run the command with the terms it was begun with, or add --anew."


@dataclass(frozen=True, slots=True)
class WaitingChange:
    """A change that a ledger's timelock is to make; `ready_at` in seconds since the epoch.

    It is 0 as long as nobody proposed it.
    """

    ledger: str
    what: str
    operation: bytes
    ready_at: int


class ChangeWaits(LedgerError):
    """What was begun goes on once a ledger's timelock lets it."""

    code = "CAIMI-L070"
    why = "A timelock administers the ledger: each change is proposed, waits, and is made then."
    next_step = "Run the same command again when it has waited; `caimi governance show` tells it."

    def __init__(self, changes: Sequence[WaitingChange]) -> None:
        self.changes = tuple(changes)
        super().__init__("; ".join(map(_waiting, changes)) + ".")


class RouteDiffers(LedgerError):
    """A route is not on its ledgers as it was planned."""

    code = "CAIMI-L064"
    why = "A ledger shows another client, committee or counterparty than was asked for."
    next_step = "Look at it with `caimi route list`, and at the ledger's node, before it is used."


def _waiting(change: WaitingChange) -> str:
    if not change.ready_at:
        return f"{change.what} waits for being proposed on {change.ledger}"
    try:
        due = f"{datetime.fromtimestamp(change.ready_at, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, ValueError, OSError):  # a ledger's number may be of no calendar
        due = f"{change.ready_at} s"
    return f"{change.what} may be carried out on {change.ledger} from {due} on"
