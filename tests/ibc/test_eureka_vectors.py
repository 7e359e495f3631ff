"""What solidity-ibc-eureka published of its runs against a Cosmos chain (contracts/vectors)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from eth_abi.abi import decode, encode

from caimi.ibc import commitments as ibc
from caimi.ibc.packet import Packet, Payload
from caimi.ibc.path import Path as IbcPath

VECTORS = json.loads(
    (Path(__file__).parents[2] / "contracts" / "vectors" / "eureka.json").read_text()
)
PACKET = "(uint64,string,string,uint64,(string,string,string,string,bytes)[])"
PATHS = {
    "commitment": lambda packet: IbcPath.commitment(packet.source_client, packet.sequence).raw,
    "receipt": lambda packet: IbcPath.receipt(packet.dest_client, packet.sequence).raw,
    "acknowledgement": lambda packet: (
        IbcPath.acknowledgement(packet.dest_client, packet.sequence).raw
    ),
}


def raw(text: str) -> bytes:
    return bytes.fromhex(text[2:])


@pytest.mark.parametrize("vector", VECTORS["packets"], ids=lambda each: each["fixture"])
def test_what_a_cosmos_chain_proved_of_a_packet_is_what_we_compute(
    vector: dict[str, str],
) -> None:
    encoded = raw(vector["packet"])
    ((sequence, source, dest, timeout, payloads),) = decode((PACKET,), encoded)
    assert encode((PACKET,), ((sequence, source, dest, timeout, payloads),)) == encoded
    packet = Packet(sequence, source, dest, timeout, tuple(Payload(*each) for each in payloads))
    assert PATHS[vector["kind"]](packet) == raw(vector["path"])
    values = {
        "commitment": ibc.packet_commitment(packet),
        "receipt": b"",
        "acknowledgement": ibc.acknowledgement_commitment([raw(VECTORS["acknowledgement"])]),
    }
    assert values[vector["kind"]] == raw(vector["value"])
