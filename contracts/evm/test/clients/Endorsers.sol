// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Endorsement, EndorsedReadsProof} from "../../src/interfaces/IEndorsedReadsClient.sol";
import {CommitteeFacts} from "./CommitteeFacts.sol";

/// @notice Organisations of tests, and what their peers sign: as Fabric's do, or with one part changed.
abstract contract Endorsers is CommitteeFacts {
    uint256 internal constant N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551;

    /// @dev A payload in parts, each as protobuf has it, with its tag.
    struct Draft {
        bytes hash; // proposal_hash
        bytes results; // the content of a TxReadWriteSet
        bytes events;
        bytes response; // the content of a Response
        bytes chaincode; // the content of a ChaincodeID
        bytes more; // behind all others
    }

    function privateKeyOf(uint256 peer) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode("peer", peer))) >> 8;
    }

    function keyOf(uint256 peer) internal pure returns (bytes32[2] memory key) {
        (uint256 x, uint256 y) = vm.publicKeyP256(privateKeyOf(peer));
        key = [bytes32(x), bytes32(y)];
    }

    function keysOf(uint256 count) internal pure returns (bytes32[2][] memory keys) {
        keys = new bytes32[2][](count);
        for (uint256 i = 0; i < count; ++i) {
            keys[i] = keyOf(i);
        }
    }

    // What a peer signs

    function field(uint8 tag, bytes memory content) internal pure returns (bytes memory) {
        bytes memory length;
        uint256 left = content.length;
        for (; left > 0x7f; left >>= 7) {
            length = abi.encodePacked(length, uint8(left & 0x7f | 0x80));
        }
        return abi.encodePacked(tag, length, uint8(left), content);
    }

    function headOf(string memory ledger, string memory channel) internal pure returns (bytes memory) {
        return abi.encodePacked(
            "caimi/endorsed-reads/v1", uint8(bytes(ledger).length), ledger, uint8(bytes(channel).length), channel
        );
    }

    function pathOf(uint8 kind, uint64 sequence) internal pure returns (bytes memory) {
        return abi.encodePacked("fabric-0", kind, sequence);
    }

    /// @dev One thing that was read, in the answer: nothing where the value is zero.
    function readOf(bytes memory path, bytes32 value) internal pure returns (bytes memory) {
        if (value == 0) return abi.encodePacked(uint16(path.length), path, uint8(0));
        return abi.encodePacked(uint16(path.length), path, uint8(1), value);
    }

    function answerOf(uint64 time, uint16 count, bytes memory reads) internal pure returns (bytes memory) {
        return abi.encodePacked(headOf("fabric:one", "channel"), time, count, reads);
    }

    function draftOf(bytes memory answer) internal pure returns (Draft memory draft) {
        draft.hash = field(0x0a, new bytes(32));
        bytes memory lifecycle = abi.encodePacked(field(0x0a, "_lifecycle"), field(0x12, hex"ffff"));
        draft.results = abi.encodePacked(field(0x12, lifecycle), field(0x12, namespaceOf("caimi", 7)));
        draft.response = abi.encodePacked(hex"08c801", field(0x1a, answer));
        draft.chaincode = abi.encodePacked(field(0x12, "caimi"), field(0x1a, "1.0"));
    }

    /// @dev That a key was read which block `height` wrote, and one that is not there.
    function namespaceOf(string memory name, uint8 height) internal pure returns (bytes memory) {
        bytes memory version = abi.encodePacked(uint8(0x08), height, hex"1003");
        bytes memory there = abi.encodePacked(field(0x0a, "clock"), field(0x12, version));
        bytes memory keys = abi.encodePacked(field(0x0a, there), field(0x0a, field(0x0a, "gone")));
        return abi.encodePacked(field(0x0a, bytes(name)), field(0x12, keys));
    }

    function payloadOf(Draft memory draft) internal pure returns (bytes memory) {
        bytes memory action = abi.encodePacked(
            field(0x0a, draft.results), draft.events, field(0x1a, draft.response), field(0x22, draft.chaincode)
        );
        return abi.encodePacked(draft.hash, field(0x12, action), draft.more);
    }

    // Signatures

    function endorse(uint256 peer, bytes memory payload) internal pure returns (Endorsement memory each) {
        bytes memory endorser = abi.encodePacked(field(0x0a, "OrgMSP"), field(0x12, "certificate"));
        bytes32[2] memory key = keyOf(peer);
        (bytes32 r, bytes32 s) = vm.signP256(privateKeyOf(peer), sha256(bytes.concat(payload, endorser)));
        if (uint256(s) > N / 2) s = bytes32(N - uint256(s));
        each = Endorsement(key[0], key[1], r, s, endorser);
    }

    /// @dev By the first `peers` of them, with the first `count` of what was read asked for.
    function prove(bytes memory payload, uint256 peers, uint256 count)
        internal
        pure
        returns (EndorsedReadsProof memory proof)
    {
        proof.payload = payload;
        proof.endorsements = new Endorsement[](peers);
        for (uint256 i = 0; i < peers; ++i) {
            proof.endorsements[i] = endorse(i, payload);
        }
        proof.places = new uint16[](count);
        for (uint16 i = 0; i < count; ++i) {
            proof.places[i] = i;
        }
    }
}
