"""Aliases: names that an owner points at one version after another."""

from __future__ import annotations

from caimi.client.context import Context
from caimi.client.resolve import as_uri, resolve
from caimi.ledgers.home import home_model
from caimi.ledgers.port import AliasChange, Done
from caimi.names import check_alias
from caimi.uri import ModelUri


async def set_alias(context: Context, uri: str | ModelUri, alias: str) -> Done[None]:
    """Point `alias` at the version that `uri` names. The history keeps every earlier target.

    Raises:
        InvalidName: it is no alias.
    """
    check_alias(alias)
    resolved = await resolve(context, uri)
    call = resolved.ledger.registry.set_alias(
        resolved.model.model_id, alias, resolved.version.version
    )
    who = context.identity.account(resolved.ledger.id).native.hex()
    async with context.journal.once("alias", str(resolved.uri), alias, who) as operation:
        return await context.submit(operation, "alias", call)


async def alias_history(context: Context, uri: str | ModelUri, alias: str) -> list[AliasChange]:
    """Every version `alias` has pointed at, oldest first.

    Raises:
        InvalidName: it is no alias.
    """
    check_alias(alias)
    model = as_uri(uri)
    ledger = context.ledger(model.ledger)
    await home_model(ledger, model.model_id)
    return await ledger.registry.alias_history(model.model_id, alias)
