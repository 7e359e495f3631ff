"""Granting a licence without payment, and revoking one: by the model's owner, where it is at home.

Either is one transaction on the home ledger. A licence is of one version and one account, which may
be of any ledger. Revoking refunds nothing, and takes back nothing that was opened before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from caimi.client.context import Context, Progress, no_progress
from caimi.client.resolve import Resolved, as_uri, resolve
from caimi.errors.operations import (
    AlreadyLicensed,
    NotAtHome,
    NotLicensed,
    NotTheOwner,
    UsageError,
)
from caimi.ledgers.port import NEWEST, Account, At, Call, Done, Exactly, Licence
from caimi.uri import ModelUri

_GRANT: Final = "grant"
_REVOKE: Final = "revoke"


@dataclass(frozen=True, slots=True)
class ChangedLicence:
    """A licence of the version `uri` names, for `consumer` (CAIP-10), after `tx` on `ledger`."""

    uri: str
    consumer: str
    ledger: str
    licence_id: str
    tx: str


async def grant(
    context: Context,
    uri: str | ModelUri,
    consumer: Account,
    *,
    progress: Progress = no_progress,
) -> ChangedLicence:
    """Give `consumer` a licence of the version `uri` names; a second run finishes a killed one.

    Raises:
        UnknownLedger: the account's ledger, or the model's, is not configured.
        NotTheOwner: the key in use does not own the model.
        NotAtHome: the model's ownership is on another ledger, or on its way.
        AlreadyLicensed: the account holds a live licence of that version.
        TransactionReverted: the ledger refuses it, as for a deprecated version.
    """
    resolved = await resolve(context, uri)
    market, model_id = resolved.ledger.market, resolved.model.model_id
    call = market.grant(model_id, resolved.version.version, consumer)
    licence_id = (await _licence(resolved, consumer)).licence_id
    wanted = _Wanted(_GRANT, resolved, consumer, licence_id, call)
    return await _change(context, wanted, progress)


async def revoke(
    context: Context,
    uri: str | ModelUri,
    consumer: Account,
    *,
    progress: Progress = no_progress,
) -> ChangedLicence:
    """Take `consumer`'s licence of the version `uri` names; a second run finishes a killed one.

    Raises:
        UsageError: `uri` names no version.
        UnknownLedger: the account's ledger, or the model's, is not configured.
        NotTheOwner: the key in use does not own the model.
        NotAtHome: the model's ownership is on another ledger, or on its way.
        NotLicensed: the account holds no live licence of that version.
    """
    named = as_uri(uri)
    if named.selector is None:
        raise UsageError(
            f"{named} names no version.",
            why="A licence is of one version: revoked for the newest, older ones would go on.",
            next_step=f"Name it after the model: {named}@1.0.0, for one.",
        )
    resolved = await resolve(context, named)
    licence_id = (await _licence(resolved, consumer)).licence_id
    call = resolved.ledger.market.revoke(licence_id)
    wanted = _Wanted(_REVOKE, resolved, consumer, licence_id, call)
    return await _change(context, wanted, progress)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is to be done (`kind`) about whose licence of which version, by which call."""

    kind: str
    resolved: Resolved
    consumer: Account
    licence_id: bytes
    call: Call[Any]

    def holds(self, licence: Licence) -> bool:
        """Tell whether the licence is as it is to be."""
        return licence.live is (self.kind == _GRANT)


async def _change(context: Context, wanted: _Wanted, progress: Progress) -> ChangedLicence:
    kind, resolved, consumer = wanted.kind, wanted.resolved, wanted.consumer
    ledger, who = resolved.ledger, context.name(consumer)
    me = context.identity.account(ledger.id)
    stage = f"{kind} on {ledger.id}"
    intent = (str(resolved.uri), consumer.interoperable.hex(), me.native.hex())
    progress(stage, 0, 1)
    async with context.journal.once(kind, *intent) as operation:
        done = None
        if await operation.sent(kind):  # by a run that was killed: it may be undone by now
            earlier = await context.submit(operation, kind, wanted.call)
            if wanted.holds(await _after(wanted, earlier)):
                done = earlier
            else:
                await operation.forget(kind)
        if done is None:
            await _check(context, wanted, me, who)
            done = await context.submit(operation, kind, wanted.call)
    progress(stage, 1, 1)
    licence_id = f"0x{wanted.licence_id.hex()}"
    return ChangedLicence(str(resolved.uri), who, ledger.id, licence_id, done.tx)


async def _check(context: Context, wanted: _Wanted, me: Account, who: str) -> None:
    """Refuse what the ledger would refuse, before anything is signed."""
    resolved, consumer = wanted.resolved, wanted.consumer
    model = resolved.uri.with_selector(None)
    if resolved.model.owner != me:
        if await resolved.ledger.bridge.lock(resolved.model.model_id) is not None:
            raise NotAtHome(
                f"The ownership of {model} is not on {resolved.ledger.id}, its home, now."
            )
        raise NotTheOwner(
            f"{model} belongs to {context.text(resolved.model.owner)} on {resolved.ledger.id}, "
            f"not to {context.text(me)}."
        )
    licence = await _licence(resolved, consumer)
    if not wanted.holds(licence):
        return
    if wanted.kind == _GRANT:
        raise AlreadyLicensed(
            f"{who} already holds a licence of {resolved.uri}.",
            next_step=f"There is nothing to do: `caimi licences --account {who}` shows it.",
        )
    how = "was revoked before" if licence.revoked else "was never granted"
    raise NotLicensed(f"{who} holds no live licence of {resolved.uri}: it {how}.")


async def _after(wanted: _Wanted, done: Done[Any]) -> Licence:
    """Read the licence as it is now, from no state older than `done`."""
    height = max(done.height, (await wanted.resolved.ledger.head()).height)
    return await _licence(wanted.resolved, wanted.consumer, Exactly(height))


async def _licence(resolved: Resolved, consumer: Account, at: At = NEWEST) -> Licence:
    model_id, version = resolved.model.model_id, resolved.version.version
    return await resolved.ledger.market.licence(model_id, version, consumer, at)
