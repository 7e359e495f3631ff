// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {ILicenceMarket, Price, PurchaseState} from "../../src/interfaces/ILicenceMarket.sol";
import {LicenceMarket} from "../../src/models/LicenceMarket.sol";
import {Payments} from "../../src/models/Payments.sol";
import {ModelLedgers} from "./ModelLedgers.sol";
import {BlockingCoin, CallingCoin, Coin, ShrinkingCoin, SilentCoin, SurchargingCoin} from "./Tokens.sol";

/// @notice A creditor that can call, and cannot be paid.
contract Stranded {
    function collect(ILicenceMarket market, address currency, address to) external {
        market.withdraw(currency, to);
    }

    function buy(LicenceMarket market, string calldata route, uint256 model, uint64 timeout) external payable {
        market.buyRemote{value: msg.value}(route, model, "1.0.0", address(0), msg.value, timeout, address(0));
    }
}

/// @notice Relay deposits, where what is owed may go, and tokens of every bad kind. Model at home on 0, buyers on 1.
contract LicenceMarketMoneyTest is ModelLedgers {
    address private constant NATIVE = address(0);
    address private constant SELLER = address(0x5E11E4);
    address private constant BUYER = address(0xB0B);
    address private constant RELAYER = address(0x4E1A);
    address private constant SAFE = address(0x5AFE);
    uint256 private constant AMOUNT = 5 ether;
    uint80 private constant DEPOSIT = 0.001 ether;
    uint256 private model;

    function setUp() public {
        makeSites();
        vm.prank(SELLER);
        model = on(0).registry.publish("tumour-mlp", "1.0.0", keccak256("manifest"));
        _offer(NATIVE, AMOUNT);
        on(1).market.setRelayDeposit(DEPOSIT);
        vm.deal(BUYER, 100 ether);
    }

    // The relay deposit

    function test_a_market_asks_for_a_deposit_from_the_start() public {
        LicenceMarket fresh = new LicenceMarket(sites[1].ledger.gateway, sites[1].registry, address(manager));
        assertEq(fresh.relayDeposit(), 0.0001 ether);
    }

    function test_whoever_brings_the_end_of_a_purchase_gets_its_deposit() public {
        for (uint256 i = 0; i < 3; ++i) {
            (uint256 packet,) = _buy(NATIVE, AMOUNT, AMOUNT + DEPOSIT);
            assertEq(sites[1].market.held(NATIVE), AMOUNT + DEPOSIT);
            uint256 before = sites[1].market.owed(RELAYER, NATIVE);
            if (i == 0) {
                vm.startPrank(RELAYER);
                expire(packet);
                vm.stopPrank();
            } else {
                if (i == 1) _offer(NATIVE, AMOUNT + 1);
                else _offer(NATIVE, AMOUNT);
                deliver(packet);
                vm.startPrank(RELAYER);
                acknowledge(packet);
                vm.stopPrank();
            }
            assertEq(sites[1].market.owed(RELAYER, NATIVE), before + DEPOSIT);
            assertEq(sites[1].market.held(NATIVE), 0);
        }
        assertEq(sites[1].market.owed(BUYER, NATIVE), 2 * AMOUNT);
        assertEq(sites[1].market.owed(SELLER, NATIVE), AMOUNT);
    }

    function testFuzz_no_purchase_is_made_with_less_or_more_than_its_deposit(uint256 value) public {
        value = bound(value, 0, 2 * DEPOSIT);
        vm.assume(value != DEPOSIT);
        LicenceMarket market = on(1).market;
        vm.prank(BUYER);
        vm.expectRevert(abi.encodeWithSelector(Payments.WrongValue.selector, DEPOSIT, value));
        market.buyRemote{value: value}(routes[1][0], 7, "1.0.0", NATIVE, 0, inAnHour(), address(0));
    }

    function test_a_purchase_in_a_token_pays_its_deposit_in_coin() public {
        Coin coin = new Coin();
        (uint256 packet,) = _buy(address(coin), AMOUNT, DEPOSIT);
        assertEq(sites[1].market.held(NATIVE), DEPOSIT);
        vm.startPrank(RELAYER);
        expire(packet);
        vm.stopPrank();
        assertEq(sites[1].market.owed(RELAYER, NATIVE), DEPOSIT);
        assertEq(sites[1].market.owed(BUYER, address(coin)), AMOUNT);
    }

    function test_a_purchase_keeps_the_deposit_that_it_was_made_with() public {
        (uint256 packet,) = _buy(NATIVE, AMOUNT, AMOUNT + DEPOSIT);
        vm.expectEmit(address(on(1).market));
        emit ILicenceMarket.RelayDepositSet(7);
        sites[1].market.setRelayDeposit(7);
        vm.startPrank(RELAYER);
        expire(packet);
        vm.stopPrank();
        assertEq(sites[1].market.owed(RELAYER, NATIVE), DEPOSIT);
        assertEq(sites[1].market.held(NATIVE), 0);
    }

    function test_only_governance_sets_the_deposit_and_only_an_exit_gives_back() public {
        LicenceMarket market = on(1).market;
        _buy(NATIVE, AMOUNT, AMOUNT + DEPOSIT);
        vm.startPrank(BUYER);
        bytes memory refusal = abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, BUYER);
        vm.expectRevert(refusal);
        market.setRelayDeposit(1);
        vm.expectRevert(refusal);
        market.refundDead(routes[1][0], 1);
        vm.stopPrank();
    }

    // Where it goes

    function test_what_is_owed_goes_where_its_owner_says_and_strands_nobody() public {
        Stranded stranded = new Stranded();
        LicenceMarket market = on(1).market;
        market.setRelayDeposit(0);
        stranded.buy{value: AMOUNT}(market, routes[1][0], model, inAnHour());
        expire(latest());
        assertEq(market.owed(address(stranded), NATIVE), AMOUNT);
        vm.expectRevert();
        stranded.collect(market, NATIVE, address(stranded));
        vm.expectEmit(address(market));
        emit ILicenceMarket.Withdrawn(address(stranded), NATIVE, AMOUNT, SAFE);
        stranded.collect(market, NATIVE, SAFE);
        assertEq(SAFE.balance, AMOUNT);
    }

    function test_nothing_is_paid_to_nobody_or_to_the_market_itself() public {
        Coin coin = new Coin();
        (uint256 packet,) = _buy(address(coin), AMOUNT, DEPOSIT);
        expire(packet);
        LicenceMarket market = on(1).market;
        address[2] memory nowhere = [address(0), address(market)];
        for (uint256 i = 0; i < 2; ++i) {
            vm.prank(BUYER);
            vm.expectRevert(abi.encodeWithSelector(Payments.InvalidRecipient.selector, nowhere[i]));
            market.withdraw(address(coin), nowhere[i]);
        }
        assertEq(market.owed(BUYER, address(coin)), AMOUNT);
    }

    // Tokens

    function test_a_token_that_returns_nothing_pays_refunds_and_is_withdrawn() public {
        SilentCoin silent = new SilentCoin();
        _offer(address(silent), AMOUNT);
        (uint256 first,) = _buy(address(silent), AMOUNT, DEPOSIT);
        assertEq(silent.balanceOf(address(sites[1].market)), AMOUNT);
        expire(first);
        _withdraw(BUYER, address(silent), BUYER);
        assertEq(silent.balanceOf(BUYER), AMOUNT);
        (uint256 second,) = _buy(address(silent), AMOUNT, DEPOSIT);
        deliver(second);
        acknowledge(second);
        _withdraw(SELLER, address(silent), SELLER);
        assertEq(silent.balanceOf(SELLER), AMOUNT);
        assertEq(silent.balanceOf(address(sites[1].market)), 0);
    }

    function test_a_blocked_seller_or_buyer_harms_only_itself() public {
        BlockingCoin coin = new BlockingCoin();
        _offer(address(coin), AMOUNT);
        (uint256 sold,) = _buy(address(coin), AMOUNT, DEPOSIT);
        coin.setBlocked(SELLER, true);
        coin.setBlocked(BUYER, true);
        deliver(sold);
        acknowledge(sold); // ends, whoever is blocked
        (uint256 lost,) = _buyAs(RELAYER, address(coin), AMOUNT, DEPOSIT);
        expire(lost);
        LicenceMarket market = on(1).market;
        vm.prank(SELLER);
        vm.expectRevert(abi.encodeWithSelector(BlockingCoin.Blocked.selector, SELLER));
        market.withdraw(address(coin), SELLER);
        _withdraw(RELAYER, address(coin), RELAYER);
        assertEq(coin.balanceOf(RELAYER), AMOUNT);
        _withdraw(SELLER, address(coin), SAFE);
        assertEq(coin.balanceOf(SAFE), AMOUNT);
    }

    function test_a_token_that_takes_more_than_it_pays_out_takes_it_from_nobody_else() public {
        SurchargingCoin coin = new SurchargingCoin();
        _offer(address(coin), AMOUNT);
        (uint256 first,) = _buy(address(coin), AMOUNT, DEPOSIT);
        (uint256 second,) = _buyAs(RELAYER, address(coin), AMOUNT, DEPOSIT);
        expire(first);
        expire(second);
        coin.charge();
        LicenceMarket market = on(1).market;
        vm.prank(BUYER);
        vm.expectRevert(
            abi.encodeWithSelector(Payments.PaymentMismatch.selector, coin, AMOUNT, AMOUNT + AMOUNT / 100)
        );
        market.withdraw(address(coin), BUYER);
        assertEq(market.owed(RELAYER, address(coin)), AMOUNT);
        assertEq(coin.balanceOf(address(market)), 2 * AMOUNT);
    }

    function test_a_token_whose_balances_shrink_harms_who_took_it_and_no_other_currency() public {
        ShrinkingCoin coin = new ShrinkingCoin();
        (uint256 first,) = _buy(address(coin), AMOUNT, DEPOSIT);
        (uint256 second,) = _buyAs(RELAYER, address(coin), AMOUNT, DEPOSIT);
        expire(first);
        expire(second);
        (uint256 third,) = _buyAs(SAFE, NATIVE, AMOUNT, AMOUNT + DEPOSIT);
        coin.halve();
        _withdraw(BUYER, address(coin), BUYER);
        LicenceMarket market = on(1).market;
        vm.prank(RELAYER);
        vm.expectRevert();
        market.withdraw(address(coin), RELAYER);
        expire(third);
        _withdraw(SAFE, NATIVE, SAFE);
        assertEq(SAFE.balance, AMOUNT);
    }

    /// @dev As one that calls its receiver does (ERC-777): the receiver asks for its money again.
    function test_a_receiver_that_a_token_calls_is_paid_once() public {
        CallingCoin calling = new CallingCoin();
        (uint256 packet,) = _buy(address(calling), AMOUNT, DEPOSIT);
        (uint256 other,) = _buyAs(RELAYER, address(calling), AMOUNT, DEPOSIT);
        expire(packet);
        expire(other);
        calling.onTransfer(address(on(1).market), abi.encodeCall(ILicenceMarket.withdraw, (address(calling), SAFE)));
        _withdraw(BUYER, address(calling), BUYER);
        assertFalse(calling.went());
        assertEq(calling.balanceOf(address(sites[1].market)), AMOUNT);
    }

    function test_tokens_that_are_simply_given_to_the_market_credit_nobody() public {
        Coin coin = new Coin();
        LicenceMarket market = on(1).market;
        coin.mint(address(market), AMOUNT);
        (uint256 packet,) = _buy(address(coin), AMOUNT, DEPOSIT);
        assertEq(market.held(address(coin)), AMOUNT);
        expire(packet);
        _withdraw(BUYER, address(coin), BUYER);
        assertEq(coin.balanceOf(BUYER), AMOUNT);
    }

    // An exit from a dead ledger

    function test_a_purchase_that_an_exit_gave_back_ends_without_effect_when_the_ledger_wakes() public {
        (uint256 granted, bytes32 first) = _buy(NATIVE, AMOUNT, AMOUNT + DEPOSIT);
        (uint256 late, bytes32 second) = _buyAs(RELAYER, NATIVE, AMOUNT, AMOUNT + DEPOSIT);
        deliver(granted);
        LicenceMarket market = on(1).market;
        vm.expectEmit(address(market));
        emit ILicenceMarket.PurchaseRefunded(first, BUYER);
        market.refundDead(routes[1][0], packetOf(granted).sequence);
        market.refundDead(routes[1][0], packetOf(late).sequence);
        vm.expectRevert(abi.encodeWithSelector(LicenceMarket.NotPending.selector, first));
        market.refundDead(routes[1][0], packetOf(granted).sequence);
        assertEq(market.owed(BUYER, NATIVE), AMOUNT + DEPOSIT);
        assertTrue(market.breakerOpen(routes[1][0]));

        acknowledge(granted);
        expire(late);
        assertFalse(isOpen(granted));
        assertFalse(isOpen(late));
        assertTrue(market.purchase(first).state == PurchaseState.Refunded);
        assertTrue(market.purchase(second).state == PurchaseState.Refunded);
        assertEq(market.owed(SELLER, NATIVE), 0);
        assertEq(market.owed(address(this), NATIVE), 0);
        assertEq(market.owed(BUYER, NATIVE) + market.owed(RELAYER, NATIVE), 2 * (AMOUNT + DEPOSIT));
        assertEq(market.held(NATIVE), 0);
    }

    function _offer(address currency, uint256 amount) private {
        Price[] memory prices = new Price[](1);
        prices[0] = Price(accountOn(1, SELLER), assetOf(currency), amount, true);
        LicenceMarket market = on(0).market;
        vm.prank(SELLER);
        market.setPrices(model, prices);
    }

    function _buy(address currency, uint256 amount, uint256 value) private returns (uint256 packet, bytes32 id) {
        return _buyAs(BUYER, currency, amount, value);
    }

    /// @dev Every token here is minted as {SilentCoin} is, and approved without looking at an answer.
    function _buyAs(address buyer, address currency, uint256 amount, uint256 value)
        private
        returns (uint256 packet, bytes32 id)
    {
        LicenceMarket market = on(1).market;
        if (currency != NATIVE) SilentCoin(currency).mint(buyer, amount - SilentCoin(currency).balanceOf(buyer));
        vm.deal(buyer, value);
        vm.startPrank(buyer);
        if (currency != NATIVE) SilentCoin(currency).approve(address(market), amount);
        id = market.buyRemote{value: value}(routes[1][0], model, "1.0.0", currency, amount, inAnHour(), address(0));
        vm.stopPrank();
        packet = latest();
    }

    function _withdraw(address account, address currency, address to) private {
        LicenceMarket market = on(1).market;
        vm.prank(account);
        market.withdraw(currency, to);
    }
}
