// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {CommitteeClient} from "../../src/clients/CommitteeClient.sol";
import {Gateway} from "../../src/gateway/Gateway.sol";
import {Routes} from "../../src/gateway/Routes.sol";
import {PacketChecks} from "../../src/gateway/PacketChecks.sol";
import {ICS24} from "../../src/gateway/ICS24.sol";
import {Packet, Payload} from "../../src/interfaces/IBCTypes.sol";
import {IGateway} from "../../src/interfaces/IGateway.sol";
import {ILightClient} from "../../src/interfaces/ILightClient.sol";
import {Network} from "../Network.sol";
import {PatientApp} from "./PatientApp.sol";
import {PuppetApp} from "./PuppetApp.sol";

/// @notice Pauses, changes of clients, acknowledgements that come later, packets that come too early.
contract GatewayRoutesTest is Network {
    Ledger internal one;
    Ledger internal two;
    End internal a; // on one, towards two
    End internal b; // on two, towards one
    PuppetApp internal appA;
    PuppetApp internal appB;
    PatientApp internal patient;
    uint64 internal timeout;

    function setUp() public {
        one = makeLedger(31337);
        two = makeLedger(31338);
        (a, b) = connect(one, two);
        appA = new PuppetApp();
        appB = new PuppetApp();
        patient = new PatientApp();
        addApplication(one, "port", appA);
        addApplication(two, "port", appB);
        addApplication(one, "patient", patient);
        addApplication(two, "patient", patient);
        timeout = uint64(block.timestamp + 1 hours);
    }

    // Pauses

    function test_a_paused_route_sends_and_receives_nothing() public {
        Packet memory packet = send(a, b, timeout, payloadsOf("port", "x"));
        bytes memory proof = proveSent(one, only(packet));
        bytes memory paused = abi.encodeWithSelector(Routes.RoutePaused.selector, a.clientId);
        one.gateway.pauseRoute(a.clientId);
        assertTrue(one.gateway.routePaused(a.clientId));
        vm.expectRevert(paused);
        vm.prank(address(appA));
        one.gateway.sendPacket(a.clientId, timeout, packet.payloads);

        two.gateway.pauseRoute(b.clientId);
        enter(two);
        vm.expectRevert(abi.encodeWithSelector(Routes.RoutePaused.selector, b.clientId));
        two.gateway.recvPackets(b.clientId, only(packet), proof);
        vm.expectEmit(address(two.gateway));
        emit IGateway.RoutePauseChanged(b.clientId, false);
        two.gateway.unpauseRoute(b.clientId);
        two.gateway.recvPackets(b.clientId, only(packet), proof);
        assertEq(appB.received(), 1);
    }

    function test_a_pause_does_not_hold_up_acknowledgements_and_timeouts() public {
        Packet memory first = send(a, b, timeout, payloadsOf("port", "x"));
        Packet memory second = send(a, b, timeout, payloadsOf("port", "y"));
        bytes memory proof = proveSent(one, only(first));
        enter(two);
        two.gateway.recvPackets(b.clientId, only(first), proof);
        one.gateway.pauseRoute(a.clientId);
        two.gateway.pauseRoute(b.clientId);

        bytes[][] memory acks = new bytes[][](1);
        acks[0] = new bytes[](1);
        acks[0][0] = "ok:x";
        proof = proveAcknowledged(two, only(first));
        enter(one);
        one.gateway.ackPackets(a.clientId, only(first), acks, proof);
        assertEq(appA.acknowledged(), 1);
        vm.warp(timeout);
        proof = proveAbsent(two, only(second));
        enter(one);
        one.gateway.timeoutPackets(a.clientId, only(second), proof);
        assertEq(appA.timedOut(), 1);
    }

    function test_a_pause_of_one_route_leaves_the_others_alone() public {
        Ledger memory three = makeLedger(31339);
        (End memory c, End memory d) = connect(one, three);
        addApplication(three, "port", appB);
        one.gateway.pauseRoute(a.clientId);
        Packet memory packet = send(c, d, timeout, payloadsOf("port", "x"));
        bytes memory proof = proveSent(one, only(packet));
        enter(three);
        three.gateway.recvPackets(d.clientId, only(packet), proof);
        assertEq(appB.received(), 1);
    }

    function test_anyone_pauses_the_route_of_a_frozen_client_and_of_no_other() public {
        vm.startPrank(address(0xbad));
        vm.expectRevert(abi.encodeWithSelector(Routes.ClientNotFrozen.selector, a.clientId));
        one.gateway.pauseFrozenRoute(a.clientId);
        vm.stopPrank();
        a.client.freeze();
        vm.prank(address(0xbad));
        one.gateway.pauseFrozenRoute(a.clientId);
        assertTrue(one.gateway.routePaused(a.clientId));
    }

    function test_what_changes_a_route_is_for_administrators() public {
        bytes[4] memory calls = [
            abi.encodeCall(IGateway.pauseRoute, (a.clientId)),
            abi.encodeCall(IGateway.unpauseRoute, (a.clientId)),
            abi.encodeCall(IGateway.migrateClient, (a.clientId, ILightClient(address(b.client)))),
            abi.encodeCall(IGateway.recoverClient, (a.clientId, ILightClient(address(b.client))))
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            vm.prank(address(0xbad));
            (bool success, bytes memory reason) = address(one.gateway).call(calls[i]);
            assertFalse(success);
            assertEq(
                reason, abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, address(0xbad))
            );
        }
    }

    function test_a_pause_is_neither_repeated_nor_lifted_twice() public {
        vm.expectRevert(abi.encodeWithSelector(Routes.RouteNotPaused.selector, a.clientId));
        one.gateway.unpauseRoute(a.clientId);
        one.gateway.pauseRoute(a.clientId);
        vm.expectRevert(abi.encodeWithSelector(Routes.RoutePaused.selector, a.clientId));
        one.gateway.pauseRoute(a.clientId);
    }

    // Changes of clients

    function test_a_packet_in_flight_is_judged_by_the_old_client_for_a_day() public {
        Packet memory first = send(a, b, timeout, payloadsOf("port", "x"));
        Packet memory second = send(a, b, timeout, payloadsOf("port", "y"));
        bytes memory ofFirst = proveSent(one, only(first));
        uint64 until = uint64(block.timestamp + 24 hours);
        Keys memory old = one.keys;
        Keys memory others = makeKeys(1, 2, 3, 99);
        ILightClient next =
            new CommitteeClient(
                gatewayBytes(one), 1, others.threshold, others.members, others.operators, address(manager)
            );
        enter(two);
        vm.expectEmit(address(two.gateway));
        emit IGateway.ClientMigrated(b.clientId, address(next), until);
        two.gateway.migrateClient(b.clientId, next);
        two.gateway.recvPackets(b.clientId, only(first), ofFirst);
        assertEq(appB.received(), 1);

        // By the new committee's word too, and after the day by nothing else.
        vm.warp(timeout - 1);
        one.keys = others;
        bytes memory byOthers = proveSent(one, only(second));
        two.gateway.recvPackets(b.clientId, only(second), byOthers);
        assertEq(appB.received(), 2);

        Packet memory third = send(a, b, until + 1, payloadsOf("port", "z"));
        one.keys = old;
        bytes memory byOld = proveSent(one, only(third));
        vm.warp(until - 1);
        enter(two);
        uint256 state = vm.snapshotState();
        two.gateway.recvPackets(b.clientId, only(third), byOld);
        assertEq(appB.received(), 3);
        vm.revertToState(state);
        vm.warp(until);
        vm.expectPartialRevert(CommitteeClient.UnknownCommittee.selector);
        two.gateway.recvPackets(b.clientId, only(third), byOld);
    }

    function test_absence_too_is_judged_by_the_old_client_for_a_day() public {
        Packet memory packet = send(a, b, timeout, payloadsOf("port", "x"));
        Keys memory others = makeKeys(1, 2, 3, 99);
        enter(one);
        one.gateway.migrateClient(
            a.clientId,
            new CommitteeClient(
                gatewayBytes(two), 1, others.threshold, others.members, others.operators, address(manager)
            )
        );
        vm.warp(timeout);
        bytes memory proof = proveAbsent(two, only(packet));
        enter(one);
        one.gateway.timeoutPackets(a.clientId, only(packet), proof);
        assertEq(appA.timedOut(), 1);
    }

    function test_absence_is_judged_by_the_new_client_from_the_first_moment() public {
        Packet memory packet = send(a, b, timeout, payloadsOf("port", "x"));
        Keys memory others = makeKeys(1, 2, 3, 99);
        enter(one);
        one.gateway.migrateClient(
            a.clientId,
            new CommitteeClient(
                gatewayBytes(two), 1, others.threshold, others.members, others.operators, address(manager)
            )
        );
        vm.warp(timeout);
        two.keys = others;
        bytes memory proof = proveAbsent(two, only(packet));
        enter(one);
        one.gateway.timeoutPackets(a.clientId, only(packet), proof);
        assertEq(appA.timedOut(), 1);
    }

    function test_nobody_migrates_to_what_is_no_client() public {
        vm.expectRevert(abi.encodeWithSelector(Routes.InvalidLightClient.selector, address(1)));
        one.gateway.migrateClient(a.clientId, ILightClient(address(1)));
        b.client.freeze();
        vm.expectRevert(abi.encodeWithSelector(Routes.InvalidLightClient.selector, address(b.client)));
        one.gateway.migrateClient(a.clientId, b.client);
    }

    // Acknowledgements that come later

    function test_an_application_may_answer_later() public {
        Packet memory packet = send(a, b, timeout, payloadsOf("patient", "x"));
        bytes memory proof = proveSent(one, only(packet));
        enter(two);
        vm.expectEmit(address(two.gateway));
        emit IGateway.AcknowledgementDeferred(keccak256(bytes(b.clientId)), 1);
        two.gateway.recvPackets(b.clientId, only(packet), proof);
        assertTrue(two.gateway.hasReceipt(b.clientId, 1));

        bytes[][] memory acks = new bytes[][](1);
        acks[0] = new bytes[](1);
        acks[0][0] = "later";
        vm.expectEmit(address(two.gateway));
        emit IGateway.AcknowledgementWritten(keccak256(bytes(b.clientId)), 1, hex"0a056c61746572");
        patient.answer(two.gateway, b.clientId, 1, "later");
        proof = proveAcknowledged(two, only(packet));
        enter(one);
        one.gateway.ackPackets(a.clientId, only(packet), acks, proof);
        assertEq(patient.heard(), "later");
    }

    function test_a_later_answer_is_given_once_and_by_the_application_alone() public {
        Packet memory packet = send(a, b, timeout, payloadsOf("patient", "x"));
        bytes memory proof = proveSent(one, only(packet));
        enter(two);
        bytes memory notPending = abi.encodeWithSelector(Gateway.NotPending.selector, b.clientId, uint64(1));
        vm.expectRevert(notPending);
        patient.answer(two.gateway, b.clientId, 1, "early");
        two.gateway.recvPackets(b.clientId, only(packet), proof);
        vm.expectRevert(notPending);
        two.gateway.writeAcknowledgement(b.clientId, 1, "forged");
        vm.expectRevert(PacketChecks.InvalidAcknowledgement.selector);
        patient.answer(two.gateway, b.clientId, 1, "");
        vm.expectRevert(PacketChecks.InvalidAcknowledgement.selector);
        patient.answer(two.gateway, b.clientId, 1, new bytes(8193));
        patient.answer(two.gateway, b.clientId, 1, "later");
        vm.expectRevert(notPending);
        patient.answer(two.gateway, b.clientId, 1, "again");
    }

    function test_the_longest_later_answer_is_taken() public {
        Packet memory packet = send(a, b, timeout, payloadsOf("patient", "x"));
        bytes memory proof = proveSent(one, only(packet));
        enter(two);
        two.gateway.recvPackets(b.clientId, only(packet), proof);
        patient.answer(two.gateway, b.clientId, 1, new bytes(8192));
        assertTrue(two.gateway.getCommitment(ICS24.acknowledgementKey(b.clientId, 1)) != ICS24.PENDING);
    }

    function test_a_packet_that_waits_for_its_answer_is_not_received_again() public {
        Packet memory packet = send(a, b, timeout, payloadsOf("patient", "x"));
        bytes memory proof = proveSent(one, only(packet));
        enter(two);
        two.gateway.recvPackets(b.clientId, only(packet), proof);
        vm.expectEmit(address(two.gateway));
        emit IGateway.PacketSkipped(keccak256(bytes(b.clientId)), 1);
        two.gateway.recvPackets(b.clientId, only(packet), proof);
    }

    function test_only_a_packet_of_one_payload_is_answered_later() public {
        Payload[] memory payloads = new Payload[](2);
        payloads[0] = payloadsOf("patient", "x")[0];
        payloads[1] = payloads[0];
        Packet memory packet = send(a, b, timeout, payloads);
        bytes memory proof = proveSent(one, only(packet));
        enter(two);
        vm.expectEmit(address(two.gateway));
        emit IGateway.ReceiveFailed(
            keccak256(bytes(b.clientId)), 1, abi.encodeWithSelector(PacketChecks.InvalidAcknowledgement.selector)
        );
        two.gateway.recvPackets(b.clientId, only(packet), proof);
    }

    // Packets that come too early

    function test_a_packet_that_comes_too_early_can_be_delivered_later() public {
        patient.setEarliest(5);
        Packet memory packet = send(a, b, timeout, payloadsOf("patient", "x"));
        height = 3;
        bytes memory early = proveSent(one, only(packet));
        enter(two);
        vm.expectEmit(address(two.gateway));
        emit IGateway.PacketSkipped(keccak256(bytes(b.clientId)), 1);
        two.gateway.recvPackets(b.clientId, only(packet), early);
        assertFalse(two.gateway.hasReceipt(b.clientId, 1));
        assertEq(two.gateway.getCommitment(ICS24.acknowledgementKey(b.clientId, 1)), bytes32(0));

        bytes memory late = proveSent(one, only(packet));
        two.gateway.recvPackets(b.clientId, only(packet), late);
        assertTrue(two.gateway.hasReceipt(b.clientId, 1));
        assertEq(patient.seen(), 5);
    }

    function test_a_packet_always_too_early_times_out() public {
        patient.setEarliest(type(uint64).max);
        Packet memory packet = send(a, b, timeout, payloadsOf("patient", "x"));
        bytes memory proof = proveSent(one, only(packet));
        enter(two);
        two.gateway.recvPackets(b.clientId, only(packet), proof);
        vm.warp(timeout);
        proof = proveAbsent(two, only(packet));
        enter(one);
        one.gateway.timeoutPackets(a.clientId, only(packet), proof);
        assertEq(one.gateway.getCommitment(ICS24.commitmentKey(a.clientId, 1)), bytes32(0));
    }
}
