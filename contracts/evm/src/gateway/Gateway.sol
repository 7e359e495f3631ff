// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Memory} from "@openzeppelin/contracts/utils/Memory.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Packet, Payload} from "../interfaces/IBCTypes.sol";
import {IGateway} from "../interfaces/IGateway.sol";
import {IIBCApp} from "../interfaces/IIBCApp.sol";
import {Applications} from "./Applications.sol";
import {CommitmentStore} from "./CommitmentStore.sol";
import {IBCProto} from "./IBCProto.sol";
import {ICS24} from "./ICS24.sol";
import {Routes} from "./Routes.sol";

/// @notice IBC v2 router of one EVM ledger: ICS-26 with the commitments of ICS-24, as ibc-go's 04-channel/v2 does it.
/// @dev The entry points: what packets do. Where commitments are is {CommitmentStore}'s matter, the ways to other
///      ledgers are {Routes}', the calls of applications {Applications}', and what a packet must look like
///      {PacketChecks}'. Invariants, beside theirs:
///      - a packet is received at most once, and only before its timeout;
///      - a packet sent ends once: its commitment goes in the transaction that tells its applications, and only on
///        proof of its acknowledgement, or of the receipt's absence at a time not before its timeout;
///      - nothing but registered applications and light clients is called, so no message can reach anything else.
contract Gateway is AccessManaged, CommitmentStore, Routes, Applications, ReentrancyGuardTransient {
    error InvalidTimeout(uint64 timeoutTimestamp, uint256 currentTime);
    error CommitmentMismatch(uint64 sequence);
    error TimeoutNotReached(uint64 sequence, uint64 timeoutTimestamp, uint64 provedTime);
    error NotPending(string destClient, uint64 sequence);
    error EmptyBatch();
    error LengthMismatch();

    /// @dev Who owes the acknowledgement at a key.
    mapping(bytes32 key => address application) private _pending;

    constructor(address authority) AccessManaged(authority) {}

    // Sending

    /// @inheritdoc IGateway
    /// @dev Not locked: applications may send from a callback, and nothing here hands control away.
    function sendPacket(string calldata sourceClient, uint64 timeoutTimestamp, Payload[] calldata payloads)
        external
        returns (uint64 sequence)
    {
        string memory clientId = sourceClient;
        (Route storage route, bytes32 clientHash, string memory destClient, uint256 head) = _openRoute(clientId);
        require(
            timeoutTimestamp > block.timestamp && timeoutTimestamp - block.timestamp <= MAX_TIMEOUT,
            InvalidTimeout(timeoutTimestamp, block.timestamp)
        );
        uint256 length = 0;
        for (uint256 i = 0; i < payloads.length; ++i) {
            Payload calldata payload = payloads[i];
            length += _checkPayload(payload, i);
            _checkPorts(payload);
        }
        _checkTotal(payloads.length, length);

        sequence = uint64(head);
        _setWord(route, head + 1); // 2^64 packets are never sent
        (bytes memory packet, bytes32 commitment) =
            IBCProto.encodePacket(sequence, clientId, destClient, timeoutTimestamp, payloads);
        _commitments[ICS24.commitmentKey(clientId, sequence)] = commitment;
        emit PacketSent(clientHash, sequence, packet);
    }

    // Receiving

    /// @inheritdoc IGateway
    function recvPackets(string calldata destClient, Packet[] calldata packets, bytes calldata proof)
        external
        nonReentrant
    {
        (Route storage route, bytes32 clientHash, string memory sourceClient, uint256 head) =
            _openRoute(destClient);
        require(packets.length > 0, EmptyBatch());
        bytes32[] memory keys = new bytes32[](packets.length);
        bytes32[] memory values = new bytes32[](packets.length);
        bytes32 sourceHash = keccak256(bytes(sourceClient));
        Memory.Pointer free = Memory.getFreeMemoryPointer();
        for (uint256 i = 0; i < packets.length; ++i) {
            Packet calldata packet = packets[i];
            _checkRoute(packet, sourceHash, clientHash);
            _checkPayloads(packet.payloads);
            keys[i] = ICS24.commitmentKey(sourceClient, packet.sequence);
            values[i] = ICS24.packetCommitment(destClient, packet.timeoutTimestamp, packet.payloads);
            // What one packet needed serves the next, or a batch would pay for its memory squared.
            Memory.unsafeSetFreeMemoryPointer(free);
        }
        uint64 height = _verifyMembership(route, head, keys, values, proof);

        for (uint256 i = 0; i < packets.length; ++i) {
            _receive(clientHash, packets[i], height);
            Memory.unsafeSetFreeMemoryPointer(free);
        }
    }

    /// @dev The slot is taken before applications run, so that none can have the packet delivered again, and stays so until
    ///      one that answers later has done so. {ICS24-PENDING} is no acknowledgement's commitment (it is no known hash),
    ///      so none can be proved in the meantime: who reads the slot must tell the two apart.
    ///      Whoever calls is locked out of all that writes this slot; {sendPacket} is open and writes fresh ones only.
    // slither-disable-next-line reentrancy-no-eth
    function _receive(bytes32 clientHash, Packet calldata packet, uint64 height) private {
        bytes32 key = ICS24.acknowledgementKey(packet.destClient, packet.sequence);
        if (_commitments[key] != 0 || block.timestamp >= packet.timeoutTimestamp) {
            emit PacketSkipped(clientHash, packet.sequence);
            return;
        }
        _commitments[key] = ICS24.PENDING;
        (bytes[] memory acknowledgements, bytes memory failure) = _deliver(packet, height);
        if (acknowledgements.length == 0) {
            bytes memory reason = _reasonOf(failure);
            if (reason.length == 4 && bytes4(reason) == IIBCApp.NotYet.selector) {
                delete _commitments[key];
                emit PacketSkipped(clientHash, packet.sequence);
                return;
            }
            emit ReceiveFailed(clientHash, packet.sequence, reason);
            acknowledgements = new bytes[](1);
            acknowledgements[0] = ICS24.UNIVERSAL_ERROR;
        } else if (acknowledgements[0].length == 0) {
            _pending[key] = _applicationAt(packet.payloads[0].destPort);
            emit AcknowledgementDeferred(clientHash, packet.sequence);
            return;
        }
        _writeAcknowledgement(key, clientHash, packet.sequence, acknowledgements);
    }

    function _writeAcknowledgement(
        bytes32 key,
        bytes32 clientHash,
        uint64 sequence,
        bytes[] memory acknowledgements
    ) private {
        _commitments[key] = ICS24.acknowledgementCommitment(acknowledgements);
        emit AcknowledgementWritten(clientHash, sequence, IBCProto.encodeAcknowledgement(acknowledgements));
    }

    /// @inheritdoc IGateway
    /// @dev Not locked, as {sendPacket}: it writes a slot that only its caller may write, once.
    function writeAcknowledgement(string calldata destClient, uint64 sequence, bytes calldata acknowledgement)
        external
    {
        bytes32 key = ICS24.acknowledgementKey(destClient, sequence);
        require(_pending[key] == msg.sender, NotPending(destClient, sequence));
        require(
            acknowledgement.length > 0 && acknowledgement.length <= MAX_ACKNOWLEDGEMENT_LENGTH,
            InvalidAcknowledgement()
        );
        delete _pending[key];
        bytes[] memory acknowledgements = new bytes[](1);
        acknowledgements[0] = acknowledgement;
        _writeAcknowledgement(key, keccak256(bytes(destClient)), sequence, acknowledgements);
    }

    // Ending what was sent

    /// @inheritdoc IGateway
    function ackPackets(
        string calldata sourceClient,
        Packet[] calldata packets,
        bytes[][] calldata acknowledgements,
        bytes calldata proof
    ) external nonReentrant {
        (Route storage route, bytes32 clientHash, string memory destClient, uint256 head) =
            _route(sourceClient);
        require(packets.length > 0, EmptyBatch());
        require(packets.length == acknowledgements.length, LengthMismatch());
        bytes32[] memory keys = new bytes32[](packets.length);
        bytes32[] memory values = new bytes32[](packets.length);
        bytes32 destHash = keccak256(bytes(destClient));
        Memory.Pointer free = Memory.getFreeMemoryPointer();
        for (uint256 i = 0; i < packets.length; ++i) {
            Packet calldata packet = packets[i];
            _checkRoute(packet, clientHash, destHash);
            _checkAcknowledgement(acknowledgements[i], packet.payloads.length);
            keys[i] = ICS24.acknowledgementKey(destClient, packet.sequence);
            values[i] = ICS24.acknowledgementCommitment(acknowledgements[i]);
            Memory.unsafeSetFreeMemoryPointer(free);
        }
        // An acknowledgement stays written: when does not matter.
        // slither-disable-next-line unused-return
        _verifyMembership(route, head, keys, values, proof);

        for (uint256 i = 0; i < packets.length; ++i) {
            Packet calldata packet = packets[i];
            bytes[] memory calls = new bytes[](packet.payloads.length);
            for (uint256 j = 0; j < calls.length; ++j) {
                // One universal error stands for every payload.
                bytes calldata acknowledgement = acknowledgements[i][acknowledgements[i].length == 1 ? 0 : j];
                calls[j] = _encodeAcknowledgement(packet, packet.payloads[j], acknowledgement);
            }
            if (_end(clientHash, packet, calls)) emit PacketAcknowledged(clientHash, packet.sequence);
            Memory.unsafeSetFreeMemoryPointer(free);
        }
    }

    /// @inheritdoc IGateway
    function timeoutPackets(string calldata sourceClient, Packet[] calldata packets, bytes calldata proof)
        external
        nonReentrant
    {
        (Route storage route, bytes32 clientHash, string memory destClient, uint256 head) =
            _route(sourceClient);
        require(packets.length > 0, EmptyBatch());
        bytes32[] memory keys = new bytes32[](packets.length);
        bytes32 destHash = keccak256(bytes(destClient));
        Memory.Pointer free = Memory.getFreeMemoryPointer();
        for (uint256 i = 0; i < packets.length; ++i) {
            _checkRoute(packets[i], clientHash, destHash);
            keys[i] = ICS24.receiptKey(destClient, packets[i].sequence);
        }
        uint64 time = _verifyAbsence(route, head, keys, proof);

        for (uint256 i = 0; i < packets.length; ++i) {
            Packet calldata packet = packets[i];
            require(
                time >= packet.timeoutTimestamp, TimeoutNotReached(packet.sequence, packet.timeoutTimestamp, time)
            );
            bytes[] memory calls = new bytes[](packet.payloads.length);
            for (uint256 j = 0; j < calls.length; ++j) {
                calls[j] = _encodeContext(IIBCApp.onTimeoutPacket.selector, packet, packet.payloads[j], 0);
            }
            if (_end(clientHash, packet, calls)) emit PacketTimedOut(clientHash, packet.sequence);
            Memory.unsafeSetFreeMemoryPointer(free);
        }
    }

    /// @dev Ends a packet and tells its applications. The commitment goes first, and comes back when one of them
    ///      fails, so that its failure stops no other packet and anyone may try again.
    ///      The same holds for this slot as for that in {_receive}.
    // slither-disable-next-line reentrancy-no-eth
    function _end(bytes32 clientHash, Packet calldata packet, bytes[] memory calls) private returns (bool ended) {
        bytes32 key = ICS24.commitmentKey(packet.sourceClient, packet.sequence);
        bytes32 commitment = _commitments[key];
        if (commitment == 0) {
            emit PacketSkipped(clientHash, packet.sequence);
            return false;
        }
        require(
            commitment == ICS24.packetCommitment(packet.destClient, packet.timeoutTimestamp, packet.payloads),
            CommitmentMismatch(packet.sequence)
        );
        delete _commitments[key];
        bytes memory reason;
        (ended, reason) = _notify(packet.payloads, calls);
        if (!ended) {
            _commitments[key] = commitment;
            emit CallbackFailed(clientHash, packet.sequence, reason);
        }
    }
}
