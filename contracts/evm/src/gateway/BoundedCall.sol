// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @notice A call with exactly the gas it is promised, of whose answer a bounded part is kept.
/// @dev The callee's outcome must not depend on who makes the transaction: with less gas than promised the whole
///      transaction reverts, so that it can be tried again, and with more the callee does not see it. What it returns
///      cannot cost the caller more than `maxReturned` bytes of memory.
library BoundedCall {
    error InsufficientGas();

    /// @dev More than a call of a cold account costs before its gas is split.
    uint256 private constant CALL_OVERHEAD = 5_000;

    /// @return success whether `target` did not revert
    /// @return returned the first `maxReturned` bytes of what it returned or reverted with
    /// @return whole whether those are all
    function call(address target, uint256 gasLimit, bytes memory data, uint256 maxReturned)
        internal
        returns (bool success, bytes memory returned, bool whole)
    {
        // A call passes on at most 63/64 of what is left (EIP-150), silently less than it was asked for.
        require(gasleft() > gasLimit + gasLimit / 63 + CALL_OVERHEAD, InsufficientGas());
        // Solidity's own call copies all that is returned.
        assembly ("memory-safe") {
            success := call(gasLimit, target, 0, add(data, 0x20), mload(data), 0, 0)
            let size := returndatasize()
            whole := iszero(gt(size, maxReturned))
            if iszero(whole) { size := maxReturned }
            returned := mload(0x40)
            mstore(returned, size)
            returndatacopy(add(returned, 0x20), 0, size)
            mstore(0x40, and(add(add(returned, size), 0x3f), not(0x1f)))
        }
    }
}
