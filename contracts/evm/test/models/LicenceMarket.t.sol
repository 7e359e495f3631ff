// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Errors} from "@openzeppelin/contracts/utils/Errors.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ICS24} from "../../src/gateway/ICS24.sol";
import {Packet, Payload} from "../../src/interfaces/IBCTypes.sol";
import {IGateway} from "../../src/interfaces/IGateway.sol";
import {PacketContext} from "../../src/interfaces/IIBCApp.sol";
import {ILicenceMarket, Licence, Price, Purchase, PurchaseState} from "../../src/interfaces/ILicenceMarket.sol";
import {RouteLimits} from "../../src/limits/RouteLimits.sol";
import {LicenceMarket} from "../../src/models/LicenceMarket.sol";
import {Licences} from "../../src/models/Licences.sol";
import {ModelRegistry} from "../../src/models/ModelRegistry.sol";
import {Offers} from "../../src/models/Offers.sol";
import {PacketApp} from "../../src/models/PacketApp.sol";
import {Payments} from "../../src/models/Payments.sol";
import {ModelLedgers} from "./ModelLedgers.sol";
import {CallingCoin, Coin, GreedyCreditor, LyingCoin, RefusingCoin, TaxedCoin} from "./Tokens.sol";

contract LicenceMarketTest is ModelLedgers {
    address private constant NATIVE = address(0);
    address private constant SELLER = address(0x5E11E4);
    address private constant PAYEE = address(0x9A1D);
    address private constant BUYER = address(0xB0B);
    address private constant READER = address(0x9EAD);
    bytes32 private constant VERSION_ID = keccak256("1.0.0");
    uint256 private constant AMOUNT = 5 ether;
    uint256 private model;
    Coin private coin;

    function setUp() public {
        makeSites();
        coin = new Coin();
        coin.mint(BUYER, 100 ether);
        vm.deal(BUYER, 100 ether);
        vm.startPrank(SELLER);
        model = on(0).registry.publish("tumour-mlp", "1.0.0", keccak256("manifest"));
        vm.stopPrank();
        for (uint256 i = 0; i < SITES; ++i) {
            _offer(i, NATIVE, AMOUNT, true);
            _offer(i, address(coin), AMOUNT, true);
        }
    }

    // Where the model lives

    function test_a_local_purchase_grants_the_licence_and_owes_the_seller() public {
        LicenceMarket market = on(0).market;
        bytes32 id = market.licenceIdOf(model, VERSION_ID, accountOn(0, BUYER));
        vm.expectEmit(address(market));
        emit ILicenceMarket.LicenceGranted(id, model, VERSION_ID, accountOn(0, BUYER), accountOn(0, PAYEE), "1.0.0");
        vm.prank(BUYER);
        assertEq(market.buy{value: AMOUNT}(model, "1.0.0", NATIVE, AMOUNT, address(0)), id);
        _assertLive(id, true);
        assertEq(market.owed(PAYEE, NATIVE), AMOUNT);

        vm.prank(PAYEE);
        vm.expectEmit(address(market));
        emit ILicenceMarket.Withdrawn(PAYEE, NATIVE, AMOUNT, PAYEE);
        assertEq(market.withdraw(NATIVE, PAYEE), AMOUNT);
        assertEq(PAYEE.balance, AMOUNT);
        assertEq(address(market).balance, 0);
        vm.prank(PAYEE);
        vm.expectRevert(abi.encodeWithSelector(Payments.NothingOwed.selector, PAYEE, NATIVE));
        market.withdraw(NATIVE, PAYEE);
    }

    function test_a_local_purchase_in_a_token() public {
        LicenceMarket market = on(0).market;
        vm.startPrank(BUYER);
        coin.approve(address(market), AMOUNT);
        market.buy(model, "1.0.0", address(coin), AMOUNT, address(0));
        vm.stopPrank();
        assertEq(coin.balanceOf(address(market)), AMOUNT);
        vm.prank(PAYEE);
        market.withdraw(address(coin), PAYEE);
        assertEq(coin.balanceOf(PAYEE), AMOUNT);
    }

    function test_nobody_pays_twice_for_a_live_licence() public {
        LicenceMarket market = on(0).market;
        vm.startPrank(BUYER);
        bytes32 id = market.buy{value: AMOUNT}(model, "1.0.0", NATIVE, AMOUNT, address(0));
        vm.expectRevert(abi.encodeWithSelector(Licences.AlreadyLicensed.selector, id));
        market.buy{value: AMOUNT}(model, "1.0.0", NATIVE, AMOUNT, address(0));
    }

    function testFuzz_another_amount_than_the_price_is_refused(uint256 amount) public {
        vm.assume(amount != AMOUNT);
        vm.deal(BUYER, amount);
        LicenceMarket market = on(0).market;
        vm.prank(BUYER);
        vm.expectRevert(abi.encodeWithSelector(Offers.PriceChanged.selector, model, true, AMOUNT));
        market.buy{value: amount}(model, "1.0.0", NATIVE, amount, address(0));
    }

    function testFuzz_the_value_sent_must_be_the_amount(uint256 value) public {
        value = bound(value, 0, 100 ether);
        vm.assume(value != AMOUNT && value != 0);
        LicenceMarket market = on(0).market;
        vm.startPrank(BUYER);
        vm.expectRevert(abi.encodeWithSelector(Payments.WrongValue.selector, AMOUNT, value));
        market.buy{value: value}(model, "1.0.0", NATIVE, AMOUNT, address(0));
        vm.expectRevert(abi.encodeWithSelector(Payments.WrongValue.selector, 0, value));
        market.buy{value: value}(model, "1.0.0", address(coin), AMOUNT, address(0));
        vm.expectRevert(abi.encodeWithSelector(Payments.WrongValue.selector, AMOUNT, 0));
        market.buyRemote(routes[0][1], model, "1.0.0", NATIVE, AMOUNT, inAnHour(), address(0));
    }

    function test_a_withdrawn_offer_and_an_unknown_currency_are_refused() public {
        _offer(0, NATIVE, AMOUNT, false);
        LicenceMarket market = on(0).market;
        vm.startPrank(BUYER);
        bytes memory refusal = abi.encodeWithSelector(Offers.PriceChanged.selector, model, false, 0);
        vm.expectRevert(refusal);
        market.buy{value: AMOUNT}(model, "1.0.0", NATIVE, AMOUNT, address(0));
        vm.expectRevert(refusal);
        market.buy(model, "1.0.0", address(0xC0), 0, address(0));
        vm.expectRevert(abi.encodeWithSelector(Offers.PriceChanged.selector, 7, false, 0));
        market.buy(7, "1.0.0", NATIVE, 0, address(0));
    }

    function test_prices_count_only_while_their_setter_owns_the_model() public {
        Site storage site = on(0);
        vm.prank(SELLER);
        site.registry.transferFrom(SELLER, address(0xB2), model);
        (bool offered, uint256 amount, bytes memory payee) = site.market.price(model, chainOf(0), "");
        assertFalse(offered);
        assertEq(amount, 0);
        assertEq(payee, "");
        vm.prank(BUYER);
        vm.expectRevert(abi.encodeWithSelector(Offers.PriceChanged.selector, model, false, 0));
        site.market.buy{value: AMOUNT}(model, "1.0.0", NATIVE, AMOUNT, address(0));
    }

    function test_a_free_offer_is_an_offer() public {
        _offer(0, NATIVE, 0, true);
        LicenceMarket market = on(0).market;
        vm.prank(BUYER);
        _assertLive(market.buy(model, "1.0.0", NATIVE, 0, address(0)), true);
        assertEq(market.owed(PAYEE, NATIVE), 0);
    }

    function test_unknown_and_deprecated_versions_are_not_sold() public {
        Site storage site = on(0);
        vm.prank(BUYER);
        vm.expectRevert(abi.encodeWithSelector(Licences.UnknownVersion.selector, model, keccak256("9.0.0")));
        site.market.buy{value: AMOUNT}(model, "9.0.0", NATIVE, AMOUNT, address(0));
        vm.prank(SELLER);
        site.registry.deprecate(model, "1.0.0", "leaks");
        vm.prank(BUYER);
        vm.expectRevert(abi.encodeWithSelector(Licences.VersionIsDeprecated.selector, model, VERSION_ID));
        site.market.buy{value: AMOUNT}(model, "1.0.0", NATIVE, AMOUNT, address(0));
    }

    function test_only_the_owner_at_home_sets_prices_grants_and_revokes() public {
        LicenceMarket market = on(0).market;
        vm.prank(SELLER);
        bytes32 id = market.grant(model, "1.0.0", accountOn(1, BUYER));
        bytes memory refusal = abi.encodeWithSelector(Licences.NotModelOwner.selector, model, BUYER);
        vm.startPrank(BUYER);
        vm.expectRevert(refusal);
        market.setPrices(model, new Price[](0));
        vm.expectRevert(refusal);
        market.grant(model, "1.0.0", accountOn(0, BUYER));
        vm.expectRevert(refusal);
        market.revoke(id);
        vm.stopPrank();
        vm.expectRevert(abi.encodeWithSelector(Licences.UnknownLicence.selector, bytes32(0)));
        market.revoke(0);
    }

    function test_the_holder_of_a_foreign_model_sells_nothing_here() public {
        Site storage site = on(0);
        vm.startPrank(SELLER);
        site.registry.approve(address(site.bridge), model);
        site.bridge.send(routes[0][1], model, abi.encodePacked(SELLER), inAnHour(), 0);
        vm.stopPrank();
        deliver(latest());
        (bool offered,,) = site.market.price(model, chainOf(0), "");
        assertFalse(offered);
        LicenceMarket market = on(1).market;
        vm.startPrank(SELLER);
        bytes memory refusal = abi.encodeWithSelector(Licences.NotHome.selector, model);
        vm.expectRevert(refusal);
        market.setPrices(model, new Price[](0));
        vm.expectRevert(refusal);
        market.grant(model, "1.0.0", accountOn(1, BUYER));
    }

    function test_a_revoked_licence_can_be_granted_or_bought_again() public {
        LicenceMarket market = on(0).market;
        vm.prank(BUYER);
        bytes32 id = market.buy{value: AMOUNT}(model, "1.0.0", NATIVE, AMOUNT, address(0));
        vm.startPrank(SELLER);
        vm.expectEmit(address(market));
        emit ILicenceMarket.LicenceRevoked(id);
        market.revoke(id);
        _assertLive(id, false);
        vm.expectRevert(abi.encodeWithSelector(Licences.AlreadyRevoked.selector, id));
        market.revoke(id);
        assertEq(market.grant(model, "1.0.0", accountOn(0, BUYER)), id);
        vm.expectRevert(abi.encodeWithSelector(Licences.AlreadyLicensed.selector, id));
        market.grant(model, "1.0.0", accountOn(0, BUYER));
        market.revoke(id);
        vm.stopPrank();
        vm.prank(BUYER);
        market.buy{value: AMOUNT}(model, "1.0.0", NATIVE, AMOUNT, address(0));
        _assertLive(id, true);
        assertEq(market.owed(PAYEE, NATIVE), 2 * AMOUNT);
    }

    function test_a_consumer_is_the_one_encoding_of_an_account() public {
        LicenceMarket market = on(0).market;
        bytes[6] memory consumers = [
            bytes(""),
            chainOf(1),
            bytes.concat(accountOn(1, BUYER), hex"00"),
            hex"000100000014000000000000000000000000000000000000000a",
            hex"0001000002000114000000000000000000000000000000000000000a",
            hex"0001000001010a0000000000000000000a"
        ];
        vm.startPrank(SELLER);
        for (uint256 i = 0; i < consumers.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(Licences.InvalidConsumer.selector, consumers[i]));
            market.grant(model, "1.0.0", consumers[i]);
        }
        bytes memory tooLong = bytes.concat(hex"000100020120", hex"ff", new bytes(255));
        vm.expectRevert(abi.encodeWithSelector(Licences.InvalidConsumer.selector, tooLong));
        market.grant(model, "1.0.0", tooLong);
        market.grant(model, "1.0.0", hex"0001000203aabbcc05e1e2e3e4e5");
    }

    function test_prices_are_few_at_a_time() public {
        LicenceMarket market = on(0).market;
        Price[] memory prices = new Price[](33);
        vm.startPrank(SELLER);
        vm.expectRevert(abi.encodeWithSelector(Offers.TooManyPrices.selector, 33));
        market.setPrices(model, prices);
        prices = new Price[](32);
        for (uint256 i = 0; i < 32; ++i) {
            prices[i] = Price(accountOn(1, PAYEE), assetOf(address(uint160(i))), 1, true);
        }
        market.setPrices(model, prices);
        prices = new Price[](1);
        prices[0] = Price(accountOn(1, PAYEE), "", 1, true);
        vm.expectEmit(address(market));
        emit ILicenceMarket.PricesSet(model, SELLER, prices);
        market.setPrices(model, prices);
    }

    function test_a_payee_is_the_one_encoding_of_an_account() public {
        bytes[8] memory payees = [
            bytes(""),
            chainOf(0),
            abi.encodePacked(PAYEE),
            bytes.concat(accountOn(0, PAYEE), hex"00"),
            hex"000100000014000000000000000000000000000000000000000a",
            hex"0001000001010a0000000000000000000a",
            accountOn(0, address(0)),
            accountOn(1, address(0))
        ];
        for (uint256 i = 0; i < payees.length; ++i) {
            _refusePrice(Price(payees[i], "", 1, true), abi.encodeWithSelector(Offers.InvalidPayee.selector, payees[i]));
        }
        bytes memory tooLong = bytes.concat(hex"0001ff030161", hex"7a", new bytes(122));
        _refusePrice(Price(tooLong, "", 1, true), abi.encodeWithSelector(Offers.InvalidPayee.selector, tooLong));
    }

    function test_an_asset_is_what_its_ledger_could_have() public {
        bytes[4] memory assets = [new bytes(20), hex"aabb", new bytes(19), bytes.concat(bytes20(address(coin)), hex"00")];
        for (uint256 i = 0; i < assets.length; ++i) {
            _refusePrice(
                Price(accountOn(1, PAYEE), assets[i], 1, true),
                abi.encodeWithSelector(Offers.InvalidAsset.selector, assets[i])
            );
        }
        _refusePrice(
            Price(hex"0001ff0302aabb05e1e2e3e4e5", new bytes(65), 1, true),
            abi.encodeWithSelector(Offers.InvalidAsset.selector, new bytes(65))
        );
    }

    /// @dev Where one account is paid on every ledger, in what each ledger has, none of them the setter's.
    function test_every_kind_of_ledger_is_paid_in_what_it_has() public {
        Price[] memory prices = new Price[](4);
        prices[0] = Price(hex"0001ff0302aabb05e1e2e3e4e5", new bytes(64), 1, true);
        prices[1] = Price(hex"0001ff0302aabb05e1e2e3e4e6", "", 2, true);
        prices[2] = Price(bytes.concat(hex"0001ff0302aacc14", bytes20(SELLER)), "", 3, true);
        prices[3] = Price(accountOn(2, SELLER), "", 4, true);
        LicenceMarket market = on(0).market;
        vm.prank(SELLER);
        market.setPrices(model, prices);
        _assertPrice(hex"0001ff0302aabb00", prices[0]);
        _assertPrice(hex"0001ff0302aabb00", prices[1]);
        _assertPrice(hex"0001ff0302aacc00", prices[2]);
        _assertPrice(chainOf(2), prices[3]);
        _assertPrice(chainOf(1), Price(accountOn(1, PAYEE), "", AMOUNT, true));
    }

    function test_a_price_set_anew_is_paid_to_who_is_named_anew() public {
        address[4] memory payees = [PAYEE, SELLER, BUYER, SELLER];
        Price[] memory prices = new Price[](1);
        for (uint256 i = 0; i < payees.length; ++i) {
            prices[0] = Price(accountOn(0, payees[i]), "", AMOUNT, true);
            LicenceMarket market = on(0).market;
            vm.prank(SELLER);
            market.setPrices(model, prices);
            _assertPrice(chainOf(0), prices[0]);
        }
    }

    // For another reader

    function test_a_named_reader_gets_the_licence_and_the_buyer_pays() public {
        LicenceMarket market = on(0).market;
        bytes32 id = market.licenceIdOf(model, VERSION_ID, accountOn(0, READER));
        vm.expectEmit(address(market));
        emit ILicenceMarket.LicenceGranted(
            id, model, VERSION_ID, accountOn(0, READER), accountOn(0, PAYEE), "1.0.0"
        );
        vm.prank(BUYER);
        assertEq(market.buy{value: AMOUNT}(model, "1.0.0", NATIVE, AMOUNT, READER), id);
        _assertLive(id, true);
        _assertLive(market.licenceIdOf(model, VERSION_ID, accountOn(0, BUYER)), false);
    }

    function test_a_remote_purchase_for_a_reader_is_the_reader_s_licence() public {
        (uint256 packet, bytes32 purchaseId) = _buyFor(READER);
        LicenceMarket market = on(1).market;
        assertEq(market.purchase(purchaseId).reader, READER);
        assertEq(market.purchaseOf(routes[1][0], model, VERSION_ID, BUYER, READER), purchaseId);
        assertEq(market.purchaseOf(routes[1][0], model, VERSION_ID, BUYER, BUYER), bytes32(0));
        deliver(packet);
        acknowledge(packet);
        _assertState(purchaseId, PurchaseState.Completed);
        assertEq(market.owed(PAYEE, NATIVE), AMOUNT);
        _assertLive(market.licenceIdOf(model, VERSION_ID, accountOn(1, READER)), true);
        _assertLive(market.licenceIdOf(model, VERSION_ID, accountOn(1, BUYER)), false);
    }

    function test_the_buyer_gets_back_what_bought_nothing_for_a_reader_and_can_buy_again() public {
        (uint256 packet, bytes32 purchaseId) = _buyFor(READER);
        expire(packet);
        LicenceMarket market = on(1).market;
        _assertState(purchaseId, PurchaseState.Refunded);
        assertEq(market.owed(BUYER, NATIVE), AMOUNT);
        assertEq(market.owed(READER, NATIVE), 0);
        _buyFor(READER);
    }

    /// @dev Else anybody's purchase that never arrives would keep its reader from buying.
    function test_nobody_who_buys_for_another_stands_in_the_way_of_the_other() public {
        vm.deal(READER, AMOUNT);
        (uint256 first, bytes32 given) = _buyFor(READER);
        LicenceMarket market = on(1).market;
        vm.prank(READER);
        bytes32 own =
            market.buyRemote{value: AMOUNT}(routes[1][0], model, "1.0.0", NATIVE, AMOUNT, inAnHour(), address(0));
        uint256 second = latest();
        deliver(second);
        deliver(first);
        acknowledge(second);
        acknowledge(first);
        assertTrue(market.purchase(own).state == PurchaseState.Completed);
        _assertState(given, PurchaseState.Refunded);
        assertEq(market.owed(BUYER, NATIVE), AMOUNT);
    }

    function test_one_buyer_buys_for_many_readers_and_once_for_each() public {
        _buyRemote(NATIVE, AMOUNT);
        (, bytes32 purchaseId) = _buyFor(READER);
        LicenceMarket market = on(1).market;
        vm.prank(BUYER);
        vm.expectRevert(abi.encodeWithSelector(LicenceMarket.AlreadyPurchased.selector, purchaseId));
        market.buyRemote{value: AMOUNT}(routes[1][0], model, "1.0.0", NATIVE, AMOUNT, inAnHour(), READER);
    }

    // From another ledger

    function test_an_order_of_another_port_version_or_encoding_is_refused() public {
        bytes memory order = abi.encode(uint8(2), model, "1.0.0", accountOn(1, BUYER), "", AMOUNT);
        PacketContext memory context = contextOf(1, 0, order);
        LicenceMarket market = on(0).market;
        _refuse(market, context, abi.encodeWithSelector(PacketApp.UnexpectedPort.selector, "model"));
        context.payload.sourcePort = "licence";
        _refuse(market, context, abi.encodeWithSelector(PacketApp.UnexpectedVersion.selector, "caimi-model-3"));
        context.payload.version = "caimi-licence-2";
        context.payload.encoding = "application/json";
        _refuse(market, context, abi.encodeWithSelector(PacketApp.UnexpectedEncoding.selector, "application/json"));
        context.payload.encoding = "application/x-solidity-abi";
        vm.prank(address(market.gateway()));
        market.onRecvPacket(context);
    }

    function _refuse(LicenceMarket market, PacketContext memory context, bytes memory reason) private {
        vm.prank(address(market.gateway()));
        vm.expectRevert(reason);
        market.onRecvPacket(context);
    }

    function test_an_order_over_a_route_whose_breaker_is_open_is_refunded() public {
        (uint256 packet, bytes32 purchaseId) = _buyRemote(NATIVE, AMOUNT);
        on(0).market.openBreaker(routes[0][1]);
        deliver(packet);
        _assertLive(on(0).market.licenceIdOf(model, VERSION_ID, accountOn(1, BUYER)), false);
        acknowledge(packet);
        _assertRefunded(purchaseId, NATIVE);
    }

    function test_what_was_paid_before_there_was_a_limit_does_not_count_in_it() public {
        (uint256 packet,) = _buyRemote(NATIVE, AMOUNT);
        LicenceMarket market = on(1).market;
        market.setLimits(routes[1][0], false, RouteLimits.Limits(10, 0, 50 ether, 50 ether, 0));
        expire(packet);
        (, uint256 left) = market.available(routes[1][0], false);
        assertEq(left, 50 ether);
    }

    function test_a_remote_purchase_is_held_then_owed_to_the_seller() public {
        LicenceMarket market = on(1).market;
        (uint256 packet, bytes32 purchaseId) = _buyRemote(NATIVE, AMOUNT);
        assertEq(purchaseId, keccak256(abi.encode(routes[1][0], uint64(1))));
        assertEq(market.purchaseOf(routes[1][0], model, VERSION_ID, BUYER, BUYER), purchaseId);
        assertEq(market.held(NATIVE), AMOUNT);
        _assertState(purchaseId, PurchaseState.Pending);

        deliver(packet);
        bytes32 licenceId = market.licenceIdOf(model, VERSION_ID, accountOn(1, BUYER));
        _assertLive(licenceId, true);
        assertEq(
            sent[packet].acknowledgements, abi.encode(one(abi.encode(uint8(2), licenceId, accountOn(1, PAYEE))))
        );
        vm.expectEmit(address(market));
        emit ILicenceMarket.PurchaseCompleted(purchaseId, licenceId, PAYEE);
        acknowledge(packet);
        assertEq(market.held(NATIVE), 0);
        assertEq(market.owed(PAYEE, NATIVE), AMOUNT);
        _assertState(purchaseId, PurchaseState.Completed);
        vm.prank(PAYEE);
        market.withdraw(NATIVE, PAYEE);
        assertEq(PAYEE.balance, AMOUNT);
    }

    function test_a_remote_purchase_in_a_token() public {
        (uint256 packet,) = _buyRemote(address(coin), AMOUNT);
        assertEq(coin.balanceOf(address(sites[1].market)), AMOUNT);
        deliver(packet);
        acknowledge(packet);
        vm.prank(PAYEE);
        on(1).market.withdraw(address(coin), PAYEE);
        assertEq(coin.balanceOf(PAYEE), AMOUNT);
    }

    function test_an_expired_purchase_is_refunded_and_can_be_made_again() public {
        LicenceMarket market = on(1).market;
        (uint256 packet, bytes32 purchaseId) = _buyRemote(NATIVE, AMOUNT);
        vm.expectEmit(address(market));
        emit ILicenceMarket.PurchaseRefunded(purchaseId, BUYER);
        expire(packet);
        _assertRefunded(purchaseId, NATIVE);
        vm.prank(BUYER);
        on(1).market.withdraw(NATIVE, BUYER);
        assertEq(BUYER.balance, 100 ether);
        (packet,) = _buyRemote(NATIVE, AMOUNT);
        deliver(packet);
        acknowledge(packet);
        assertEq(market.owed(PAYEE, NATIVE), AMOUNT);
    }

    function test_a_price_that_changed_on_the_way_refunds() public {
        (uint256 packet, bytes32 purchaseId) = _buyRemote(NATIVE, AMOUNT);
        _offer(1, NATIVE, AMOUNT + 1, true);
        deliver(packet);
        assertTrue(isRefused(packet));
        acknowledge(packet);
        _assertRefunded(purchaseId, NATIVE);
    }

    function test_a_purchase_of_what_the_consumer_was_granted_meanwhile_refunds() public {
        (uint256 packet, bytes32 purchaseId) = _buyRemote(NATIVE, AMOUNT);
        vm.prank(SELLER);
        on(0).market.grant(model, "1.0.0", accountOn(1, BUYER));
        deliver(packet);
        acknowledge(packet);
        _assertRefunded(purchaseId, NATIVE);
    }

    function test_a_second_purchase_is_refused_while_the_first_is_open_and_after_it_completed() public {
        (uint256 packet, bytes32 purchaseId) = _buyRemote(NATIVE, AMOUNT);
        bytes memory refusal = abi.encodeWithSelector(LicenceMarket.AlreadyPurchased.selector, purchaseId);
        LicenceMarket market = on(1).market;
        vm.prank(BUYER);
        vm.expectRevert(refusal);
        market.buyRemote{value: AMOUNT}(routes[1][0], model, "1.0.0", NATIVE, AMOUNT, inAnHour(), address(0));
        deliver(packet);
        acknowledge(packet);
        vm.chainId(31338);
        vm.prank(BUYER);
        vm.expectRevert(refusal);
        market.buyRemote{value: AMOUNT}(routes[1][0], model, "1.0.0", NATIVE, AMOUNT, inAnHour(), address(0));
    }

    function test_an_impossible_version_is_refused_before_money_moves() public {
        LicenceMarket market = on(1).market;
        vm.prank(BUYER);
        vm.expectRevert(abi.encodeWithSelector(LicenceMarket.InvalidVersion.selector, "latest"));
        market.buyRemote{value: AMOUNT}(routes[1][0], model, "latest", NATIVE, AMOUNT, inAnHour(), address(0));
    }

    function test_the_home_ledger_believes_no_client_about_consumers_of_another() public {
        bytes memory consumer = accountOn(2, BUYER);
        bytes memory value = abi.encode(uint8(2), model, "1.0.0", consumer, "", AMOUNT);
        _refuse(value, abi.encodeWithSelector(LicenceMarket.ConsumerNotBehindClient.selector, consumer, routes[0][1]));
    }

    function test_an_order_has_one_encoding() public {
        bytes memory value = abi.encode(uint8(2), model, "1.0.0", accountOn(1, BUYER), "", AMOUNT);
        bytes memory refusal = abi.encodeWithSelector(PacketApp.InvalidPayload.selector);
        _refuse(bytes.concat(value, hex"00"), refusal);
        value[31] = 0x01;
        _refuse(value, refusal);
        _refuse(abi.encode(uint8(2), model, "1.0.0", accountOn(1, BUYER), new bytes(65), AMOUNT), refusal);
    }

    function test_only_the_gateway_calls_back() public {
        LicenceMarket market = on(0).market;
        PacketContext memory context = _context("");
        bytes memory refusal = abi.encodeWithSelector(PacketApp.OnlyGateway.selector, address(this));
        vm.expectRevert(refusal);
        market.onRecvPacket(context);
        vm.expectRevert(refusal);
        market.onAcknowledgementPacket(context, hex"01");
        vm.expectRevert(refusal);
        market.onTimeoutPacket(context);
        bytes32 clientHash = keccak256(bytes(context.sourceClient));
        vm.prank(address(market.gateway()));
        vm.expectRevert(abi.encodeWithSelector(PacketApp.UnknownPacket.selector, clientHash, 9));
        market.onTimeoutPacket(context);
    }

    function testFuzz_an_answer_that_is_not_exactly_ours_refunds_the_buyer(bytes memory answer) public {
        vm.assume(answer.length != 0);
        (uint256 packet, bytes32 purchaseId) = _buyRemote(NATIVE, AMOUNT);
        acknowledgeWith(packet, one(answer));
        _assertRefunded(purchaseId, NATIVE);
    }

    function testFuzz_a_mutated_answer_pays_a_named_account_or_refunds(uint256 position, uint8 flip) public {
        vm.assume(flip != 0);
        (uint256 packet, bytes32 purchaseId) = _buyRemote(NATIVE, AMOUNT);
        bytes32 licenceId = sites[1].market.licenceIdOf(model, VERSION_ID, accountOn(1, BUYER));
        bytes memory answer = abi.encode(uint8(2), licenceId, accountOn(1, PAYEE));
        position = bound(position, 0, answer.length - 1);
        answer[position] = bytes1(uint8(answer[position]) ^ flip);
        acknowledgeWith(packet, one(answer));
        // The address of the payee is its own last 20 bytes: another payee is the home ledger's word.
        uint256 end = 128 + accountOn(1, PAYEE).length;
        if (position < end - 20 || position >= end) _assertRefunded(purchaseId, NATIVE);
        else _assertState(purchaseId, PurchaseState.Completed);
        assertEq(sites[1].market.held(NATIVE), 0);
    }

    function test_a_payee_that_is_no_account_of_the_paying_ledger_refunds_the_buyer() public {
        bytes32 licenceId = sites[1].market.licenceIdOf(model, VERSION_ID, accountOn(1, BUYER));
        bytes[6] memory payees = [
            accountOn(1, address(0)),
            accountOn(0, PAYEE),
            chainOf(1),
            abi.encodePacked(PAYEE),
            bytes(""),
            hex"0001ff0302aabb05e1e2e3e4e5"
        ];
        for (uint256 i = 0; i < payees.length; ++i) {
            (uint256 packet, bytes32 purchaseId) = _buyRemote(NATIVE, AMOUNT);
            acknowledgeWith(packet, one(abi.encode(uint8(2), licenceId, payees[i])));
            _assertState(purchaseId, PurchaseState.Refunded);
            assertEq(sites[1].market.held(NATIVE), 0);
            vm.prank(BUYER);
            on(1).market.withdraw(NATIVE, BUYER);
        }
    }

    // Bad tokens and bad creditors

    function test_a_token_that_takes_a_fee_is_refused() public {
        TaxedCoin taxed = new TaxedCoin();
        taxed.mint(BUYER, AMOUNT);
        _expectPaymentRefused(
            taxed, abi.encodeWithSelector(Payments.PaymentMismatch.selector, taxed, AMOUNT, AMOUNT * 99 / 100)
        );
    }

    function test_a_token_that_only_says_it_paid_is_refused() public {
        LyingCoin lying = new LyingCoin();
        _expectPaymentRefused(lying, abi.encodeWithSelector(Payments.PaymentMismatch.selector, lying, AMOUNT, 0));
    }

    function test_a_token_that_returns_false_is_refused() public {
        RefusingCoin refusing = new RefusingCoin();
        refusing.mint(BUYER, AMOUNT);
        _expectPaymentRefused(refusing, abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, refusing));
    }

    function test_an_account_that_is_no_token_is_refused() public {
        LicenceMarket market = on(1).market;
        vm.prank(BUYER);
        vm.expectRevert();
        market.buyRemote(routes[1][0], model, "1.0.0", address(0xDEAD), AMOUNT, inAnHour(), address(0));
    }

    function test_a_token_that_re_enters_gets_nothing_twice() public {
        CallingCoin calling = new CallingCoin();
        calling.mint(BUYER, 2 * AMOUNT);
        LicenceMarket market = on(1).market;
        calling.onTransfer(
            address(market),
            abi.encodeCall(
                market.buyRemote,
                (routes[1][0], model, "1.0.0", address(calling), 0, uint64(block.timestamp + 60), address(0))
            )
        );
        (uint256 packet, bytes32 purchaseId) = _buyRemote(calling, AMOUNT);
        _assertReentryRefused(calling);
        expire(packet);
        _assertRefunded(purchaseId, address(calling));
        calling.onTransfer(address(market), abi.encodeCall(market.withdraw, (address(calling), BUYER)));
        vm.prank(BUYER);
        on(1).market.withdraw(address(calling), BUYER);
        _assertReentryRefused(calling);
        assertEq(calling.balanceOf(BUYER), 2 * AMOUNT);
    }

    /// @dev Else whoever buys with a token of their own could turn other people's packets into refusals.
    function test_a_token_that_delivers_during_a_payment_cannot_spoil_the_delivery() public {
        (uint256 packet,) = _buyRemote(NATIVE, AMOUNT);
        CallingCoin calling = new CallingCoin();
        address mallory = address(0xBAD);
        calling.mint(mallory, AMOUNT);
        _offer(0, address(calling), AMOUNT, true);
        Packet memory open = packetOf(packet);
        bytes memory proof = proveSent(sites[1].ledger, only(open));
        calling.onTransfer(
            address(sites[0].ledger.gateway), abi.encodeCall(IGateway.recvPackets, (open.destClient, only(open), proof))
        );
        LicenceMarket market = on(0).market;
        vm.startPrank(mallory);
        calling.approve(address(market), AMOUNT);
        market.buy(model, "1.0.0", address(calling), AMOUNT, address(0));
        vm.stopPrank();
        observe();
        assertTrue(calling.went());
        assertTrue(isAnswered(packet));
        assertFalse(isRefused(packet));
    }

    function test_a_creditor_that_re_enters_is_paid_once() public {
        LicenceMarket market = on(1).market;
        GreedyCreditor greedy = new GreedyCreditor(market);
        greedy.buyRemote{value: AMOUNT}(routes[1][0], model, "1.0.0", inAnHour());
        expire(latest());
        (uint256 other,) = _buyRemote(NATIVE, AMOUNT);
        greedy.withdraw();
        assertTrue(greedy.caught());
        assertEq(address(greedy).balance, AMOUNT);
        assertEq(address(market).balance, AMOUNT);
        deliver(other);
        acknowledge(other);
        vm.prank(PAYEE);
        on(1).market.withdraw(NATIVE, PAYEE);
    }

    function test_a_creditor_that_takes_no_coin_blocks_only_itself() public {
        LicenceMarket market = on(1).market;
        vm.deal(address(this), AMOUNT);
        market.buyRemote{value: AMOUNT}(routes[1][0], model, "1.0.0", NATIVE, AMOUNT, inAnHour(), address(0));
        expire(latest());
        vm.chainId(31338);
        vm.expectRevert(Errors.FailedCall.selector);
        market.withdraw(NATIVE, address(this));
        assertEq(market.owed(address(this), NATIVE), AMOUNT);
    }

    function test_the_market_takes_no_coin_that_it_was_not_asked_to_hold() public {
        (bool accepted,) = address(sites[1].market).call{value: 1}("");
        assertFalse(accepted);
    }

    function _offer(uint256 site, address currency, uint256 amount, bool offered) private {
        Price[] memory prices = new Price[](1);
        prices[0] = Price(accountOn(site, PAYEE), assetOf(currency), amount, offered);
        LicenceMarket market = on(0).market;
        vm.prank(SELLER);
        market.setPrices(model, prices);
    }

    function _refusePrice(Price memory price, bytes memory refusal) private {
        Price[] memory prices = new Price[](1);
        prices[0] = price;
        LicenceMarket market = on(0).market;
        vm.prank(SELLER);
        vm.expectRevert(refusal);
        market.setPrices(model, prices);
    }

    function _assertPrice(bytes memory ledger, Price memory expected) private view {
        (bool offered, uint256 amount, bytes memory payee) = sites[0].market.price(model, ledger, expected.asset);
        assertTrue(offered);
        assertEq(amount, expected.amount);
        assertEq(payee, expected.payee);
    }

    function _buyFor(address reader) private returns (uint256 packet, bytes32 purchaseId) {
        LicenceMarket market = on(1).market;
        vm.prank(BUYER);
        purchaseId =
            market.buyRemote{value: AMOUNT}(routes[1][0], model, "1.0.0", NATIVE, AMOUNT, inAnHour(), reader);
        packet = latest();
    }

    function _buyRemote(address currency, uint256 amount) private returns (uint256 packet, bytes32 purchaseId) {
        if (currency != NATIVE) return _buyRemote(Coin(currency), amount);
        LicenceMarket market = on(1).market;
        vm.prank(BUYER);
        purchaseId = market.buyRemote{value: amount}(routes[1][0], model, "1.0.0", NATIVE, amount, inAnHour(), address(0));
        packet = latest();
    }

    function _buyRemote(Coin token, uint256 amount) private returns (uint256 packet, bytes32 purchaseId) {
        LicenceMarket market = on(1).market;
        vm.startPrank(BUYER);
        token.approve(address(market), amount);
        purchaseId = market.buyRemote(routes[1][0], model, "1.0.0", address(token), amount, inAnHour(), address(0));
        vm.stopPrank();
        packet = latest();
    }

    function _expectPaymentRefused(Coin token, bytes memory refusal) private {
        LicenceMarket market = on(1).market;
        vm.startPrank(BUYER);
        token.approve(address(market), AMOUNT);
        vm.expectRevert(refusal);
        market.buyRemote(routes[1][0], model, "1.0.0", address(token), AMOUNT, inAnHour(), address(0));
        vm.stopPrank();
        assertEq(market.held(address(token)), 0);
    }

    function _assertReentryRefused(CallingCoin token) private view {
        assertFalse(token.went());
        assertEq(token.answer(), abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector));
    }

    function _assertRefunded(bytes32 purchaseId, address currency) private view {
        LicenceMarket market = sites[1].market;
        _assertState(purchaseId, PurchaseState.Refunded);
        assertEq(market.held(currency), 0);
        assertEq(market.owed(BUYER, currency), AMOUNT);
        assertEq(market.purchaseOf(routes[1][0], model, VERSION_ID, BUYER, BUYER), bytes32(0));
    }

    function _assertState(bytes32 purchaseId, PurchaseState state) private view {
        Purchase memory purchase = sites[1].market.purchase(purchaseId);
        assertEq(uint256(purchase.state), uint256(state));
        assertEq(purchase.buyer, BUYER);
        assertEq(purchase.amount, AMOUNT);
    }

    function _assertLive(bytes32 licenceId, bool live) private view {
        Licence memory licence = sites[0].market.licence(licenceId);
        assertEq(licence.grantedAt != 0 && !licence.revoked, live);
    }

    function _context(bytes memory value) private view returns (PacketContext memory) {
        return PacketContext(
            routes[1][0],
            routes[0][1],
            9,
            Payload("licence", "licence", "caimi-licence-2", "application/x-solidity-abi", value),
            address(this),
            0
        );
    }

    /// @dev What ledger 1 could have delivered, had it lied about its own packets.
    function _refuse(bytes memory value, bytes memory refusal) private {
        LicenceMarket market = on(0).market;
        PacketContext memory context = _context(value);
        vm.prank(address(market.gateway()));
        vm.expectRevert(refusal);
        market.onRecvPacket(context);
    }
}
