// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @notice Verifies facts about one other ledger (an IBC light client).
/// @dev `keys[i]` is keccak256 of the ICS-24 path, `values[i]` the 32-byte commitment stored there.
///      The proof's encoding belongs to the client. Both calls revert unless the facts are proved.
interface ILightClient {
    /// @return height of the source ledger at which the facts held
    /// @return time of that height, in seconds
    function verifyMembership(bytes32[] calldata keys, bytes32[] calldata values, bytes calldata proof)
        external
        view
        returns (uint64 height, uint64 time);

    /// @notice Proves that nothing is stored at `keys`, at the returned height and time.
    function verifyAbsence(bytes32[] calldata keys, bytes calldata proof)
        external
        view
        returns (uint64 height, uint64 time);

    /// @notice Which kind of client this is, so that whoever builds proofs knows their encoding.
    function clientType() external view returns (string memory);

    /// @notice Whether the client has been frozen and proves nothing any more.
    function frozen() external view returns (bool);
}
