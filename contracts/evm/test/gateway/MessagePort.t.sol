// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IERC7786GatewaySource, IERC7786Recipient} from "@openzeppelin/contracts/interfaces/draft-IERC7786.sol";
import {ERC7786Recipient} from "@openzeppelin/contracts/crosschain/ERC7786Recipient.sol";
import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";
import {BoundedCall} from "../../src/gateway/BoundedCall.sol";
import {Applications} from "../../src/gateway/Applications.sol";
import {Routes} from "../../src/gateway/Routes.sol";
import {PacketChecks} from "../../src/gateway/PacketChecks.sol";
import {MessagePort} from "../../src/gateway/MessagePort.sol";
import {ICS24} from "../../src/gateway/ICS24.sol";
import {Packet, Payload} from "../../src/interfaces/IBCTypes.sol";
import {IIBCApp, PacketContext} from "../../src/interfaces/IIBCApp.sol";
import {IGateway} from "../../src/interfaces/IGateway.sol";
import {Network} from "../Network.sol";
import {PuppetApp} from "./PuppetApp.sol";

/// @notice A recipient as OpenZeppelin's users write one.
contract Inbox is ERC7786Recipient {
    address private immutable _gateway;
    bytes public sender;
    bytes public message;
    bytes32 public receiveId;

    constructor(address gateway) {
        _gateway = gateway;
    }

    function _isAuthorizedGateway(address gateway, bytes calldata) internal view override returns (bool) {
        return gateway == _gateway;
    }

    function _processMessage(address, bytes32 id, bytes calldata from, bytes calldata payload) internal override {
        require(payload.length > 0, "empty");
        (receiveId, sender, message) = (id, from, payload);
    }
}

/// @notice A recipient that answers with something else.
contract Mumbler {
    fallback() external payable {
        assembly {
            mstore(0, shl(224, 0xdeadbeef))
            return(0, 0x20)
        }
    }
}

/// @notice A recipient that uses up all it is given.
contract PuppetBurner {
    fallback() external payable {
        assembly {
            invalid()
        }
    }
}

/// @notice A recipient that reverts with whatever it was told to.
contract Reverter {
    bytes private _reason;

    function setReason(bytes calldata reason) external {
        _reason = reason;
    }

    fallback() external payable {
        bytes memory reason = _reason;
        assembly {
            revert(add(reason, 0x20), mload(reason))
        }
    }
}

