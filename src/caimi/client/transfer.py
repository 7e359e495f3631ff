"""Moving a model's ownership, on one ledger or from one to another."""

from __future__ import annotations

from dataclasses import dataclass

from caimi.client.context import Context
from caimi.client.resolve import as_uri, locate
from caimi.errors.ledgers import TransactionReverted
from caimi.errors.operations import NotTheOwner, StillInFlight, TransferRefunded
from caimi.journal import Operation
from caimi.ledgers.port import Ledger, LedgerId
from caimi.uri import ModelUri

PACKET_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Transferred:
    """A completed transfer."""

    uri: str
    source: str
    destination: str
    recipient: str
    tx: str


async def transfer(
    context: Context,
    uri: str | ModelUri,
    *,
    to: str,
    recipient: bytes,
    timeout_seconds: int = PACKET_SECONDS,
) -> Transferred:
    """Move the model to `recipient` (account bytes) on ledger `to`; a second run finishes it.

    Raises:
        NotTheOwner: the key in use does not own the model where it is.
        TransferRefunded: the destination refused it or time ran out; the sender has it back.
        StillInFlight: no relayer carried it in time; run again to go on waiting.
    """
    model = as_uri(uri).with_selector(None)
    context.ledger(to)
    async with context.journal.operation("transfer", str(model), to, recipient.hex()) as operation:
        if operation.finished:
            await operation.reopen()
        if "source" not in operation.facts:
            location = await locate(context, model)
            if location.in_flight:
                raise StillInFlight(f"{model} is already on its way between two ledgers.")
            if location.owner != context.identity.signer.account:
                raise NotTheOwner(
                    f"{model} belongs to 0x{location.owner.hex()} on {location.ledger}, "
                    f"not to 0x{context.identity.signer.account.hex()}."
                )
            await operation.note(source=location.ledger)
        source = context.ledger(str(operation.facts["source"]))
        try:
            if source.id == to:
                tx = await _within(context, operation, source, model, recipient)
            else:
                tx = await _between(
                    context, operation, source, LedgerId(to), model, recipient, timeout_seconds
                )
        except (TransactionReverted, NotTheOwner):
            await operation.reopen()
            raise
        await operation.finish()
    return Transferred(str(model), source.id, to, f"0x{recipient.hex()}", tx)


async def _within(
    context: Context, operation: Operation, ledger: Ledger, model: ModelUri, recipient: bytes
) -> str:
    sender = context.identity.signer.account
    call = ledger.registry.transfer(model.model_id, sender, recipient)
    return (await context.submit(operation, "transfer", call)).tx


async def _between(
    context: Context,
    operation: Operation,
    source: Ledger,
    to: LedgerId,
    model: ModelUri,
    recipient: bytes,
    timeout_seconds: int,
) -> str:
    route = await context.route(source.id, to)
    if "sequence" not in operation.facts:
        await _send(context, operation, source, route.client_id, model, recipient, timeout_seconds)
    sequence = int(str(operation.facts["sequence"]))

    async def ended() -> str | None:
        outcome = await source.bridge.outcome(model.model_id, route.client_id, sequence)
        return None if outcome == "pending" else outcome

    if await context.wait_for(ended, f"The transfer of {model}") == "refunded":
        await operation.reopen()
        raise TransferRefunded(
            f"The transfer of {model} to {to} did not take effect; it is back on {source.id}."
        )
    return str(operation.facts["tx"])


async def _send(
    context: Context,
    operation: Operation,
    source: Ledger,
    client_id: str,
    model: ModelUri,
    recipient: bytes,
    timeout_seconds: int,
) -> None:
    already_sent = await context.journal.sent(operation.outbox_key("send")) is not None
    if not already_sent and await source.registry.approved(model.model_id) != source.bridge.account:
        approval = source.registry.approve(model.model_id, source.bridge.account)
        await context.submit(operation, "approve", approval)
    timeout = (await source.head()).time + timeout_seconds
    call = source.bridge.send(client_id, model.model_id, recipient, timeout)
    receipt = await context.submit(operation, "send", call)
    sent = next(event for event in receipt.events if event.name == "ModelSent")
    await operation.note(sequence=sent.values["sequence"], tx=receipt.tx)
