// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IIBCApp} from "./IIBCApp.sol";

/// @notice Moves the ownership of models between ledgers: lock, mint, burn, unlock, refund. Port "model".
/// @dev Invariant: over all ledgers at most one holder of a model is live; while a packet is in flight its
///      source holds the right (locked, or burnt with a refund claim). A model goes on from a ledger where it is a
///      guest, which then keeps it as its home does, and comes back the way it went.
///      A `modelId` here is the token's id on this ledger.
///      Payload value: abi.encode(uint8 tag = 1, Transfer), see {ModelTransfers}.
interface IModelBridge is IIBCApp {
    event ModelSent(uint256 indexed modelId, bytes32 indexed clientHash, uint64 indexed sequence, address sender, bytes recipient);
    event ModelReceived(uint256 indexed modelId, bytes32 indexed clientHash, uint64 indexed sequence, address recipient);
    event TransferCompleted(uint256 indexed modelId, bytes32 indexed clientHash, uint64 indexed sequence);
    event TransferRefunded(uint256 indexed modelId, bytes32 indexed clientHash, uint64 indexed sequence, address to);

    event DeadUnlocked(uint256 indexed modelId, bytes32 indexed clientHash, address to);

    /// @notice Sends the caller's model to `recipient` (20-byte address on an EVM ledger) behind `clientId`.
    /// @dev The caller must have approved the bridge for the token.
    /// @param minDepth how many blocks must lie on the one that sends before the other ledger may take the model;
    ///        what comes with less waits, and is refunded when its time runs out first
    function send(
        string calldata clientId,
        uint256 modelId,
        bytes calldata recipient,
        uint64 timeoutTimestamp,
        uint64 minDepth
    ) external returns (uint64 sequence);

    /// @notice Gives back a model that is locked towards exactly `clientId`, and closes that route for good. One that is
    ///         not known to have arrived goes back to its sender alone. For the emergency exit only.
    function unlockDead(uint256 modelId, string calldata clientId, address to) external;

    /// @return clientId empty when this ledger does not hold the model locked
    /// @return sequence of the packet that took it away
    /// @return completed whether the other side acknowledged
    function locked(uint256 modelId) external view returns (string memory clientId, uint64 sequence, bool completed);
    /// @return clientId by which a foreign model came, and goes back; empty for home models and those never here
    function cameBy(uint256 modelId) external view returns (string memory clientId);
}
