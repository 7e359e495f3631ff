// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {CommitteeClient} from "../../src/clients/CommitteeClient.sol";
import {Applications} from "../../src/gateway/Applications.sol";
import {Gateway} from "../../src/gateway/Gateway.sol";
import {Routes} from "../../src/gateway/Routes.sol";
import {PacketChecks} from "../../src/gateway/PacketChecks.sol";
import {ICS24} from "../../src/gateway/ICS24.sol";
import {Packet, Payload} from "../../src/interfaces/IBCTypes.sol";
import {IGateway} from "../../src/interfaces/IGateway.sol";
import {IIBCApp} from "../../src/interfaces/IIBCApp.sol";
import {ILightClient} from "../../src/interfaces/ILightClient.sol";
import {Network} from "../Network.sol";
import {ProtoReader} from "../ProtoReader.sol";
import {Vm} from "../Vm.sol";
import {PuppetApp} from "./PuppetApp.sol";

contract GatewayTest is Network {
    Ledger internal one;
    Ledger internal two;
    End internal a; // on one, towards two
    End internal b; // on two, towards one
    PuppetApp internal appA;
    PuppetApp internal appB;
    uint64 internal timeout;

    function setUp() public {
        one = makeLedger(31337);
        two = makeLedger(31338);
        (a, b) = connect(one, two);
        appA = new PuppetApp();
        appB = new PuppetApp();
        addApplication(one, "port", appA);
        addApplication(two, "port", appB);
        timeout = uint64(block.timestamp + 1 hours);
    }

    // A packet's life

    function test_a_packet_is_received_and_acknowledged() public {
        Packet memory packet = sendValue("hello");
        receivePacket(packet);
        assertEq(appB.received(), 1);
        assertTrue(two.gateway.hasReceipt(b.clientId, 1));

        acknowledge(packet, "ok:hello");
        assertEq(appA.acknowledged(), 1);
        assertEq(appA.lastAcknowledgement(), "ok:hello");
        assertEq(one.gateway.getCommitment(ICS24.commitmentKey(a.clientId, 1)), bytes32(0));
    }

    function test_many_commitments_are_read_at_once_in_their_order() public {
        Packet memory packet = sendValue("hello");
        bytes32[] memory paths = new bytes32[](3);
        paths[0] = ICS24.commitmentKey(a.clientId, 2);
        paths[1] = ICS24.commitmentKey(a.clientId, 1);
        paths[2] = ICS24.acknowledgementKey(b.clientId, 1);
        bytes32[] memory values = one.gateway.getCommitments(paths);
        assertEq(values.length, 3);
        assertEq(values[0], bytes32(0));
        assertEq(values[1], one.gateway.getCommitment(paths[1]));
        assertTrue(values[1] != 0);
        assertEq(values[2], bytes32(0));

        receivePacket(packet);
        assertEq(two.gateway.getCommitments(paths)[2], two.gateway.getCommitment(paths[2]));
        assertTrue(two.gateway.hasReceipt(b.clientId, 1) && two.gateway.getCommitment(paths[2]) != 0);
        assertEq(two.gateway.getCommitments(new bytes32[](0)).length, 0);
    }

    function test_events_tell_the_whole_packet() public {
        Packet memory packet = packetOf(1, "hello");
        bytes[] memory acks = new bytes[](1);
        acks[0] = "ok:hello";
        enter(one);
        vm.recordLogs();
        vm.prank(address(appA));
        one.gateway.sendPacket(a.clientId, timeout, packet.payloads);
        Vm.Log memory log = vm.getRecordedLogs()[0];
        assertEq(log.topics[0], IGateway.PacketSent.selector);
        assertEq(log.topics[1], keccak256(bytes(a.clientId)));
        assertEq(uint256(log.topics[2]), 1);
        assertEq(abi.encode(ProtoReader.packetOf(abi.decode(log.data, (bytes)))), abi.encode(packet));

        bytes memory proof = proveSent(one, only(packet));
        enter(two);
        vm.expectEmit(address(two.gateway));
        emit IGateway.AcknowledgementWritten(keccak256(bytes(b.clientId)), 1, hex"0a086f6b3a68656c6c6f");
        two.gateway.recvPackets(b.clientId, only(packet), proof);

        proof = proveAcknowledged(two, only(packet));
        enter(one);
        vm.expectEmit(address(one.gateway));
        emit IGateway.PacketAcknowledged(keccak256(bytes(a.clientId)), 1);
        one.gateway.ackPackets(a.clientId, only(packet), listOf(acks), proof);
    }

    function test_a_packet_not_received_in_time_ends_by_timeout() public {
        Packet memory packet = sendValue("late");
        vm.warp(timeout);
        bytes memory proof = proveAbsent(two, only(packet));
        enter(one);
        vm.expectEmit(address(one.gateway));
        emit IGateway.PacketTimedOut(keccak256(bytes(a.clientId)), 1);
        one.gateway.timeoutPackets(a.clientId, only(packet), proof);
        assertEq(appA.timedOut(), 1);
        assertEq(one.gateway.getCommitment(ICS24.commitmentKey(a.clientId, 1)), bytes32(0));
    }

    function test_a_packet_of_several_payloads_takes_effect_whole() public {
        Payload[] memory payloads = new Payload[](3);
        for (uint256 i = 0; i < 3; ++i) {
            payloads[i] = Payload("port", "port", "test-1", "raw", abi.encodePacked("part", i));
        }
        Packet memory packet = send(a, b, timeout, payloads);
        receivePacket(packet);
        assertEq(appB.received(), 3);

        bytes[] memory acks = new bytes[](3);
        for (uint256 i = 0; i < 3; ++i) {
            acks[i] = abi.encodePacked("ok:part", i);
        }
        bytes memory proof = proveAcknowledged(two, only(packet));
        enter(one);
        one.gateway.ackPackets(a.clientId, only(packet), listOf(acks), proof);
        assertEq(appA.acknowledged(), 3);
        assertEq(appA.lastAcknowledgement(), acks[2]);
    }

    function test_one_refused_payload_undoes_the_others() public {
        Payload[] memory payloads = new Payload[](2);
        payloads[0] = Payload("port", "port", "test-1", "raw", "fine");
        payloads[1] = Payload("port", "port", "test-1", "raw", "refuse");
        Packet memory packet = send(a, b, timeout, payloads);
        bytes memory proof = proveSent(one, only(packet));
        enter(two);
        vm.expectEmit(address(two.gateway));
        emit IGateway.ReceiveFailed(
            keccak256(bytes(b.clientId)), 1, abi.encodeWithSelector(PuppetApp.Refused.selector, bytes("refuse"))
        );
        two.gateway.recvPackets(b.clientId, only(packet), proof);
        assertEq(appB.received(), 0);

        acknowledge(packet, ICS24.UNIVERSAL_ERROR);
        assertEq(appA.acknowledged(), 2);
        assertEq(appA.lastAcknowledgement(), ICS24.UNIVERSAL_ERROR);
    }

    function test_a_batch_is_delivered_by_one_proof() public {
        Packet[] memory packets = new Packet[](7);
        for (uint256 i = 0; i < 7; ++i) {
            packets[i] = sendValue(abi.encodePacked("packet", i));
        }
        bytes memory proof = proveSent(one, packets);
        enter(two);
        two.gateway.recvPackets(b.clientId, packets, proof);
        assertEq(appB.received(), 7);
    }

    function testFuzz_any_value_arrives_as_it_was_sent(bytes calldata value, uint32 ahead) public {
        vm.assume(value.length > 0 && value.length < 4000);
        timeout = uint64(block.timestamp + bound(ahead, 1, 24 hours));
        Packet memory packet = sendValue(bytes.concat("fuzz", value));
        receivePacket(packet);
        acknowledge(packet, bytes.concat("ok:fuzz", value));
        assertEq(appA.acknowledged(), 1);
    }

    // Once, and only what was sent

    function test_a_replayed_packet_is_skipped() public {
        Packet memory packet = sendValue("once");
        receivePacket(packet);
        bytes memory proof = proveSent(one, only(packet));
        enter(two);
        vm.expectEmit(address(two.gateway));
        emit IGateway.PacketSkipped(keccak256(bytes(b.clientId)), 1);
        two.gateway.recvPackets(b.clientId, only(packet), proof);
        assertEq(appB.received(), 1);
    }

    function test_a_packet_twice_in_a_batch_takes_effect_once() public {
        Packet memory packet = sendValue("once");
        Packet[] memory packets = new Packet[](2);
        packets[0] = packet;
        packets[1] = packet;
        bytes memory proof = proveSent(one, packets);
        enter(two);
        two.gateway.recvPackets(b.clientId, packets, proof);
        assertEq(appB.received(), 1);
    }

    function test_a_replayed_acknowledgement_is_skipped() public {
        Packet memory packet = sendValue("once");
        receivePacket(packet);
        acknowledge(packet, "ok:once");
        acknowledge(packet, "ok:once");
        assertEq(appA.acknowledged(), 1);
    }

    function test_a_timed_out_packet_cannot_be_acknowledged_as_well() public {
        Packet memory packet = sendValue("late");
        vm.warp(timeout);
        expire(packet);
        expire(packet);
        assertEq(appA.timedOut(), 1);
        bytes32[] memory keys = new bytes32[](1);
        bytes32[] memory values = new bytes32[](1);
        keys[0] = ICS24.acknowledgementKey(b.clientId, 1);
        bytes[] memory acks = new bytes[](1);
        acks[0] = "forged";
        values[0] = ICS24.acknowledgementCommitment(acks);
        bytes memory proof = proveValues(two, keys, values);
        enter(one);
        one.gateway.ackPackets(a.clientId, only(packet), listOf(acks), proof);
        assertEq(appA.acknowledged(), 0);
    }

    function test_an_expired_packet_is_skipped_and_the_rest_of_its_batch_received() public {
        Packet[] memory packets = new Packet[](2);
        packets[0] = sendValue("late");
        timeout += 1 hours;
        packets[1] = sendValue("in time");
        vm.warp(packets[0].timeoutTimestamp);
        bytes memory proof = proveSent(one, packets);
        enter(two);
        vm.expectEmit(address(two.gateway));
        emit IGateway.PacketSkipped(keccak256(bytes(b.clientId)), 1);
        two.gateway.recvPackets(b.clientId, packets, proof);
        assertFalse(two.gateway.hasReceipt(b.clientId, 1));
        assertTrue(two.gateway.hasReceipt(b.clientId, 2));
        assertEq(appB.received(), 1);
    }

    function test_a_timeout_is_refused_on_absence_before_it() public {
        Packet memory packet = sendValue("early");
        vm.warp(timeout - 1);
        bytes memory proof = proveAbsent(two, only(packet));
        vm.warp(timeout + 1 hours);
        enter(one);
        vm.expectRevert(
            abi.encodeWithSelector(Gateway.TimeoutNotReached.selector, uint64(1), timeout, timeout - 1)
        );
        one.gateway.timeoutPackets(a.clientId, only(packet), proof);
    }

    function testFuzz_a_changed_packet_is_not_received(uint8 what, uint64 change) public {
        Packet memory packet = sendValue("genuine");
        bytes memory proof = proveSent(one, only(packet));
        uint256 which = what % 6;
        if (which == 0) packet.sequence += uint64(bound(change, 1, type(uint64).max - 1));
        else if (which == 1) packet.timeoutTimestamp += uint64(bound(change, 1, 1 << 62));
        else if (which == 2) packet.payloads[0].value = abi.encodePacked(change);
        else if (which == 3) packet.payloads[0].version = "test-2";
        else if (which == 4) packet.payloads[0].destPort = "another";
        else packet.payloads[0].sourcePort = "another";
        enter(two);
        vm.expectRevert(CommitteeClient.InvalidMerkleProof.selector);
        two.gateway.recvPackets(b.clientId, only(packet), proof);
    }

    function test_an_end_of_a_changed_packet_is_refused() public {
        Packet memory packet = sendValue("genuine");
        receivePacket(packet);
        packet.payloads[0].value = "changed";
        bytes[] memory acks = new bytes[](1);
        acks[0] = "ok:genuine";
        bytes memory proof = proveAcknowledged(two, only(packet));
        enter(one);
        vm.expectRevert(abi.encodeWithSelector(Gateway.CommitmentMismatch.selector, uint64(1)));
        one.gateway.ackPackets(a.clientId, only(packet), listOf(acks), proof);
    }

    function test_another_acknowledgement_than_the_one_written_is_refused() public {
        Packet memory packet = sendValue("genuine");
        receivePacket(packet);
        bytes[] memory acks = new bytes[](1);
        acks[0] = "forged";
        bytes memory proof = proveAcknowledged(two, only(packet));
        enter(one);
        vm.expectRevert(CommitteeClient.InvalidMerkleProof.selector);
        one.gateway.ackPackets(a.clientId, only(packet), listOf(acks), proof);
    }

    function test_a_packet_for_another_client_or_gateway_is_refused() public {
        Ledger memory three = makeLedger(31339);
        (End memory c, End memory onOne) = connect(three, one);
        addApplication(three, "port", new PuppetApp());
        Packet memory packet = sendValue("for two");
        bytes memory proof = proveSent(one, only(packet));
        enter(three);
        vm.expectRevert(
            abi.encodeWithSelector(PacketChecks.WrongRoute.selector, uint64(1), packet.sourceClient, packet.destClient)
        );
        three.gateway.recvPackets(c.clientId, only(packet), proof);

        // relabelled, it is not what was committed
        packet.sourceClient = onOne.clientId;
        packet.destClient = c.clientId;
        vm.expectRevert(CommitteeClient.InvalidMerkleProof.selector);
        three.gateway.recvPackets(c.clientId, only(packet), proof);
    }

    function test_what_ended_on_one_route_ends_nothing_on_another() public {
        Ledger memory three = makeLedger(31339);
        (End memory c, End memory d) = connect(one, three);
        Packet memory packet = sendValue("hello");
        Packet memory other = send(c, d, timeout, packet.payloads);
        receivePacket(packet);
        bytes[] memory acks = new bytes[](1);
        acks[0] = "ok:hello";
        bytes memory proof = proveAcknowledged(two, only(packet));
        enter(one);
        vm.expectRevert(abi.encodeWithSelector(PacketChecks.WrongRoute.selector, uint64(1), c.clientId, d.clientId));
        one.gateway.ackPackets(a.clientId, only(other), listOf(acks), proof);

        packet = sendValue("late");
        other = send(c, d, timeout, packet.payloads);
        vm.warp(timeout);
        proof = proveAbsent(two, only(packet));
        enter(one);
        vm.expectRevert(abi.encodeWithSelector(PacketChecks.WrongRoute.selector, uint64(2), c.clientId, d.clientId));
        one.gateway.timeoutPackets(a.clientId, only(other), proof);
        assertEq(appA.acknowledged() + appA.timedOut(), 0);
    }

    function test_a_packet_out_of_form_is_refused_though_its_ledger_committed_it() public {
        Packet memory packet = Packet(1, a.clientId, b.clientId, timeout, new Payload[](0));
        expectNotTaken(packet, abi.encodeWithSelector(PacketChecks.InvalidPayloads.selector, 0, 0));
        packet.payloads = payloadsOf("port", "");
        expectNotTaken(packet, abi.encodeWithSelector(PacketChecks.InvalidPayload.selector, 0));
    }

    function test_a_packet_of_no_sequence_or_half_a_route_is_refused() public {
        Packet memory packet = packetOf(0, "hello");
        expectNotTaken(packet, abi.encodeWithSelector(PacketChecks.InvalidSequence.selector));
        packet = packetOf(1, "hello");
        packet.sourceClient = "caimi-31337-9";
        expectNotTaken(
            packet, abi.encodeWithSelector(PacketChecks.WrongRoute.selector, uint64(1), packet.sourceClient, b.clientId)
        );
        packet = packetOf(1, "hello");
        packet.destClient = "caimi-31338-9";
        expectNotTaken(
            packet, abi.encodeWithSelector(PacketChecks.WrongRoute.selector, uint64(1), a.clientId, packet.destClient)
        );
    }

    function test_a_universal_error_stands_for_all_payloads_or_for_none() public {
        Payload[] memory payloads = new Payload[](2);
        payloads[0] = payloads[1] = payloadsOf("port", "x")[0];
        Packet memory packet = send(a, b, timeout, payloads);
        bytes[] memory acks = new bytes[](2);
        acks[0] = "ok:x";
        acks[1] = abi.encodePacked(ICS24.UNIVERSAL_ERROR);
        vm.expectRevert(PacketChecks.InvalidAcknowledgement.selector);
        one.gateway.ackPackets(a.clientId, only(packet), listOf(acks), "");
        acks[1] = "";
        vm.expectRevert(PacketChecks.InvalidAcknowledgement.selector);
        one.gateway.ackPackets(a.clientId, only(packet), listOf(acks), "");
    }

    function test_nothing_is_told_of_an_unknown_client() public {
        bytes memory unknown = abi.encodeWithSelector(Routes.UnknownClient.selector, "caimi-1-0");
        vm.expectRevert(unknown);
        one.gateway.getClient("caimi-1-0");
        vm.expectRevert(unknown);
        one.gateway.nextSequenceSend("caimi-1-0");
        vm.expectRevert(unknown);
        one.gateway.routePaused("caimi-1-0");
        vm.expectRevert(unknown);
        one.gateway.pauseRoute("caimi-1-0");
    }

    function test_the_most_and_the_longest_payloads_are_sent() public {
        Payload[] memory payloads = new Payload[](16);
        for (uint256 i = 0; i < 16; ++i) {
            payloads[i] = payloadsOf("port", new bytes(16_384))[0];
        }
        assertEq(send(a, b, timeout, payloads).sequence, 1);
    }

    function expectNotTaken(Packet memory packet, bytes memory reason) internal {
        bytes32[] memory keys = new bytes32[](1);
        bytes32[] memory values = new bytes32[](1);
        keys[0] = ICS24.commitmentKey(packet.sourceClient, packet.sequence);
        values[0] = this.commitmentOf(packet);
        bytes memory proof = proveValues(one, keys, values);
        enter(two);
        vm.expectRevert(reason);
        two.gateway.recvPackets(b.clientId, only(packet), proof);
    }

    function commitmentOf(Packet calldata packet) external view returns (bytes32) {
        return ICS24.packetCommitment(packet.destClient, packet.timeoutTimestamp, packet.payloads);
    }

    function test_a_proof_about_another_gateway_is_refused() public {
        Ledger memory three = makeLedger(31339, one.keys);
        Packet memory packet = sendValue("from one");
        bytes32[] memory keys = new bytes32[](1);
        bytes32[] memory values = new bytes32[](1);
        keys[0] = ICS24.commitmentKey(a.clientId, 1);
        values[0] = one.gateway.getCommitment(keys[0]);
        bytes memory proof = proveValues(three, keys, values);
        enter(two);
        vm.expectRevert(
            abi.encodeWithSelector(CommitteeClient.WrongOrigin.selector, keccak256(gatewayBytes(three)))
        );
        two.gateway.recvPackets(b.clientId, only(packet), proof);
    }

    function test_nothing_passes_a_proof_that_fails_even_when_all_would_be_skipped() public {
        Packet memory packet = sendValue("once");
        receivePacket(packet);
        enter(two);
        vm.expectRevert();
        two.gateway.recvPackets(b.clientId, only(packet), "");
    }

    function test_an_empty_batch_is_refused() public {
        vm.expectRevert(Gateway.EmptyBatch.selector);
        two.gateway.recvPackets(b.clientId, new Packet[](0), "");
        vm.expectRevert(Gateway.EmptyBatch.selector);
        one.gateway.ackPackets(a.clientId, new Packet[](0), new bytes[][](0), "");
        vm.expectRevert(Gateway.EmptyBatch.selector);
        one.gateway.timeoutPackets(a.clientId, new Packet[](0), "");
    }

    function test_malformed_acknowledgements_are_refused() public {
        Packet memory packet = sendValue("hello");
        bytes[][] memory bad = new bytes[][](4);
        bad[0] = new bytes[](0);
        bad[1] = new bytes[](1); // empty
        bad[2] = new bytes[](2); // more than payloads
        (bad[2][0], bad[2][1]) = (bytes("a"), bytes("b"));
        bad[3] = new bytes[](2); // the universal error among others
        (bad[3][0], bad[3][1]) = (ICS24.UNIVERSAL_ERROR, bytes("b"));
        enter(one);
        for (uint256 i = 0; i < bad.length; ++i) {
            vm.expectRevert(PacketChecks.InvalidAcknowledgement.selector);
            one.gateway.ackPackets(a.clientId, only(packet), listOf(bad[i]), "");
        }
        vm.expectRevert(Gateway.LengthMismatch.selector);
        one.gateway.ackPackets(a.clientId, only(packet), new bytes[][](2), "");
    }

    // Sending

    function test_only_the_application_of_a_port_sends_from_it() public {
        enter(one);
        vm.expectRevert(abi.encodeWithSelector(Applications.NotApplication.selector, "port", address(this)));
        one.gateway.sendPacket(a.clientId, timeout, payloadsOf("port", "x"));
        Payload[] memory payloads = new Payload[](2);
        payloads[0] = Payload("port", "port", "v", "e", "x");
        payloads[1] = Payload("other", "port", "v", "e", "x");
        vm.expectRevert(abi.encodeWithSelector(Applications.NotApplication.selector, "other", address(appA)));
        vm.prank(address(appA));
        one.gateway.sendPacket(a.clientId, timeout, payloads);
    }

    function test_a_timeout_past_or_too_far_ahead_is_refused() public {
        expectNoSend(
            abi.encodeWithSelector(Gateway.InvalidTimeout.selector, uint64(block.timestamp), block.timestamp),
            uint64(block.timestamp),
            payloadsOf("port", "x")
        );
        uint64 far = uint64(block.timestamp + 24 hours + 1);
        expectNoSend(
            abi.encodeWithSelector(Gateway.InvalidTimeout.selector, far, block.timestamp), far, payloadsOf("port", "x")
        );
        send(a, b, far - 1, payloadsOf("port", "x"));
    }

    function test_payloads_are_bounded_in_number_and_length() public {
        expectNoSend(
            abi.encodeWithSelector(PacketChecks.InvalidPayloads.selector, uint256(0), uint256(0)), timeout, new Payload[](0)
        );
        Payload[] memory many = new Payload[](17);
        for (uint256 i = 0; i < 17; ++i) {
            many[i] = payloadsOf("port", "x")[0];
        }
        expectNoSend(abi.encodeWithSelector(PacketChecks.InvalidPayloads.selector, uint256(17), uint256(17)), timeout, many);
        Payload[] memory long = new Payload[](2);
        long[0] = payloadsOf("port", new bytes(262_144))[0];
        long[1] = payloadsOf("port", "x")[0];
        expectNoSend(
            abi.encodeWithSelector(PacketChecks.InvalidPayloads.selector, uint256(2), uint256(262_145)), timeout, long
        );
    }

    function test_a_payload_lacks_nothing() public {
        Payload[] memory payloads = payloadsOf("port", "");
        bytes memory invalid = abi.encodeWithSelector(PacketChecks.InvalidPayload.selector, uint256(0));
        expectNoSend(invalid, timeout, payloads);
        payloads = payloadsOf("port", "x");
        payloads[0].version = "";
        expectNoSend(invalid, timeout, payloads);
        payloads[0].version = " \t";
        expectNoSend(invalid, timeout, payloads);
        payloads[0].version = "v";
        payloads[0].encoding = "";
        expectNoSend(invalid, timeout, payloads);
        payloads[0].encoding = "e";
        payloads[0].destPort = "not/a port";
        expectNoSend(abi.encodeWithSelector(Applications.InvalidPort.selector, "not/a port"), timeout, payloads);
    }

    function test_nothing_is_sent_through_an_unknown_or_unfinished_client() public {
        enter(one);
        vm.startPrank(address(appA));
        vm.expectRevert(abi.encodeWithSelector(Routes.UnknownClient.selector, "caimi-31337-9"));
        one.gateway.sendPacket("caimi-31337-9", timeout, payloadsOf("port", "x"));
        vm.stopPrank();

        string memory unfinished = one.gateway.addClient(a.client, ledgerBytes(two));
        vm.expectRevert(abi.encodeWithSelector(Routes.NoCounterparty.selector, unfinished));
        vm.prank(address(appA));
        one.gateway.sendPacket(unfinished, timeout, payloadsOf("port", "x"));
    }

    function test_sequences_count_from_one_without_gaps() public {
        for (uint64 i = 1; i <= 3; ++i) {
            assertEq(one.gateway.nextSequenceSend(a.clientId), i);
            assertEq(sendValue("x").sequence, i);
        }
    }

    // Administration

    function test_administration_is_restricted() public {
        address stranger = address(0xbad);
        bytes memory refusal = abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, stranger);
        vm.startPrank(stranger);
        vm.expectRevert(refusal);
        one.gateway.addClient(a.client, ledgerBytes(two));
        vm.expectRevert(refusal);
        one.gateway.setCounterparty(a.clientId, "caimi-1-0");
        vm.expectRevert(refusal);
        one.gateway.recoverClient(a.clientId, a.client);
        vm.expectRevert(refusal);
        one.gateway.addApplication("another", appA);
        vm.stopPrank();
    }

    function test_clients_are_named_after_their_chain() public {
        enter(one);
        assertEq(a.clientId, "caimi-31337-0");
        assertEq(one.gateway.addClient(a.client, ledgerBytes(two)), "caimi-31337-1");
        assertEq(one.gateway.defaultClient(ledgerBytes(two)), "caimi-31337-0");
        assertEq(one.gateway.defaultClient(ledgerBytes(one)), "");
        (ILightClient client, string memory counterparty, bytes memory ledger) = one.gateway.getClient(a.clientId);
        assertEq(address(client), address(a.client));
        assertEq(counterparty, b.clientId);
        assertEq(ledger, ledgerBytes(two));
    }

    function test_a_counterparty_is_set_once_and_is_an_identifier() public {
        vm.expectRevert(abi.encodeWithSelector(Routes.CounterpartyAlreadySet.selector, a.clientId));
        one.gateway.setCounterparty(a.clientId, "caimi-31338-7");
        string memory fresh = one.gateway.addClient(a.client, ledgerBytes(two));
        string[5] memory bad = ["", "seven77", "has/slash", "has space", "sixty-five-characters-are-one-too-many-for-a-client-identifier-012"];
        for (uint256 i = 0; i < bad.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(Routes.InvalidClientId.selector, bad[i]));
            one.gateway.setCounterparty(fresh, bad[i]);
        }
        vm.expectEmit(address(one.gateway));
        emit IGateway.CounterpartySet(fresh, "07-tendermint-0");
        one.gateway.setCounterparty(fresh, "07-tendermint-0");
    }

    function test_a_client_is_a_contract_and_a_ledger_has_one_spelling() public {
        vm.expectRevert(abi.encodeWithSelector(Routes.InvalidLightClient.selector, address(1)));
        one.gateway.addClient(ILightClient(address(1)), ledgerBytes(two));
        bytes[4] memory bad =
            [bytes(""), hex"00010000027a6a", hex"00010000027a6a00ff", gatewayBytes(two)];
        for (uint256 i = 0; i < bad.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(Routes.InvalidLedger.selector, bad[i]));
            one.gateway.addClient(a.client, bad[i]);
        }
    }

    function test_a_port_has_one_application() public {
        vm.expectRevert(abi.encodeWithSelector(Applications.PortTaken.selector, "port"));
        one.gateway.addApplication("port", appB);
        vm.expectRevert(abi.encodeWithSelector(Applications.InvalidPort.selector, "x"));
        one.gateway.addApplication("x", appB);
        vm.expectRevert(abi.encodeWithSelector(Applications.InvalidApplication.selector, address(1)));
        one.gateway.addApplication("free", IIBCApp(address(1)));
        vm.expectRevert(abi.encodeWithSelector(Applications.InvalidApplication.selector, address(one.gateway)));
        one.gateway.addApplication("free", IIBCApp(address(one.gateway)));
    }

    function test_packets_in_flight_end_after_a_frozen_client_is_replaced() public {
        Packet memory packet = sendValue("hello");
        receivePacket(packet);
        CommitteeClient substitute =
            new CommitteeClient(
                gatewayBytes(two),
                0,
                two.keys.threshold,
                two.keys.members,
                two.keys.operators,
                address(manager)
            );
        vm.expectRevert(abi.encodeWithSelector(Routes.ClientNotFrozen.selector, a.clientId));
        one.gateway.recoverClient(a.clientId, substitute);

        a.client.freeze();
        vm.expectRevert(abi.encodeWithSelector(Routes.InvalidLightClient.selector, address(a.client)));
        one.gateway.recoverClient(a.clientId, a.client);
        vm.expectRevert(abi.encodeWithSelector(Routes.InvalidLightClient.selector, address(1)));
        one.gateway.recoverClient(a.clientId, ILightClient(address(1)));
        bytes[] memory acks = new bytes[](1);
        acks[0] = "ok:hello";
        bytes memory proof = proveAcknowledged(two, only(packet));
        vm.expectRevert(CommitteeClient.ClientFrozen.selector);
        one.gateway.ackPackets(a.clientId, only(packet), listOf(acks), proof);

        one.gateway.recoverClient(a.clientId, substitute);
        one.gateway.ackPackets(a.clientId, only(packet), listOf(acks), proof);
        assertEq(appA.acknowledged(), 1);
    }

    function test_commitments_are_in_the_documented_slot() public {
        Packet memory packet = sendValue("hello");
        bytes32 key = ICS24.commitmentKey(a.clientId, packet.sequence);
        bytes32 slot = keccak256(abi.encode(key, one.gateway.COMMITMENTS_SLOT()));
        assertEq(vm.load(address(one.gateway), slot), one.gateway.getCommitment(key));
        assertNotEq(one.gateway.getCommitment(key), bytes32(0));
    }

    function test_frames_are_for_the_gateway_itself() public {
        vm.expectRevert(Applications.OnlySelf.selector);
        one.gateway.deliverOne(address(appA), "");
        vm.expectRevert(Applications.OnlySelf.selector);
        one.gateway.deliverAll(new address[](1), new bytes[](1));
        vm.expectRevert(Applications.OnlySelf.selector);
        one.gateway.notifyAll(new address[](1), new bytes[](1));
    }

    // Short forms

    function packetOf(uint64 sequence, bytes memory value) internal view returns (Packet memory) {
        return Packet(sequence, a.clientId, b.clientId, timeout, payloadsOf("port", value));
    }

    function sendValue(bytes memory value) internal returns (Packet memory) {
        return send(a, b, timeout, payloadsOf("port", value));
    }

    function receivePacket(Packet memory packet) internal {
        bytes memory proof = proveSent(one, only(packet));
        enter(two);
        two.gateway.recvPackets(b.clientId, only(packet), proof);
    }

    function acknowledge(Packet memory packet, bytes memory acknowledgement) internal {
        bytes[] memory acks = new bytes[](1);
        acks[0] = acknowledgement;
        bytes memory proof = proveAcknowledged(two, only(packet));
        enter(one);
        one.gateway.ackPackets(a.clientId, only(packet), listOf(acks), proof);
    }

    function expire(Packet memory packet) internal {
        bytes memory proof = proveAbsent(two, only(packet));
        enter(one);
        one.gateway.timeoutPackets(a.clientId, only(packet), proof);
    }

    function expectNoSend(bytes memory reason, uint64 when, Payload[] memory payloads) internal {
        enter(one);
        vm.expectRevert(reason);
        vm.prank(address(appA));
        one.gateway.sendPacket(a.clientId, when, payloads);
    }

    function listOf(bytes[] memory acks) internal pure returns (bytes[][] memory list) {
        list = new bytes[][](1);
        list[0] = acks;
    }
}
