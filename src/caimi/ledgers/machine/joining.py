"""Routes to other ledgers, as the administrator of such a ledger adds them."""

from __future__ import annotations

from caimi.ledgers.machine.ledger import MachineLedger
from caimi.ledgers.port import Committee, Ledger, Signer


async def add_client(
    here: MachineLedger, client: bytes, of: Ledger, committee: Committee, by: Signer
) -> str:
    """Have `by` add a route to a ledger of any family; gives its client's id.

    `client` is the account that the light client goes by: a name, and nobody's account.
    """
    await here.submit(here.clients.add(client, of.gateway.address, committee), by)
    return (await here.submit(here.gateway.add_route(client, of.id), by)).effect
