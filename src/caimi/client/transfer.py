"""Moving a model's ownership, on one ledger or from one to another."""

from __future__ import annotations

from dataclasses import dataclass

from caimi.client.awaiting import Awaited
from caimi.client.context import Context, Progress, no_progress
from caimi.client.resolve import as_uri
from caimi.client.voyage import MAX_HOPS, Voyage, follow
from caimi.errors.ledgers import TransactionReverted
from caimi.errors.operations import (
    BegunOtherwise,
    NotTheOwner,
    NotTheWay,
    StillInFlight,
    TransferRefunded,
    UsageError,
)
from caimi.journal import Operation
from caimi.ledgers.port import Account, Ledger, LedgerId
from caimi.ledgers.present import present_time
from caimi.uri import ModelUri

PACKET_SECONDS = 3600
_SEND = "send"


@dataclass(frozen=True, slots=True)
class Transferred:
    """A completed transfer."""

    uri: str
    source: str
    destination: str
    recipient: str
    tx: str


@dataclass(frozen=True, slots=True)
class _Parcel:
    """One hop: `token` leaves `source` by the client, for an account on the other side."""

    source: Ledger
    token: bytes
    client_id: str
    recipient: Account
    timeout_seconds: int
    min_depth: int


async def transfer(
    context: Context,
    uri: str | ModelUri,
    *,
    to: str,
    recipient: Account,
    timeout_seconds: int = PACKET_SECONDS,
    min_depth: int = 0,
    progress: Progress = no_progress,
) -> Transferred:
    """Move the model to `recipient`, an account on ledger `to`; a second run finishes it.

    `progress` is told what it waits for: see `caimi.client.awaiting`.

    `to` is one hop away: from home any ledger; from another one that the model has not been on, or
    the one it came from. It is taken there when `min_depth` blocks lie on the one that sends it.

    Raises:
        UsageError: the recipient is of another ledger.
        NotTheOwner: the key in use does not own the model where it is.
        NotTheWay: the model goes back over another ledger first, or has come too far to go on.
        TransferRefunded: the destination refused it or time ran out; the sender has it back.
        StillInFlight: no relayer carried it in time; run again to go on waiting.
        BegunOtherwise: an interrupted run sent it with a later timeout or less depth than now.
    """
    model = as_uri(uri).with_selector(None)
    context.ledger(to)
    if recipient.ledger != to:
        raise UsageError(f"{recipient} is not an account of {to}, where {model} is to go.")
    async with context.journal.operation(
        "transfer", str(model), to, recipient.native.hex()
    ) as operation:
        if operation.finished:
            await operation.reopen()
        if "token" not in operation.facts:
            voyage = await follow(context, model)
            if voyage.in_flight:
                raise StillInFlight(f"{model} is already on its way between two ledgers.")
            here = voyage.last
            me = context.identity.account(here.ledger)
            if here.owner != me:
                raise NotTheOwner(
                    f"{model} belongs to {context.text(here.owner)} on {here.ledger}, "
                    f"not to {context.text(me)}."
                )
            client_id = await _way(context, model, voyage, LedgerId(to))
            await operation.note(source=here.ledger, token=here.token.hex(), client=client_id)
        source = context.ledger(str(operation.facts["source"]))
        parcel = _Parcel(
            source=source,
            token=bytes.fromhex(str(operation.facts["token"])),
            client_id=str(operation.facts["client"]),
            recipient=recipient,
            timeout_seconds=timeout_seconds,
            min_depth=min_depth,
        )
        try:
            if source.id == to:
                progress(f"transfer on {source.id}", 0, 1)
                tx = await _within(context, operation, parcel)
                progress(f"transfer on {source.id}", 1, 1)
            else:
                tx = await _between(context, operation, parcel, model, LedgerId(to), progress)
        except (TransactionReverted, NotTheOwner):
            await operation.reopen()
            raise
        await operation.finish()
    return Transferred(str(model), source.id, to, context.text(recipient), tx)


async def _way(context: Context, model: ModelUri, voyage: Voyage, to: LedgerId) -> str:
    """Choose the client for the hop to `to`; none on the ledger where the model is."""
    stops, here = voyage.stops, voyage.last
    if to == here.ledger:
        return ""
    if len(stops) > 1 and to == stops[-2].ledger:
        return await context.ledger(here.ledger).bridge.came_by(here.token)
    if any(to == stop.ledger for stop in stops):
        raise NotTheWay(
            f"{model} came to {here.ledger} over {stops[-2].ledger}: transfer it there first."
        )
    if len(stops) > MAX_HOPS:
        raise NotTheWay(
            f"{model} is {MAX_HOPS} hops from home on {here.ledger}, and goes no further."
        )
    return (await context.route(here.ledger, to)).client_id


async def _within(context: Context, operation: Operation, parcel: _Parcel) -> str:
    sender = context.identity.account(parcel.source.id)
    call = parcel.source.registry.transfer(parcel.token, sender, parcel.recipient)
    return (await context.submit(operation, "transfer", call)).tx


async def _between(
    context: Context,
    operation: Operation,
    parcel: _Parcel,
    model: ModelUri,
    to: LedgerId,
    progress: Progress,
) -> str:
    await _check_terms(operation, parcel, model)
    if "sequence" not in operation.facts:
        progress(f"sending from {parcel.source.id}", 0, 1)
        await _send(context, operation, parcel)
    progress(f"sending from {parcel.source.id}", 1, 1)
    sequence = int(str(operation.facts["sequence"]))

    async def ended() -> str | None:
        outcome = await parcel.source.bridge.outcome(parcel.token, parcel.client_id, sequence)
        return outcome if outcome in ("completed", "refunded") else None

    awaited = Awaited(context, parcel.source, (parcel.client_id, sequence), progress)
    if await context.wait_for(ended, f"The transfer of {model}", awaited.look) == "refunded":
        await operation.reopen()
        raise TransferRefunded(
            f"The transfer of {model} to {to} did not take effect; it is back on "
            f"{parcel.source.id}."
        )
    return str(operation.facts["tx"])


async def _check_terms(operation: Operation, parcel: _Parcel, model: ModelUri) -> None:
    """Refuse to go on with a signed transfer that the terms of today do not allow."""
    if not await operation.sent(_SEND) or "timeout" not in operation.facts:
        return
    timeout, depth = (int(str(operation.facts[name])) for name in ("timeout", "depth"))
    latest = await present_time(parcel.source) + parcel.timeout_seconds
    for wrong, how in (
        (timeout > latest, f"times out later than the {parcel.timeout_seconds} s allowed now"),
        (depth < parcel.min_depth, f"is taken at {depth} blocks, not {parcel.min_depth}"),
    ):
        if wrong:
            raise BegunOtherwise(f"A transfer of {model} was begun that {how}.")


async def _send(context: Context, operation: Operation, parcel: _Parcel) -> None:
    source, token = parcel.source, parcel.token
    if not await operation.sent(_SEND):
        if await source.registry.approved(token) != source.bridge.account:
            approval = source.registry.approve(token, source.bridge.account)
            await context.submit(operation, "approve", approval)
        timeout = await present_time(source) + parcel.timeout_seconds
        await operation.note(timeout=timeout, depth=parcel.min_depth)
    timeout, depth = (int(str(operation.facts[name])) for name in ("timeout", "depth"))
    call = source.bridge.send(parcel.client_id, token, parcel.recipient, timeout, depth)
    receipt = await context.submit(operation, _SEND, call)
    await operation.note(sequence=receipt.effect, tx=receipt.tx)
