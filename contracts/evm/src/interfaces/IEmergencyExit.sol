// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @notice Gives back models that are locked, and payments that are held, towards a ledger which died for good.
/// @dev The statement that a committee signs is EIP-712, domain name "CAIMI emergency exit" version "1" with chain id
///      and contract: Death(string clientId,uint64 number,uint64 height,bytes32 heirs). `heirs` is the root of an
///      OpenZeppelin standard Merkle tree over (uint256 modelId, uint64 sequence, address to): who gets which model,
///      that left with which packet.
interface IEmergencyExit {
    event ExitOpened(string clientId, uint64 number, address client, uint64 epoch, uint64 until);
    event SignOfLife(string clientId, uint64 number, uint64 height, uint64 time);
    event ExitStopped(string clientId, uint64 number);
    event DeathDeclared(string clientId, uint64 number, uint64 height, bytes32 heirs, uint64 until);

    /// @notice Opens an exit for a paused route. Governance only.
    function open(string calldata clientId) external returns (uint64 number);

    /// @notice Ends an exit by any proof of membership at a time after its opening. Open to anyone.
    function showLife(
        string calldata clientId,
        bytes32[] calldata keys,
        bytes32[] calldata values,
        bytes calldata proof
    ) external;

    /// @notice Ends an exit. Guardian only.
    function stop(string calldata clientId) external;

    /// @notice Takes the committee's word for who gets what, after the delay. Open to anyone who has it.
    /// @param height the last final block of the dead ledger
    /// @param signers bitmap over the committee's members
    /// @param signatures 65 bytes each (r, s, v), in member order
    function declare(
        string calldata clientId,
        uint64 height,
        bytes32 heirs,
        uint256 signers,
        bytes calldata signatures
    ) external;

    /// @notice Gives a model that had arrived to whom the list names. Open to anyone.
    function unlock(
        string calldata clientId,
        uint256 modelId,
        uint64 sequence,
        address to,
        bytes32[] calldata proof
    ) external;

    /// @notice Gives a model that is not known to have arrived back to its sender. Open to anyone.
    function refund(string calldata clientId, uint256 modelId, address sender) external;

    /// @notice Gives what was paid for a licence, and is not known to have ended, back to its buyer. Open to anyone.
    /// @param sequence of the packet that took the order away
    function refundPurchase(string calldata clientId, uint64 sequence) external;

    /// @return number how many exits the route had
    /// @return openedAt 0 when none is open
    /// @return declaredAt 0 until the committee spoke
    function exitOf(string calldata clientId)
        external
        view
        returns (uint64 number, uint64 openedAt, uint64 declaredAt, bytes32 heirs);

    /// @notice How many of a committee's members must sign: two thirds and one more, and no fewer than the threshold.
    function needed(uint256 members, uint256 threshold) external pure returns (uint256);
}
