// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {Accountant} from "../../src/limits/Accountant.sol";
import {Test} from "../Test.sol";

/// @dev An application that checks nothing itself.
contract Careless is Accountant {
    constructor(address authority) AccessManaged(authority) {}

    function leave(bytes32 route, uint128 amount) external {
        _leave(route, amount);
    }

    function comeBack(bytes32 route, uint128 amount) external {
        _comeBack(route, amount);
    }
}

contract AccountantTest is Test {
    Careless private app;

    function setUp() public {
        app = new Careless(address(new AccessManager(address(this))));
    }

    function testFuzz_no_more_comes_back_than_left_over_that_route(uint64 left, uint64 more) public {
        bytes32 route = keccak256("a");
        app.leave(keccak256("b"), type(uint64).max);
        app.leave(route, left);
        uint128 amount = uint128(left) + uint128(more) + 1;
        vm.expectRevert(abi.encodeWithSelector(Accountant.NotConserved.selector, route, left, amount));
        app.comeBack(route, amount);
        app.comeBack(route, left);
        (uint128 out,) = app.outstanding("a");
        assertEq(out, 0);
    }

    function test_no_more_is_out_than_the_cap_and_what_came_back_leaves_again() public {
        bytes32 route = keccak256("a");
        app.leave(route, 5);
        vm.expectEmit(address(app));
        emit Accountant.SupplyCapSet("a", 5);
        app.setSupplyCap("a", 5);
        vm.expectRevert(abi.encodeWithSelector(Accountant.SupplyCapReached.selector, route, 5));
        app.leave(route, 1);
        app.comeBack(route, 1);
        app.leave(route, 1);
        app.leave(keccak256("b"), 9);
    }

    function test_only_governance_sets_a_cap() public {
        vm.prank(address(1));
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, address(1)));
        app.setSupplyCap("a", 1);
    }
}
