// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {RouteLimits} from "../../src/limits/RouteLimits.sol";
import {Test} from "../Test.sol";

/// @dev An application that only counts.
contract Counting is RouteLimits {
    constructor(address authority) AccessManaged(authority) {}

    function sending(string calldata clientId, uint256 amount) external returns (uint256 counted) {
        return _limitSending(keccak256(bytes(clientId)), msg.sender, amount);
    }

    function ended(string calldata clientId, address account, uint256 counted, bool refunded) external {
        _limitEnded(keccak256(bytes(clientId)), account, counted, refunded);
    }

    function receiving(string calldata clientId, uint256 amount) external {
        _limitReceiving(keccak256(bytes(clientId)), amount);
    }

    function die(string calldata clientId) external {
        _openForGood(keccak256(bytes(clientId)));
    }
}

contract RouteLimitsTest is Test {
    address private constant GUARDIAN = address(0x6A4D);
    AccessManager private manager;
    Counting private app;

    function setUp() public {
        vm.warp(1_800_000_000);
        manager = new AccessManager(address(this));
        app = new Counting(address(manager));
        bytes4[] memory stops = new bytes4[](1);
        stops[0] = RouteLimits.openBreaker.selector;
        manager.setTargetFunctionRole(address(app), stops, 2);
        manager.grantRole(2, GUARDIAN, 0);
    }

    function test_the_delivery_that_empties_the_count_opens_the_breaker_of_its_route_only() public {
        _limit("a", true, 2, 0, 0, 0, 0);
        app.receiving("a", 0);
        assertFalse(app.breakerOpen("a"));
        app.receiving("a", 0);
        assertTrue(app.breakerOpen("a"));
        vm.expectRevert(abi.encodeWithSelector(RouteLimits.BreakerOpen.selector, keccak256("a")));
        app.receiving("a", 0);
        vm.expectRevert(abi.encodeWithSelector(RouteLimits.BreakerOpen.selector, keccak256("a")));
        app.sending("a", 0);
        app.receiving("b", 0);
        app.sending("b", 0);
    }

    function test_the_delivery_that_empties_the_amount_is_taken_and_the_next_refused() public {
        _limit("a", true, 100, 100, 60, 100, 0);
        app.receiving("a", 60);
        app.receiving("a", 60);
        assertTrue(app.breakerOpen("a"));
        vm.expectRevert(abi.encodeWithSelector(RouteLimits.BreakerOpen.selector, keccak256("a")));
        app.receiving("a", 1);
    }

    function test_a_packet_over_the_cap_is_refused_in_both_directions() public {
        _limit("a", true, 9, 9, 60, 100, 0);
        _limit("a", false, 9, 9, 50, 100, 0);
        vm.expectRevert(abi.encodeWithSelector(RouteLimits.AmountOverCap.selector, keccak256("a"), 61, 60));
        app.receiving("a", 61);
        vm.expectRevert(abi.encodeWithSelector(RouteLimits.AmountOverCap.selector, keccak256("a"), 51, 50));
        app.sending("a", 51);
        app.sending("a", 50);
    }

    function test_sending_over_the_limit_is_refused_and_opens_nothing() public {
        _limit("a", false, 9, 9, 60, 100, 86_400);
        app.sending("a", 60);
        vm.expectRevert(abi.encodeWithSelector(RouteLimits.RateExceeded.selector, keccak256("a"), false));
        app.sending("a", 60);
        assertFalse(app.breakerOpen("a"));
        app.ended("a", address(this), 60, false);
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(RouteLimits.RateExceeded.selector, keccak256("a"), false));
        app.sending("a", 60);
        vm.warp(block.timestamp + 20);
        vm.prank(GUARDIAN);
        app.sending("a", 60);
    }

    function test_time_gives_nothing_back_of_what_is_in_flight() public {
        _limit("a", false, 9, 9, 60, 100, 86_400);
        app.sending("a", 60);
        vm.warp(block.timestamp + 1 days);
        vm.expectRevert(abi.encodeWithSelector(RouteLimits.RateExceeded.selector, keccak256("a"), false));
        app.sending("a", 60);
    }

    function test_a_closed_breaker_leaves_what_is_in_flight_where_it_is() public {
        _limit("a", false, 2, 0, 60, 100, 0);
        app.sending("a", 60);
        vm.prank(GUARDIAN);
        app.openBreaker("a");
        app.closeBreaker("a");
        (uint256 count, uint256 amount) = app.available("a", false);
        assertEq(count, 1);
        assertEq(amount, 40);
        app.ended("a", address(this), 60, true);
        (count, amount) = app.available("a", false);
        assertEq(count, 2);
        assertEq(amount, 100);
    }

    function test_a_closed_breaker_forgets_what_was_sent_and_has_arrived() public {
        _limit("a", false, 2, 0, 60, 100, 0);
        app.sending("a", 60);
        app.ended("a", address(this), 60, false);
        (uint256 count, uint256 amount) = app.available("a", false);
        assertEq(count, 1);
        assertEq(amount, 40);
        vm.prank(GUARDIAN);
        app.openBreaker("a");
        vm.expectEmit(address(app));
        emit RouteLimits.BreakerClosed(keccak256("a"));
        app.closeBreaker("a");
        (count, amount) = app.available("a", false);
        assertEq(count, 2);
        assertEq(amount, 100);
    }

    function test_time_does_not_close_a_breaker_and_a_guardian_cannot() public {
        vm.prank(GUARDIAN);
        app.openBreaker("a");
        vm.warp(block.timestamp + 365 days);
        vm.expectRevert(abi.encodeWithSelector(RouteLimits.BreakerOpen.selector, keccak256("a")));
        app.receiving("a", 0);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, GUARDIAN));
        vm.prank(GUARDIAN);
        app.closeBreaker("a");
        app.closeBreaker("a");
        app.receiving("a", 0);
    }

    function test_nobody_closes_the_breaker_of_a_dead_route() public {
        app.die("a");
        assertTrue(app.breakerOpen("a"));
        vm.expectRevert(abi.encodeWithSelector(RouteLimits.RouteDead.selector, keccak256("a")));
        app.closeBreaker("a");
    }

    function test_under_lower_limits_what_was_used_before_counts() public {
        bytes memory refusal = abi.encodeWithSelector(RouteLimits.RateExceeded.selector, keccak256("a"), true);
        _limit("a", true, 10, 0, 0, 0, 0);
        for (uint256 i = 0; i < 5; ++i) {
            app.receiving("a", 0);
        }
        _limit("a", true, 3, 0, 0, 0, 0);
        vm.expectRevert(refusal);
        app.receiving("a", 0);

        _limit("b", true, 100, 0, 60, 100, 0);
        app.receiving("b", 60);
        _limit("b", true, 100, 0, 50, 50, 0);
        refusal = abi.encodeWithSelector(RouteLimits.RateExceeded.selector, keccak256("b"), true);
        vm.expectRevert(refusal);
        app.receiving("b", 1);
        app.receiving("b", 0);
    }

    function test_packets_of_value_are_counted_too() public {
        _limit("a", false, 1, 0, 60, 100, 0);
        app.sending("a", 1);
        vm.expectRevert(abi.encodeWithSelector(RouteLimits.RateExceeded.selector, keccak256("a"), false));
        vm.prank(GUARDIAN);
        app.sending("a", 1);
    }

    function test_a_stranger_opens_nothing_and_sets_nothing() public {
        address stranger = address(0xBAD);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, stranger));
        vm.prank(stranger);
        app.openBreaker("a");
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, stranger));
        vm.prank(stranger);
        app.setLimits("a", true, RouteLimits.Limits(1, 1, 1, 1, 1));
    }

    function test_limits_that_let_nothing_pass_are_refused() public {
        vm.expectRevert(RouteLimits.InvalidLimits.selector);
        app.setLimits("a", true, RouteLimits.Limits(0, 1, 1, 1, 1));
        vm.expectRevert(RouteLimits.InvalidLimits.selector);
        app.setLimits("a", true, RouteLimits.Limits(1, 1, 2, 1, 1));
    }

    /// @dev The reference: what was accepted never exceeds capacity + refill + one packet, and what a plain bucket
    ///      in whole units of 1 / day holds is exactly what is accepted.
    function testFuzz_deliveries_agree_with_a_reference_bucket(uint256 seed, uint32 perDay) public {
        uint256 capacity = 1000;
        uint256 most = 400;
        _limit("a", true, 1000, 1000, uint104(most), uint104(capacity), perDay);
        uint256 left = capacity * 1 days;
        uint256 total = 0;
        // Our own clock: the optimizer takes the block's time for constant.
        uint256 start = 1_800_000_000;
        uint256 time = start;
        for (uint256 i = 0; i < 12; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint256 elapsed = seed % 1 hours;
            time += elapsed;
            left += elapsed * perDay;
            if (left > capacity * 1 days) left = capacity * 1 days;
            vm.warp(time);
            uint256 amount = 1 + (seed >> 128) % most;
            app.receiving("a", amount);
            total += amount;
            assertTrue(total * 1 days <= (capacity + most) * 1 days + (time - start) * perDay, "more than the bound");
            bool empty = amount * 1 days >= left;
            assertTrue(app.breakerOpen("a") == empty, "the reference disagrees");
            if (empty) return;
            left -= amount * 1 days;
            (, uint256 amountLeft) = app.available("a", true);
            assertEq(amountLeft, left / 1 days);
        }
    }

    function _limit(
        string memory clientId,
        bool receiving,
        uint32 count,
        uint32 countPerDay,
        uint104 maxAmount,
        uint104 amount,
        uint104 amountPerDay
    ) private {
        app.setLimits(clientId, receiving, RouteLimits.Limits(count, countPerDay, maxAmount, amount, amountPerDay));
    }
}
