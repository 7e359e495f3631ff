// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {RouteLimits} from "../../src/limits/RouteLimits.sol";
import {Test} from "../Test.sol";
import {Counting} from "./RouteLimits.t.sol";

/// @notice What accounts leave each other of a route, whatever some of them send and however it ends.
contract RouteSharesTest is Test {
    /// @dev A packet that was sent, as the reference remembers it.
    struct Flight {
        address account;
        uint256 amount;
        uint256 sentAt;
        bool open;
        bool refunded;
    }

    /// @dev The reference: plain numbers times the seconds of a day, one set a bucket.
    struct Reference {
        uint256 flying;
        uint256 amountFlying;
        uint256 used;
        uint256 amountUsed;
        uint256 time;
    }

    uint32 private constant COUNT = 100;
    uint104 private constant AMOUNT = 10_000;
    uint104 private constant MOST = 400;
    uint256 private constant SHARE = COUNT / 20;
    address private constant HONEST = address(0x60D);
    uint256 private constant START = 1_800_000_000;

    Counting private app;
    Flight[] private flights;
    mapping(address account => Reference) private references; // the route's own under nobody

    function setUp() public {
        vm.warp(START);
        app = new Counting(address(new AccessManager(address(this))));
        app.setLimits("a", false, RouteLimits.Limits(COUNT, COUNT, MOST, AMOUNT, AMOUNT));
    }

    // The attacks

    function test_one_account_does_not_close_a_route_by_sending_nothing_of_worth() public {
        for (uint256 i = 0; i < SHARE; ++i) {
            app.sending("a", 0);
        }
        bytes memory refusal =
            abi.encodeWithSelector(RouteLimits.ShareExceeded.selector, keccak256("a"), address(this));
        vm.expectRevert(refusal);
        app.sending("a", 0);
        _canSendItsShare();
    }

    function test_the_limit_of_a_route_that_governance_set_none_for_has_shares_too() public {
        for (uint256 i = 0; i < 50; ++i) {
            app.sending("b", type(uint256).max);
        }
        vm.expectRevert(
            abi.encodeWithSelector(RouteLimits.ShareExceeded.selector, keccak256("b"), address(this))
        );
        app.sending("b", 0);
        vm.prank(HONEST);
        assertEq(app.sending("b", 7), 0);
    }

    function test_what_is_refunded_is_given_back_at_once_and_whole() public {
        assertEq(app.sending("a", 400), 400);
        app.sending("a", 100);
        _assertLeft(SHARE - 2, 0);
        app.ended("a", address(this), 400, true);
        app.ended("a", address(this), 100, true);
        _assertLeft(SHARE, 500);
        (uint256 count, uint256 amount) = app.available("a", false);
        assertEq(count, COUNT);
        assertEq(amount, AMOUNT);
    }

    function test_what_took_effect_is_given_back_by_time_alone() public {
        app.sending("a", 400);
        app.ended("a", address(this), 400, false);
        _assertLeft(SHARE - 1, 100);
        vm.warp(START + 864);
        _assertLeft(SHARE - 1, 105);
        vm.warp(START + 1 days / SHARE);
        _assertLeft(SHARE, 200);
        vm.warp(START + 1 days);
        _assertLeft(SHARE, 500);
    }

    /// @dev What is left fits one packet of the largest amount, or nobody could send what the cap lets pass.
    function testFuzz_an_account_may_always_send_one_packet_of_the_largest_amount(uint104 amount, uint104 most, uint32 count)
        public
    {
        count = uint32(bound(count, 1, type(uint32).max));
        most = uint104(bound(most, 0, amount));
        app.setLimits("c", false, RouteLimits.Limits(count, 0, most, amount, 0));
        vm.prank(HONEST);
        app.sending("c", most);
    }

    // For any sequence

    /// @dev Nineteen attackers with any money, an honest account that does something too, and any ends.
    /// forge-config: default.fuzz.runs = 64
    function testFuzz_an_honest_account_has_its_share_whatever_attackers_do(uint256 seed) public {
        _play(seed, 19, 40);
        for (uint256 i = 0; i < flights.length; ++i) {
            if (flights[i].open && flights[i].account == HONEST) _endOne(i, true);
        }
        vm.warp(vm.getBlockTimestamp() + 1 days);
        _canSendItsShare();
    }

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_the_buckets_agree_with_a_reference(uint256 seed) public {
        _play(seed, 25, 40);
    }

    /// @dev In any stretch of time, also over refunds that come late.
    /// forge-config: default.fuzz.runs = 64
    function testFuzz_no_more_is_delivered_in_any_time_than_capacity_and_rate(uint256 seed) public {
        _play(seed, 25, 40);
        for (uint256 i = 0; i < flights.length; ++i) {
            uint256 count = 0;
            uint256 amount = 0;
            for (uint256 j = i; j < flights.length; ++j) {
                if (flights[j].refunded) continue;
                ++count;
                amount += flights[j].amount;
                uint256 elapsed = flights[j].sentAt - flights[i].sentAt;
                assertLe(count * 1 days, uint256(COUNT) * 1 days + elapsed * COUNT, "count");
                assertLe(amount * 1 days, uint256(AMOUNT) * 1 days + elapsed * AMOUNT, "amount");
            }
        }
    }

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_when_all_is_refunded_all_is_there(uint256 seed) public {
        _play(seed, 25, 30);
        for (uint256 i = 0; i < flights.length; ++i) {
            if (flights[i].open) _endOne(i, true);
        }
        vm.warp(vm.getBlockTimestamp() + 1 days);
        (uint256 count, uint256 amount) = app.available("a", false);
        assertEq(count, COUNT);
        assertEq(amount, AMOUNT);
    }

    function _play(uint256 seed, uint256 attackers, uint256 steps) private {
        for (uint256 i = 0; i < steps; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint256 action = seed % 8;
            if (action == 0) vm.warp(vm.getBlockTimestamp() + (seed >> 8) % 3 hours);
            else if (action < 6) _sendOne(address(uint160(0xBAD + (seed >> 16) % attackers)), (seed >> 128) % (MOST + 1));
            else if (flights.length != 0) _endOne((seed >> 16) % flights.length, action == 6);
            if (action == 5) _sendOne(HONEST, (seed >> 64) % (MOST + 1));
        }
    }

    function _sendOne(address account, uint256 amount) private {
        bool fits = _fits(references[address(0)], 1, amount) && _fits(references[account], 20, amount);
        vm.prank(account);
        (bool accepted,) = address(app).call(abi.encodeCall(app.sending, ("a", amount)));
        assertTrue(accepted == fits, "the reference disagrees");
        if (!accepted) return;
        flights.push(Flight(account, amount, vm.getBlockTimestamp(), true, false));
        _fly(references[address(0)], amount);
        _fly(references[account], amount);
    }

    function _endOne(uint256 index, bool refunded) private {
        Flight storage flight = flights[index];
        if (!flight.open) return;
        (flight.open, flight.refunded) = (false, refunded);
        app.ended("a", flight.account, flight.amount, refunded);
        _land(references[address(0)], 1, flight.amount, refunded);
        _land(references[flight.account], 20, flight.amount, refunded);
    }

    function _refill(Reference storage bucket) private {
        uint256 elapsed = vm.getBlockTimestamp() - bucket.time;
        bucket.time = vm.getBlockTimestamp();
        bucket.used = bucket.used > elapsed * COUNT ? bucket.used - elapsed * COUNT : 0;
        bucket.amountUsed = bucket.amountUsed > elapsed * AMOUNT ? bucket.amountUsed - elapsed * AMOUNT : 0;
    }

    function _fits(Reference storage bucket, uint256 weight, uint256 amount) private returns (bool) {
        _refill(bucket);
        if ((bucket.flying + 1) * weight * 1 days + bucket.used > uint256(COUNT) * 1 days) return false;
        return amount == 0
            || (bucket.amountFlying + amount) * weight * 1 days + bucket.amountUsed <= uint256(AMOUNT) * 1 days;
    }

    function _fly(Reference storage bucket, uint256 amount) private {
        ++bucket.flying;
        bucket.amountFlying += amount;
    }

    function _land(Reference storage bucket, uint256 weight, uint256 amount, bool refunded) private {
        _refill(bucket);
        --bucket.flying;
        bucket.amountFlying -= amount;
        if (refunded) return;
        bucket.used += weight * 1 days;
        bucket.amountUsed += amount * weight * 1 days;
    }

    function _canSendItsShare() private {
        vm.startPrank(HONEST);
        for (uint256 i = 0; i < SHARE; ++i) {
            app.sending("a", AMOUNT / 20 / SHARE);
        }
        vm.stopPrank();
    }

    /// @dev What this account may still send: so many packets, so much value, and no more of either.
    function _assertLeft(uint256 packets, uint256 value) private {
        uint256 before = vm.snapshotState();
        for (uint256 i = 0; i < packets; ++i) {
            app.sending("a", 0);
        }
        assertFalse(_sends(0), "packets");
        vm.revertToState(before);
        while (value != 0) {
            uint256 part = value > MOST ? MOST : value;
            app.sending("a", part);
            value -= part;
        }
        assertFalse(_sends(1), "value");
        vm.revertToState(before);
    }

    function _sends(uint256 amount) private returns (bool accepted) {
        (accepted,) = address(app).call(abi.encodeCall(app.sending, ("a", amount)));
    }
}
