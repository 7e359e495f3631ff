// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IIBCApp} from "./IIBCApp.sol";

/// @notice Moves the ownership of models between ledgers: lock, mint, burn, unlock, refund. Port "model".
/// @dev Invariant: over all ledgers at most one holder of a model is live; while a packet is in flight its
///      source holds the right (locked, or burnt with a refund claim).
///      Payload value: abi.encode(uint8 tag = 1, bytes home, address publisher, string name, bytes sender, bytes recipient).
interface IModelBridge is IIBCApp {
    event ModelSent(uint256 indexed modelId, bytes32 indexed clientHash, uint64 indexed sequence, address sender, bytes recipient);
    event ModelReceived(uint256 indexed modelId, bytes32 indexed clientHash, uint64 indexed sequence, address recipient);
    event TransferCompleted(uint256 indexed modelId, bytes32 indexed clientHash, uint64 indexed sequence);
    event TransferRefunded(uint256 indexed modelId, bytes32 indexed clientHash, uint64 indexed sequence, address to);

    /// @notice Sends the caller's model to `recipient` (20-byte address on an EVM ledger) behind `clientId`.
    /// @dev The caller must have approved the bridge for the token.
    function send(string calldata clientId, uint256 modelId, bytes calldata recipient, uint64 timeoutTimestamp)
        external
        returns (uint64 sequence);

    /// @return clientId empty when this ledger does not hold the model locked
    /// @return sequence of the packet that took it away
    /// @return completed whether the other side acknowledged
    function locked(uint256 modelId) external view returns (string memory clientId, uint64 sequence, bool completed);
}
