// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";
import {CommitteeClient} from "../src/clients/CommitteeClient.sol";
import {Gateway} from "../src/gateway/Gateway.sol";
import {ICS24} from "../src/gateway/ICS24.sol";
import {Packet, Payload} from "../src/interfaces/IBCTypes.sol";
import {Checkpoint, StatementKind} from "../src/interfaces/ICommitteeClient.sol";
import {IIBCApp} from "../src/interfaces/IIBCApp.sol";
import {Committee} from "./Committee.sol";

/// @notice Ledgers of tests: gateways with different chain ids in one machine, joined by committee clients.
/// @dev Time is shared. {enter} sets the chain id to that of a ledger before something runs there.
abstract contract Network is Committee {
    struct Ledger {
        uint256 chainId;
        Gateway gateway;
        Keys keys; // of the committee that attests to this ledger
    }

    /// @dev One side of a connection.
    struct End {
        Ledger ledger;
        string clientId;
        CommitteeClient client; // about the other side
    }

    AccessManager internal manager;
    uint64 internal height = 1;

    function makeLedger(uint256 chainId) internal returns (Ledger memory ledger) {
        return makeLedger(chainId, makeKeys(0, 3, 5, chainId));
    }

    function makeLedger(uint256 chainId, Keys memory keys) internal returns (Ledger memory ledger) {
        vm.chainId(chainId);
        if (address(manager) == address(0)) {
            manager = AccessManager(vm.deployCode("AccessManager.sol:AccessManager", abi.encode(address(this))));
            vm.warp(1_700_000_000);
        }
        ledger = Ledger(chainId, new Gateway(address(manager)), keys);
    }

    function enter(Ledger memory ledger) internal {
        vm.chainId(ledger.chainId);
    }

    function ledgerBytes(Ledger memory ledger) internal pure returns (bytes memory) {
        return InteroperableAddress.formatEvmV1(ledger.chainId);
    }

    function gatewayBytes(Ledger memory ledger) internal pure returns (bytes memory) {
        return InteroperableAddress.formatEvmV1(ledger.chainId, address(ledger.gateway));
    }

    function connect(Ledger memory a, Ledger memory b) internal returns (End memory atA, End memory atB) {
        atA = _addClient(a, b);
        atB = _addClient(b, a);
        a.gateway.setCounterparty(atA.clientId, atB.clientId);
        b.gateway.setCounterparty(atB.clientId, atA.clientId);
    }

    function _addClient(Ledger memory ledger, Ledger memory about) private returns (End memory) {
        enter(ledger);
        CommitteeClient client = new CommitteeClient(
            gatewayBytes(about), about.keys.epoch, about.keys.threshold, about.keys.members, about.keys.operators, address(manager)
        );
        return End(ledger, ledger.gateway.addClient(client, ledgerBytes(about)), client);
    }

    function addApplication(Ledger memory ledger, string memory port, IIBCApp application) internal {
        ledger.gateway.addApplication(port, application);
    }

    // Packets

    function payloadsOf(string memory port, bytes memory value) internal pure returns (Payload[] memory payloads) {
        payloads = new Payload[](1);
        payloads[0] = Payload(port, port, "test-1", "application/x-solidity-abi", value);
    }

    /// @dev Sends as the application at the first payload's port.
    function send(End memory from, End memory to, uint64 timeout, Payload[] memory payloads)
        internal
        returns (Packet memory)
    {
        enter(from.ledger);
        vm.prank(address(from.ledger.gateway.getApplication(payloads[0].sourcePort)));
        uint64 sequence = from.ledger.gateway.sendPacket(from.clientId, timeout, payloads);
        return Packet(sequence, from.clientId, to.clientId, timeout, payloads);
    }

    function only(Packet memory packet) internal pure returns (Packet[] memory packets) {
        packets = new Packet[](1);
        packets[0] = packet;
    }

    // What validators of a ledger sign

    function checkpointOf(Ledger memory ledger) internal returns (Checkpoint memory checkpoint) {
        checkpoint.origin = keccak256(gatewayBytes(ledger));
        checkpoint.from = height;
        checkpoint.height = ++height;
        checkpoint.time = uint64(block.timestamp);
    }

    function proveSent(Ledger memory source, Packet[] memory packets) internal returns (bytes memory) {
        bytes32[] memory keys = new bytes32[](packets.length);
        bytes32[] memory values = new bytes32[](packets.length);
        for (uint256 i = 0; i < packets.length; ++i) {
            keys[i] = ICS24.commitmentKey(packets[i].sourceClient, packets[i].sequence);
            values[i] = source.gateway.getCommitment(keys[i]);
        }
        return proveValues(source, keys, values);
    }

    function proveAcknowledged(Ledger memory dest, Packet[] memory packets) internal returns (bytes memory) {
        bytes32[] memory keys = new bytes32[](packets.length);
        bytes32[] memory values = new bytes32[](packets.length);
        for (uint256 i = 0; i < packets.length; ++i) {
            keys[i] = ICS24.acknowledgementKey(packets[i].destClient, packets[i].sequence);
            values[i] = dest.gateway.getCommitment(keys[i]);
        }
        return proveValues(dest, keys, values);
    }

    function proveValues(Ledger memory ledger, bytes32[] memory keys, bytes32[] memory values)
        internal
        returns (bytes memory)
    {
        return abi.encode(signLeaves(ledger.keys, StatementKind.Checkpoint, checkpointOf(ledger), keys, values));
    }

    function proveAbsent(Ledger memory dest, Packet[] memory packets) internal returns (bytes memory) {
        bytes32[] memory keys = new bytes32[](packets.length);
        for (uint256 i = 0; i < packets.length; ++i) {
            keys[i] = ICS24.receiptKey(packets[i].destClient, packets[i].sequence);
        }
        Checkpoint memory checkpoint = checkpointOf(dest);
        checkpoint.from = checkpoint.height;
        return abi.encode(
            signLeaves(dest.keys, StatementKind.Absence, checkpoint, keys, new bytes32[](packets.length))
        );
    }
}
