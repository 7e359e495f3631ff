"""Deprecation: an owner marks a version that nobody should begin to use any more."""

from __future__ import annotations

from caimi.client.context import Context
from caimi.client.resolve import resolve
from caimi.ledgers.port import Done
from caimi.uri import ModelUri


async def deprecate(context: Context, uri: str | ModelUri, reason: str) -> Done[None]:
    """Mark the version that `uri` names as deprecated: no new licences, no new aliases."""
    resolved = await resolve(context, uri)
    call = resolved.ledger.registry.deprecate(
        resolved.model.model_id, resolved.version.version, reason
    )
    who = context.identity.account(resolved.ledger.id).native.hex()
    async with context.journal.once("deprecate", str(resolved.uri), reason, who) as operation:
        return await context.submit(operation, "deprecate", call)
