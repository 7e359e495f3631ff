// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Bytes} from "@openzeppelin/contracts/utils/Bytes.sol";
import {LowLevelCall} from "@openzeppelin/contracts/utils/LowLevelCall.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {Packet, Payload} from "../interfaces/IBCTypes.sol";
import {IGateway} from "../interfaces/IGateway.sol";
import {IIBCApp, PacketContext} from "../interfaces/IIBCApp.sol";
import {ILightClient} from "../interfaces/ILightClient.sol";
import {Interoperable} from "../models/Interoperable.sol";
import {BoundedCall} from "./BoundedCall.sol";
import {ICS24} from "./ICS24.sol";

/// @notice IBC v2 router of one EVM ledger: ICS-26 with the commitments of ICS-24, as ibc-go's 04-channel/v2 does it.
/// @dev Invariants:
///      - a packet is received at most once, and only before its timeout;
///      - a packet sent ends once: its commitment goes in the transaction that tells its applications, and only on
///        proof of its acknowledgement, or of the receipt's absence at a time not before its timeout;
///      - all payloads of a packet take effect, or none;
///      - the outcome of a callback does not depend on who delivers: it has exactly CALLBACK_GAS, or nothing happens;
///      - nothing but registered applications and light clients is called, so no message can reach anything else.
///
///      Commitments are in a mapping at storage slot COMMITMENTS_SLOT, keyed by keccak256 of the ICS-24 path, so that
///      eth_getProof proves what is there and what is not. There is no slot for receipts: a receipt and its
///      acknowledgement are written in one transaction, so the slot of the acknowledgement (path 0x03) tells both.
///      {hasReceipt} reads it. A client that verifies storage proofs must take the absence of the receipt
///      (path 0x02) from the slot of the acknowledgement; what validators attest as absent is the receipt.
///
///      Restricted functions: {addClient}, {setCounterparty}, {recoverClient}, {addApplication}.
contract Gateway is IGateway, AccessManaged, ReentrancyGuardTransient {
    /// @dev One way to one other ledger.
    struct Route {
        ILightClient client;
        uint64 nextSequenceSend;
        string counterparty;
        bytes ledger;
    }

    error UnknownClient(string clientId);
    error NoCounterparty(string clientId);
    error CounterpartyAlreadySet(string clientId);
    error InvalidClientId(string clientId);
    error ClientFrozen(string clientId);
    error ClientNotFrozen(string clientId);
    error InvalidLightClient(address client);
    error InvalidLedger(bytes ledger);
    error InvalidPort(string port);
    error PortTaken(string port);
    error UnknownPort(string port);
    error InvalidApplication(address application);
    error NotApplication(string port, address caller);
    error InvalidTimeout(uint64 timeoutTimestamp, uint256 currentTime);
    error InvalidPayloads(uint256 count, uint256 length);
    error InvalidPayload(uint256 index);
    error InvalidPacket(uint64 sequence);
    error WrongRoute(uint64 sequence, string sourceClient, string destClient);
    error CommitmentMismatch(uint64 sequence);
    error TimeoutNotReached(uint64 sequence, uint64 timeoutTimestamp, uint64 provedTime);
    error InvalidAcknowledgement();
    error EmptyBatch();
    error LengthMismatch();
    error OnlySelf();
    /// @dev Carries an application's failure out of the frame that undoes it.
    error ApplicationFailed(bytes reason);

    uint256 public constant COMMITMENTS_SLOT = 1;
    uint64 public constant MAX_TIMEOUT = 24 hours;
    uint256 public constant MAX_PAYLOADS = 16;
    uint256 public constant MAX_PAYLOADS_LENGTH = 262_144;
    /// @notice What an application gets for each callback, no less and no more.
    uint256 public constant CALLBACK_GAS = 1_000_000;
    uint256 public constant MAX_ACKNOWLEDGEMENT_LENGTH = 8_192;
    uint256 public constant MAX_REASON_LENGTH = 512;
    /// @dev Holds the place of an acknowledgement while applications run. Clients never see it.
    bytes32 private constant PENDING = bytes32(uint256(1));

    mapping(bytes32 path => bytes32 commitment) private _commitments;
    mapping(bytes32 clientHash => Route) private _routes;
    mapping(bytes32 portHash => IIBCApp) private _applications;
    mapping(bytes32 ledgerHash => string clientId) private _defaultClients;
    uint256 private _routeCount;

    constructor(address authority) AccessManaged(authority) {}

    modifier onlySelf() {
        require(msg.sender == address(this), OnlySelf());
        _;
    }

    // Sending

    /// @inheritdoc IGateway
    /// @dev Not locked: applications may send from a callback, and nothing here hands control away.
    function sendPacket(string calldata sourceClient, uint64 timeoutTimestamp, Payload[] calldata payloads)
        external
        returns (uint64 sequence)
    {
        (Route storage route, bytes32 clientHash, string memory destClient) = _route(sourceClient);
        require(!route.client.frozen(), ClientFrozen(sourceClient));
        require(
            timeoutTimestamp > block.timestamp && timeoutTimestamp - block.timestamp <= MAX_TIMEOUT,
            InvalidTimeout(timeoutTimestamp, block.timestamp)
        );
        _checkPayloads(payloads);
        for (uint256 i = 0; i < payloads.length; ++i) {
            Payload calldata payload = payloads[i];
            require(
                msg.sender == address(_applications[keccak256(bytes(payload.sourcePort))]),
                NotApplication(payload.sourcePort, msg.sender)
            );
            require(ICS24.isPort(payload.destPort), InvalidPort(payload.destPort));
        }

        sequence = route.nextSequenceSend++;
        _commitments[ICS24.commitmentKey(sourceClient, sequence)] =
            ICS24.packetCommitment(destClient, timeoutTimestamp, payloads);
        emit PacketSent(clientHash, sequence, Packet(sequence, sourceClient, destClient, timeoutTimestamp, payloads));
    }

    // Receiving

    /// @inheritdoc IGateway
    function recvPackets(string calldata destClient, Packet[] calldata packets, bytes calldata proof)
        external
        nonReentrant
    {
        (Route storage route, bytes32 clientHash, string memory sourceClient) = _route(destClient);
        require(packets.length > 0, EmptyBatch());
        bytes32[] memory keys = new bytes32[](packets.length);
        bytes32[] memory values = new bytes32[](packets.length);
        for (uint256 i = 0; i < packets.length; ++i) {
            Packet calldata packet = packets[i];
            _checkRoute(packet, sourceClient, destClient);
            _checkPayloads(packet.payloads);
            keys[i] = ICS24.commitmentKey(sourceClient, packet.sequence);
            values[i] = ICS24.packetCommitment(destClient, packet.timeoutTimestamp, packet.payloads);
        }
        // A packet that was sent stays sent: when does not matter.
        // slither-disable-next-line unused-return
        route.client.verifyMembership(keys, values, proof);

        for (uint256 i = 0; i < packets.length; ++i) {
            _receive(clientHash, packets[i]);
        }
    }

    /// @dev The slot is taken before applications run, so that none can have the packet delivered again.
    function _receive(bytes32 clientHash, Packet calldata packet) private {
        bytes32 key = ICS24.acknowledgementKey(packet.destClient, packet.sequence);
        if (_commitments[key] != 0 || block.timestamp >= packet.timeoutTimestamp) {
            emit PacketSkipped(clientHash, packet.sequence);
            return;
        }
        _commitments[key] = PENDING;

        bytes[] memory acknowledgements;
        try this.receivePayloads(packet, msg.sender) returns (bytes[] memory successes) {
            acknowledgements = successes;
        } catch (bytes memory failure) {
            emit ReceiveFailed(clientHash, packet.sequence, _reasonOf(failure));
            acknowledgements = new bytes[](1);
            acknowledgements[0] = ICS24.UNIVERSAL_ERROR;
        }
        _commitments[key] = ICS24.acknowledgementCommitment(acknowledgements);
        emit AcknowledgementWritten(clientHash, packet.sequence, packet, acknowledgements);
    }

    /// @dev A frame of its own: when one payload fails, the effects of all are undone.
    function receivePayloads(Packet calldata packet, address relayer)
        external
        onlySelf
        returns (bytes[] memory acknowledgements)
    {
        acknowledgements = new bytes[](packet.payloads.length);
        for (uint256 i = 0; i < packet.payloads.length; ++i) {
            Payload calldata payload = packet.payloads[i];
            (bytes memory returned, bool whole) = _callApplication(
                payload.destPort,
                abi.encodeCall(IIBCApp.onRecvPacket, _context(packet, payload, relayer)),
                MAX_ACKNOWLEDGEMENT_LENGTH + 64
            );
            acknowledgements[i] = _decodeAcknowledgement(returned, whole);
        }
    }

    // Ending what was sent

    /// @inheritdoc IGateway
    function ackPackets(
        string calldata sourceClient,
        Packet[] calldata packets,
        bytes[][] calldata acknowledgements,
        bytes calldata proof
    ) external nonReentrant {
        (Route storage route, bytes32 clientHash, string memory destClient) = _route(sourceClient);
        require(packets.length > 0, EmptyBatch());
        require(packets.length == acknowledgements.length, LengthMismatch());
        bytes32[] memory keys = new bytes32[](packets.length);
        bytes32[] memory values = new bytes32[](packets.length);
        for (uint256 i = 0; i < packets.length; ++i) {
            Packet calldata packet = packets[i];
            _checkRoute(packet, sourceClient, destClient);
            _checkAcknowledgement(acknowledgements[i], packet.payloads.length);
            keys[i] = ICS24.acknowledgementKey(destClient, packet.sequence);
            values[i] = ICS24.acknowledgementCommitment(acknowledgements[i]);
        }
        // An acknowledgement stays written: when does not matter.
        // slither-disable-next-line unused-return
        route.client.verifyMembership(keys, values, proof);

        for (uint256 i = 0; i < packets.length; ++i) {
            Packet calldata packet = packets[i];
            if (!_isOpen(clientHash, packet)) continue;
            try this.acknowledgePayloads(packet, acknowledgements[i], msg.sender) {
                emit PacketAcknowledged(clientHash, packet.sequence);
            } catch (bytes memory failure) {
                emit CallbackFailed(clientHash, packet.sequence, _reasonOf(failure));
            }
        }
    }

    /// @inheritdoc IGateway
    function timeoutPackets(string calldata sourceClient, Packet[] calldata packets, bytes calldata proof)
        external
        nonReentrant
    {
        (Route storage route, bytes32 clientHash, string memory destClient) = _route(sourceClient);
        require(packets.length > 0, EmptyBatch());
        bytes32[] memory keys = new bytes32[](packets.length);
        for (uint256 i = 0; i < packets.length; ++i) {
            _checkRoute(packets[i], sourceClient, destClient);
            keys[i] = ICS24.receiptKey(destClient, packets[i].sequence);
        }
        // The height at which nothing was there says no more than its time does.
        // slither-disable-next-line unused-return
        (, uint64 time) = route.client.verifyAbsence(keys, proof);

        for (uint256 i = 0; i < packets.length; ++i) {
            Packet calldata packet = packets[i];
            require(
                time >= packet.timeoutTimestamp, TimeoutNotReached(packet.sequence, packet.timeoutTimestamp, time)
            );
            if (!_isOpen(clientHash, packet)) continue;
            try this.timeoutPayloads(packet, msg.sender) {
                emit PacketTimedOut(clientHash, packet.sequence);
            } catch (bytes memory failure) {
                emit CallbackFailed(clientHash, packet.sequence, _reasonOf(failure));
            }
        }
    }

    /// @dev A frame of its own: when an application fails, the commitment is back and anyone may try again.
    function acknowledgePayloads(Packet calldata packet, bytes[] calldata acknowledgements, address relayer)
        external
        onlySelf
    {
        delete _commitments[ICS24.commitmentKey(packet.sourceClient, packet.sequence)];
        for (uint256 i = 0; i < packet.payloads.length; ++i) {
            Payload calldata payload = packet.payloads[i];
            // One universal error stands for every payload.
            bytes calldata acknowledgement = acknowledgements[acknowledgements.length == 1 ? 0 : i];
            _callApplication(
                payload.sourcePort,
                abi.encodeCall(
                    IIBCApp.onAcknowledgementPacket, (_context(packet, payload, relayer), acknowledgement)
                ),
                MAX_REASON_LENGTH
            );
        }
    }

    /// @dev See {acknowledgePayloads}.
    function timeoutPayloads(Packet calldata packet, address relayer) external onlySelf {
        delete _commitments[ICS24.commitmentKey(packet.sourceClient, packet.sequence)];
        for (uint256 i = 0; i < packet.payloads.length; ++i) {
            Payload calldata payload = packet.payloads[i];
            _callApplication(
                payload.sourcePort,
                abi.encodeCall(IIBCApp.onTimeoutPacket, _context(packet, payload, relayer)),
                MAX_REASON_LENGTH
            );
        }
    }

    // Administration

    /// @inheritdoc IGateway
    function addClient(ILightClient client, bytes calldata counterpartyLedger)
        external
        restricted
        returns (string memory clientId)
    {
        require(address(client).code.length > 0, InvalidLightClient(address(client)));
        require(Interoperable.isLedger(counterpartyLedger), InvalidLedger(counterpartyLedger));
        clientId = string.concat("caimi-", Strings.toString(block.chainid), "-", Strings.toString(_routeCount++));
        Route storage route = _routes[keccak256(bytes(clientId))];
        route.client = client;
        route.nextSequenceSend = 1;
        route.ledger = counterpartyLedger;
        bytes32 ledgerHash = keccak256(counterpartyLedger);
        if (bytes(_defaultClients[ledgerHash]).length == 0) _defaultClients[ledgerHash] = clientId;
        emit ClientAdded(clientId, address(client), counterpartyLedger);
    }

    /// @inheritdoc IGateway
    function setCounterparty(string calldata clientId, string calldata counterpartyClientId) external restricted {
        Route storage route = _existing(clientId);
        require(bytes(route.counterparty).length == 0, CounterpartyAlreadySet(clientId));
        require(ICS24.isClientId(counterpartyClientId), InvalidClientId(counterpartyClientId));
        route.counterparty = counterpartyClientId;
        emit CounterpartySet(clientId, counterpartyClientId);
    }

    /// @inheritdoc IGateway
    function recoverClient(string calldata clientId, ILightClient substitute) external restricted {
        Route storage route = _existing(clientId);
        require(route.client.frozen(), ClientNotFrozen(clientId));
        require(
            address(substitute).code.length > 0 && !substitute.frozen(), InvalidLightClient(address(substitute))
        );
        route.client = substitute;
        emit ClientRecovered(clientId, address(substitute));
    }

    /// @inheritdoc IGateway
    function addApplication(string calldata port, IIBCApp application) external restricted {
        require(ICS24.isPort(port), InvalidPort(port));
        require(
            address(application).code.length > 0 && address(application) != address(this),
            InvalidApplication(address(application))
        );
        bytes32 portHash = keccak256(bytes(port));
        require(address(_applications[portHash]) == address(0), PortTaken(port));
        _applications[portHash] = application;
        emit ApplicationAdded(port, address(application));
    }

    // Reading

    /// @inheritdoc IGateway
    function getCommitment(bytes32 path) external view returns (bytes32) {
        return _commitments[path];
    }

    /// @inheritdoc IGateway
    function hasReceipt(string calldata destClient, uint64 sequence) external view returns (bool) {
        return _commitments[ICS24.acknowledgementKey(destClient, sequence)] != 0;
    }

    /// @inheritdoc IGateway
    function nextSequenceSend(string calldata clientId) external view returns (uint64) {
        return _existing(clientId).nextSequenceSend;
    }

    /// @inheritdoc IGateway
    function getClient(string calldata clientId)
        external
        view
        returns (ILightClient client, string memory counterpartyClientId, bytes memory counterpartyLedger)
    {
        Route storage route = _existing(clientId);
        return (route.client, route.counterparty, route.ledger);
    }

    /// @inheritdoc IGateway
    function defaultClient(bytes calldata counterpartyLedger) external view returns (string memory clientId) {
        return _defaultClients[keccak256(counterpartyLedger)];
    }

    /// @inheritdoc IGateway
    function getApplication(string calldata port) external view returns (IIBCApp) {
        return _applications[keccak256(bytes(port))];
    }

    // Checks

    function _existing(string calldata clientId) private view returns (Route storage route) {
        route = _routes[keccak256(bytes(clientId))];
        require(address(route.client) != address(0), UnknownClient(clientId));
    }

    function _route(string calldata clientId)
        private
        view
        returns (Route storage route, bytes32 clientHash, string memory counterparty)
    {
        clientHash = keccak256(bytes(clientId));
        route = _routes[clientHash];
        require(address(route.client) != address(0), UnknownClient(clientId));
        counterparty = route.counterparty;
        require(bytes(counterparty).length > 0, NoCounterparty(clientId));
    }

    /// @dev The packet goes between this client and its counterparty, `here` being the end on this ledger.
    function _checkRoute(Packet calldata packet, string memory source, string memory dest) private pure {
        require(packet.sequence != 0, InvalidPacket(packet.sequence));
        require(
            Strings.equal(packet.sourceClient, source) && Strings.equal(packet.destClient, dest),
            WrongRoute(packet.sequence, packet.sourceClient, packet.destClient)
        );
    }

    function _checkPayloads(Payload[] calldata payloads) private pure {
        uint256 length = 0;
        for (uint256 i = 0; i < payloads.length; ++i) {
            Payload calldata payload = payloads[i];
            require(
                payload.value.length > 0 && !ICS24.isBlank(payload.version) && !ICS24.isBlank(payload.encoding),
                InvalidPayload(i)
            );
            length += payload.value.length;
        }
        require(
            payloads.length > 0 && payloads.length <= MAX_PAYLOADS && length <= MAX_PAYLOADS_LENGTH,
            InvalidPayloads(payloads.length, length)
        );
    }

    /// @dev One acknowledgement a payload, or one universal error for all.
    function _checkAcknowledgement(bytes[] calldata acknowledgements, uint256 payloadCount) private pure {
        if (acknowledgements.length == 1 && ICS24.isUniversalError(acknowledgements[0])) return;
        require(acknowledgements.length == payloadCount, InvalidAcknowledgement());
        for (uint256 i = 0; i < acknowledgements.length; ++i) {
            require(
                acknowledgements[i].length > 0 && !ICS24.isUniversalError(acknowledgements[i]),
                InvalidAcknowledgement()
            );
        }
    }

    /// @dev Whether this ledger sent exactly `packet` and it has not ended; says so when it has.
    function _isOpen(bytes32 clientHash, Packet calldata packet) private returns (bool) {
        bytes32 commitment = _commitments[ICS24.commitmentKey(packet.sourceClient, packet.sequence)];
        if (commitment == 0) {
            emit PacketSkipped(clientHash, packet.sequence);
            return false;
        }
        require(
            commitment == ICS24.packetCommitment(packet.destClient, packet.timeoutTimestamp, packet.payloads),
            CommitmentMismatch(packet.sequence)
        );
        return true;
    }

    // Callbacks

    function _context(Packet calldata packet, Payload calldata payload, address relayer)
        private
        pure
        returns (PacketContext memory)
    {
        return PacketContext(packet.sourceClient, packet.destClient, packet.sequence, payload, relayer);
    }

    /// @dev Calls the application at `port`; its failure, or that there is none, becomes {ApplicationFailed}.
    function _callApplication(string calldata port, bytes memory data, uint256 maxReturned)
        private
        returns (bytes memory returned, bool whole)
    {
        address application = address(_applications[keccak256(bytes(port))]);
        require(
            application != address(0), ApplicationFailed(abi.encodeWithSelector(UnknownPort.selector, port))
        );
        bool success;
        (success, returned, whole) = BoundedCall.call(application, CALLBACK_GAS, data, maxReturned);
        require(success, ApplicationFailed(Bytes.slice(returned, 0, MAX_REASON_LENGTH)));
    }

    /// @dev Reads abi.encode(bytes) strictly and in place; what is not an acknowledgement is a failure.
    function _decodeAcknowledgement(bytes memory returned, bool whole)
        private
        pure
        returns (bytes memory acknowledgement)
    {
        bool valid = whole && returned.length >= 64;
        if (valid) {
            uint256 offset;
            // The words of abi.encode(bytes): 0x20, length, content. `returned` has its own length before them.
            assembly ("memory-safe") {
                offset := mload(add(returned, 0x20))
                acknowledgement := add(returned, 0x40)
            }
            valid = offset == 0x20 && acknowledgement.length > 0 && acknowledgement.length <= returned.length - 64
                && !ICS24.isUniversalError(acknowledgement);
        }
        require(valid, ApplicationFailed(abi.encodeWithSelector(InvalidAcknowledgement.selector)));
    }

    /// @dev The application's reason out of {ApplicationFailed}. Any other failure of a frame is not the application's
    ///      doing (too little gas for the frame itself) and undoes the transaction.
    function _reasonOf(bytes memory failure) private pure returns (bytes memory) {
        require(failure.length > 0, BoundedCall.InsufficientGas());
        if (bytes4(failure) != ApplicationFailed.selector) LowLevelCall.bubbleRevert(failure);
        return abi.decode(Bytes.slice(failure, 4), (bytes));
    }
}
