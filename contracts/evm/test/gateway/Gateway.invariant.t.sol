// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ICS24} from "../../src/gateway/ICS24.sol";
import {Packet} from "../../src/interfaces/IBCTypes.sol";
import {IIBCApp, PacketContext} from "../../src/interfaces/IIBCApp.sol";
import {Network} from "../Network.sol";
import {Test} from "../Test.sol";

/// @notice Notes how often each packet was told to it, and fails when it is told to.
contract Ledgerkeeper is IIBCApp {
    mapping(uint64 sequence => uint256) public received;
    mapping(uint64 sequence => uint256) public succeeded; // acknowledged as received
    mapping(uint64 sequence => uint256) public refused; // acknowledged with the universal error
    mapping(uint64 sequence => uint256) public timedOut;
    bool public moody;

    function setMoody(bool value) external {
        moody = value;
    }

    function onRecvPacket(PacketContext calldata context) external returns (bytes memory) {
        require(!moody, "moody");
        ++received[context.sequence];
        return hex"01";
    }

    function onAcknowledgementPacket(PacketContext calldata context, bytes calldata acknowledgement) external {
        require(!moody, "moody");
        if (ICS24.isUniversalError(acknowledgement)) ++refused[context.sequence];
        else ++succeeded[context.sequence];
    }

    function onTimeoutPacket(PacketContext calldata context) external {
        require(!moody, "moody");
        ++timedOut[context.sequence];
    }
}

/// @notice Relayers, time and moody applications in any order: what they can do to packets from one ledger to another.
contract RelayHandler is Network {
    End internal a;
    End internal b;
    Ledgerkeeper public appA;
    Ledgerkeeper public appB;
    bytes[] internal packets; // encoded

    constructor() {
        (a, b) = connect(makeLedger(31337), makeLedger(31338));
        appA = new Ledgerkeeper();
        appB = new Ledgerkeeper();
        addApplication(a.ledger, "port", appA);
        addApplication(b.ledger, "port", appB);
    }

    function sendOne(uint256 lifetime) external {
        uint64 timeout = uint64(block.timestamp + bound(lifetime, 1, 24 hours));
        packets.push(abi.encode(send(a, b, timeout, payloadsOf("port", abi.encode(packets.length)))));
    }

    function receiveSome(uint256 first, uint256 many) external {
        Packet[] memory some = chosen(first, many);
        if (some.length == 0) return;
        enter(b.ledger);
        bytes32[] memory keys = new bytes32[](some.length);
        bytes32[] memory values = new bytes32[](some.length);
        for (uint256 i = 0; i < some.length; ++i) {
            keys[i] = ICS24.commitmentKey(a.clientId, some[i].sequence);
            values[i] = this.commitmentOf(some[i]); // what was sent stays provable after it ended
        }
        b.ledger.gateway.recvPackets(b.clientId, some, proveValues(a.ledger, keys, values));
    }

    function commitmentOf(Packet calldata packet) external view returns (bytes32) {
        return ICS24.packetCommitment(packet.destClient, packet.timeoutTimestamp, packet.payloads);
    }

    function acknowledgeSome(uint256 first, uint256 many) external {
        Packet[] memory some = chosen(first, many);
        uint256 length = 0;
        for (uint256 i = 0; i < some.length; ++i) {
            if (b.ledger.gateway.hasReceipt(b.clientId, some[i].sequence)) some[length++] = some[i];
        }
        if (length == 0) return;
        Packet[] memory answered = new Packet[](length);
        bytes[][] memory acks = new bytes[][](length);
        for (uint256 i = 0; i < length; ++i) {
            answered[i] = some[i];
            acks[i] = new bytes[](1);
            acks[i][0] = appB.received(some[i].sequence) == 1 ? bytes(hex"01") : ICS24.UNIVERSAL_ERROR;
        }
        bytes memory proof = proveAcknowledged(b.ledger, answered);
        enter(a.ledger);
        a.ledger.gateway.ackPackets(a.clientId, answered, acks, proof);
    }

    function expireSome(uint256 first, uint256 many) external {
        Packet[] memory some = chosen(first, many);
        uint256 length = 0;
        for (uint256 i = 0; i < some.length; ++i) {
            bool received = b.ledger.gateway.hasReceipt(b.clientId, some[i].sequence);
            if (!received && block.timestamp >= some[i].timeoutTimestamp) some[length++] = some[i];
        }
        if (length == 0) return;
        Packet[] memory late = new Packet[](length);
        for (uint256 i = 0; i < length; ++i) {
            late[i] = some[i];
        }
        bytes memory proof = proveAbsent(b.ledger, late);
        enter(a.ledger);
        a.ledger.gateway.timeoutPackets(a.clientId, late, proof);
    }

    function pass(uint256 seconds_) external {
        vm.warp(block.timestamp + bound(seconds_, 1, 8 hours));
    }

    function turnMood(bool first) external {
        Ledgerkeeper app = first ? appA : appB;
        app.setMoody(!app.moody());
    }

    function sent() external view returns (uint256) {
        return packets.length;
    }

    function isOpen(uint64 sequence) external view returns (bool) {
        return a.ledger.gateway.getCommitment(ICS24.commitmentKey(a.clientId, sequence)) != 0;
    }

    function hasReceipt(uint64 sequence) external view returns (bool) {
        return b.ledger.gateway.hasReceipt(b.clientId, sequence);
    }

    function chosen(uint256 first, uint256 many) private view returns (Packet[] memory some) {
        if (packets.length == 0) return some;
        first = bound(first, 0, packets.length - 1);
        uint256 most = packets.length - first;
        many = bound(many, 1, most < 4 ? most : 4);
        some = new Packet[](many);
        for (uint256 i = 0; i < many; ++i) {
            some[i] = abi.decode(packets[first + i], (Packet));
        }
    }
}

contract GatewayInvariantTest is Test {
    RelayHandler internal handler;

    function setUp() public {
        handler = new RelayHandler();
        targetContract(address(handler));
        bytes4[] memory selectors = new bytes4[](6);
        selectors[0] = RelayHandler.sendOne.selector;
        selectors[1] = RelayHandler.receiveSome.selector;
        selectors[2] = RelayHandler.acknowledgeSome.selector;
        selectors[3] = RelayHandler.expireSome.selector;
        selectors[4] = RelayHandler.pass.selector;
        selectors[5] = RelayHandler.turnMood.selector;
        targetSelector(address(handler), selectors);
    }

    function invariant_a_packet_takes_effect_at_most_once_and_ends_at_most_one_way() public view {
        (Ledgerkeeper appA, Ledgerkeeper appB) = (handler.appA(), handler.appB());
        for (uint64 i = 1; i <= handler.sent(); ++i) {
            uint256 received = appB.received(i);
            uint256 ended = appA.succeeded(i) + appA.refused(i) + appA.timedOut(i);
            assertLe(received, 1, "received more than once");
            assertLe(ended, 1, "ended more than once");
            assertTrue((ended == 0) == handler.isOpen(i), "open although ended, or lost");
            assertLe(appA.succeeded(i), received, "acknowledged although not received");
            assertLe(received + appA.refused(i) + appA.timedOut(i), 1, "refunded although received");
            if (received == 1) assertTrue(handler.hasReceipt(i), "received without a receipt");
        }
    }
}
