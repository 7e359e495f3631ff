"""Commitments are those of ibc-go, with ibc-go's own vectors."""

from dataclasses import replace

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from caimi.ibc import commitments as ibc
from caimi.ibc.packet import Packet, Payload

# ibc-go, modules/core/04-channel/v2/types/commitment_test.go
TRANSFER_JSON = (
    b'{"denom":"uatom","amount":"1000000","sender":"sender","receiver":"receiver","memo":"memo"}'
)
TRANSFER = Packet(
    1,
    "07-tendermint-0",
    "07-tendermint-1",
    100,
    (Payload("transfer", "transfer", "ics20-1", "application/json", TRANSFER_JSON),),
)


def test_a_packet_commits_as_in_ibc_go() -> None:
    assert ibc.packet_commitment(TRANSFER).hex() == (
        "a096722aa6534040a0efbdae05765132a7b223ad306d6512f3734821bd046505"
    )


def test_an_abi_packet_commits_as_in_ibc_go() -> None:
    value = encode(
        ("(string,string,string,uint256,string)",),
        (("uatom", "sender", "receiver", 1_000_000, "memo"),),
    )
    payload = replace(TRANSFER.payloads[0], encoding="application/x-solidity-abi", value=value)
    assert ibc.packet_commitment(replace(TRANSFER, payloads=(payload,))).hex() == (
        "d408dca5088b9b375edb3c4df6bae0e18084fc0dbd90fcd0d028506553c81b25"
    )


@pytest.mark.parametrize(
    ("acknowledgement", "expected"),
    [
        (b"some bytes", "f03b4667413e56aaf086663267913e525c442b56fa1af4fa3f3dab9f37044c5b"),
        (
            ibc.UNIVERSAL_ERROR_ACKNOWLEDGEMENT,
            "e2fb30dfbf7abdeaca82d426534d2b3a9d5444dd2a87fa16d38b77ba1a13ced7",
        ),
    ],
)
def test_an_acknowledgement_commits_as_in_ibc_go(acknowledgement: bytes, expected: str) -> None:
    assert ibc.acknowledgement_commitment([acknowledgement]).hex() == expected


def test_the_universal_error_is_that_of_ibc_go() -> None:
    assert ibc.UNIVERSAL_ERROR_ACKNOWLEDGEMENT.hex() == (
        "4774d4a575993f963b1c06573736617a457abef8589178db8d10c94b4ab511ab"
    )


text = st.text(min_size=1, max_size=8)
payloads = st.builds(Payload, text, text, text, text, st.binary(min_size=1, max_size=8))
packets = st.builds(
    Packet,
    st.integers(1, 9),
    text,
    text,
    st.integers(1, (1 << 64) - 1),
    st.lists(payloads, min_size=1, max_size=3).map(tuple),
)


@given(packets, packets)
def test_different_packets_commit_differently(one: Packet, other: Packet) -> None:
    bound = [(p.dest_client, p.timeout, p.payloads) for p in (one, other)]
    same = ibc.packet_commitment(one) == ibc.packet_commitment(other)
    assert same == (bound[0] == bound[1])


@given(st.lists(st.binary(max_size=4), max_size=3), st.lists(st.binary(max_size=4), max_size=3))
def test_different_acknowledgements_commit_differently(
    one: list[bytes], other: list[bytes]
) -> None:
    same = ibc.acknowledgement_commitment(one) == ibc.acknowledgement_commitment(other)
    assert same == (one == other)
