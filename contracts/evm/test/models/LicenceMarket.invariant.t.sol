// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {Price} from "../../src/interfaces/ILicenceMarket.sol";
import {LicenceMarket} from "../../src/models/LicenceMarket.sol";
import {Test} from "../Test.sol";
import {ModelLedgers} from "./ModelLedgers.sol";
import {Packet} from "../../src/interfaces/IBCTypes.sol";
import {BlockingCoin, Coin, ReenteringCoin, SilentCoin, TaxedCoin} from "./Tokens.sol";

/// @notice Buyers on three ledgers, a seller who changes prices, a relayer, governance, an emergency exit, an issuer that
///         blocks accounts and time, in any order, in six currencies.
contract MarketHandler is ModelLedgers {
    address private constant SELLER = address(0x5E11E4);
    address private constant PAYEE = address(0x9A1D);
    uint256 private constant BUYERS = 3;
    uint256 private constant CREDITORS = BUYERS + 2;
    uint256 private constant VERSIONS = 3;
    uint256 public constant CURRENCIES = 6;

    uint256 private _model;
    /// @dev Native, a token, one that takes a fee, one that re-enters, one that returns nothing, one that blocks.
    address[CURRENCIES] public currencies;
    mapping(uint256 site => mapping(address currency => uint256)) public paidIn;
    mapping(uint256 site => mapping(address currency => uint256)) public paidOut;

    constructor() {
        makeSites();
        currencies = [
            address(0),
            address(new Coin()),
            address(new TaxedCoin()),
            address(new ReenteringCoin()),
            address(new SilentCoin()),
            address(new BlockingCoin())
        ];
        vm.startPrank(SELLER);
        for (uint256 v = 0; v < VERSIONS; ++v) {
            _model = on(0).registry.publish("model", vm.toString(v), keccak256("manifest"));
        }
        vm.stopPrank();
        for (uint256 b = 0; b < BUYERS; ++b) {
            vm.deal(_buyer(b), type(uint96).max);
            for (uint256 c = 1; c < CURRENCIES; ++c) {
                Coin(currencies[c]).mint(_buyer(b), type(uint96).max);
                for (uint256 i = 0; i < SITES; ++i) {
                    vm.prank(_buyer(b));
                    SilentCoin(currencies[c]).approve(address(sites[i].market), type(uint256).max);
                }
            }
        }
        for (uint256 i = 0; i < SITES; ++i) {
            for (uint256 c = 0; c < CURRENCIES; ++c) {
                setPrice(i, c, 1000);
            }
        }
    }

    function setPrice(uint256 site, uint256 currency, uint256 amount) public {
        Price[] memory prices = new Price[](1);
        address payee = amount % 2 == 0 ? SELLER : PAYEE;
        prices[0] = Price(
            accountOn(bound(site, 0, SITES - 1), payee), assetOf(_currency(currency)), bound(amount, 999, 1002), true
        );
        LicenceMarket market = on(0).market;
        vm.prank(SELLER);
        market.setPrices(_model, prices);
    }

    /// @dev At the price of now, which may be another when the packet arrives; for oneself, or for somebody else.
    function buy(uint256 site, uint256 who, uint256 currency, uint256 version, uint256 whose) external {
        site = bound(site, 0, SITES - 1);
        address paid = _currency(currency);
        string memory wanted = vm.toString(bound(version, 0, VERSIONS - 1));
        (, uint256 amount,) = on(0).market.price(_model, chainOf(site), assetOf(paid));
        address reader = whose % 2 == 0 ? address(0) : _buyer(whose);
        if (site == 0) _buyHere(_buyer(who), wanted, paid, amount, reader);
        else _buyElsewhere(site, _buyer(who), wanted, paid, amount, reader);
        observe();
    }

    function _buyHere(address buyer, string memory wanted, address paid, uint256 amount, address reader) private {
        LicenceMarket market = on(0).market;
        vm.prank(buyer);
        try market.buy{value: paid == address(0) ? amount : 0}(_model, wanted, paid, amount, reader) {
            paidIn[0][paid] += amount;
        } catch {}
    }

    function _buyElsewhere(
        uint256 site,
        address buyer,
        string memory wanted,
        address paid,
        uint256 amount,
        address reader
    ) private {
        LicenceMarket market = on(site).market;
        uint256 deposit = market.relayDeposit();
        string memory route = routes[site][0];
        uint256 value = paid == address(0) ? amount + deposit : deposit;
        vm.prank(buyer);
        try market.buyRemote{value: value}(route, _model, wanted, paid, amount, inAnHour(), reader) {
            paidIn[site][paid] += amount;
            paidIn[site][address(0)] += deposit;
        } catch {}
    }

    function withdraw(uint256 site, uint256 who, uint256 currency) external {
        site = bound(site, 0, SITES - 1);
        address account = _creditor(bound(who, 0, CREDITORS - 1));
        address paid = _currency(currency);
        uint256 before = _balance(account, paid);
        LicenceMarket market = on(site).market;
        vm.prank(account);
        try market.withdraw(paid, account) returns (uint256 amount) {
            paidOut[site][paid] += amount;
            if (paid != currencies[2]) assertEq(_balance(account, paid), before + amount, "withdrawn");
        } catch {}
    }

    /// @dev What it is for purchases to come.
    function setDeposit(uint256 site, uint80 amount) external {
        on(bound(site, 1, SITES - 1)).market.setRelayDeposit(uint80(bound(amount, 0, 1e18)));
    }

    function block_(uint256 who, bool blocked) external {
        BlockingCoin(currencies[5]).setBlocked(_buyer(who), blocked);
    }

    /// @dev The emergency exit gives a purchase back; what its ledger says afterwards changes nothing.
    function giveBackDead(uint256 which) external {
        if (sent.length == 0) return;
        Packet memory packet = packetOf(bound(which, 0, sent.length - 1));
        LicenceMarket market = on(sent[bound(which, 0, sent.length - 1)].source).market;
        try market.refundDead(packet.sourceClient, packet.sequence) {} catch {}
    }

    function relay(uint256 which) external {
        if (sent.length != 0) deliver(bound(which, 0, sent.length - 1));
    }

    function answer(uint256 which) external {
        if (sent.length == 0) return;
        which = bound(which, 0, sent.length - 1);
        if (isAnswered(which)) acknowledge(which);
    }

    /// @dev A ledger that answers nonsense.
    function babble(uint256 which, bytes calldata nonsense) external {
        if (sent.length == 0 || nonsense.length == 0) return;
        acknowledgeWith(bound(which, 0, sent.length - 1), one(nonsense));
    }

    function giveUp(uint256 which) external {
        if (sent.length == 0) return;
        which = bound(which, 0, sent.length - 1);
        if (!isAnswered(which)) expire(which);
    }

    function check() external view {
        for (uint256 i = 0; i < SITES; ++i) {
            for (uint256 c = 0; c < CURRENCIES; ++c) {
                address currency = currencies[c];
                LicenceMarket market = sites[i].market;
                uint256 owed = market.owed(address(this), currency);
                for (uint256 b = 0; b < CREDITORS; ++b) {
                    owed += market.owed(_creditor(b), currency);
                }
                uint256 inside = market.held(currency) + owed;
                assertEq(paidIn[i][currency], paidOut[i][currency] + inside, "in = out + held + owed");
                assertEq(_balance(address(market), currency), inside, "what is there");
            }
        }
    }

    /// @dev Ends every packet and pays everybody.
    function settle() external {
        for (uint256 p = 0; p < sent.length; ++p) {
            if (!isOpen(p)) continue;
            if (isAnswered(p)) acknowledge(p);
            else expire(p);
        }
        for (uint256 b = 0; b < BUYERS; ++b) {
            BlockingCoin(currencies[5]).setBlocked(_buyer(b), false);
        }
        for (uint256 i = 0; i < SITES; ++i) {
            if (sites[i].market.owed(address(this), address(0)) != 0) {
                sites[i].market.withdraw(address(0), address(0xE15E));
            }
            for (uint256 c = 0; c < CURRENCIES; ++c) {
                for (uint256 who = 0; who < CREDITORS; ++who) {
                    address account = _creditor(who);
                    LicenceMarket market = sites[i].market;
                    if (market.owed(account, currencies[c]) == 0) continue;
                    vm.prank(account);
                    market.withdraw(currencies[c], account);
                }
                assertEq(_balance(address(sites[i].market), currencies[c]), 0, "left over");
            }
        }
        _assertAllPlacesFree();
    }

    /// @dev Whatever ended how: nothing is in flight any more, and a day refills the rest.
    function _assertAllPlacesFree() private {
        vm.warp(vm.getBlockTimestamp() + 1 days);
        for (uint256 i = 1; i < SITES; ++i) {
            for (uint256 c = 0; c < CURRENCIES; ++c) {
                string memory lane = routes[i][0];
                if (c != 0) lane = string.concat(lane, "/", Strings.toHexString(currencies[c]));
                (uint256 places,) = sites[i].market.available(lane, false);
                assertEq(places, 1000, "places");
            }
        }
    }

    /// @dev One of them is the token that re-enters.
    function _buyer(uint256 i) private view returns (address) {
        i = bound(i, 0, BUYERS - 1);
        return i == 0 ? currencies[3] : address(uint160(0xB000 + i));
    }

    /// @dev Buyers, and those whom prices name.
    function _creditor(uint256 i) private view returns (address) {
        if (i < BUYERS) return _buyer(i);
        return i == BUYERS ? SELLER : PAYEE;
    }

    function _currency(uint256 i) private view returns (address) {
        return currencies[bound(i, 0, CURRENCIES - 1)];
    }

    function _balance(address account, address currency) private view returns (uint256) {
        return currency == address(0) ? account.balance : Coin(currency).balanceOf(account);
    }
}