contract MessagePortTest is Network {
    Ledger internal one;
    Ledger internal two;
    End internal a;
    End internal b;
    MessagePort internal portA;
    MessagePort internal portB;
    Inbox internal inbox;
    address internal alice = address(0xa11ce);

    function setUp() public {
        one = makeLedger(31337);
        two = makeLedger(31338);
        (a, b) = connect(one, two);
        portA = new MessagePort(one.gateway);
        portB = new MessagePort(two.gateway);
        addApplication(one, "erc7786", portA);
        addApplication(two, "erc7786", portB);
        inbox = new Inbox(address(portB));
    }

    function test_a_message_reaches_its_recipient_with_its_sender() public {
        Packet memory packet = sendMessage(onTwo(address(inbox)), "hello");
        deliver(packet);
        assertEq(inbox.message(), "hello");
        assertEq(inbox.sender(), onOne(alice));
        assertEq(inbox.receiveId(), keccak256(abi.encode(b.clientId, uint64(1))));
        assertEq(written(packet), commitmentOf(hex"01"));
    }

    function test_the_message_is_announced_as_the_standard_says() public {
        bytes memory recipient = onTwo(address(inbox));
        enter(one);
        vm.expectEmit(address(portA));
        emit IERC7786GatewaySource.MessageSent(0, onOne(alice), recipient, "hello", 0, new bytes[](0));
        vm.prank(alice);
        assertEq(portA.sendMessage(recipient, "hello", new bytes[](0)), bytes32(0));
    }

    function test_a_delivery_is_announced_by_the_name_that_its_recipient_is_told() public {
        Packet memory packet = sendMessage(onTwo(address(inbox)), "hello");
        bytes memory proof = proveSent(one, only(packet));
        enter(two);
        vm.expectEmit(address(portB));
        emit MessagePort.MessageDelivered(keccak256(abi.encode(b.clientId, uint64(1))), address(inbox));
        two.gateway.recvPackets(b.clientId, only(packet), proof);
    }

    function test_attributes_and_value_are_refused() public {
        bytes[] memory attributes = new bytes[](1);
        attributes[0] = hex"12345678aa";
        bytes memory recipient = onTwo(address(inbox));
        assertFalse(portA.supportsAttribute(0x12345678));
        enter(one);
        vm.expectRevert(
            abi.encodeWithSelector(IERC7786GatewaySource.UnsupportedAttribute.selector, bytes4(0x12345678))
        );
        portA.sendMessage(recipient, "hello", attributes);
        vm.expectRevert(abi.encodeWithSelector(MessagePort.UnexpectedValue.selector, uint256(1)));
        portA.sendMessage{value: 1}(recipient, "hello", new bytes[](0));
    }

    function test_a_recipient_is_an_account_of_a_connected_ledger() public {
        enter(one);
        bytes[4] memory bad =
            [bytes(""), ledgerBytes(two), bytes.concat(onTwo(address(inbox)), hex"00"), hex"deadbeefdeadbeef"];
        for (uint256 i = 0; i < bad.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(MessagePort.InvalidRecipient.selector, bad[i]));
            portA.sendMessage(bad[i], "hello", new bytes[](0));
        }
        bytes memory nowhere = InteroperableAddress.formatEvmV1(99, address(inbox));
        vm.expectRevert(
            abi.encodeWithSelector(MessagePort.UnreachableLedger.selector, InteroperableAddress.formatEvmV1(99))
        );
        portA.sendMessage(nowhere, "hello", new bytes[](0));
    }

    function test_a_recipient_that_does_not_confirm_refuses_the_message() public {
        address mumbler = address(new Mumbler());
        expectRefused(
            sendMessage(onTwo(mumbler), "hello"), abi.encodeWithSelector(MessagePort.NotConfirmed.selector, mumbler)
        );
    }

    function test_a_recipient_without_code_refuses_the_message() public {
        expectRefused(sendMessage(onTwo(alice), "hello"), "");
    }

    function test_a_recipient_that_reverts_refuses_the_message_and_the_sender_learns_it() public {
        Packet memory packet = sendMessage(onTwo(address(inbox)), "");
        expectRefused(packet, failed(address(inbox), abi.encodeWithSignature("Error(string)", "empty")));
        bytes[][] memory acks = new bytes[][](1);
        acks[0] = new bytes[](1);
        acks[0][0] = ICS24.UNIVERSAL_ERROR;
        bytes memory proof = proveAcknowledged(two, only(packet));
        enter(one);
        vm.expectEmit(address(portA));
        emit MessagePort.MessageFailed(a.clientId, 1);
        one.gateway.ackPackets(a.clientId, only(packet), acks, proof);
    }

    /// @dev The gateway leaves a packet open that its application does not want yet: no stranger may say so.
    function test_a_recipient_s_own_not_yet_refuses_the_message() public {
        expectRefusedFor(abi.encodeWithSelector(IIBCApp.NotYet.selector));
    }

    /// @dev Whatever a recipient reverts with is nobody else's word.
    function testFuzz_whatever_a_recipient_reverts_with_the_message_is_refused(bytes memory reason, uint256 kind) public {
        bytes4[5] memory words = [
            IIBCApp.NotYet.selector,
            Applications.ApplicationFailed.selector,
            BoundedCall.InsufficientGas.selector,
            PacketChecks.InvalidAcknowledgement.selector,
            Routes.UnknownClient.selector
        ];
        kind = bound(kind, 0, 2 * words.length);
        if (kind < words.length) reason = abi.encodePacked(words[kind]);
        else if (kind < 2 * words.length) reason = abi.encodePacked(words[kind - words.length], reason);
        if (reason.length > 300) return;
        expectRefusedFor(reason);
    }

    /// @dev With more than the gateway keeps, and with all the gas there is.
    function test_a_recipient_that_wastes_what_it_is_given_refuses_the_message() public {
        Reverter reverter = new Reverter();
        reverter.setReason(new bytes(4000));
        Packet memory packet = sendMessage(onTwo(address(reverter)), "hello");
        deliver(packet);
        assertEq(written(packet), commitmentOf(ICS24.UNIVERSAL_ERROR));
        PuppetBurner burner = new PuppetBurner();
        packet = sendMessage(onTwo(address(burner)), "hello");
        deliver(packet);
        assertEq(written(packet), commitmentOf(ICS24.UNIVERSAL_ERROR));
    }

    function test_a_message_that_comes_too_late_is_told_to_have_failed() public {
        Packet memory packet = sendMessage(onTwo(address(inbox)), "late");
        vm.warp(packet.timeoutTimestamp);
        bytes memory proof = proveAbsent(two, only(packet));
        enter(one);
        vm.expectEmit(address(portA));
        emit MessagePort.MessageFailed(a.clientId, 1);
        one.gateway.timeoutPackets(a.clientId, only(packet), proof);
    }

    function test_a_ledger_cannot_speak_for_another() public {
        bytes memory foreign = InteroperableAddress.formatEvmV1(1, alice);
        expectRefused(
            forged(abi.encode(uint8(3), foreign, onTwo(address(inbox)), bytes("hello"))),
            abi.encodeWithSelector(MessagePort.WrongSender.selector, foreign, b.clientId)
        );
    }

    function test_a_message_for_another_chain_is_refused() public {
        bytes memory elsewhere = InteroperableAddress.formatEvmV1(1, address(inbox));
        expectRefused(
            forged(abi.encode(uint8(3), onOne(alice), elsewhere, bytes("hello"))),
            abi.encodeWithSelector(MessagePort.InvalidRecipient.selector, elsewhere)
        );
    }

    function test_a_message_for_nobody_or_for_another_spelling_of_somebody_is_refused() public {
        bytes[2] memory recipients =
            [onTwo(address(0)), abi.encodePacked(hex"0001000003007a6a14", address(inbox))];
        for (uint256 i = 0; i < 2; ++i) {
            expectRefused(
                forged(abi.encode(uint8(3), onOne(alice), recipients[i], bytes("hello"))),
                abi.encodeWithSelector(MessagePort.InvalidRecipient.selector, recipients[i])
            );
        }
    }

    function test_another_tag_or_garbage_is_refused() public {
        expectRefused(
            forged(abi.encode(uint8(2), onOne(alice), onTwo(address(inbox)), bytes("hello"))),
            abi.encodeWithSelector(MessagePort.UnexpectedPayload.selector)
        );
        expectRefused(forged("garbage"), "");
    }

    function test_a_message_of_another_port_version_or_encoding_is_refused() public {
        bytes memory value = abi.encode(uint8(3), onOne(alice), onTwo(address(inbox)), bytes("hello"));
        bytes memory refusal = abi.encodeWithSelector(MessagePort.UnexpectedPayload.selector);
        PuppetApp stranger = new PuppetApp();
        addApplication(one, "stranger", stranger);
        Packet memory packet = packetWith(value);
        packet.payloads[0].sourcePort = "stranger";
        commitTo(packet, address(stranger));
        expectRefused(packet, refusal);

        packet = packetWith(value);
        packet.payloads[0].version = "caimi-message-2";
        commitTo(packet, address(portA));
        expectRefused(packet, refusal);

        packet = packetWith(value);
        packet.payloads[0].encoding = "application/json";
        commitTo(packet, address(portA));
        expectRefused(packet, refusal);
    }

    function test_messages_cannot_reach_the_gateway_or_its_applications() public {
        expectRefused(sendMessage(onTwo(address(two.gateway)), "hello"), failed(address(two.gateway), ""));
        expectRefused(sendMessage(onTwo(address(portB)), "hello"), failed(address(portB), ""));
    }

    function test_only_the_gateway_calls_back() public {
        PacketContext memory context;
        bytes memory refusal = abi.encodeWithSelector(MessagePort.OnlyGateway.selector, address(this));
        vm.expectRevert(refusal);
        portA.onRecvPacket(context);
        vm.expectRevert(refusal);
        portA.onAcknowledgementPacket(context, "");
        vm.expectRevert(refusal);
        portA.onTimeoutPacket(context);
    }

    // Short forms

    function onOne(address account) private pure returns (bytes memory) {
        return InteroperableAddress.formatEvmV1(31337, account);
    }

    function onTwo(address account) private pure returns (bytes memory) {
        return InteroperableAddress.formatEvmV1(31338, account);
    }

    function packetWith(bytes memory value) private view returns (Packet memory) {
        Payload[] memory payloads = new Payload[](1);
        payloads[0] = Payload("erc7786", "erc7786", "caimi-message-1", "application/x-solidity-abi", value);
        uint64 sequence = one.gateway.nextSequenceSend(a.clientId);
        return Packet(sequence, a.clientId, b.clientId, uint64(block.timestamp + 12 hours), payloads);
    }

    function sendMessage(bytes memory recipient, bytes memory message) private returns (Packet memory packet) {
        enter(one);
        packet = packetWith(abi.encode(uint8(3), onOne(alice), recipient, message));
        vm.prank(alice);
        portA.sendMessage(recipient, message, new bytes[](0));
        assertEq(
            one.gateway.getCommitment(ICS24.commitmentKey(a.clientId, packet.sequence)),
            this.commit(packet.destClient, packet.timeoutTimestamp, packet.payloads)
        );
    }

    function commit(string calldata destClient, uint64 timeout, Payload[] calldata payloads)
        external
        view
        returns (bytes32)
    {
        return ICS24.packetCommitment(destClient, timeout, payloads);
    }

    /// @dev What a dishonest port on the other side could have sent.
    function forged(bytes memory value) private returns (Packet memory packet) {
        packet = packetWith(value);
        commitTo(packet, address(portA));
    }

    function commitTo(Packet memory packet, address application) private {
        enter(one);
        vm.prank(application);
        one.gateway.sendPacket(a.clientId, packet.timeoutTimestamp, packet.payloads);
    }

    function deliver(Packet memory packet) private {
        bytes memory proof = proveSent(one, only(packet));
        enter(two);
        two.gateway.recvPackets(b.clientId, only(packet), proof);
    }

    function expectRefused(Packet memory packet, bytes memory reason) private {
        bytes memory proof = proveSent(one, only(packet));
        enter(two);
        vm.expectEmit(address(two.gateway));
        emit IGateway.ReceiveFailed(keccak256(bytes(b.clientId)), packet.sequence, reason);
        two.gateway.recvPackets(b.clientId, only(packet), proof);
        assertEq(written(packet), commitmentOf(ICS24.UNIVERSAL_ERROR));
    }

    function expectRefusedFor(bytes memory reason) private {
        Reverter reverter = new Reverter();
        reverter.setReason(reason);
        expectRefused(sendMessage(onTwo(address(reverter)), "hello"), failed(address(reverter), reason));
    }

    function failed(address recipient, bytes memory reason) private pure returns (bytes memory) {
        return abi.encodeWithSelector(MessagePort.RecipientFailed.selector, recipient, reason);
    }

    function written(Packet memory packet) private view returns (bytes32) {
        return two.gateway.getCommitment(ICS24.acknowledgementKey(b.clientId, packet.sequence));
    }

    function commitmentOf(bytes memory acknowledgement) private pure returns (bytes32) {
        bytes[] memory acks = new bytes[](1);
        acks[0] = acknowledgement;
        return ICS24.acknowledgementCommitment(acks);
    }
}
