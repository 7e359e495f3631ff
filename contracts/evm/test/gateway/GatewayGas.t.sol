// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IIBCApp} from "../../src/interfaces/IIBCApp.sol";
import {IGateway} from "../../src/interfaces/IGateway.sol";
import {Packet, Payload} from "../../src/interfaces/IBCTypes.sol";
import {Network} from "../Network.sol";
import {CounterApp} from "../measured/CounterApp.sol";

/// @notice What a transaction costs, as its receipt says: each call is a transaction of its own (isolated).
/// forge-config: default.isolate = true
contract GatewayGasTest is Network {
    End internal a;
    End internal b;
    address internal app;

    function setUp() public {
        (a, b) = connect(makeLedger(31337), makeLedger(31338));
        CounterApp counter = CounterApp(vm.deployCode("CounterApp.sol:CounterApp", ""));
        app = address(counter);
        addApplication(a.ledger, "licence", counter);
        addApplication(b.ledger, "licence", counter);
        // the first packet of a connection pays for fresh slots
        deliver(1, hex"01");
    }

    function test_gas_of_one_packet() public {
        (uint256 sent, uint256 received, uint256 acknowledged) = deliver(1, bytes.concat(keccak256("value")));
        vm.snapshotValue("send 32 bytes", sent);
        vm.snapshotValue("receive 1 of 32 bytes, 3 of 5", received);
        vm.snapshotValue("acknowledge 1 of 32 bytes, 3 of 5", acknowledged);
        assertLe(sent, 66_000);
        assertLe(received, 124_000);
        assertLe(acknowledged, 105_000);
    }

    function test_gas_of_100_packets() public {
        (, uint256 received, uint256 acknowledged) = deliver(100, bytes.concat(keccak256("value")));
        vm.snapshotValue("receive each of 100 of 32 bytes, 3 of 5", received);
        vm.snapshotValue("acknowledge each of 100 of 32 bytes, 3 of 5", acknowledged);
        assertLe(received, 54_000);
        assertLe(acknowledged, 31_000);
    }

    function test_gas_of_a_committee_of_19() public {
        (a, b) = connect(makeLedger(41337, makeKeys(0, 13, 19, 1)), makeLedger(41338, makeKeys(0, 13, 19, 2)));
        addApplication(a.ledger, "licence", IIBCApp(app));
        addApplication(b.ledger, "licence", IIBCApp(app));
        deliver(1, hex"01");
        bytes memory value = bytes.concat(keccak256("value"));
        (, uint256 received,) = deliver(1, value);
        vm.snapshotValue("receive 1 of 32 bytes, 13 of 19", received);
        assertLe(received, 175_000);
        uint256 acknowledged;
        (, received, acknowledged) = deliver(100, value);
        vm.snapshotValue("receive each of 100 of 32 bytes, 13 of 19", received);
        vm.snapshotValue("acknowledge each of 100 of 32 bytes, 13 of 19", acknowledged);
        assertLe(received, 63_000);
        assertLe(acknowledged, 31_000);
    }

    function test_gas_of_100_licences() public {
        // as long as a licence's payload
        bytes memory value = abi.encode(
            uint8(2), uint256(keccak256("model")), "1.0.0", hex"000100000214ff00112233445566778899aabbccddeeff00112233",
            address(0), uint256(5 ether)
        );
        (uint256 sent, uint256 received, uint256 acknowledged) = deliver(100, value);
        vm.snapshotValue("send a licence", sent);
        vm.snapshotValue("receive each of 100 licences, 3 of 5", received);
        vm.snapshotValue("acknowledge each of 100 licences, 3 of 5", acknowledged);
        assertLe(received, 68_000);
    }

    function deliver(uint256 count, bytes memory value)
        private
        returns (uint256 sent, uint256 received, uint256 acknowledged)
    {
        Packet[] memory packets = new Packet[](count);
        bytes[][] memory acks = new bytes[][](count);
        uint64 timeout = uint64(block.timestamp + 1 hours);
        for (uint256 i = 0; i < count; ++i) {
            enter(a.ledger);
            Payload[] memory payloads = payloadsOf("licence", value);
            bytes memory call = abi.encodeCall(IGateway.sendPacket, (a.clientId, timeout, payloads));
            sent = measure(a.ledger, call);
            uint64 sequence = a.ledger.gateway.nextSequenceSend(a.clientId) - 1;
            packets[i] = Packet(sequence, a.clientId, b.clientId, timeout, payloads);
            acks[i] = new bytes[](1);
            acks[i][0] = hex"01";
        }
        bytes memory proof = proveSent(a.ledger, packets);
        received = measure(b.ledger, abi.encodeCall(IGateway.recvPackets, (b.clientId, packets, proof))) / count;
        proof = proveAcknowledged(b.ledger, packets);
        acknowledged =
            measure(a.ledger, abi.encodeCall(IGateway.ackPackets, (a.clientId, packets, acks, proof))) / count;
    }

    function measure(Ledger memory ledger, bytes memory call) private returns (uint256) {
        enter(ledger);
        vm.prank(app);
        (bool success,) = address(ledger.gateway).call(call);
        assertTrue(success);
        return vm.lastCallGas().gasTotalUsed; // of a transaction, with what is refunded taken off
    }
}
