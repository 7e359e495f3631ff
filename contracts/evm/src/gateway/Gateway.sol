// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Bytes} from "@openzeppelin/contracts/utils/Bytes.sol";
import {LowLevelCall} from "@openzeppelin/contracts/utils/LowLevelCall.sol";
import {Memory} from "@openzeppelin/contracts/utils/Memory.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {Packet, Payload} from "../interfaces/IBCTypes.sol";
import {IGateway} from "../interfaces/IGateway.sol";
import {IIBCApp} from "../interfaces/IIBCApp.sol";
import {ILightClient} from "../interfaces/ILightClient.sol";
import {Interoperable} from "../models/Interoperable.sol";
import {BoundedCall} from "./BoundedCall.sol";
import {IBCProto} from "./IBCProto.sol";
import {ICS24} from "./ICS24.sol";

/// @notice IBC v2 router of one EVM ledger: ICS-26 with the commitments of ICS-24, as ibc-go's 04-channel/v2 does it.
/// @dev Invariants:
///      - a packet is received at most once, and only before its timeout;
///      - a packet sent ends once: its commitment goes in the transaction that tells its applications, and only on
///        proof of its acknowledgement, or of the receipt's absence at a time not before its timeout;
///      - all payloads of a packet take effect, or none;
///      - the outcome of a callback does not depend on who delivers: it has exactly CALLBACK_GAS, or nothing happens;
///      - nothing but registered applications and light clients is called, so no message can reach anything else;
///      - a pause stops sending and receiving on one route, never the end of a packet that was sent.
///
///      Commitments are in a mapping at storage slot COMMITMENTS_SLOT, keyed by keccak256 of the ICS-24 path, so that
///      eth_getProof proves what is there and what is not. There is no slot for receipts: a receipt and its
///      acknowledgement are written in one transaction, so the slot of the acknowledgement (path 0x03) tells both.
///      {hasReceipt} reads it. A client that verifies storage proofs must take the absence of the receipt
///      (path 0x02) from the slot of the acknowledgement; what validators attest as absent is the receipt.
///
///      Restricted functions: {addClient}, {setCounterparty}, {recoverClient}, {migrateClient}, {addApplication},
///      {unpauseRoute} and, for guardians, {pauseRoute}.
contract Gateway is IGateway, AccessManaged, ReentrancyGuardTransient {
    /// @dev What sending reads and writes, in one slot.
    struct Head {
        uint64 nextSequenceSend; // 0 when there is no such route
        bool paused;
        bool migrated; // `previous` is set
        uint8 length; // of the counterparty's id, 0 until it is set
        bytes21 counterparty; // what fits of it
    }

    /// @dev One way to one other ledger.
    struct Route {
        Head head;
        ILightClient client;
        string counterparty; // when it is longer than the head's part
        bytes ledger;
        ILightClient previous;
        uint64 previousUntil; // seconds
    }

    error UnknownClient(string clientId);
    error NoCounterparty(string clientId);
    error CounterpartyAlreadySet(string clientId);
    error InvalidClientId(string clientId);
    error RoutePaused(string clientId);
    error RouteNotPaused(string clientId);
    error ClientNotFrozen(string clientId);
    error InvalidLightClient(address client);
    error InvalidLedger(bytes ledger);
    error InvalidPort(string port);
    error PortTaken(string port);
    error UnknownPort();
    error InvalidApplication(address application);
    error NotApplication(string port, address caller);
    error InvalidTimeout(uint64 timeoutTimestamp, uint256 currentTime);
    error InvalidPayloads(uint256 count, uint256 length);
    error InvalidPayload(uint256 index);
    error InvalidSequence();
    error WrongRoute(uint64 sequence, string sourceClient, string destClient);
    error CommitmentMismatch(uint64 sequence);
    error TimeoutNotReached(uint64 sequence, uint64 timeoutTimestamp, uint64 provedTime);
    error InvalidAcknowledgement();
    error NotPending(string destClient, uint64 sequence);
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
    uint256 private constant SHORT_ID_LENGTH = 21;
    // Where the members of a {Head} begin in its word; the sequence is first.
    uint256 private constant PAUSED_BITS = 64;
    uint256 private constant MIGRATED_BITS = 72;
    uint256 private constant LENGTH_BITS = 80;
    uint256 private constant COUNTERPARTY_BITS = 88;

    mapping(bytes32 path => bytes32 commitment) private _commitments;
    mapping(bytes32 clientHash => Route) private _routes;
    mapping(bytes32 portHash => IIBCApp) private _applications;
    mapping(bytes32 ledgerHash => string clientId) private _defaultClients;
    /// @dev Who owes the acknowledgement at a key.
    mapping(bytes32 key => address application) private _pending;
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

    /// @dev The caller is the application at the one; the other may be a port. One that is registered here is.
    function _checkPorts(Payload calldata payload) private view {
        string calldata sourcePort = payload.sourcePort;
        string calldata destPort = payload.destPort;
        bytes32 sourceHash = ICS24.hashOf(sourcePort);
        require(msg.sender == address(_applications[sourceHash]), NotApplication(sourcePort, msg.sender));
        require(ICS24.hashOf(destPort) == sourceHash || ICS24.isPort(destPort), InvalidPort(destPort));
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

    /// @dev In a frame of its own: when one payload fails, or its answer is no acknowledgement, all effects are undone.
    ///      Nearly every packet has one payload; the frame for one costs 3 thousand gas less.
    function _deliver(Packet calldata packet, uint64 height)
        private
        returns (bytes[] memory acknowledgements, bytes memory failure)
    {
        Payload[] calldata payloads = packet.payloads;
        if (payloads.length == 1) {
            bytes memory call = _encodeContext(IIBCApp.onRecvPacket.selector, packet, payloads[0], height);
            try this.deliverOne(_applicationAt(payloads[0].destPort), call) returns (bytes memory acknowledgement) {
                acknowledgements = new bytes[](1);
                acknowledgements[0] = acknowledgement;
            } catch (bytes memory reverted) {
                failure = reverted;
            }
        } else {
            address[] memory applications = new address[](payloads.length);
            bytes[] memory calls = new bytes[](payloads.length);
            for (uint256 i = 0; i < payloads.length; ++i) {
                applications[i] = _applicationAt(payloads[i].destPort);
                calls[i] = _encodeContext(IIBCApp.onRecvPacket.selector, packet, payloads[i], height);
            }
            try this.deliverAll(applications, calls) returns (bytes[] memory all) {
                acknowledgements = all;
            } catch (bytes memory reverted) {
                failure = reverted;
            }
        }
    }

    /// @notice Delivers to an application, or undoes what it did. Called by the gateway itself only.
    function deliverOne(address application, bytes calldata call)
        external
        onlySelf
        returns (bytes memory acknowledgement)
    {
        return _deliverTo(application, call);
    }

    /// @notice Delivers to all applications of a packet, or to none. Called by the gateway itself only.
    function deliverAll(address[] calldata applications, bytes[] calldata calls)
        external
        onlySelf
        returns (bytes[] memory acknowledgements)
    {
        acknowledgements = new bytes[](calls.length);
        for (uint256 i = 0; i < calls.length; ++i) {
            acknowledgements[i] = _deliverTo(applications[i], calls[i]);
            // Only one that is alone may answer later, as in ibc-go.
            require(
                acknowledgements[i].length > 0,
                ApplicationFailed(abi.encodeWithSelector(InvalidAcknowledgement.selector))
            );
        }
    }

    function _deliverTo(address application, bytes memory call) private returns (bytes memory acknowledgement) {
        (bool success, bytes memory returned, bool whole) =
            _callApplication(application, call, MAX_ACKNOWLEDGEMENT_LENGTH + 64);
        require(success, ApplicationFailed(returned));
        (success, acknowledgement) = _decodeAcknowledgement(returned);
        require(success && whole, ApplicationFailed(abi.encodeWithSelector(InvalidAcknowledgement.selector)));
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

    /// @dev A single application undoes its own effects by reverting; those of several need a frame around them.
    function _notify(Payload[] calldata payloads, bytes[] memory calls)
        private
        returns (bool success, bytes memory reason)
    {
        address[] memory applications = new address[](payloads.length);
        for (uint256 i = 0; i < payloads.length; ++i) {
            applications[i] = _applicationAt(payloads[i].sourcePort);
        }
        if (calls.length == 1) {
            // What an application returns here is nothing to the gateway.
            // slither-disable-next-line unused-return
            (success, reason,) = _callApplication(applications[0], calls[0], MAX_REASON_LENGTH);
        } else {
            try this.notifyAll(applications, calls) {
                success = true;
            } catch (bytes memory failure) {
                reason = _reasonOf(failure);
            }
        }
    }

    /// @notice Tells all applications of a packet, or none. Called by the gateway itself only.
    function notifyAll(address[] calldata applications, bytes[] calldata calls) external onlySelf {
        for (uint256 i = 0; i < calls.length; ++i) {
            // slither-disable-next-line unused-return
            (bool success, bytes memory reason,) = _callApplication(applications[i], calls[i], MAX_REASON_LENGTH);
            require(success, ApplicationFailed(reason));
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
        route.head.nextSequenceSend = 1;
        route.ledger = counterpartyLedger;
        bytes32 ledgerHash = keccak256(counterpartyLedger);
        if (bytes(_defaultClients[ledgerHash]).length == 0) _defaultClients[ledgerHash] = clientId;
        emit ClientAdded(clientId, address(client), counterpartyLedger);
    }

    /// @inheritdoc IGateway
    function setCounterparty(string calldata clientId, string calldata counterpartyClientId) external restricted {
        Route storage route = _existing(clientId);
        require(route.head.length == 0, CounterpartyAlreadySet(clientId));
        require(ICS24.isClientId(counterpartyClientId), InvalidClientId(counterpartyClientId));
        bytes calldata id = bytes(counterpartyClientId);
        route.head.length = uint8(id.length);
        if (id.length <= SHORT_ID_LENGTH) route.head.counterparty = bytes21(id);
        else route.counterparty = counterpartyClientId;
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
    function migrateClient(string calldata clientId, ILightClient client) external restricted {
        Route storage route = _existing(clientId);
        require(address(client).code.length > 0 && !client.frozen(), InvalidLightClient(address(client)));
        route.previous = route.client;
        route.previousUntil = uint64(block.timestamp) + MAX_TIMEOUT;
        route.head.migrated = true;
        route.client = client;
        emit ClientMigrated(clientId, address(client), route.previousUntil);
    }

    /// @inheritdoc IGateway
    function pauseRoute(string calldata clientId) external restricted {
        _pause(clientId);
    }

    /// @inheritdoc IGateway
    function pauseFrozenRoute(string calldata clientId) external {
        require(_existing(clientId).client.frozen(), ClientNotFrozen(clientId));
        _pause(clientId);
    }

    function _pause(string calldata clientId) private {
        Route storage route = _existing(clientId);
        require(!route.head.paused, RoutePaused(clientId));
        route.head.paused = true;
        emit RoutePauseChanged(clientId, true);
    }

    /// @inheritdoc IGateway
    function unpauseRoute(string calldata clientId) external restricted {
        Route storage route = _existing(clientId);
        require(route.head.paused, RouteNotPaused(clientId));
        route.head.paused = false;
        emit RoutePauseChanged(clientId, false);
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
    function getCommitments(bytes32[] calldata paths) external view returns (bytes32[] memory values) {
        values = new bytes32[](paths.length);
        for (uint256 i; i < paths.length; ++i) values[i] = _commitments[paths[i]];
    }

    /// @inheritdoc IGateway
    function hasReceipt(string calldata destClient, uint64 sequence) external view returns (bool) {
        return _commitments[ICS24.acknowledgementKey(destClient, sequence)] != 0;
    }

    /// @inheritdoc IGateway
    function nextSequenceSend(string calldata clientId) external view returns (uint64) {
        return _existing(clientId).head.nextSequenceSend;
    }

    /// @inheritdoc IGateway
    function routePaused(string calldata clientId) external view returns (bool) {
        return _existing(clientId).head.paused;
    }

    /// @inheritdoc IGateway
    function getClient(string calldata clientId)
        external
        view
        returns (ILightClient client, string memory counterpartyClientId, bytes memory counterpartyLedger)
    {
        Route storage route = _existing(clientId);
        return (route.client, _counterparty(route, _word(route)), route.ledger);
    }

    /// @inheritdoc IGateway
    function defaultClient(bytes calldata counterpartyLedger) external view returns (string memory clientId) {
        return _defaultClients[keccak256(counterpartyLedger)];
    }

    /// @inheritdoc IGateway
    function getApplication(string calldata port) external view returns (IIBCApp) {
        return IIBCApp(_applicationAt(port));
    }

    // Checks

    function _existing(string calldata clientId) private view returns (Route storage route) {
        route = _routes[keccak256(bytes(clientId))];
        require(route.head.nextSequenceSend != 0, UnknownClient(clientId));
    }

    function _route(string memory clientId)
        private
        view
        returns (Route storage route, bytes32 clientHash, string memory counterparty, uint256 head)
    {
        clientHash = keccak256(bytes(clientId));
        route = _routes[clientHash];
        head = _word(route);
        require(head != 0, UnknownClient(clientId));
        require(uint8(head >> LENGTH_BITS) != 0, NoCounterparty(clientId));
        counterparty = _counterparty(route, head);
    }

    /// @dev The route's {Head} in one read.
    function _word(Route storage route) private view returns (uint256 head) {
        assembly ("memory-safe") {
            head := sload(route.slot)
        }
    }

    function _setWord(Route storage route, uint256 head) private {
        assembly ("memory-safe") {
            sstore(route.slot, head)
        }
    }

    function _counterparty(Route storage route, uint256 head) private view returns (string memory id) {
        uint256 length = uint8(head >> LENGTH_BITS);
        if (length > SHORT_ID_LENGTH) return route.counterparty;
        uint256 content = head >> COUNTERPARTY_BITS << COUNTERPARTY_BITS;
        assembly ("memory-safe") {
            id := mload(0x40)
            mstore(id, length)
            mstore(add(id, 0x20), content)
            mstore(0x40, add(id, 0x40))
        }
    }

    function _openRoute(string memory clientId)
        private
        view
        returns (Route storage route, bytes32 clientHash, string memory counterparty, uint256 head)
    {
        (route, clientHash, counterparty, head) = _route(clientId);
        require(uint8(head >> PAUSED_BITS) == 0, RoutePaused(clientId));
    }

    /// @dev What the route's client proves; for some time after a migration, also what the one before it does.
    function _verifyMembership(
        Route storage route,
        uint256 head,
        bytes32[] memory keys,
        bytes32[] memory values,
        bytes calldata proof
    ) private view returns (uint64 height) {
        // The time is of no use here.
        // slither-disable-start unused-return
        if (!_hasPrevious(route, head)) {
            (height,) = route.client.verifyMembership(keys, values, proof);
        } else {
            try route.client.verifyMembership(keys, values, proof) returns (uint64 height_, uint64) {
                height = height_;
            } catch {
                (height,) = route.previous.verifyMembership(keys, values, proof);
            }
        }
        // slither-disable-end unused-return
    }

    /// @dev As {_verifyMembership}.
    function _verifyAbsence(Route storage route, uint256 head, bytes32[] memory keys, bytes calldata proof)
        private
        view
        returns (uint64 time)
    {
        // The height says no more than its time does.
        // slither-disable-start unused-return
        if (!_hasPrevious(route, head)) {
            (, time) = route.client.verifyAbsence(keys, proof);
        } else {
            try route.client.verifyAbsence(keys, proof) returns (uint64, uint64 time_) {
                time = time_;
            } catch {
                (, time) = route.previous.verifyAbsence(keys, proof);
            }
        }
        // slither-disable-end unused-return
    }

    function _hasPrevious(Route storage route, uint256 head) private view returns (bool) {
        return uint8(head >> MIGRATED_BITS) != 0 && block.timestamp < route.previousUntil;
    }

    /// @dev The packet goes from the one client to the other.
    function _checkRoute(Packet calldata packet, bytes32 sourceHash, bytes32 destHash) private pure {
        require(packet.sequence != 0, InvalidSequence());
        require(
            keccak256(bytes(packet.sourceClient)) == sourceHash && keccak256(bytes(packet.destClient)) == destHash,
            WrongRoute(packet.sequence, packet.sourceClient, packet.destClient)
        );
    }

    function _checkPayloads(Payload[] calldata payloads) private pure {
        uint256 length = 0;
        for (uint256 i = 0; i < payloads.length; ++i) {
            length += _checkPayload(payloads[i], i);
        }
        _checkTotal(payloads.length, length);
    }

    function _checkPayload(Payload calldata payload, uint256 index) private pure returns (uint256 length) {
        bool complete;
        (complete, length) = ICS24.isComplete(payload);
        require(complete, InvalidPayload(index));
    }

    function _checkTotal(uint256 count, uint256 length) private pure {
        require(
            count > 0 && count <= MAX_PAYLOADS && length <= MAX_PAYLOADS_LENGTH, InvalidPayloads(count, length)
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

    // Callbacks

    /// @dev abi.encodeWithSelector(selector, PacketContext(...)) without the copy in memory, 3 thousand gas less: the
    ///      encoding of one dynamic tuple is that of its members behind an offset.
    function _encodeContext(bytes4 selector, Packet calldata packet, Payload calldata payload, uint64 height)
        private
        view
        returns (bytes memory)
    {
        return bytes.concat(
            selector,
            bytes32(uint256(0x20)),
            abi.encode(packet.sourceClient, packet.destClient, packet.sequence, payload, msg.sender, height)
        );
    }

    /// @dev abi.encodeCall(onAcknowledgementPacket, (PacketContext(...), acknowledgement)) in the same way.
    function _encodeAcknowledgement(Packet calldata packet, Payload calldata payload, bytes calldata acknowledgement)
        private
        view
        returns (bytes memory)
    {
        bytes memory context =
            abi.encode(packet.sourceClient, packet.destClient, packet.sequence, payload, msg.sender, uint256(0));
        return bytes.concat(
            IIBCApp.onAcknowledgementPacket.selector,
            bytes32(uint256(0x40)),
            bytes32(0x40 + context.length),
            context,
            bytes32(acknowledgement.length),
            acknowledgement,
            new bytes((32 - acknowledgement.length % 32) % 32)
        );
    }

    function _applicationAt(string calldata port) private view returns (address) {
        return address(_applications[ICS24.hashOf(port)]);
    }

    /// @dev When the application fails, or there is none, `returned` is the capped reason.
    function _callApplication(address application, bytes memory call, uint256 maxReturned)
        private
        returns (bool success, bytes memory returned, bool whole)
    {
        if (application == address(0)) return (false, abi.encodeWithSelector(UnknownPort.selector), true);
        (success, returned, whole) = BoundedCall.call(application, CALLBACK_GAS, call, maxReturned);
        if (!success && returned.length > MAX_REASON_LENGTH) returned = Bytes.slice(returned, 0, MAX_REASON_LENGTH);
    }

    /// @dev Reads abi.encode(bytes) strictly and in place; what is neither an acknowledgement nor empty is a failure.
    function _decodeAcknowledgement(bytes memory returned)
        private
        pure
        returns (bool valid, bytes memory acknowledgement)
    {
        if (returned.length < 64) return (false, "");
        uint256 offset;
        // The words of abi.encode(bytes): 0x20, length, content. `returned` has its own length before them.
        assembly ("memory-safe") {
            offset := mload(add(returned, 0x20))
            acknowledgement := add(returned, 0x40)
        }
        valid = offset == 0x20 && acknowledgement.length <= returned.length - 64
            && !ICS24.isUniversalError(acknowledgement);
    }

    /// @dev The application's reason out of {ApplicationFailed}. Any other failure of a frame is not the application's
    ///      doing (too little gas for the frame itself) and undoes the transaction.
    function _reasonOf(bytes memory failure) private pure returns (bytes memory) {
        require(failure.length > 0, BoundedCall.InsufficientGas());
        if (bytes4(failure) != ApplicationFailed.selector) LowLevelCall.bubbleRevert(failure);
        return abi.decode(Bytes.slice(failure, 4), (bytes));
    }
}
