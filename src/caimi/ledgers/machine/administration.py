"""Joining such a ledger to others (port `Administered`)."""

from __future__ import annotations

from dataclasses import dataclass
from secrets import token_hex

from caimi.ledgers.machine.ledger import MachineLedger
from caimi.ledgers.port import Committee, Ledger, Outbox, Signer


@dataclass(frozen=True)
class MachineAdministered:
    """A ledger that `admin` administers."""

    ledger: MachineLedger
    admin: Signer

    async def add_client(
        self, of: Ledger, committee: Committee, *, outbox: Outbox | None = None, key: str = "route"
    ) -> str:
        """Add a route by a new committee client, under a name that is nobody's account.

        Raises:
            TransactionReverted: a contract refuses: `admin` may not, or the committee is invalid.
        """
        here, prefix = self.ledger, f"{key}/{self.ledger.id}/{of.id}"
        made = await here.submit(
            here.clients.add(f"client-{token_hex(8)}".encode(), of.gateway.address, committee),
            self.admin,
            outbox=outbox,
            key=f"{prefix}/client",
        )
        added = await here.submit(
            here.gateway.add_route(made.effect, of.id),
            self.admin,
            outbox=outbox,
            key=f"{prefix}/route",
        )
        return added.effect
