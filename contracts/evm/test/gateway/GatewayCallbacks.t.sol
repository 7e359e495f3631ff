// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {BoundedCall} from "../../src/gateway/BoundedCall.sol";
import {Applications} from "../../src/gateway/Applications.sol";
import {PacketChecks} from "../../src/gateway/PacketChecks.sol";
import {ICS24} from "../../src/gateway/ICS24.sol";
import {Packet, Payload} from "../../src/interfaces/IBCTypes.sol";
import {IGateway} from "../../src/interfaces/IGateway.sol";
import {PacketContext} from "../../src/interfaces/IIBCApp.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Network} from "../Network.sol";
import {PuppetApp} from "./PuppetApp.sol";

/// @notice Applications that misbehave, and relayers that make them.
contract GatewayCallbacksTest is Network {
    Ledger internal one;
    Ledger internal two;
    End internal a;
    End internal b;
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

    function test_an_application_that_reverts_yields_the_universal_error_and_its_reason() public {
        expectFailure("refuse", abi.encodeWithSelector(PuppetApp.Refused.selector, bytes("refuse")));
    }

    function test_an_application_that_reverts_without_a_reason_yields_the_universal_error() public {
        expectFailure("silent", "");
    }

    function test_an_application_that_burns_all_its_gas_yields_the_universal_error() public {
        uint256 before = gasleft();
        expectFailure("burn", "");
        assertLt(before - gasleft(), 2_000_000);
    }

    function test_the_kept_reason_is_capped() public {
        expectFailure("shout", new bytes(512));
    }

    function test_what_is_not_an_acknowledgement_is_a_failure() public {
        bytes memory invalid = abi.encodeWithSelector(PacketChecks.InvalidAcknowledgement.selector);
        string[8] memory orders = ["blob", "nothing", "short", "garbage", "overlong", "error", "toolong", "trailing"];
        for (uint256 i = 0; i < orders.length; ++i) {
            uint256 state = vm.snapshotState();
            expectFailure(bytes(orders[i]), invalid);
            vm.revertToState(state);
        }
    }

    function test_an_acknowledgement_as_long_as_the_universal_error_is_one_of_its_own() public {
        bytes memory value = "of twenty-nine bytes in a row";
        bytes[] memory acks = new bytes[](1);
        acks[0] = abi.encodePacked("ok:", value);
        assertEq(acks[0].length, 32);
        Packet memory packet = sendValue(value);
        receivePacket(packet);
        assertEq(commitmentOf(packet), ICS24.acknowledgementCommitment(acks));
    }

    function test_the_longest_acknowledgement_is_taken() public {
        bytes[] memory acks = new bytes[](1);
        acks[0] = new bytes(8192);
        Packet memory packet = sendValue("longest");
        receivePacket(packet);
        assertEq(commitmentOf(packet), ICS24.acknowledgementCommitment(acks));
    }

    function test_an_unknown_port_yields_the_universal_error() public {
        Payload[] memory payloads = payloadsOf("port", "x");
        payloads[0].destPort = "nobody";
        Packet memory packet = send(a, b, timeout, payloads);
        expectReceiveFailed(packet, abi.encodeWithSelector(Applications.UnknownPort.selector));
        assertEq(commitmentOf(packet), errorCommitment());
    }

    function test_one_bad_packet_does_not_hold_up_its_batch() public {
        Packet[] memory packets = new Packet[](4);
        packets[0] = sendValue("fine");
        packets[1] = sendValue("burn");
        packets[2] = sendValue("blob");
        packets[3] = sendValue("fine");
        bytes memory proof = proveSent(one, packets);
        enter(two);
        two.gateway.recvPackets(b.clientId, packets, proof);
        assertEq(appB.received(), 2);
        assertEq(commitmentOf(packets[1]), errorCommitment());
        assertEq(commitmentOf(packets[2]), errorCommitment());
    }

    function test_re_entry_while_receiving_is_refused() public {
        Packet memory packet = sendValue("call");
        bytes memory proof = proveSent(one, only(packet));
        bytes[3] memory entries = [
            abi.encodeCall(IGateway.recvPackets, (b.clientId, only(packet), proof)),
            abi.encodeCall(IGateway.ackPackets, (b.clientId, only(packet), new bytes[][](1), proof)),
            abi.encodeCall(IGateway.timeoutPackets, (b.clientId, only(packet), proof))
        ];
        for (uint256 i = 0; i < entries.length; ++i) {
            uint256 state = vm.snapshotState();
            appB.setCall(address(two.gateway), entries[i]);
            enter(two);
            two.gateway.recvPackets(b.clientId, only(packet), proof);
            assertFalse(appB.callSucceeded());
            assertEq(
                appB.callResult(),
                abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector)
            );
            assertEq(appB.received(), 1);
            vm.revertToState(state);
        }
    }

    function test_frames_are_closed_to_applications() public {
        Packet memory packet = sendValue("call");
        appB.setCall(address(two.gateway), abi.encodeCall(Applications.deliverAll, (new address[](1), new bytes[](1))));
        receivePacket(packet);
        assertFalse(appB.callSucceeded());
        assertEq(appB.callResult(), abi.encodeWithSelector(Applications.OnlySelf.selector));
    }

    function test_an_application_may_send_while_it_receives() public {
        Packet memory packet = sendValue("call");
        appB.setCall(
            address(two.gateway), abi.encodeCall(IGateway.sendPacket, (b.clientId, timeout, payloadsOf("port", "reply")))
        );
        receivePacket(packet);
        assertTrue(appB.callSucceeded());
        assertEq(two.gateway.nextSequenceSend(b.clientId), 2);
    }

    // The relayer chooses the gas, not the outcome

    function testFuzz_low_gas_undoes_the_delivery_and_never_fails_it(uint256 gas) public {
        expectSameOutcome(sendValue("fine"), bound(gas, 60_000, 1_400_000));
    }

    function testFuzz_low_gas_never_fails_a_packet_of_several_payloads(uint256 gas) public {
        Payload[] memory payloads = new Payload[](2);
        payloads[0] = payloadsOf("port", "fine")[0];
        payloads[1] = payloadsOf("port", "fine")[0];
        expectSameOutcome(send(a, b, timeout, payloads), bound(gas, 60_000, 1_600_000));
    }

    function testFuzz_low_gas_never_fails_an_acknowledgement(uint256 gas) public {
        Packet memory packet = sendValue("fine");
        receivePacket(packet);
        bytes memory proof = proveAcknowledged(two, only(packet));
        enter(one);
        (bool success,) = address(one.gateway).call{gas: bound(gas, 60_000, 1_400_000)}(
            abi.encodeCall(IGateway.ackPackets, (a.clientId, only(packet), acknowledgementOf("ok:fine"), proof))
        );
        assertEq(appA.acknowledged(), success ? 1 : 0);
        assertEq(one.gateway.getCommitment(sentKey(packet)) == bytes32(0), success);
    }

    function test_an_application_sees_the_gas_it_is_promised() public {
        GasMeterApp meter = new GasMeterApp();
        addApplication(one, "meter", appA);
        addApplication(two, "meter", meter);
        Packet memory packet = send(a, b, timeout, payloadsOf("meter", "x"));
        bytes memory proof = proveSent(one, only(packet));
        enter(two);
        uint256 state = vm.snapshotState();
        uint256 successes = 0;
        for (uint256 gas = 1_050_000; gas < 1_200_000; gas += 1_000) {
            (bool success,) = address(two.gateway).call{gas: gas}(
                abi.encodeCall(IGateway.recvPackets, (b.clientId, only(packet), proof))
            );
            // all but what the callee spent before it looked
            if (success) {
                ++successes;
                assertGt(meter.seen(), two.gateway.CALLBACK_GAS() - 1_000);
            }
            vm.revertToState(state);
        }
        assertGt(successes, 10);
        assertLt(successes, 140);
    }

    function test_too_little_gas_has_a_name() public {
        Packet memory packet = sendValue("fine");
        bytes memory proof = proveSent(one, only(packet));
        enter(two);
        (bool success, bytes memory reason) = address(two.gateway).call{gas: 900_000}(
            abi.encodeCall(IGateway.recvPackets, (b.clientId, only(packet), proof))
        );
        assertFalse(success);
        assertEq(reason, abi.encodeWithSelector(BoundedCall.InsufficientGas.selector));
    }

    // Callbacks of the side that sent

    function test_a_failing_acknowledgement_callback_keeps_the_packet_open_and_the_batch_going() public {
        Packet[] memory packets = new Packet[](2);
        addApplication(one, "other", new PuppetApp());
        addApplication(two, "other", new PuppetApp());
        packets[0] = sendValue("fine");
        packets[1] = send(a, b, timeout, payloadsOf("other", "fine"));
        bytes memory proof = proveSent(one, packets);
        enter(two);
        two.gateway.recvPackets(b.clientId, packets, proof);
        appA.setStubborn(true);
        bytes[][] memory acks = new bytes[][](2);
        acks[0] = acknowledgementOf("ok:fine")[0];
        acks[1] = acks[0];
        proof = proveAcknowledged(two, packets);
        bytes32 before = one.gateway.getCommitment(sentKey(packets[0]));
        enter(one);
        vm.expectEmit(address(one.gateway));
        emit IGateway.CallbackFailed(
            keccak256(bytes(a.clientId)), 1, abi.encodeWithSelector(PuppetApp.Refused.selector, bytes("fine"))
        );
        one.gateway.ackPackets(a.clientId, packets, acks, proof);
        assertEq(one.gateway.getCommitment(sentKey(packets[0])), before);
        assertEq(one.gateway.getCommitment(sentKey(packets[1])), bytes32(0));

        appA.setStubborn(false);
        one.gateway.ackPackets(a.clientId, packets, acks, proof);
        assertEq(appA.acknowledged(), 1);
        assertEq(one.gateway.getCommitment(sentKey(packets[0])), bytes32(0));
    }

    function test_a_failing_timeout_callback_keeps_the_packet_open() public {
        Payload[] memory payloads = new Payload[](2);
        PuppetApp second = new PuppetApp();
        addApplication(one, "second", second);
        payloads[0] = payloadsOf("port", "fine")[0];
        payloads[1] = payloadsOf("port", "fine")[0];
        Packet memory packet = send(a, b, timeout, payloads);
        vm.warp(timeout);
        appA.setStubborn(true);
        bytes memory proof = proveAbsent(two, only(packet));
        enter(one);
        one.gateway.timeoutPackets(a.clientId, only(packet), proof);
        assertEq(appA.timedOut(), 0);
        assertNotEq(one.gateway.getCommitment(sentKey(packet)), bytes32(0));
        appA.setStubborn(false);
        one.gateway.timeoutPackets(a.clientId, only(packet), proof);
        assertEq(appA.timedOut(), 2);
        assertEq(one.gateway.getCommitment(sentKey(packet)), bytes32(0));
    }

    // Short forms

    function sendValue(bytes memory value) internal returns (Packet memory) {
        return send(a, b, timeout, payloadsOf("port", value));
    }

    function receivePacket(Packet memory packet) internal {
        bytes memory proof = proveSent(one, only(packet));
        enter(two);
        two.gateway.recvPackets(b.clientId, only(packet), proof);
    }

    function expectReceiveFailed(Packet memory packet, bytes memory reason) internal {
        bytes memory proof = proveSent(one, only(packet));
        enter(two);
        vm.expectEmit(address(two.gateway));
        emit IGateway.ReceiveFailed(keccak256(bytes(b.clientId)), packet.sequence, reason);
        two.gateway.recvPackets(b.clientId, only(packet), proof);
    }

    function expectFailure(bytes memory value, bytes memory reason) internal {
        Packet memory packet = sendValue(value);
        expectReceiveFailed(packet, reason);
        assertEq(commitmentOf(packet), errorCommitment());
        assertEq(appB.received(), 0);
    }

    function expectSameOutcome(Packet memory packet, uint256 gas) internal {
        bytes memory proof = proveSent(one, only(packet));
        enter(two);
        (bool success,) =
            address(two.gateway).call{gas: gas}(abi.encodeCall(IGateway.recvPackets, (b.clientId, only(packet), proof)));
        assertEq(appB.received(), success ? packet.payloads.length : 0);
        if (success) assertNotEq(commitmentOf(packet), errorCommitment());
        else assertEq(commitmentOf(packet), bytes32(0));
    }

    function commitmentOf(Packet memory packet) internal view returns (bytes32) {
        return two.gateway.getCommitment(ICS24.acknowledgementKey(packet.destClient, packet.sequence));
    }

    function sentKey(Packet memory packet) internal pure returns (bytes32) {
        return ICS24.commitmentKey(packet.sourceClient, packet.sequence);
    }

    function errorCommitment() internal pure returns (bytes32) {
        return ICS24.acknowledgementCommitment(acknowledgementOf(ICS24.UNIVERSAL_ERROR)[0]);
    }

    function acknowledgementOf(bytes memory value) internal pure returns (bytes[][] memory acks) {
        acks = new bytes[][](1);
        acks[0] = new bytes[](1);
        acks[0][0] = value;
    }
}

/// @notice Notes the gas that it was called with.
contract GasMeterApp is PuppetApp {
    uint256 public seen = 1;

    function onRecvPacket(PacketContext calldata) external override returns (bytes memory) {
        uint256 gas = gasleft();
        seen = gas;
        return hex"01";
    }
}
