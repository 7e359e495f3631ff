// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @notice Append-only log of Merkle roots over inference receipts, one log a worker.
interface IReceiptLog {
    event ReceiptsAnchored(address indexed worker, uint256 indexed index, bytes32 root, uint32 count);

    /// @notice Anchors the root of a batch of the caller's receipts.
    function anchor(bytes32 root, uint32 count) external returns (uint256 index);
    function anchored(address worker, bytes32 root) external view returns (uint64 time);
    /// @dev Leaf: OpenZeppelin standard leaf of (bytes32 receiptDigest).
    function isAnchored(address worker, bytes32 root, bytes32 receiptDigest, bytes32[] calldata proof)
        external
        view
        returns (bool);
}
