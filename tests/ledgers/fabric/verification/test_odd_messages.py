"""What Fabric's programs read of a message is read here: unknown parts, however deep or long."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paper_channel import DEEP, LONG_LENGTH, LONG_TAG, PaperChannel
from test_chain import paper  # noqa: F401 - a fixture

from caimi.errors.fabric import FabricAnswerInvalid
from caimi.ledgers.fabric.protos.common.common_pb2 import Envelope, Header, Payload
from caimi.ledgers.fabric.protos.common.configtx_pb2 import ConfigGroup
from caimi.ledgers.fabric.protos.peer.transaction_pb2 import Transaction
from caimi.ledgers.fabric.verification.envelopes import unsigned_envelope
from caimi.ledgers.fabric.verification.transactions import check_transaction
from caimi.ledgers.fabric.wire import LENGTH, read_message, wire_fields


def _in_the_envelope(paper: PaperChannel, added: bytes) -> bytes:  # noqa: F811
    return paper.transaction().envelope() + added


def _in_the_payload(paper: PaperChannel, added: bytes) -> bytes:  # noqa: F811
    payload = Envelope.FromString(paper.transaction().envelope()).payload + added
    return bytes(Envelope(payload=payload, signature=paper.user.sign(payload)).SerializeToString())


def _in_its_parts(paper: PaperChannel, added: bytes) -> bytes:  # noqa: F811
    """Add to the header, the transaction and its call, each within the one before."""
    payload = Payload.FromString(Envelope.FromString(paper.transaction().envelope()).payload)
    call = Transaction.FromString(payload.data).actions[0]
    call.payload += added
    inner = call.SerializeToString() + added
    data = b"\x0a" + _length(inner) + inner + added
    header = payload.header.SerializeToString() + added
    whole = b"\x0a" + _length(header) + header + b"\x12" + _length(data) + data
    return bytes(Envelope(payload=whole, signature=paper.user.sign(whole)).SerializeToString())


def _length(content: bytes) -> bytes:
    return bytes([len(content) & 0x7F | 0x80, len(content) >> 7 & 0x7F | 0x80, len(content) >> 14])


@pytest.mark.parametrize("where", [_in_the_envelope, _in_the_payload, _in_its_parts])
@pytest.mark.parametrize("added", [DEEP, LONG_TAG, LONG_LENGTH])
def test_what_is_added_to_a_transaction_stops_no_reader(
    paper: PaperChannel,  # noqa: F811
    where: Callable[[PaperChannel, bytes], bytes],
    added: bytes,
):
    chain = paper.begin().accept(paper.block([where(paper, added)]))
    (entry,) = chain.head.entries
    checked = check_transaction(entry.signed, chain.configuration)
    assert [each.value for each in checked.outcome.writes] == [b"value"]


@pytest.mark.parametrize(
    "added",
    [
        b"\x7b",  # a group that does not end
        b"\x7c",  # one that did not begin
        b"\x7b\x74",  # another than began
        b"\x7a\x05",  # cut short
        b"\x7a",
        b"\x7e",  # of no kind
        b"\x02\x00",  # without a number
        b"\xff" * 11,
        b"\x12\x01x",  # the signature once more
    ],
)
def test_what_no_orderer_writes_behind_an_envelope_is_refused(
    paper: PaperChannel,  # noqa: F811
    added: bytes,
):
    block = paper.block([_in_the_envelope(paper, added)])
    with pytest.raises(FabricAnswerInvalid, match="in the form"):
        paper.begin().accept(block)


def test_parts_of_an_envelope_are_written_shortly_and_in_order(paper: PaperChannel):  # noqa: F811
    whole = paper.transaction().envelope()
    payload, signature = (
        whole[field.start : field.end] for field in wire_fields(whole) if field.kind == LENGTH
    )
    longer = signature[:1] + bytes([signature[1] | 0x80, 0]) + signature[2:]
    for other in (
        signature + payload,
        payload + longer,
        payload + b"\x78\1" + signature,
        payload + signature + b"\x0a\0",
    ):
        with pytest.raises(FabricAnswerInvalid):
            paper.begin().accept(paper.block([other]))
    assert unsigned_envelope(payload).signature == b""
    with pytest.raises(FabricAnswerInvalid, match="in the form"):
        unsigned_envelope(payload + b"\x12\0")


def test_messages_in_messages_have_an_end():
    groups = b""
    for _ in range(5_000):
        groups = b"\x12" + _length(groups) + groups
    with pytest.raises(FabricAnswerInvalid):
        read_message(ConfigGroup, groups, FabricAnswerInvalid)


@given(st.binary(max_size=40), st.binary(max_size=40), st.binary(max_size=40))
def test_what_is_left_out_changes_nothing_else(one: bytes, two: bytes, data: bytes):
    header = Header(channel_header=one, signature_header=two)
    payload = Payload(header=header, data=data)
    assert read_message(Payload, payload.SerializeToString() + DEEP, FabricAnswerInvalid) == payload
