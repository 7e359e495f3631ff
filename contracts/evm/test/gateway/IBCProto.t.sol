// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IBCProto} from "../../src/gateway/IBCProto.sol";
import {ICS24} from "../../src/gateway/ICS24.sol";
import {Packet, Payload} from "../../src/interfaces/IBCTypes.sol";
import {ProtoReader} from "../ProtoReader.sol";
import {Test} from "../Test.sol";

contract IBCProtoTest is Test {
    function encodePacket(Packet calldata packet) external view returns (bytes memory encoded) {
        bytes32 commitment;
        (encoded, commitment) = IBCProto.encodePacket(
            packet.sequence, packet.sourceClient, packet.destClient, packet.timeoutTimestamp, packet.payloads
        );
        assertEq(commitment, ICS24.packetCommitment(packet.destClient, packet.timeoutTimestamp, packet.payloads));
    }

    function testFuzz_a_packet_is_read_back(Packet calldata packet) public view {
        bytes memory encoded = this.encodePacket(packet);
        assertEq(abi.encode(ProtoReader.packetOf(encoded)), abi.encode(packet));
    }

    function testFuzz_a_long_value_is_read_back(uint16 length) public view {
        Packet memory packet = Packet(1, "caimi-1-0", "caimi-2-0", 9, new Payload[](2));
        packet.payloads[1] = Payload("port", "port", "v", "e", new bytes(length));
        assertEq(abi.encode(ProtoReader.packetOf(this.encodePacket(packet))), abi.encode(packet));
    }

    function testFuzz_acknowledgements_are_read_back(bytes[] memory list) public pure {
        for (uint256 i = 0; i < list.length; ++i) {
            if (list[i].length == 0) list[i] = hex"00"; // none is empty
        }
        assertEq(abi.encode(ProtoReader.acknowledgementsOf(IBCProto.encodeAcknowledgement(list))), abi.encode(list));
    }

    /// @dev As the protobuf library of another language writes it (tests/ledgers/test_evm_packets.py).
    function test_the_bytes_are_the_published_ones() public view {
        Packet memory packet = Packet(300, "caimi-31337-0", "caimi-31338-0", 1_700_000_000, new Payload[](1));
        packet.payloads[0] = Payload("model", "model", "caimi-model-1", "application/x-solidity-abi", hex"0102");
        assertEq(
            this.encodePacket(packet),
            hex"08ac02120d6361696d692d33313333372d301a0d6361696d692d33313333382d302080e2cfaa062a3d"
            hex"0a056d6f64656c12056d6f64656c1a0d6361696d692d6d6f64656c2d31221a6170706c69636174696f6e2f"
            hex"782d736f6c69646974792d6162692a020102"
        );
    }
}
