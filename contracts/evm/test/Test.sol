// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Vm} from "./Vm.sol";

/// @notice Base of every test: cheat codes, assertions that say what they saw, bounded fuzz inputs, invariant targets.
/// @dev A failed assertion reverts, which is how forge tells a failed test.
abstract contract Test {
    /// @dev keccak256("hevm cheat code"), the address at which forge answers cheat codes.
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    error AssertionFailed(string what, string left, string right);

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    address[] private _targetContracts;
    FuzzSelector[] private _targetSelectors;

    /// @dev Read by forge: the contracts that invariant runs call.
    function targetContracts() public view returns (address[] memory) {
        return _targetContracts;
    }

    /// @dev Read by forge: the functions of a contract that invariant runs call.
    function targetSelectors() public view returns (FuzzSelector[] memory) {
        return _targetSelectors;
    }

    function targetContract(address target) internal {
        _targetContracts.push(target);
    }

    function targetSelector(address target, bytes4[] memory selectors) internal {
        _targetSelectors.push(FuzzSelector(target, selectors));
    }

    /// @dev Folds `value` into [min, max], leaving values already inside as they are.
    function bound(uint256 value, uint256 min, uint256 max) internal pure returns (uint256) {
        require(min <= max, "bound: empty range");
        if (value >= min && value <= max) return value;
        uint256 size = max - min;
        return size == type(uint256).max ? value : min + (value % (size + 1));
    }

    function fail(string memory what) internal pure {
        revert AssertionFailed(what, "", "");
    }

    function assertTrue(bool condition) internal pure {
        assertTrue(condition, "expected true");
    }

    function assertTrue(bool condition, string memory what) internal pure {
        if (!condition) revert AssertionFailed(what, "false", "true");
    }

    function assertFalse(bool condition) internal pure {
        assertFalse(condition, "expected false");
    }

    function assertFalse(bool condition, string memory what) internal pure {
        if (condition) revert AssertionFailed(what, "true", "false");
    }

    function assertEq(uint256 left, uint256 right) internal pure {
        assertEq(left, right, "expected equal");
    }

    function assertEq(uint256 left, uint256 right, string memory what) internal pure {
        if (left != right) revert AssertionFailed(what, vm.toString(left), vm.toString(right));
    }

    function assertEq(address left, address right) internal pure {
        assertEq(left, right, "expected equal");
    }

    function assertEq(address left, address right, string memory what) internal pure {
        if (left != right) revert AssertionFailed(what, vm.toString(left), vm.toString(right));
    }

    function assertEq(bytes32 left, bytes32 right) internal pure {
        assertEq(left, right, "expected equal");
    }

    function assertEq(bytes32 left, bytes32 right, string memory what) internal pure {
        if (left != right) revert AssertionFailed(what, vm.toString(left), vm.toString(right));
    }

    function assertEq(bool left, bool right) internal pure {
        if (left != right) revert AssertionFailed("expected equal", vm.toString(left), vm.toString(right));
    }

    function assertEq(bytes memory left, bytes memory right) internal pure {
        assertEq(left, right, "expected equal");
    }

    function assertEq(bytes memory left, bytes memory right, string memory what) internal pure {
        if (keccak256(left) != keccak256(right)) revert AssertionFailed(what, vm.toString(left), vm.toString(right));
    }

    function assertEq(string memory left, string memory right) internal pure {
        assertEq(left, right, "expected equal");
    }

    function assertEq(string memory left, string memory right, string memory what) internal pure {
        if (keccak256(bytes(left)) != keccak256(bytes(right))) revert AssertionFailed(what, left, right);
    }

    function assertNotEq(bytes32 left, bytes32 right) internal pure {
        if (left == right) revert AssertionFailed("expected different", vm.toString(left), vm.toString(right));
    }

    function assertNotEq(uint256 left, uint256 right) internal pure {
        if (left == right) revert AssertionFailed("expected different", vm.toString(left), vm.toString(right));
    }

    function assertLt(uint256 left, uint256 right) internal pure {
        if (left >= right) revert AssertionFailed("expected less", vm.toString(left), vm.toString(right));
    }

    function assertLe(uint256 left, uint256 right) internal pure {
        assertLe(left, right, "expected at most");
    }

    function assertLe(uint256 left, uint256 right, string memory what) internal pure {
        if (left > right) revert AssertionFailed(what, vm.toString(left), vm.toString(right));
    }

    function assertGt(uint256 left, uint256 right) internal pure {
        if (left <= right) revert AssertionFailed("expected more", vm.toString(left), vm.toString(right));
    }

    function assertGe(uint256 left, uint256 right) internal pure {
        if (left < right) revert AssertionFailed("expected at least", vm.toString(left), vm.toString(right));
    }
}
