// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {CommitteeClient} from "../../src/clients/CommitteeClient.sol";
import {CompositeClient} from "../../src/clients/CompositeClient.sol";
import {CommitteeStatements} from "../../src/clients/CommitteeStatements.sol";
import {EmergencyExit} from "../../src/governance/EmergencyExit.sol";
import {IEmergencyExit} from "../../src/interfaces/IEmergencyExit.sol";
import {ILightClient} from "../../src/interfaces/ILightClient.sol";
import {IGateway} from "../../src/interfaces/IGateway.sol";
import {IModelBridge} from "../../src/interfaces/IModelBridge.sol";
import {RouteLimits} from "../../src/limits/RouteLimits.sol";
import {LicenceMarket} from "../../src/models/LicenceMarket.sol";
import {ModelBridge} from "../../src/models/ModelBridge.sol";
import {ModelLedgers} from "../models/ModelLedgers.sol";
import {HandOver} from "./HandOver.sol";

/// @notice Site 1 dies. Two models of site 0 are there, a third was on its way, and a fourth is on site 2.
contract EmergencyExitTest is ModelLedgers, HandOver {
    uint64 private constant EXIT_ROLE = 3;
    uint64 private constant EXIT_DELAY = 30 days;
    uint64 private constant OBJECTION = 7 days;
    uint64 private constant LAST_HEIGHT = 4711;
    uint64 private constant PURCHASE = 4; // the packets before it took models away
    uint256 private constant PRICE = 5 ether;
    uint80 private constant DEPOSIT = 0.001 ether;
    address private constant ALICE = address(0xA11CE);
    address private constant BOB = address(0xB0B);
    address private constant CAROL = address(0xCA201);

    EmergencyExit private _exit;
    string private _route;
    uint256 private _atBobs;
    uint256 private _atCarols;
    uint256 private _leaving;
    uint256 private _elsewhere;
    uint256 private _lastPacket;
    uint256 private _purchase;
    uint64 private _now; // the compiler takes the block's time for the same all through a test

    function setUp() public {
        makeSites();
        _now = uint64(block.timestamp);
        _route = routes[0][1];
        _atBobs = publish("at-bobs");
        _atCarols = publish("at-carols");
        _leaving = publish("leaving");
        _elsewhere = publish("elsewhere");
        moveModel(0, 1, ALICE, _atBobs, BOB);
        moveModel(0, 1, ALICE, _atCarols, CAROL);
        moveModel(0, 2, ALICE, _elsewhere, BOB);
        _lastPacket = sendModel(0, 1, ALICE, _leaving, BOB);

        on(0);
        sites[0].market.setRelayDeposit(DEPOSIT);
        _purchase = buy(1, CAROL);
        allow(address(sites[0].market), LicenceMarket.refundDead.selector, EXIT_ROLE);
        _exit = new EmergencyExit(sites[0].ledger.gateway, sites[0].bridge, EXIT_DELAY, address(manager));
        allow(address(sites[0].bridge), ModelBridge.unlockDead.selector, EXIT_ROLE);
        allow(address(_exit), EmergencyExit.stop.selector, GUARDIAN_ROLE);
        manager.grantRole(EXIT_ROLE, address(_exit), 0);
        manager.grantRole(GUARDIAN_ROLE, GUARDIAN, 0);
        pass(10 days);
        on(0).ledger.gateway.pauseRoute(_route);
    }

    // The whole way

    function test_after_the_delay_and_a_supermajority_each_model_has_its_heir() public {
        die();
        (uint128 out,) = sites[0].bridge.outstanding(_route);
        assertEq(out, 3);
        unlock(_atBobs, 1, BOB);
        unlock(_atCarols, 2, CAROL);
        _exit.refund(_route, _leaving, ALICE);
        assertEq(sites[0].registry.ownerOf(_atBobs), BOB);
        assertEq(sites[0].registry.ownerOf(_atCarols), CAROL);
        assertEq(sites[0].registry.ownerOf(_leaving), ALICE);
        (out,) = sites[0].bridge.outstanding(_route);
        assertEq(out, 0);
    }

    function test_a_model_is_given_back_once() public {
        die();
        unlock(_atBobs, 1, BOB);
        vm.expectRevert(abi.encodeWithSelector(EmergencyExit.NotArrived.selector, _atBobs));
        unlock(_atBobs, 1, BOB);
        _exit.refund(_route, _leaving, ALICE);
        vm.expectRevert(abi.encodeWithSelector(ModelBridge.NotLockedTowards.selector, _leaving, _route));
        _exit.refund(_route, _leaving, ALICE);
    }

    function test_nobody_but_the_named_heir_gets_a_model() public {
        die();
        vm.expectRevert(abi.encodeWithSelector(EmergencyExit.NotHeir.selector, _atBobs, STRANGER));
        unlock(_atBobs, 1, STRANGER);
        bytes32[] memory proof = proofOf(leafOf(_atBobs, 1, BOB));
        vm.expectRevert(abi.encodeWithSelector(EmergencyExit.NotHeir.selector, _atCarols, BOB));
        _exit.unlock(_route, _atCarols, 2, BOB, proof);
    }

    function test_what_is_not_known_to_have_arrived_goes_to_its_sender_alone() public {
        die();
        vm.expectRevert(abi.encodeWithSelector(ModelBridge.NotTheSender.selector, _leaving, BOB));
        _exit.refund(_route, _leaving, BOB);
        vm.expectRevert(abi.encodeWithSelector(EmergencyExit.NotArrived.selector, _leaving));
        unlock(_leaving, 3, BOB); // although the list names him
        vm.expectRevert(abi.encodeWithSelector(EmergencyExit.Arrived.selector, _atBobs));
        _exit.refund(_route, _atBobs, ALICE);
    }

    /// @dev It takes no more than the acknowledgement, which no pause holds up.
    function test_what_is_shown_to_have_arrived_goes_to_the_heir() public {
        vm.warp(_now - 10 days);
        deliver(_lastPacket);
        vm.warp(_now);
        open();
        acknowledge(_lastPacket);
        wait_();
        vm.expectRevert(abi.encodeWithSelector(EmergencyExit.Arrived.selector, _leaving));
        _exit.refund(_route, _leaving, ALICE);
        unlock(_leaving, 3, BOB);
        assertEq(sites[0].registry.ownerOf(_leaving), BOB);
    }

    function test_a_model_towards_another_ledger_is_out_of_reach() public {
        bytes32[] memory none = new bytes32[](0);
        open();
        pass(EXIT_DELAY);
        declare(leafOf(_elsewhere, 1, STRANGER), 5);
        pass(OBJECTION);
        vm.expectRevert(abi.encodeWithSelector(ModelBridge.NotLockedTowards.selector, _elsewhere, _route));
        _exit.unlock(_route, _elsewhere, 1, STRANGER, none);
        uint256 home = publish("never-left");
        vm.expectRevert(abi.encodeWithSelector(ModelBridge.NotLockedTowards.selector, home, _route));
        _exit.refund(_route, home, ALICE);
    }

    function test_a_model_that_left_again_since_is_not_what_the_list_is_about() public {
        open();
        pass(EXIT_DELAY);
        declare(leafOf(_atBobs, 9, STRANGER), 5);
        pass(OBJECTION);
        vm.expectRevert(abi.encodeWithSelector(EmergencyExit.LeftAgain.selector, _atBobs, 1));
        _exit.unlock(_route, _atBobs, 9, STRANGER, new bytes32[](0));
    }

    // Payments

    function test_a_purchase_in_flight_goes_back_to_its_buyer_and_to_nobody_else() public {
        LicenceMarket market = sites[0].market;
        die();
        vm.prank(STRANGER);
        _exit.refundPurchase(_route, PURCHASE);
        assertEq(market.owed(CAROL, address(0)), PRICE + DEPOSIT);
        assertEq(market.held(address(0)), 0);
        vm.expectRevert(abi.encodeWithSelector(LicenceMarket.NotPending.selector, purchaseOf(_route, PURCHASE)));
        _exit.refundPurchase(_route, PURCHASE);
        vm.prank(CAROL);
        market.withdraw(address(0), CAROL);
        assertEq(CAROL.balance, PRICE + DEPOSIT);
    }

    function test_no_purchase_goes_back_before_the_list_counts() public {
        vm.expectRevert(abi.encodeWithSelector(EmergencyExit.NotDeclared.selector, _route));
        _exit.refundPurchase(_route, PURCHASE);
        open();
        pass(EXIT_DELAY);
        vm.expectRevert(abi.encodeWithSelector(EmergencyExit.NotDeclared.selector, _route));
        _exit.refundPurchase(_route, PURCHASE);
        declare(root(), 5);
        uint64 until = _now + OBJECTION;
        pass(OBJECTION - 1);
        vm.expectRevert(abi.encodeWithSelector(EmergencyExit.TooEarly.selector, _route, until));
        _exit.refundPurchase(_route, PURCHASE);
        pass(1);
        sites[0].ledger.gateway.unpauseRoute(_route);
        vm.expectRevert(abi.encodeWithSelector(EmergencyExit.RouteNotPaused.selector, _route));
        _exit.refundPurchase(_route, PURCHASE);
        sites[0].ledger.gateway.pauseRoute(_route);
        _exit.refundPurchase(_route, PURCHASE);
    }

    function test_a_purchase_over_another_route_or_one_that_ended_is_out_of_reach() public {
        vm.warp(_now - 10 days);
        uint256 elsewhere = buy(2, BOB);
        deliver(_purchase);
        vm.warp(_now);
        acknowledge(_purchase); // the model is not for sale there: refused, and so refunded
        die();
        assertEq(sites[0].market.owed(CAROL, address(0)), PRICE);
        vm.expectRevert(abi.encodeWithSelector(LicenceMarket.NotPending.selector, purchaseOf(_route, PURCHASE)));
        _exit.refundPurchase(_route, PURCHASE);
        uint64 sequence = packetOf(elsewhere).sequence;
        vm.expectRevert(abi.encodeWithSelector(LicenceMarket.NotPending.selector, purchaseOf(_route, sequence)));
        _exit.refundPurchase(_route, sequence);
        vm.expectRevert(abi.encodeWithSelector(EmergencyExit.NotDeclared.selector, routes[0][2]));
        _exit.refundPurchase(routes[0][2], sequence);
        assertEq(sites[0].market.held(address(0)), PRICE + DEPOSIT);
    }

    /// @dev Nobody is paid twice although the ledger was never dead, and nothing is bought there again.
    function test_a_purchase_that_went_back_pays_nobody_when_the_ledger_wakes() public {
        vm.warp(_now - 10 days);
        deliver(_purchase);
        vm.warp(_now);
        die();
        _exit.refundPurchase(_route, PURCHASE);
        acknowledge(_purchase);
        assertFalse(isOpen(_purchase));
        LicenceMarket market = sites[0].market;
        assertEq(market.owed(CAROL, address(0)), PRICE + DEPOSIT);
        assertEq(market.owed(address(this), address(0)), 0);
        sites[0].ledger.gateway.unpauseRoute(_route);
        vm.deal(BOB, PRICE + DEPOSIT);
        uint64 timeout = inAnHour();
        vm.prank(BOB);
        vm.expectRevert(abi.encodeWithSelector(RouteLimits.BreakerOpen.selector, keccak256(bytes(_route))));
        market.buyRemote{value: PRICE + DEPOSIT}(_route, 7, "1.0.0", address(0), PRICE, timeout, address(0));
        vm.expectRevert(abi.encodeWithSelector(RouteLimits.RouteDead.selector, keccak256(bytes(_route))));
        market.closeBreaker(_route);
    }

    // When the dead ledger wakes

    function test_a_dead_route_takes_and_sends_nothing_ever_again() public {
        die();
        unlock(_atBobs, 1, BOB);
        vm.startPrank(address(this));
        sites[0].ledger.gateway.unpauseRoute(_route);
        bytes32 clientHash = keccak256(bytes(_route));
        vm.expectRevert(abi.encodeWithSelector(RouteLimits.RouteDead.selector, clientHash));
        sites[0].bridge.closeBreaker(_route);
        vm.stopPrank();

        // Site 1 never was dead: its Bob sends "home" what is his at home already.
        uint256 packet = sendModel(1, 0, BOB, _atBobs, STRANGER);
        deliver(packet);
        assertTrue(isRefused(packet));
        assertEq(sites[0].registry.ownerOf(_atBobs), BOB);
        uint256 other = sendModel(1, 0, CAROL, _atCarols, STRANGER);
        deliver(other);
        assertTrue(isRefused(other)); // whatever of it has not been unlocked

        uint256 fresh = publish("fresh");
        vm.startPrank(ALICE);
        on(0).registry.approve(address(sites[0].bridge), fresh);
        vm.expectRevert(abi.encodeWithSelector(RouteLimits.BreakerOpen.selector, clientHash));
        sites[0].bridge.send(_route, fresh, abi.encodePacked(BOB), inAnHour(), 0);
        vm.stopPrank();
    }

    function test_an_end_of_a_packet_that_was_refunded_changes_nothing() public {
        vm.warp(_now - 10 days);
        deliver(_lastPacket);
        vm.warp(_now);
        die();
        _exit.refund(_route, _leaving, ALICE);
        acknowledge(_lastPacket);
        assertEq(sites[0].registry.ownerOf(_leaving), ALICE);
        (string memory client,,) = sites[0].bridge.locked(_leaving);
        assertEq(client, "");
    }

    function test_other_routes_go_on() public {
        die();
        unlock(_atBobs, 1, BOB);
        moveModel(2, 0, BOB, _elsewhere, CAROL);
        assertEq(sites[0].registry.ownerOf(_elsewhere), CAROL);
        moveModel(0, 2, BOB, _atBobs, BOB);
        assertEq(sites[2].registry.ownerOf(_atBobs), BOB);
    }

    // Signs of life

    function test_anyone_ends_it_by_one_newer_block() public {
        open();
        pass(29 days);
        (bytes32[] memory keys, bytes32[] memory values, bytes memory proof) = block_();
        vm.prank(STRANGER);
        _exit.showLife(_route, keys, values, proof);
        pass(EXIT_DELAY);
        refused(root(), 5, abi.encodeWithSelector(EmergencyExit.NotOpen.selector, _route));
    }

    function test_a_block_from_before_it_was_opened_is_no_sign_of_life() public {
        (bytes32[] memory keys, bytes32[] memory values, bytes memory proof) = block_();
        uint64 time = _now;
        open();
        vm.expectRevert(abi.encodeWithSelector(EmergencyExit.NotNewer.selector, time, time));
        _exit.showLife(_route, keys, values, proof);
        proof[proof.length - 1] ^= 0x01;
        vm.expectRevert();
        _exit.showLife(_route, keys, values, proof);
    }

    function test_a_sign_of_life_and_a_guardian_end_it_until_the_list_counts() public {
        uint256 before = vm.snapshotState();
        for (uint256 i = 0; i < 2; ++i) {
            open();
            pass(EXIT_DELAY);
            declare(root(), 5);
            (bytes32[] memory keys, bytes32[] memory values, bytes memory proof) = block_();
            pass(OBJECTION - 1);
            uint256 early = vm.snapshotState();
            if (i == 0) {
                _exit.showLife(_route, keys, values, proof);
            } else {
                vm.prank(GUARDIAN);
                _exit.stop(_route);
            }
            pass(1);
            vm.expectRevert(abi.encodeWithSelector(EmergencyExit.NotDeclared.selector, _route));
            unlock(_atBobs, 1, BOB);
            vm.revertToState(early);
            pass(1);
            vm.expectRevert(abi.encodeWithSelector(EmergencyExit.TooLate.selector, _route));
            _exit.showLife(_route, keys, values, proof);
            vm.expectRevert(abi.encodeWithSelector(EmergencyExit.TooLate.selector, _route));
            vm.prank(GUARDIAN);
            _exit.stop(_route);
            vm.revertToState(before);
        }
    }

    // Delays

    function test_the_committee_is_not_heard_before_the_delay() public {
        open();
        uint64 until = _now + EXIT_DELAY;
        pass(EXIT_DELAY - 1);
        refused(root(), 5, abi.encodeWithSelector(EmergencyExit.TooEarly.selector, _route, until));
        pass(1);
        declare(root(), 5);
        pass(OBJECTION - 1);
        vm.expectRevert(abi.encodeWithSelector(EmergencyExit.TooEarly.selector, _route, until + OBJECTION));
        unlock(_atBobs, 1, BOB);
        vm.expectRevert(abi.encodeWithSelector(EmergencyExit.TooEarly.selector, _route, until + OBJECTION));
        _exit.refund(_route, _leaving, ALICE);
        refused(root(), 5, abi.encodeWithSelector(EmergencyExit.AlreadyDeclared.selector, _route));
    }

    /// @dev From outside: a test ends, and passes, where a creation of its own is refused as expected.
    function makeEmergencyExit(IGateway gateway, IModelBridge bridge, uint64 delay, address authority) external {
        new EmergencyExit(gateway, bridge, delay, authority);
    }

    function test_a_delay_below_thirty_days_cannot_be_had() public {
        uint64[3] memory delays = [uint64(0), 30 days - 1, 365 days + 1];
        for (uint256 i = 0; i < delays.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(EmergencyExit.InvalidDelay.selector, delays[i]));
            this.makeEmergencyExit(sites[0].ledger.gateway, sites[0].bridge, delays[i], address(manager));
        }
    }

    // Who may

    function test_governance_alone_opens_one_after_its_own_delay_and_guardians_stop_it() public {
        handOver(manager);
        address[4] memory accounts = [address(this), GUARDIAN, PROPOSER, STRANGER];
        bytes memory opening = abi.encodeCall(EmergencyExit.open, (_route));
        for (uint256 i = 0; i < accounts.length; ++i) {
            vm.prank(accounts[i]);
            vm.expectRevert(
                abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, accounts[i])
            );
            _exit.open(_route);
            vm.prank(accounts[i]);
            vm.expectRevert(
                abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, accounts[i])
            );
            sites[0].bridge.unlockDead(_atBobs, _route, STRANGER);
        }
        propose(address(_exit), opening);
        pass(DELAY);
        carryOut(address(_exit), opening);
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, STRANGER));
        _exit.stop(_route);
        vm.prank(GUARDIAN);
        _exit.stop(_route);
        (, uint64 openedAt,,) = _exit.exitOf(_route);
        assertEq(openedAt, 0);
    }

    // The supermajority

    function test_fewer_than_two_thirds_and_one_more_are_not_heard() public {
        open();
        pass(EXIT_DELAY);
        assertEq(_exit.needed(5, 3), 5);
        for (uint256 count = 0; count < 5; ++count) {
            refused(root(), count, abi.encodeWithSelector(EmergencyExit.TooFewSignatures.selector, count, 5));
        }
    }

    function testFuzz_what_is_needed_is_more_than_two_thirds_and_never_less_than_the_threshold(
        uint256 members,
        uint256 threshold
    ) public view {
        members = bound(members, 2, 256);
        threshold = bound(threshold, members / 2 + 1, members);
        uint256 needed = _exit.needed(members, threshold);
        assertLe(needed, members);
        assertGe(needed, threshold);
        assertTrue(needed == members || 3 * needed > 2 * members + 2);
    }

    function test_a_signature_for_another_exit_list_or_contract_is_not_heard() public {
        open();
        bytes32 list = root();
        (uint256 signers, bytes memory signatures) = signDigest(sites[1].ledger.keys, digest(list), 5);
        vm.prank(GUARDIAN);
        _exit.stop(_route);
        open(); // the second one
        pass(EXIT_DELAY);
        vm.expectPartialRevert(EmergencyExit.InvalidSignature.selector);
        _exit.declare(_route, LAST_HEIGHT, list, signers, signatures);
        (signers, signatures) = signDigest(sites[1].ledger.keys, digest(list), 5);
        vm.expectPartialRevert(EmergencyExit.InvalidSignature.selector);
        _exit.declare(_route, LAST_HEIGHT + 1, list, signers, signatures);
        vm.expectPartialRevert(EmergencyExit.InvalidSignature.selector);
        _exit.declare(_route, LAST_HEIGHT, keccak256("another"), signers, signatures);
        vm.chainId(1);
        vm.expectPartialRevert(EmergencyExit.InvalidSignature.selector);
        _exit.declare(_route, LAST_HEIGHT, list, signers, signatures);
        on(0);
        _exit.declare(_route, LAST_HEIGHT, list, signers, signatures);
    }

    function test_malformed_signatures_are_refused() public {
        open();
        pass(EXIT_DELAY);
        bytes32 list = root();
        (uint256 signers, bytes memory signatures) = signDigest(sites[1].ledger.keys, digest(list), 5);
        vm.expectRevert(EmergencyExit.InvalidSignatures.selector);
        _exit.declare(_route, LAST_HEIGHT, list, signers | 1 << 5, signatures);
        vm.expectRevert(EmergencyExit.InvalidSignatures.selector);
        _exit.declare(_route, LAST_HEIGHT, list, signers, abi.encodePacked(signatures, hex"00"));
        vm.expectRevert(EmergencyExit.InvalidSignatures.selector);
        _exit.declare(_route, LAST_HEIGHT, list, 31, "");
        vm.expectRevert(EmergencyExit.EmptyList.selector);
        _exit.declare(_route, LAST_HEIGHT, 0, signers, signatures);
        (signers, signatures) = signDigest(makeKeys(0, 3, 5, 666), digest(list), 5);
        vm.expectPartialRevert(EmergencyExit.InvalidSignature.selector);
        _exit.declare(_route, LAST_HEIGHT, list, signers, signatures);
    }

    // What ends it besides

    function test_only_a_paused_route_has_an_exit() public {
        on(0).ledger.gateway.unpauseRoute(_route);
        vm.expectRevert(abi.encodeWithSelector(EmergencyExit.RouteNotPaused.selector, _route));
        _exit.open(_route);
        on(0).ledger.gateway.pauseRoute(_route);
        open();
        vm.expectRevert(abi.encodeWithSelector(EmergencyExit.AlreadyOpen.selector, _route));
        _exit.open(_route);
        pass(EXIT_DELAY);
        on(0).ledger.gateway.unpauseRoute(_route);
        refused(root(), 5, abi.encodeWithSelector(EmergencyExit.RouteNotPaused.selector, _route));
        on(0).ledger.gateway.pauseRoute(_route);
        declare(root(), 5);
        pass(OBJECTION);
        on(0).ledger.gateway.unpauseRoute(_route);
        vm.expectRevert(abi.encodeWithSelector(EmergencyExit.RouteNotPaused.selector, _route));
        unlock(_atBobs, 1, BOB);
    }

    /// @dev Or a thief's client, or no client, would keep signs of life away.
    function test_another_client_a_frozen_one_or_a_new_committee_ends_it() public {
        (ILightClient client,,) = sites[0].ledger.gateway.getClient(_route);
        open();
        pass(EXIT_DELAY);
        uint256 before = vm.snapshotState();
        on(0).ledger.gateway.migrateClient(_route, newClient());
        refused(root(), 5, abi.encodeWithSelector(EmergencyExit.ClientUnusable.selector, _route));
        vm.revertToState(before);
        CommitteeClient(address(client)).freeze();
        refused(root(), 5, abi.encodeWithSelector(EmergencyExit.ClientUnusable.selector, _route));
        vm.revertToState(before);
        rotate(CommitteeClient(address(client)));
        refused(root(), 5, abi.encodeWithSelector(EmergencyExit.ClientUnusable.selector, _route));
        vm.revertToState(before);
        declare(root(), 5);
    }

    function test_a_frozen_client_or_one_without_a_committee_has_no_exit() public {
        (ILightClient client,,) = sites[0].ledger.gateway.getClient(_route);
        CommitteeClient(address(client)).freeze();
        vm.expectRevert(abi.encodeWithSelector(EmergencyExit.ClientUnusable.selector, _route));
        _exit.open(_route);
        ILightClient[] memory members = new ILightClient[](2);
        (members[0], members[1]) = (newClient(), newClient());
        CompositeClient composite = new CompositeClient(2, members);
        on(0).ledger.gateway.recoverClient(_route, composite);
        vm.expectRevert(
            abi.encodeWithSelector(EmergencyExit.NoCommittee.selector, _route, address(composite))
        );
        _exit.open(_route);
    }

    // Short forms

    function publish(string memory name) private returns (uint256) {
        vm.prank(ALICE);
        return on(0).registry.publish(name, "1.0.0", keccak256(bytes(name)));
    }

    function allow(address target, bytes4 selector, uint64 role) private {
        bytes4[] memory selectors = new bytes4[](1);
        selectors[0] = selector;
        manager.setTargetFunctionRole(target, selectors, role);
    }

    function pass(uint256 time) private {
        vm.warp(_now += uint64(time));
    }

    /// @dev Of a model that is at home on that site.
    function buy(uint256 site, address buyer) private returns (uint256 packet) {
        LicenceMarket market = on(0).market;
        vm.deal(buyer, PRICE + DEPOSIT);
        vm.prank(buyer);
        market.buyRemote{value: PRICE + DEPOSIT}(routes[0][site], 7, "1.0.0", address(0), PRICE, inAnHour(), address(0));
        return latest();
    }

    function purchaseOf(string memory clientId, uint64 sequence) private pure returns (bytes32) {
        return keccak256(abi.encode(clientId, sequence));
    }

    function open() private {
        on(0);
        _exit.open(_route);
    }

    function wait_() private {
        on(0);
        pass(EXIT_DELAY);
        declare(root(), 5);
        pass(OBJECTION);
    }

    function die() private {
        open();
        wait_();
    }

    function leafOf(uint256 modelId, uint64 sequence, address to) private pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(modelId, sequence, to))));
    }

    function leaves() private view returns (bytes32[3] memory) {
        return [leafOf(_atBobs, 1, BOB), leafOf(_atCarols, 2, CAROL), leafOf(_leaving, 3, BOB)];
    }

    function root() private view returns (bytes32) {
        bytes32[3] memory all = leaves();
        return Hashes.commutativeKeccak256(Hashes.commutativeKeccak256(all[0], all[1]), all[2]);
    }

    function proofOf(bytes32 leaf) private view returns (bytes32[] memory proof) {
        bytes32[3] memory all = leaves();
        proof = new bytes32[](leaf == all[2] ? 1 : 2);
        if (leaf == all[2]) {
            proof[0] = Hashes.commutativeKeccak256(all[0], all[1]);
        } else {
            proof[0] = leaf == all[0] ? all[1] : all[0];
            proof[1] = all[2];
        }
    }

    function unlock(uint256 modelId, uint64 sequence, address to) private {
        _exit.unlock(_route, modelId, sequence, to, proofOf(leafOf(modelId, sequence, to)));
    }

    function digest(bytes32 list) private view returns (bytes32) {
        (uint64 number,,,) = _exit.exitOf(_route);
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("CAIMI emergency exit"),
                keccak256("1"),
                sites[0].ledger.chainId,
                address(_exit)
            )
        );
        bytes32 typeHash = keccak256("Death(string clientId,uint64 number,uint64 height,bytes32 heirs)");
        return MessageHashUtils.toTypedDataHash(
            domain, keccak256(abi.encode(typeHash, keccak256(bytes(_route)), number, LAST_HEIGHT, list))
        );
    }

    function declare(bytes32 list, uint256 count) private {
        (uint256 signers, bytes memory signatures) = signDigest(sites[1].ledger.keys, digest(list), count);
        _exit.declare(_route, LAST_HEIGHT, list, signers, signatures);
    }

    function refused(bytes32 list, uint256 count, bytes memory reason) private {
        (uint256 signers, bytes memory signatures) = signDigest(sites[1].ledger.keys, digest(list), count);
        vm.expectRevert(reason);
        _exit.declare(_route, LAST_HEIGHT, list, signers, signatures);
    }

    /// @dev The leaf of a block in the checkpoint tree of site 1, now.
    function block_() private returns (bytes32[] memory keys, bytes32[] memory values, bytes memory proof) {
        (keys, values) = (new bytes32[](1), new bytes32[](1));
        (keys[0], values[0]) = (keccak256(abi.encodePacked("blocks/", uint64(5))), keccak256("a block"));
        proof = proveValues(sites[1].ledger, keys, values);
    }

    function newClient() private returns (CommitteeClient) {
        Keys memory keys = makeKeys(0, 2, 3, 666);
        return new CommitteeClient(
            gatewayBytes(sites[1].ledger), 0, keys.threshold, keys.members, keys.operators, address(manager)
        );
    }

    function rotate(CommitteeClient client) private {
        Keys memory old = sites[1].ledger.keys;
        Keys memory next = makeKeys(1, 3, 5, 777);
        (uint256 signers, bytes memory signatures) = signDigest(
            old,
            CommitteeStatements.rotationDigest(
                CommitteeStatements.domainSeparator(),
                client.origin(),
                hashOf(old),
                1,
                next.threshold,
                next.members,
                next.operators
            ),
            old.threshold
        );
        client.rotate(next.threshold, next.members, next.operators, signers, signatures);
    }
}
