// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ICS24} from "../../src/gateway/ICS24.sol";
import {Packet, Payload} from "../../src/interfaces/IBCTypes.sol";
import {Test} from "../Test.sol";

/// @notice Packets of another router are read, and committed to as the Cosmos chain at the other end proved it.
/// @dev Over contracts/vectors/eureka.json: what solidity-ibc-eureka publishes of its runs against a Cosmos chain.
contract EurekaVectorsTest is Test {
    string private _json;

    function setUp() public {
        _json = vm.readFile("../vectors/eureka.json");
    }

    function test_a_packet_that_a_cosmos_chain_sent_has_its_commitment_and_its_path() public view {
        for (uint256 i = 0; i < 2; ++i) {
            Packet memory packet = _packet(i);
            assertEq(
                bytes32(_bytes(i, ".value")),
                this.packetCommitment(packet.destClient, packet.timeoutTimestamp, packet.payloads)
            );
            assertEq(keccak256(_bytes(i, ".path")), ICS24.commitmentKey(packet.sourceClient, packet.sequence));
        }
    }

    function test_an_acknowledgement_that_a_cosmos_chain_wrote_has_its_commitment_and_its_path() public view {
        Packet memory packet = _packet(2);
        bytes[] memory acknowledgements = new bytes[](1);
        acknowledgements[0] = vm.parseJsonBytes(_json, ".acknowledgement");
        assertEq(bytes32(_bytes(2, ".value")), ICS24.acknowledgementCommitment(acknowledgements));
        assertEq(keccak256(_bytes(2, ".path")), ICS24.acknowledgementKey(packet.destClient, packet.sequence));
    }

    function test_a_receipt_that_a_cosmos_chain_has_not_has_its_path() public view {
        Packet memory packet = _packet(3);
        assertEq(_bytes(3, ".value").length, 0);
        assertEq(keccak256(_bytes(3, ".path")), ICS24.receiptKey(packet.destClient, packet.sequence));
    }

    function packetCommitment(string calldata destClient, uint64 timeout, Payload[] calldata payloads)
        external
        view
        returns (bytes32)
    {
        return ICS24.packetCommitment(destClient, timeout, payloads);
    }

    /// @dev abi.encode(Packet) is the same there; the one encoding of it, too.
    function _packet(uint256 i) private view returns (Packet memory packet) {
        bytes memory encoded = _bytes(i, ".packet");
        packet = abi.decode(encoded, (Packet));
        assertEq(abi.encode(packet), encoded);
    }

    function _bytes(uint256 i, string memory part) private view returns (bytes memory) {
        return vm.parseJsonBytes(_json, string.concat(".packets[", vm.toString(i), "]", part));
    }
}
