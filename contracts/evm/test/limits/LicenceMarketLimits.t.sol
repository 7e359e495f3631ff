// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {Price, PurchaseState} from "../../src/interfaces/ILicenceMarket.sol";
import {RouteLimits} from "../../src/limits/RouteLimits.sol";
import {LicenceMarket} from "../../src/models/LicenceMarket.sol";
import {ModelLedgers} from "../models/ModelLedgers.sol";
import {Coin} from "../models/Tokens.sol";

/// @notice The market under the limits of its routes. Model at home on ledger 0, buyers on ledger 1.
contract LicenceMarketLimitsTest is ModelLedgers {
    address private constant NATIVE = address(0);
    address private constant SELLER = address(0x5E11E4);
    uint256 private constant AMOUNT = 5 ether;
    uint256 private model;
    Coin private coin;
    string private route;

    function setUp() public {
        makeSites();
        coin = new Coin();
        route = routes[1][0];
        Price[] memory prices = new Price[](2);
        prices[0] = Price(accountOn(1, SELLER), "", AMOUNT, true);
        prices[1] = Price(accountOn(1, SELLER), assetOf(address(coin)), AMOUNT, true);
        vm.startPrank(SELLER);
        model = on(0).registry.publish("tumour-mlp", "1.0.0", keccak256("manifest"));
        on(0).market.setPrices(model, prices);
        vm.stopPrank();
    }

    function test_no_more_coins_are_paid_over_a_route_than_it_may_carry() public {
        LicenceMarket market = on(1).market;
        market.setLimits(route, false, RouteLimits.Limits(100, 100, uint104(AMOUNT), uint104(2 * AMOUNT), 0));
        _buy(address(1), NATIVE);
        _buy(address(2), NATIVE);
        _refuse(address(3), NATIVE, abi.encodeWithSelector(RouteLimits.RateExceeded.selector, _hash(route), false));
        assertEq(address(3).balance, AMOUNT);
        assertEq(market.held(NATIVE), 2 * AMOUNT);

        market.setLimits(
            route, false, RouteLimits.Limits(100, 100, uint104(AMOUNT - 1), uint104(2 * AMOUNT), uint104(2 * AMOUNT))
        );
        vm.warp(block.timestamp + 1 days);
        _refuse(
            address(3),
            NATIVE,
            abi.encodeWithSelector(RouteLimits.AmountOverCap.selector, _hash(route), AMOUNT, AMOUNT - 1)
        );
    }

    function test_each_token_has_limits_of_its_own_over_a_route() public {
        LicenceMarket market = on(1).market;
        string memory lane = string.concat(route, "/", Strings.toHexString(address(coin)));
        market.setLimits(lane, false, RouteLimits.Limits(100, 100, uint104(AMOUNT), uint104(AMOUNT), 0));
        _buy(address(1), address(coin));
        _refuse(
            address(2), address(coin), abi.encodeWithSelector(RouteLimits.RateExceeded.selector, _hash(lane), false)
        );
        _buy(address(2), NATIVE);
    }

    function test_a_route_s_breaker_stops_every_currency_and_a_refund_comes_from_the_other_side() public {
        uint256 sent = _buy(address(1), NATIVE);
        on(1).market.openBreaker(route);
        bytes memory refusal = abi.encodeWithSelector(RouteLimits.BreakerOpen.selector, _hash(route));
        _refuse(address(2), NATIVE, refusal);
        _refuse(address(2), address(coin), refusal);

        on(0).market.openBreaker(routes[0][1]);
        deliver(sent);
        assertTrue(isRefused(sent));
        acknowledge(sent);
        assertEq(on(1).market.owed(address(1), NATIVE), AMOUNT);
    }

    function test_what_arrives_over_the_limit_is_refunded_and_opens_the_breaker() public {
        on(0).market.setLimits(routes[0][1], true, RouteLimits.Limits(2, 0, 0, 0, 0));
        uint256 first = _buy(address(1), NATIVE);
        uint256 second = _buy(address(2), NATIVE);
        uint256 third = _buy(address(3), NATIVE);
        deliver(first);
        assertFalse(on(0).market.breakerOpen(routes[0][1]));
        deliver(second);
        assertTrue(on(0).market.breakerOpen(routes[0][1]));
        deliver(third);
        assertFalse(isRefused(second));
        assertTrue(isRefused(third));
        acknowledge(third);
        assertEq(on(1).market.owed(address(3), NATIVE), AMOUNT);
    }

    /// @dev All that one side may send in the day that a packet lasts, delivered at once.
    function test_nobody_opens_a_breaker_by_sending_as_much_as_a_route_carries() public view {
        (uint256 sent,) = sites[1].market.available(route, false);
        (uint256 received,) = sites[0].market.available(routes[0][1], true);
        uint256 sentPerDay = 10_000;
        assertGt(received, sent + sentPerDay);
    }

    /// @dev One account took all thousand places of a route for nothing; now it takes its own.
    function test_nobody_closes_a_route_by_purchases_of_nothing() public {
        LicenceMarket market = on(1).market;
        uint256 places = 50; // a twentieth
        uint64 timeout = inAnHour();
        vm.startPrank(address(0xBAD));
        for (uint256 i = 0; i < places; ++i) {
            market.buyRemote(route, i, "1.0.0", NATIVE, 0, timeout, address(0));
        }
        vm.expectRevert(abi.encodeWithSelector(RouteLimits.ShareExceeded.selector, _hash(route), address(0xBAD)));
        market.buyRemote(route, places, "1.0.0", NATIVE, 0, timeout, address(0));
        vm.stopPrank();
        (uint256 left,) = market.available(route, false);
        assertEq(left, 950);
        _buy(address(1), NATIVE);
    }

    /// @dev Tokens of one's own making have limits of their own, but no places of their own, or the other side would
    ///      be sent more than it takes in a day, and open its breaker.
    function test_tokens_of_ones_own_making_make_no_more_places() public {
        LicenceMarket market = on(1).market;
        uint64 timeout = inAnHour();
        for (uint256 i = 0; i < 50; ++i) {
            Coin own = new Coin();
            own.mint(address(0xBAD), 1);
            vm.startPrank(address(0xBAD));
            own.approve(address(market), 1);
            market.buyRemote(route, i, "1.0.0", address(own), 1, timeout, address(0));
            vm.stopPrank();
        }
        vm.prank(address(0xBAD));
        vm.expectRevert(abi.encodeWithSelector(RouteLimits.ShareExceeded.selector, _hash(route), address(0xBAD)));
        market.buyRemote(route, 99, "1.0.0", address(coin), 0, timeout, address(0));
        (uint256 left,) = market.available(route, false);
        assertEq(left, 950);
    }

    /// @dev A purchase that is refunded took the whole value limit for as long as a day refills; now while it lasts.
    function test_what_is_refunded_is_given_back_to_the_limits_of_its_currency_and_of_its_buyer() public {
        LicenceMarket market = on(1).market;
        string memory lane = string.concat(route, "/", Strings.toHexString(address(coin)));
        RouteLimits.Limits memory limits = RouteLimits.Limits(100, 0, uint104(AMOUNT), uint104(2 * AMOUNT), 0);
        market.setLimits(route, false, limits);
        market.setLimits(lane, false, limits);
        address[2] memory currencies = [NATIVE, address(coin)];
        for (uint256 i = 0; i < 2; ++i) {
            string memory limited = i == 0 ? route : lane;
            uint256 expired = _buy(address(1), currencies[i]);
            uint256 refused = _buy(address(2), currencies[i]);
            _assertLeft(limited, 98, 0);
            _refuse(
                address(3),
                currencies[i],
                abi.encodeWithSelector(RouteLimits.RateExceeded.selector, _hash(limited), false)
            );
            acknowledgeWith(refused, one(hex"00"));
            _assertLeft(limited, 99, AMOUNT);
            expire(expired);
            _assertLeft(limited, 100, 2 * AMOUNT);
        }
        uint256 sold = _buy(address(1), NATIVE);
        deliver(sold);
        acknowledge(sold);
        _assertLeft(route, 99, AMOUNT);
    }

    /// @dev That limits were set or changed while a purchase was on its way gives nothing back that was not taken.
    function test_a_purchase_from_before_a_limit_gives_it_nothing() public {
        LicenceMarket market = on(1).market;
        uint256 packet = _buy(address(1), NATIVE);
        market.setLimits(route, false, RouteLimits.Limits(100, 0, uint104(AMOUNT), uint104(2 * AMOUNT), 0));
        _buy(address(2), NATIVE);
        expire(packet);
        _assertLeft(route, 99, AMOUNT);
    }

    function test_only_governance_sets_limits_and_closes_breakers() public {
        LicenceMarket market = on(1).market;
        RouteLimits.Limits memory limits = RouteLimits.Limits(1, 1, 0, 0, 0);
        bytes memory refusal = abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, SELLER);
        vm.startPrank(SELLER);
        vm.expectRevert(refusal);
        market.setLimits(route, false, limits);
        vm.expectRevert(refusal);
        market.openBreaker(route);
        vm.expectRevert(refusal);
        market.closeBreaker(route);
    }

    function _buy(address buyer, address currency) private returns (uint256 index) {
        LicenceMarket market = _prepare(buyer, currency);
        uint256 value = currency == NATIVE ? AMOUNT : 0;
        vm.recordLogs();
        vm.prank(buyer);
        bytes32 id = market.buyRemote{value: value}(route, model, "1.0.0", currency, AMOUNT, inAnHour(), address(0));
        assertTrue(market.purchase(id).state == PurchaseState.Pending);
        return latest();
    }

    function _refuse(address buyer, address currency, bytes memory refusal) private {
        LicenceMarket market = _prepare(buyer, currency);
        uint256 value = currency == NATIVE ? AMOUNT : 0;
        uint64 timeout = inAnHour();
        vm.prank(buyer);
        vm.expectRevert(refusal);
        market.buyRemote{value: value}(route, model, "1.0.0", currency, AMOUNT, timeout, address(0));
    }

    function _prepare(address buyer, address currency) private returns (LicenceMarket market) {
        market = on(1).market;
        if (currency == NATIVE) {
            vm.deal(buyer, AMOUNT);
            return market;
        }
        coin.mint(buyer, AMOUNT);
        vm.prank(buyer);
        coin.approve(address(market), AMOUNT);
    }

    function _assertLeft(string memory limited, uint256 count, uint256 amount) private view {
        (uint256 places, uint256 value) = sites[1].market.available(limited, false);
        assertEq(places, count, "places");
        assertEq(value, amount, "value");
    }

    function _hash(string memory lane) private pure returns (bytes32) {
        return keccak256(bytes(lane));
    }
}
