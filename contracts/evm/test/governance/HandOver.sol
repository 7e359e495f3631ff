// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {Test} from "../Test.sol";

/// @notice What a hand-over does: a timelock administers, and the deployer does no more.
abstract contract HandOver is Test {
    uint256 internal constant DELAY = 3 days;
    uint64 internal constant GUARDIAN_ROLE = 2;
    address internal constant PROPOSER = address(0xb055);
    address internal constant GUARDIAN = address(0x6a4d);
    address internal constant STRANGER = address(0xbad);

    TimelockController internal timelock;

    /// @dev From this contract, which administers `manager`, to a new timelock.
    function handOver(AccessManager manager) internal {
        address[] memory proposers = new address[](1);
        proposers[0] = PROPOSER;
        timelock = new TimelockController(DELAY, proposers, new address[](1), address(0));
        manager.grantRole(0, address(timelock), 0);
        manager.renounceRole(0, address(this));
    }

    function propose(address target, bytes memory data) internal returns (bytes32 id) {
        vm.prank(PROPOSER);
        timelock.schedule(target, 0, data, 0, 0, DELAY);
        return timelock.hashOperation(target, 0, data, 0, 0);
    }

    function carryOut(address target, bytes memory data) internal {
        vm.prank(STRANGER);
        timelock.execute(target, 0, data, 0, 0);
    }

    /// @dev What the timelock says to an operation that is not ready.
    function notReady(bytes32 id) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(
            TimelockController.TimelockUnexpectedOperationState.selector,
            id,
            bytes32(1 << uint8(TimelockController.OperationState.Ready))
        );
    }
}
