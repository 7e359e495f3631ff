from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from hypothesis import given
from hypothesis import strategies as st

from caimi.errors.ledgers import EventInvalid
from caimi.ibc.packet import Packet, Payload
from caimi.ibc.protobuf import (
    MAX_BYTES,
    decode_acknowledgements,
    decode_packet,
    encode_acknowledgements,
    encode_packet,
)

NAMES = st.text(max_size=200)
PAYLOADS = st.builds(Payload, NAMES, NAMES, NAMES, NAMES, st.binary(max_size=400))
PACKETS = st.builds(
    Packet,
    st.integers(0, (1 << 64) - 1),
    NAMES,
    NAMES,
    st.integers(0, (1 << 64) - 1),
    st.lists(PAYLOADS, max_size=4).map(tuple),
)
PLAIN = Packet(
    300,
    "caimi-31337-0",
    "caimi-31338-0",
    1_700_000_000,
    (Payload("model", "model", "caimi-model-1", "application/x-solidity-abi", b"\1\2"),),
)
# What IBCProto.t.sol expects of the contract.
PLAIN_BYTES = bytes.fromhex(
    "08ac02120d6361696d692d33313333372d301a0d6361696d692d33313333382d302080e2cfaa062a3d"
    "0a056d6f64656c12056d6f64656c1a0d6361696d692d6d6f64656c2d31221a6170706c69636174696f6e2f"
    "782d736f6c69646974792d6162692a020102"
)


@cache
def messages() -> tuple[Any, Any]:
    """ibc-go's messages as Google's library knows them."""
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="packet.proto", package="v2", syntax="proto3")

    def message(name: str, *parts: tuple[str, int]) -> Any:
        made = file.message_type.add(name=name)
        for number, (part, kind) in enumerate(parts, 1):
            made.field.add(name=part, number=number, type=kind, label=kinds.LABEL_OPTIONAL)
        return made

    text, number, data = kinds.TYPE_STRING, kinds.TYPE_UINT64, kinds.TYPE_BYTES
    message(
        "Payload",
        ("source_port", text),
        ("dest_port", text),
        ("version", text),
        ("encoding", text),
        ("value", data),
    )
    packet = message(
        "Packet",
        ("sequence", number),
        ("source_client", text),
        ("dest_client", text),
        ("timeout", number),
    )
    packet.field.add(
        name="payloads",
        number=5,
        type=kinds.TYPE_MESSAGE,
        type_name=".v2.Payload",
        label=kinds.LABEL_REPEATED,
    )
    answer = message("Acknowledgement")
    answer.field.add(name="list", number=1, type=data, label=kinds.LABEL_REPEATED)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return tuple(
        message_factory.GetMessageClass(pool.FindMessageTypeByName(f"v2.{name}"))
        for name in ("Packet", "Acknowledgement")
    )


def by_google(packet: Packet) -> bytes:
    made = messages()[0](
        sequence=packet.sequence,
        source_client=packet.source_client,
        dest_client=packet.dest_client,
        timeout=packet.timeout,
    )
    for each in packet.payloads:
        made.payloads.add(
            source_port=each.source_port,
            dest_port=each.dest_port,
            version=each.version,
            encoding=each.encoding,
            value=each.value,
        )
    return made.SerializeToString(deterministic=True)


@given(PACKETS)
def test_a_packet_is_encoded_as_the_protobuf_library_does_and_read_back(packet: Packet) -> None:
    assert encode_packet(packet) == by_google(packet)
    assert decode_packet(encode_packet(packet)) == packet


@given(st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=16))
def test_acknowledgements_are_encoded_as_the_protobuf_library_does(answers: list[bytes]) -> None:
    encoded = encode_acknowledgements(answers)
    assert encoded == messages()[1](list=answers).SerializeToString()
    assert decode_acknowledgements(encoded) == tuple(answers)


def test_the_contracts_bytes_are_these() -> None:
    assert encode_packet(PLAIN) == PLAIN_BYTES


@given(st.integers(0, len(PLAIN_BYTES) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_another_packet(place: int, change: int) -> None:
    data = bytearray(PLAIN_BYTES)
    data[place] ^= change
    try:
        read = decode_packet(bytes(data))
    except EventInvalid:
        return
    assert read != PLAIN
    assert encode_packet(read) == data


@given(st.binary(max_size=200))
def test_what_is_read_has_one_spelling(data: bytes) -> None:
    for decode, encode in (
        (decode_packet, encode_packet),
        (decode_acknowledgements, encode_acknowledgements),
    ):
        try:
            read = decode(data)
        except EventInvalid:
            continue
        assert encode(read) == data


@pytest.mark.parametrize(
    ("what", "data"),
    [
        ("a long zero", b"\x08\x80\x00"),
        ("a zero", b"\x08\x00"),
        ("an empty field", b"\x12\x00"),
        ("an empty field of a payload", b"\x2a\x02\x0a\x00"),
        ("more than 64 bits", b"\x08" + b"\xff" * 9 + b"\x02"),
        ("an endless number", b"\x08" + b"\x80" * 20),
        ("the end within a number", b"\x08\x80"),
        ("the end within a field", b"\x12\x05abc"),
        ("fields out of order", b"\x20\x01\x08\x01"),
        ("a field twice", b"\x08\x01\x08\x01"),
        ("an unknown field", b"\x08\x01\x32\x00"),
        ("no text", b"\x12\x01\xff"),
        ("too many payloads", b"\x2a\x00" * 17),
        ("unknown content in a payload", b"\x2a\x02\x32\x00"),
        ("too many bytes", bytes(MAX_BYTES + 1)),
    ],
)
def test_what_is_no_packet_is_refused(what: str, data: bytes) -> None:
    with pytest.raises(EventInvalid):
        decode_packet(data)


def test_no_acknowledgement_and_an_empty_one_are_refused() -> None:
    for data in (b"", b"\x0a\x00", b"\x0a\x01\x01\x0a\x00", b"\x0a\x01\x01" * 17):
        with pytest.raises(EventInvalid):
            decode_acknowledgements(data)
