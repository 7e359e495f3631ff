"""What administrators and members do on any ledger that is a machine (part of the port `Site`)."""

from __future__ import annotations

from caimi.ledgers.machine.administration import MachineAdministered
from caimi.ledgers.machine.ed25519_keys import Ed25519Key
from caimi.ledgers.machine.ledger import MachineLedger
from caimi.ledgers.port import Account, Committee, Ledger, Signer


class MachineSite:
    """Of a site that opens its ledger, which `admin` administers."""

    admin: Ed25519Key

    def open(self, patience: float = 20.0) -> MachineLedger:
        """Connect to the ledger."""
        raise AssertionError("each site opens its own")

    async def add_client(self, of: Ledger, committee: Committee) -> str:
        return await MachineAdministered(self.open(), self.admin).add_client(of, committee)

    async def join(self, client_id: str, other: str, by: Signer | None = None) -> None:
        here = self.open()
        await here.submit(here.gateway.set_counterparty(client_id, other), by or self.admin)

    async def report(self, client_id: str, first: bytes, second: bytes, by: Signer) -> None:
        here = self.open()
        account = (await here.clients.of(client_id)).account
        await here.submit(here.clients.report_conflict(account, first, second), by)

    async def recover(self, client_id: str, substitute: Account, by: Signer | None = None) -> None:
        here = self.open()
        await here.submit(here.gateway.recover_client(client_id, substitute), by or self.admin)
