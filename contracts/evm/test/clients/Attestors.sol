// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {AttestationsClient} from "../../src/clients/AttestationsClient.sol";
import {CommitteeStatements} from "../../src/clients/CommitteeStatements.sol";
import {
    AttestationKind,
    AttestationProof,
    PacketAttestation,
    PacketCompact,
    StateAttestation
} from "../../src/interfaces/IAttestationsClient.sol";
import {Committee} from "../Committee.sol";

/// @notice Attestors of a Cosmos chain, and what they sign.
abstract contract Attestors is Committee {
    bytes internal constant CHAIN = "cosmos:cosmoshub-4";

    function newAttestationsClient(Keys memory keys) internal returns (AttestationsClient) {
        return newAttestationsClient(keys, address(new AccessManager(address(this))));
    }

    function newAttestationsClient(Keys memory keys, address authority) internal returns (AttestationsClient) {
        return new AttestationsClient(
            CHAIN, keys.threshold, keys.members, keys.operators, enrolments(keys), authority
        );
    }

    /// @dev EIP-712 written out, apart from the contract.
    function enrolmentDigest(bytes memory chain) internal pure returns (bytes32) {
        bytes32 typeHash = keccak256("AttestorEnrolment(bytes32 origin)");
        return MessageHashUtils.toTypedDataHash(
            CommitteeStatements.domainSeparator(), keccak256(abi.encode(typeHash, keccak256(chain)))
        );
    }

    function enrolments(Keys memory keys) internal pure returns (bytes[] memory) {
        return signaturesOf(keys, enrolmentDigest(CHAIN), keys.members.length);
    }

    /// @dev Of the first `count` members.
    function signaturesOf(Keys memory keys, bytes32 digest, uint256 count)
        internal
        pure
        returns (bytes[] memory signatures)
    {
        signatures = new bytes[](count);
        for (uint256 i = 0; i < count; ++i) {
            (uint8 v, bytes32 r, bytes32 s) = vm.sign(keys.privateKeys[i], digest);
            signatures[i] = abi.encodePacked(r, s, v);
        }
    }

    function digestOf(AttestationKind kind, bytes memory data) internal pure returns (bytes32) {
        return sha256(bytes.concat(bytes1(uint8(kind)), sha256(data)));
    }

    function signData(Keys memory keys, AttestationKind kind, bytes memory data)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encode(AttestationProof(data, signaturesOf(keys, digestOf(kind, data), keys.threshold)));
    }

    function signState(Keys memory keys, uint64 height, uint64 time) internal pure returns (bytes memory) {
        return signData(keys, AttestationKind.State, abi.encode(StateAttestation(height, time)));
    }

    /// @dev No values: nothing is there.
    function packetsOf(uint64 height, bytes32[] memory keys, bytes32[] memory values)
        internal
        pure
        returns (bytes memory)
    {
        PacketCompact[] memory packets = new PacketCompact[](keys.length);
        for (uint256 i = 0; i < keys.length; ++i) {
            packets[i] = PacketCompact(keys[i], values.length == 0 ? bytes32(0) : values[i]);
        }
        return abi.encode(PacketAttestation(height, packets));
    }

    function signPacket(Keys memory keys, uint64 height, bytes32 path, bytes32 commitment)
        internal
        pure
        returns (bytes memory)
    {
        PacketCompact[] memory packets = new PacketCompact[](1);
        packets[0] = PacketCompact(path, commitment);
        return signData(keys, AttestationKind.Packet, abi.encode(PacketAttestation(height, packets)));
    }
}