contract LicenceMarketInvariants is Test {
    MarketHandler private handler;

    function setUp() public {
        handler = new MarketHandler();
        targetContract(address(handler));
        bytes4[] memory actions = new bytes4[](14);
        actions[0] = MarketHandler.buy.selector;
        actions[1] = MarketHandler.buy.selector;
        actions[2] = MarketHandler.buy.selector;
        actions[3] = MarketHandler.relay.selector;
        actions[4] = MarketHandler.relay.selector;
        actions[5] = MarketHandler.answer.selector;
        actions[6] = MarketHandler.answer.selector;
        actions[7] = MarketHandler.withdraw.selector;
        actions[8] = MarketHandler.giveUp.selector;
        actions[9] = MarketHandler.setPrice.selector;
        actions[10] = MarketHandler.babble.selector;
        actions[11] = MarketHandler.setDeposit.selector;
        actions[12] = MarketHandler.block_.selector;
        actions[13] = MarketHandler.giveBackDead.selector;
        targetSelector(address(handler), actions);
    }

    /// forge-config: default.invariant.fail-on-revert = true
    function invariant_value_in_is_value_out_and_held_and_owed() public view {
        handler.check();
    }

    /// @dev However a run ends, nothing stays behind once packets have ended and everybody has withdrawn.
    function afterInvariant() public {
        handler.settle();
    }
}
