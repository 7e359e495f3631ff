// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {CommitteeStatements} from "../../src/clients/CommitteeStatements.sol";
import {ValidatorBond} from "../../src/clients/ValidatorBond.sol";
import {Checkpoint, StatementKind} from "../../src/interfaces/ICommitteeClient.sol";
import {Network} from "../Network.sol";

/// @notice Single validators of tests, and what they sign by themselves.
abstract contract Bonds is Network {
    address internal constant SINK = address(0x51a);

    function signOne(uint256 privateKey, StatementKind kind, Checkpoint memory statement)
        internal
        pure
        returns (bytes memory)
    {
        bytes32 digest = CommitteeStatements.digest(CommitteeStatements.domainSeparator(), kind, statement);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(privateKey, digest);
        return abi.encodePacked(r, s, v);
    }

    /// @dev The tree has another leaf beside this one.
    function signLeaf(uint256 privateKey, Checkpoint memory checkpoint, bytes32 key, bytes32 value)
        internal
        pure
        returns (ValidatorBond.SignedLeaf memory leaf)
    {
        leaf.value = value;
        leaf.proof = new bytes32[](1);
        leaf.proof[0] = leafOf(keccak256("another key"), keccak256("another value"));
        bytes32 hash = leafOf(key, value);
        checkpoint.root = hash < leaf.proof[0]
            ? keccak256(abi.encode(hash, leaf.proof[0]))
            : keccak256(abi.encode(leaf.proof[0], hash));
        checkpoint.size = 2;
        leaf.checkpoint = checkpoint;
        StatementKind kind = checkpoint.from == checkpoint.height ? StatementKind.Absence : StatementKind.Checkpoint;
        leaf.signature = signOne(privateKey, kind, checkpoint);
    }
}
