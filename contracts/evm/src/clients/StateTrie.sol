// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Memory} from "@openzeppelin/contracts/utils/Memory.sol";
import {RLP} from "@openzeppelin/contracts/utils/RLP.sol";
import {TrieProof} from "@openzeppelin/contracts/utils/cryptography/TrieProof.sol";
import {BlockHeader} from "./BlockHeader.sol";

/// @notice What is in the state of an Ethereum ledger, and what is not, by proofs as eth_getProof gives them.
/// @dev Presence is OpenZeppelin's {TrieProof}. It has no proof of absence: its errors do not tell a path that ends
///      from a proof that is broken. {requireAbsent} walks the same nodes with the same {RLP}, and takes only what
///      shows that the path ends: an empty place in a branch, or a leaf or extension of another path.
library StateTrie {
    using Memory for bytes;
    using Memory for Memory.Slice;
    using RLP for Memory.Slice;

    error ProofTooLong(uint256 nodes);
    error InvalidAccount();
    error WrongSlotValue(bytes32 slot);
    error SlotNotEmpty(bytes32 slot);
    error NodeMismatch(uint256 node);
    error InvalidNode(uint256 node);
    error IncompleteAbsence();
    error NodesLeftOver(uint256 nodes, uint256 used);

    /// @dev One node for each of the 64 nibbles of a path, and one at its end.
    uint256 internal constant MAX_NODES = 65;
    uint256 private constant NIBBLES = 64;

    /// @notice The root of the storage of `account`.
    function storageRoot(bytes32 stateRoot, address account, bytes[] memory proof) internal pure returns (bytes32) {
        require(proof.length <= MAX_NODES, ProofTooLong(proof.length));
        bytes memory key = abi.encodePacked(keccak256(abi.encodePacked(account)));
        Memory.Slice[] memory members = TrieProof.traverse(stateRoot, key, proof).asSlice().readList();
        // nonce, balance, storage root, code hash
        require(members.length == 4 && BlockHeader.isWord(members[2]), InvalidAccount());
        return members[2].readBytes32();
    }

    /// @notice Reverts unless `value`, which is not zero, is in `slot`.
    function requireValue(bytes32 root, bytes32 slot, bytes32 value, bytes[] memory proof) internal pure {
        require(proof.length <= MAX_NODES, ProofTooLong(proof.length));
        bytes memory key = abi.encodePacked(keccak256(abi.encodePacked(slot)));
        bytes memory found = TrieProof.traverse(root, key, proof);
        require(keccak256(found) == keccak256(RLP.encode(uint256(value))), WrongSlotValue(slot));
    }

    /// @notice Reverts unless nothing (which is zero) is in `slot`.
    function requireAbsent(bytes32 root, bytes32 slot, bytes[] memory proof) internal pure {
        require(proof.length <= MAX_NODES, ProofTooLong(proof.length));
        bytes32 path = keccak256(abi.encodePacked(slot));
        bytes32 expected = root;
        uint256 depth = 0; // nibbles of the path that were walked
        for (uint256 i = 0; i < proof.length; ++i) {
            require(keccak256(proof[i]) == expected, NodeMismatch(i));
            Memory.Slice node = proof[i].asSlice();
            // A child of fewer than 32 bytes lies in its parent, and is walked with it.
            while (true) {
                Memory.Slice child;
                bool ended;
                (child, depth, ended) = _step(node.readList(), path, depth, i, slot);
                if (ended) {
                    require(i + 1 == proof.length, NodesLeftOver(proof.length, i + 1));
                    return;
                }
                if (BlockHeader.isWord(child)) {
                    expected = child.readBytes32();
                    break;
                }
                require(child.length() < 32 && bytes1(child.load(0)) >= 0xc0, InvalidNode(i));
                node = child;
            }
        }
        revert IncompleteAbsence();
    }

    /// @dev One node down the path, or its end.
    function _step(Memory.Slice[] memory members, bytes32 path, uint256 depth, uint256 i, bytes32 slot)
        private
        pure
        returns (Memory.Slice child, uint256 next, bool ended)
    {
        require(depth < NIBBLES, InvalidNode(i));
        if (members.length == 17) {
            child = members[_nibble(path, depth)];
            return (child, depth + 1, child.length() == 1 && bytes1(child.load(0)) == 0x80);
        }
        require(members.length == 2, InvalidNode(i));
        bytes memory compact = members[0].readBytes();
        require(compact.length > 0 && compact.length <= 33, InvalidNode(i));
        uint8 kind = uint8(compact[0]) >> 4; // bit 0: odd number of nibbles, bit 1: leaf
        require(kind < 4 && (kind & 1 == 1 || uint8(compact[0]) == kind << 4), InvalidNode(i));
        uint256 first = 2 - (kind & 1);
        uint256 count = 2 * compact.length - first;
        bool leaf = kind & 2 == 2;
        // All paths are of one length: a leaf is at the end of it, an extension leads on before.
        require(
            leaf ? count == NIBBLES - depth : count > 0 && count < NIBBLES - depth, InvalidNode(i)
        );
        for (uint256 j = 0; j < count; ++j) {
            uint8 pair = uint8(compact[(first + j) / 2]);
            if (((first + j) % 2 == 0 ? pair >> 4 : pair & 15) != _nibble(path, depth + j)) return (child, depth, true);
        }
        require(!leaf, SlotNotEmpty(slot));
        return (members[1], depth + count, false);
    }

    function _nibble(bytes32 path, uint256 place) private pure returns (uint256) {
        return uint256(path) >> (4 * (NIBBLES - 1 - place)) & 15;
    }
}
