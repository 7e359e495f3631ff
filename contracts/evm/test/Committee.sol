// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {CommitteeClient} from "../src/clients/CommitteeClient.sol";
import {CommitteeStatements} from "../src/clients/CommitteeStatements.sol";
import {Checkpoint, CommitteeProof, StatementKind} from "../src/interfaces/ICommitteeClient.sol";
import {Test} from "./Test.sol";

/// @notice Validators of tests: keys sorted by address, and what they sign.
abstract contract Committee is Test {
    struct Keys {
        uint64 epoch;
        uint16 threshold;
        uint256[] privateKeys; // in the order of their addresses
        address[] members;
        bytes operators; // each its own
    }

    /// @dev From outside: a test ends, and passes, where a creation of its own is refused as expected.
    function makeCommitteeClient(
        bytes memory origin,
        uint64 epoch,
        uint16 threshold,
        address[] memory members,
        bytes memory operators,
        address authority
    ) external {
        new CommitteeClient(origin, epoch, threshold, members, operators, authority);
    }

    function makeKeys(uint64 epoch, uint16 threshold, uint256 count, uint256 seed)
        internal
        pure
        returns (Keys memory keys)
    {
        keys.epoch = epoch;
        keys.threshold = threshold;
        keys.privateKeys = new uint256[](count);
        keys.members = new address[](count);
        keys.operators = new bytes(count);
        for (uint256 i = 0; i < count; ++i) {
            keys.operators[i] = bytes1(uint8(i));
            uint256 privateKey = uint256(keccak256(abi.encode(seed, i))) >> 8;
            address member = vm.addr(privateKey);
            uint256 place = i;
            for (; place > 0 && keys.members[place - 1] > member; --place) {
                keys.members[place] = keys.members[place - 1];
                keys.privateKeys[place] = keys.privateKeys[place - 1];
            }
            keys.members[place] = member;
            keys.privateKeys[place] = privateKey;
        }
    }

    function hashOf(Keys memory keys) internal pure returns (bytes32) {
        return CommitteeStatements.committeeHash(keys.epoch, keys.threshold, keys.members, keys.operators);
    }

    /// @dev The signatures of the first `count` members.
    function signDigest(Keys memory keys, bytes32 digest, uint256 count)
        internal
        pure
        returns (uint256 signers, bytes memory signatures)
    {
        for (uint256 i = 0; i < count; ++i) {
            (uint8 v, bytes32 r, bytes32 s) = vm.sign(keys.privateKeys[i], digest);
            signatures = abi.encodePacked(signatures, r, s, v);
            signers |= 1 << i;
        }
    }

    function leafOf(bytes32 key, bytes32 value) internal pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(key, value))));
    }

    /// @dev A tree of just these leaves, all of them proved.
    function signLeaves(
        Keys memory keys,
        StatementKind kind,
        Checkpoint memory checkpoint,
        bytes32[] memory leafKeys,
        bytes32[] memory leafValues
    ) internal pure returns (CommitteeProof memory proof) {
        bytes32[] memory leaves = new bytes32[](leafKeys.length);
        for (uint256 i = 0; i < leafKeys.length; ++i) {
            leaves[i] = leafOf(leafKeys[i], leafValues[i]);
        }
        proof.proofFlags = new bool[](leaves.length - 1);
        for (uint256 i = 0; i < proof.proofFlags.length; ++i) {
            proof.proofFlags[i] = true;
        }
        checkpoint.committee = hashOf(keys);
        checkpoint.root = MerkleProof.processMultiProof(proof.proof, proof.proofFlags, leaves);
        checkpoint.size = uint32(leaves.length);
        proof.checkpoint = checkpoint;
        sign(keys, kind, proof);
    }

    /// @dev Signs the checkpoint as it stands with as many members as needed.
    function sign(Keys memory keys, StatementKind kind, CommitteeProof memory proof) internal pure {
        bytes32 digest = CommitteeStatements.digest(CommitteeStatements.domainSeparator(), kind, proof.checkpoint);
        (proof.signers, proof.signatures) = signDigest(keys, digest, keys.threshold);
    }
}
