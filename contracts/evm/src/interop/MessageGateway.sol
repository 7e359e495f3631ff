// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC7786GatewaySource, IERC7786Recipient} from "@openzeppelin/contracts/interfaces/draft-IERC7786.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {BoundedCall} from "../gateway/BoundedCall.sol";
import {ICS24} from "../gateway/ICS24.sol";
import {Packet, Payload} from "../interfaces/IBCTypes.sol";
import {IIBCApp, PacketContext} from "../interfaces/IIBCApp.sol";
import {ILightClient} from "../interfaces/ILightClient.sol";
import {Interoperable} from "../models/Interoperable.sol";

/// @notice Packets of one payload over any ERC-7786 gateway: what our applications need of a gateway, where the
///         messages are somebody else's.
/// @dev A packet goes as a message to the gateway of this kind on the other ledger, and what became of it comes back as
///      a message. Invariants, as of {Gateway}:
///      - a packet is received at most once, and only before its timeout;
///      - a packet sent ends once: acknowledged or timed out, as its counterparty says, and never without its word;
///      - the outcome of a callback does not depend on who delivers: it has exactly CALLBACK_GAS, or nothing happens;
///      - nothing but registered applications and the ERC-7786 gateway is called.
///      What the ERC-7786 gateway delivers is believed: this is as safe as that is, and no safer.
///
///      There is no proof of absence: after the timeout, when a packet can no longer be received, anyone has the
///      counterparty say that it was not ({expire}), and that ends it here. An answer that was lost is sent again by
///      {answer}, open to anyone.
///
///      Restricted functions: {connect}, {addApplication}.
contract MessageGateway is IERC7786Recipient, AccessManaged, ReentrancyGuardTransient {
    enum Kind {
        Packet,
        Answer,
        Expiry
    }

    struct Route {
        bytes peer; // ERC-7930, the gateway of this kind on the other ledger
        bytes ledger;
        string counterparty;
        uint64 nextSequence;
    }

    event RouteConnected(string clientId, string counterparty, bytes peer);
    event ApplicationAdded(string port, address application);
    event PacketSent(bytes32 indexed clientHash, uint64 indexed sequence, Packet packet);
    event PacketReceived(bytes32 indexed clientHash, uint64 indexed sequence, bytes acknowledgement, bytes reason);
    event PacketExpired(bytes32 indexed clientHash, uint64 indexed sequence);
    event PacketEnded(bytes32 indexed clientHash, uint64 indexed sequence, bool timedOut);

    error UnknownClient(string clientId);
    error AlreadyConnected(string clientId);
    error InvalidClientId(string clientId);
    error InvalidPeer(bytes peer);
    error InvalidPort(string port);
    error PortTaken(string port);
    error InvalidApplication(address application);
    error NotApplication(string port, address caller);
    error InvalidTimeout(uint64 timeoutTimestamp, uint256 currentTime);
    error OnePayload(uint256 count);
    error OnlyMessages(address caller);
    error UnknownPeer(bytes sender);
    error WrongRoute(string sourceClient, string destClient);
    error AlreadyReceived(bytes32 clientHash, uint64 sequence);
    error NotReceived(bytes32 clientHash, uint64 sequence);
    error NotExpired(uint64 timeoutTimestamp, uint256 currentTime);
    error NotOpen(bytes32 clientHash, uint64 sequence);
    error InvalidAcknowledgement();
    error OnlySelf();

    uint64 public constant MAX_TIMEOUT = 24 hours;
    uint256 public constant CALLBACK_GAS = 1_000_000;
    uint256 public constant MAX_ACKNOWLEDGEMENT_LENGTH = 8_192;
    uint256 public constant MAX_REASON_LENGTH = 512;

    IERC7786GatewaySource public immutable messages;
    mapping(bytes32 clientHash => Route) private _routes;
    mapping(bytes32 peerHash => string clientId) private _clients;
    mapping(bytes32 portHash => IIBCApp) private _applications;
    mapping(bytes32 clientHash => mapping(uint64 sequence => bytes32 commitment)) private _open;
    /// @dev What became of a packet received: the message that says so; empty when nothing did.
    mapping(bytes32 clientHash => mapping(uint64 sequence => bytes message)) private _answers;

    constructor(IERC7786GatewaySource messages_, address authority) AccessManaged(authority) {
        messages = messages_;
    }

    /// @notice Joins this gateway to its counterparty, once for each route.
    function connect(string calldata clientId, string calldata counterparty, bytes calldata peer) external restricted {
        require(ICS24.isClientId(clientId), InvalidClientId(clientId));
        require(ICS24.isClientId(counterparty), InvalidClientId(counterparty));
        bytes memory ledger = Interoperable.ledgerOf(peer);
        require(ledger.length > 0, InvalidPeer(peer));
        Route storage route = _routes[keccak256(bytes(clientId))];
        require(
            route.nextSequence == 0 && bytes(_clients[keccak256(peer)]).length == 0, AlreadyConnected(clientId)
        );
        (route.peer, route.ledger, route.counterparty, route.nextSequence) = (peer, ledger, counterparty, 1);
        _clients[keccak256(peer)] = clientId;
        emit RouteConnected(clientId, counterparty, peer);
    }

    function addApplication(string calldata port, IIBCApp application) external restricted {
        require(ICS24.isPort(port), InvalidPort(port));
        require(
            address(application).code.length > 0 && address(application) != address(this)
                && address(application) != address(messages),
            InvalidApplication(address(application))
        );
        require(address(_applications[keccak256(bytes(port))]) == address(0), PortTaken(port));
        _applications[keccak256(bytes(port))] = application;
        emit ApplicationAdded(port, address(application));
    }

    /// @notice As {IGateway-sendPacket}, for packets of one payload.
    function sendPacket(string calldata sourceClient, uint64 timeoutTimestamp, Payload[] calldata payloads)
        external
        returns (uint64 sequence)
    {
        Route storage route = _existing(sourceClient);
        require(
            timeoutTimestamp > block.timestamp && timeoutTimestamp - block.timestamp <= MAX_TIMEOUT,
            InvalidTimeout(timeoutTimestamp, block.timestamp)
        );
        require(payloads.length == 1, OnePayload(payloads.length));
        string calldata port = payloads[0].sourcePort;
        require(
            msg.sender == address(_applications[keccak256(bytes(port))]), NotApplication(port, msg.sender)
        );
        sequence = route.nextSequence++;
        Packet memory packet = Packet(sequence, sourceClient, route.counterparty, timeoutTimestamp, payloads);
        bytes32 clientHash = keccak256(bytes(sourceClient));
        _open[clientHash][sequence] = keccak256(abi.encode(packet));
        emit PacketSent(clientHash, sequence, packet);
        _send(route, abi.encode(Kind.Packet, abi.encode(packet)));
    }

    /// @inheritdoc IERC7786Recipient
    function receiveMessage(bytes32, bytes calldata sender, bytes calldata payload)
        external
        payable
        nonReentrant
        returns (bytes4)
    {
        require(msg.sender == address(messages), OnlyMessages(msg.sender));
        string memory clientId = _clients[keccak256(sender)];
        require(bytes(clientId).length > 0, UnknownPeer(sender));
        (Kind kind, bytes memory content) = abi.decode(payload, (Kind, bytes));
        if (kind == Kind.Packet) {
            _receive(clientId, abi.decode(content, (Packet)));
        } else {
            (Packet memory packet, bytes memory acknowledgement) = abi.decode(content, (Packet, bytes));
            _end(clientId, packet, acknowledgement, kind == Kind.Expiry);
        }
        return IERC7786Recipient.receiveMessage.selector;
    }

    /// @notice Tells where a packet came from that it was not received in time, and so never will be. Open to anyone:
    ///         of a packet that was not sent just so, the other side takes no word.
    function expire(Packet calldata packet) external nonReentrant {
        Route storage route = _existing(packet.destClient);
        _checkRoute(packet.destClient, route, packet);
        require(
            block.timestamp >= packet.timeoutTimestamp, NotExpired(packet.timeoutTimestamp, block.timestamp)
        );
        bytes32 clientHash = keccak256(bytes(packet.destClient));
        require(_answers[clientHash][packet.sequence].length == 0, AlreadyReceived(clientHash, packet.sequence));
        emit PacketExpired(clientHash, packet.sequence);
        _send(route, abi.encode(Kind.Expiry, abi.encode(packet, bytes(""))));
    }

    /// @notice Says again what became of a packet received here. Open to anyone.
    function answer(string calldata destClient, uint64 sequence) external nonReentrant {
        bytes32 clientHash = keccak256(bytes(destClient));
        bytes memory message = _answers[clientHash][sequence];
        require(message.length > 0, NotReceived(clientHash, sequence));
        _send(_existing(destClient), message);
    }

    /// @notice As {IGateway-getClient}; there is no light client.
    function getClient(string calldata clientId)
        external
        view
        returns (ILightClient client, string memory counterpartyClientId, bytes memory counterpartyLedger)
    {
        Route storage route = _existing(clientId);
        return (ILightClient(address(0)), route.counterparty, route.ledger);
    }

    function getApplication(string calldata port) external view returns (IIBCApp) {
        return _applications[keccak256(bytes(port))];
    }

    /// @notice Whether a packet sent from here has not ended.
    function isOpen(string calldata sourceClient, uint64 sequence) external view returns (bool) {
        return _open[keccak256(bytes(sourceClient))][sequence] != 0;
    }

    /// @dev The slot is taken before the application runs. A packet that comes late changes nothing: it is left to expire.
    function _receive(string memory clientId, Packet memory packet) private {
        Route storage route = _routes[keccak256(bytes(clientId))];
        _checkRoute(clientId, route, packet);
        bytes32 clientHash = keccak256(bytes(clientId));
        require(_answers[clientHash][packet.sequence].length == 0, AlreadyReceived(clientHash, packet.sequence));
        require(block.timestamp < packet.timeoutTimestamp, InvalidTimeout(packet.timeoutTimestamp, block.timestamp));
        _answers[clientHash][packet.sequence] = hex"00";

        Payload memory payload = packet.payloads[0];
        bytes memory acknowledgement = ICS24.UNIVERSAL_ERROR;
        bytes memory reason = "";
        try this.deliver(
            address(_applications[keccak256(bytes(payload.destPort))]),
            abi.encodeCall(IIBCApp.onRecvPacket, (_context(packet)))
        ) returns (bytes memory given) {
            acknowledgement = given;
        } catch (bytes memory failure) {
            require(
                failure.length > 0 && bytes4(failure) != BoundedCall.InsufficientGas.selector,
                BoundedCall.InsufficientGas()
            );
            reason = failure;
        }
        bytes memory message = abi.encode(Kind.Answer, abi.encode(packet, acknowledgement));
        _answers[clientHash][packet.sequence] = message;
        emit PacketReceived(clientHash, packet.sequence, acknowledgement, reason);
        _send(route, message);
    }

    /// @notice Delivers to an application, or undoes what it did. Called by this contract itself only.
    function deliver(address application, bytes calldata call) external returns (bytes memory acknowledgement) {
        require(msg.sender == address(this), OnlySelf());
        require(application != address(0), InvalidApplication(application));
        (bool success, bytes memory returned, bool whole) =
            BoundedCall.call(application, CALLBACK_GAS, call, MAX_ACKNOWLEDGEMENT_LENGTH + 64);
        require(success && whole && returned.length >= 64, InvalidAcknowledgement());
        // Of abi.encode(bytes), before it is decoded: garbage is refused with a reason.
        (uint256 offset, uint256 length) = abi.decode(returned, (uint256, uint256));
        require(offset == 0x20 && length <= returned.length - 64, InvalidAcknowledgement());
        acknowledgement = abi.decode(returned, (bytes));
        require(
            acknowledgement.length > 0 && acknowledgement.length <= MAX_ACKNOWLEDGEMENT_LENGTH
                && !ICS24.isUniversalError(acknowledgement),
            InvalidAcknowledgement()
        );
    }

    /// @dev The commitment goes before the application is told; when that fails, everything is undone and the message
    ///      can be delivered again.
    function _end(string memory clientId, Packet memory packet, bytes memory acknowledgement, bool timedOut) private {
        bytes32 clientHash = keccak256(bytes(packet.sourceClient));
        require(
            clientHash == keccak256(bytes(clientId)), WrongRoute(packet.sourceClient, packet.destClient)
        );
        bytes32 commitment = _open[clientHash][packet.sequence];
        require(
            commitment != 0 && commitment == keccak256(abi.encode(packet)), NotOpen(clientHash, packet.sequence)
        );
        delete _open[clientHash][packet.sequence];
        emit PacketEnded(clientHash, packet.sequence, timedOut);
        IIBCApp application = _applications[keccak256(bytes(packet.payloads[0].sourcePort))];
        if (timedOut) application.onTimeoutPacket(_context(packet));
        else application.onAcknowledgementPacket(_context(packet), acknowledgement);
    }

    function _send(Route storage route, bytes memory message) private {
        // The identifier that the gateway gives has no use here.
        // slither-disable-next-line unused-return
        messages.sendMessage(route.peer, message, new bytes[](0));
    }

    function _existing(string calldata clientId) private view returns (Route storage route) {
        route = _routes[keccak256(bytes(clientId))];
        require(route.nextSequence != 0, UnknownClient(clientId));
    }

    function _checkRoute(string memory clientId, Route storage route, Packet memory packet) private view {
        require(
            keccak256(bytes(packet.destClient)) == keccak256(bytes(clientId))
                && keccak256(bytes(packet.sourceClient)) == keccak256(bytes(route.counterparty)),
            WrongRoute(packet.sourceClient, packet.destClient)
        );
        require(packet.payloads.length == 1, OnePayload(packet.payloads.length));
    }

    function _context(Packet memory packet) private view returns (PacketContext memory) {
        return PacketContext(
            packet.sourceClient, packet.destClient, packet.sequence, packet.payloads[0], msg.sender, 0
        );
    }
}
