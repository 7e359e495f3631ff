// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {IReceiptLog} from "../interfaces/IReceiptLog.sol";

/// @notice Append-only log of Merkle roots over inference receipts, one log a worker.
/// @dev Invariant: what a worker has anchored stays anchored, with the time of its first and only anchoring.
contract ReceiptLog is IReceiptLog {
    error ZeroRoot();
    error EmptyBatch();
    error AlreadyAnchored(address worker, bytes32 root);

    mapping(address worker => mapping(bytes32 root => uint64)) private _anchored;
    mapping(address worker => uint256) private _length;

    /// @inheritdoc IReceiptLog
    /// @dev Indices start at 0.
    function anchor(bytes32 root, uint32 count) external returns (uint256 index) {
        require(root != bytes32(0), ZeroRoot());
        require(count != 0, EmptyBatch());
        require(_anchored[msg.sender][root] == 0, AlreadyAnchored(msg.sender, root));
        _anchored[msg.sender][root] = uint64(block.timestamp);
        index = _length[msg.sender]++;
        emit ReceiptsAnchored(msg.sender, index, root, count);
    }

    /// @inheritdoc IReceiptLog
    function anchored(address worker, bytes32 root) external view returns (uint64 time) {
        return _anchored[worker][root];
    }

    /// @inheritdoc IReceiptLog
    function isAnchored(address worker, bytes32 root, bytes32 receiptDigest, bytes32[] calldata proof)
        external
        view
        returns (bool)
    {
        bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(receiptDigest))));
        return _anchored[worker][root] != 0 && MerkleProof.verifyCalldata(proof, root, leaf);
    }
}
