"""What a packet carries, and what answered it, in words.

All of it was written by whoever sent or answered the packet, on ledgers that may be anybody's: what
is not exactly what our own applications write is told as bytes.
"""

from __future__ import annotations

from collections.abc import Sequence

from caimi.client.amounts import said
from caimi.client.context import Context
from caimi.client.parties import hexed, interoperable_party, native_party
from caimi.contracts.orders import LicenceAnswer, LicenceOrder
from caimi.contracts.transfers import ModelTransfer
from caimi.errors.base import CaimiError
from caimi.ibc.applications import LICENCE, MESSAGES, MODEL
from caimi.ibc.commitments import UNIVERSAL_ERROR_ACKNOWLEDGEMENT
from caimi.ibc.packet import Packet, Payload
from caimi.ledgers.port import Asset, LedgerId
from caimi.line_text import one_line

_TAKEN = b"\x01"


def carried(context: Context, packet: Packet, source: LedgerId, destination: LedgerId) -> list[str]:
    """Say what each payload of a packet from `source` to `destination` is."""
    return [_payload(context, each, source, destination) for each in packet.payloads]


def answered(context: Context, packet: Packet, acknowledgements: Sequence[bytes]) -> str:
    """Say what a packet's acknowledgements are."""
    if list(acknowledgements) == [UNIVERSAL_ERROR_ACKNOWLEDGEMENT]:
        return "refused"
    if len(packet.payloads) != 1 or len(acknowledgements) != 1:
        return f"{len(acknowledgements)} answers"
    (payload,), (answer,) = packet.payloads, acknowledgements
    if LICENCE.speaks(payload.dest_port, payload.version):
        licence = LicenceAnswer.decode(answer)
        if licence is not None:
            payee = interoperable_party(context, licence.payee)
            return f"licence 0x{licence.licence.hex()} given; {payee} is paid"
    if MODEL.speaks(payload.dest_port, payload.version) and answer == _TAKEN:
        return "the model was taken"
    return f"answered {hexed(answer)}"


def _payload(context: Context, payload: Payload, source: LedgerId, destination: LedgerId) -> str:
    try:
        if LICENCE.speaks(payload.dest_port, payload.version):
            return _order(context, LicenceOrder.decode(payload.value), source)
        if MODEL.speaks(payload.dest_port, payload.version):
            return _transfer(context, ModelTransfer.decode(payload.value), source, destination)
    except (CaimiError, ValueError):
        pass
    kind = "a message" if MESSAGES.speaks(payload.dest_port, payload.version) else "a payload"
    return f"{kind} to port {payload.dest_port!r:.80}: {hexed(payload.value)}"


def _order(context: Context, order: LicenceOrder, source: LedgerId) -> str:
    asset = Asset(source, bytes(order.asset))
    ledger = context.ledgers.get(source)
    if not asset.native and ledger is not None and ledger.coins is not None:
        asset = ledger.coins.asset
    paid = said(context.assets.known(asset).of(order.amount))
    reader = interoperable_party(context, order.consumer)
    version = f"0x{order.token.hex()}@{one_line(order.version)}"
    return f"an order of a licence of {version} for {reader}, {paid}"


def _transfer(
    context: Context, transfer: ModelTransfer, source: LedgerId, destination: LedgerId
) -> str:
    sender = native_party(context, source, transfer.sender)
    recipient = native_party(context, destination, transfer.recipient)
    model = transfer.model
    return f"the model {one_line(model.name)} (0x{model.model.hex()}) from {sender} to {recipient}"
