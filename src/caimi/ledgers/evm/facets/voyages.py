"""Models on their way: what a packet of the port "model" says, and the ids of tokens abroad."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from caimi.chains import InteroperableAddress
from caimi.errors.ids import InvalidInteroperableAddress, InvalidLedgerId
from caimi.errors.ledgers import CallInvalid, LedgerAnswerInvalid
from caimi.hashing import keccak256
from caimi.ibc.applications import MODEL
from caimi.ibc.packet import Packet
from caimi.ledgers.evm.abi.codec import DecodingError, Value
from caimi.ledgers.evm.abi.interface import decode, encode
from caimi.ledgers.port import ForeignModel, HomeStatement, LedgerId

_FOREIGN = "(bytes,bytes,string,bytes[],(uint64,uint64,string,bytes32,uint64,bytes24))"
_TRANSFER = ("uint8", f"({_FOREIGN},bytes,bytes,uint64,uint64)")


def token_id(model_id: bytes, path: Sequence[LedgerId]) -> bytes:
    """Give the id of a model's token after a voyage over the ledgers of `path`.

    The model's own where the path is empty, at home and after a direct voyage, otherwise
    keccak256(abi.encode(uint256 model id, bytes[] path)).

    Raises:
        CallInvalid: the model id has not 32 bytes, or a ledger has no interoperable address.
    """
    if not path:
        return model_id
    try:
        hops = [InteroperableAddress.from_caip(ledger).to_bytes() for ledger in path]
    except (InvalidLedgerId, InvalidInteroperableAddress) as error:
        raise CallInvalid(f"{', '.join(path)} is no path of ledgers: {error}") from error
    return keccak256(encode(("bytes32", "bytes[]"), (model_id, hops)))


def foreign_model(found: Value) -> ForeignModel:
    """Read what a registry tells of a foreign model.

    Raises:
        LedgerAnswerInvalid: its path is not one of ledgers.
    """
    home, publisher, name, path, stated = found
    try:
        hops = tuple(LedgerId(InteroperableAddress.from_bytes(hop).ledger) for hop in path)
    except (InvalidLedgerId, InvalidInteroperableAddress) as error:
        raise LedgerAnswerInvalid(f"A model came over no known ledger: {error}") from error
    return ForeignModel(home, publisher, name, hops, HomeStatement(*stated))


def licence_digest(changes: Iterable[tuple[bytes, bool]]) -> bytes:
    """Give the digest (24 bytes) of grants (true) and revocations of licences, in their order.

    With all of a market's events about a model it is what travels with the model: none was left
    out.
    """
    digest = bytes(24)
    for licence_id, granted in changes:
        digest = keccak256(digest + licence_id + bytes([granted]))[:24]
    return digest


def ready_height(packet: Packet) -> int:
    """Give the height of its own ledger at which a packet must be proved to be taken.

    That is as deep as the sender of a model asked for, and 0 for every other packet, also for one
    that the other side will refuse.
    """
    ready = 0
    for payload in packet.payloads:
        if not MODEL.speaks(payload.dest_port, payload.version):
            continue
        try:
            _, (_, _, _, sent_at, min_depth) = decode(_TRANSFER, payload.value)
        except DecodingError:
            continue
        if min_depth:
            ready = max(ready, sent_at + min_depth)
    return ready
