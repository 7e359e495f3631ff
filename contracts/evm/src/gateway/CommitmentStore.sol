// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IGateway} from "../interfaces/IGateway.sol";
import {ICS24} from "./ICS24.sol";

/// @notice The commitments of ICS-24 on an EVM ledger.
/// @dev They are in a mapping at storage slot COMMITMENTS_SLOT, keyed by keccak256 of the ICS-24 path, so that
///      eth_getProof proves what is there and what is not. There is no slot for receipts: a receipt and its
///      acknowledgement are written in one transaction, so the slot of the acknowledgement (path 0x03) tells both.
///      {hasReceipt} reads it. A client that verifies storage proofs must take the absence of the receipt
///      (path 0x02) from the slot of the acknowledgement; what validators attest as absent is the receipt.
abstract contract CommitmentStore is IGateway {
    uint256 public constant COMMITMENTS_SLOT = 1;

    mapping(bytes32 path => bytes32 commitment) internal _commitments;

    /// @inheritdoc IGateway
    function getCommitment(bytes32 path) external view returns (bytes32) {
        return _commitments[path];
    }

    /// @inheritdoc IGateway
    function getCommitments(bytes32[] calldata paths) external view returns (bytes32[] memory values) {
        values = new bytes32[](paths.length);
        for (uint256 i; i < paths.length; ++i) values[i] = _commitments[paths[i]];
    }

    /// @inheritdoc IGateway
    function hasReceipt(string calldata destClient, uint64 sequence) external view returns (bool) {
        return _commitments[ICS24.acknowledgementKey(destClient, sequence)] != 0;
    }
}
