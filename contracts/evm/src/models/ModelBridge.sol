// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ICS24} from "../gateway/ICS24.sol";
import {IGateway} from "../interfaces/IGateway.sol";
import {IIBCApp, PacketContext} from "../interfaces/IIBCApp.sol";
import {IModelBridge} from "../interfaces/IModelBridge.sol";
import {Accountant} from "../limits/Accountant.sol";
import {RouteLimits} from "../limits/RouteLimits.sol";
import {Interoperable} from "./Interoperable.sol";
import {ModelNames} from "./ModelNames.sol";
import {ModelRegistry} from "./ModelRegistry.sol";
import {PacketApp} from "./PacketApp.sol";

/// @notice Moves the ownership of models between ledgers: lock, mint, burn, unlock, refund. Port "model".
/// @dev Invariants:
///      - over all ledgers at most one holder of a model is live: a model is locked at home before it is minted
///        behind a client, burnt there before it is unlocked, and comes back only through the client it left by;
///      - a packet is refunded only while the model is still where that packet put it, so that an acknowledgement
///        that arrives after the model has come home by another packet changes nothing;
///      - tokens leave the bridge only in a callback of its gateway, and no callback can be made to fail by the one
///        who receives (tokens are moved without asking the recipient);
///      - a ledger behind a client can harm only models whose home it is, and those that were sent to it;
///      - over a route no more home models come back than left over it.
///
///      Restricted functions: {pause}, {unpause}, and those of {RouteLimits} and {Accountant}. While paused, or over
///      its limits, a route sends nothing, and what arrives is refused and so refunded where it came from;
///      acknowledgements and timeouts are never paused or limited.
contract ModelBridge is IModelBridge, PacketApp, RouteLimits, Accountant, Pausable, ReentrancyGuardTransient {
    /// @dev Where a model is, as this ledger knows it.
    enum Whereabouts {
        Nowhere, // this bridge has no part in it
        Leaving, // home model, locked, not acknowledged
        Away, // home model, locked, acknowledged
        Visiting, // foreign model, live here
        Returning // foreign model, burnt, not acknowledged
    }

    struct Passage {
        string clientId; // the route it left by (home models) or came by (foreign ones)
        address sender;
        uint64 sequence;
        Whereabouts whereabouts;
    }

    /// @dev The payload's value, abi.encode(TAG, home, publisher, name, sender, recipient).
    struct Transfer {
        bytes home;
        address publisher;
        string name;
        bytes sender;
        bytes recipient;
    }

    error NotHomeRoute(uint256 modelId, string clientId);
    error NotLockedTowards(uint256 modelId, string clientId);
    error NotFromHome(bytes home, string clientId);
    error InvalidHome(bytes home);
    error InvalidRecipient(bytes recipient);

    string public constant PORT = "model";
    string public constant VERSION = "caimi-model-1";
    uint8 private constant TAG = 1;
    bytes private constant SUCCESS = hex"01";
    uint256 private constant MAX_RECIPIENT_LENGTH = 128;

    ModelRegistry public immutable registry;
    mapping(uint256 modelId => Passage) private _passages;
    mapping(bytes32 clientHash => mapping(uint64 sequence => uint256 modelId)) private _inFlight;

    constructor(IGateway gateway_, ModelRegistry registry_, address authority)
        PacketApp(gateway_, PORT, VERSION)
        AccessManaged(authority)
    {
        registry = registry_;
    }

    function pause() external restricted {
        _pause();
    }

    function unpause() external restricted {
        _unpause();
    }

    /// @inheritdoc IModelBridge
    /// @dev The sequence is known, and written, only after the gateway has sent; neither it nor the registry hands
    ///      control to anyone.
    // slither-disable-next-line reentrancy-no-eth
    function send(string calldata clientId, uint256 modelId, bytes calldata recipient, uint64 timeoutTimestamp)
        external
        whenNotPaused
        nonReentrant
        returns (uint64 sequence)
    {
        _checkRecipient(clientId, recipient);
        _limitSending(clientId, 0);
        bool home = registry.isHome(modelId);
        Passage storage passage = _passages[modelId];
        if (home) {
            _leave(keccak256(bytes(clientId)), 1);
            passage.clientId = clientId;
            passage.whereabouts = Whereabouts.Leaving;
        } else {
            require(_same(passage.clientId, clientId), NotHomeRoute(modelId, clientId));
            passage.whereabouts = Whereabouts.Returning;
        }
        passage.sender = msg.sender;

        registry.transferFrom(msg.sender, address(this), modelId);
        if (!home) registry.burnForeign(modelId);
        sequence = _sendPayload(
            clientId, timeoutTimestamp, PORT, VERSION, _encode(modelId, abi.encodePacked(msg.sender), recipient)
        );

        passage.sequence = sequence;
        bytes32 clientHash = keccak256(bytes(clientId));
        _inFlight[clientHash][sequence] = modelId;
        emit ModelSent(modelId, clientHash, sequence, msg.sender, recipient);
    }

    /// @inheritdoc IIBCApp
    /// @dev Unlocks a model that left towards exactly this client, or mints one whose home is the ledger behind it.
    function onRecvPacket(PacketContext calldata context)
        external
        onlyGateway
        whenNotPaused
        returns (bytes memory acknowledgement)
    {
        _checkEnvelope(context.payload);
        _limitReceiving(context.destClient, 0);
        Transfer memory transfer = _decode(context.payload.value);
        (bool valid, uint256 chainId, address homeRegistry) = Interoperable.evmAccount(transfer.home);
        require(valid, InvalidHome(transfer.home));
        address recipient = address(bytes20(transfer.recipient));
        require(
            transfer.recipient.length == 20 && recipient != address(0) && recipient != address(this),
            InvalidRecipient(transfer.recipient)
        );

        uint256 modelId = ModelNames.modelId(chainId, homeRegistry, transfer.publisher, transfer.name);
        if (chainId == block.chainid && homeRegistry == address(registry)) {
            _unlock(context.destClient, modelId, recipient);
        } else {
            _mint(context.destClient, chainId, modelId, recipient, transfer);
        }
        emit ModelReceived(modelId, keccak256(bytes(context.destClient)), context.sequence, recipient);
        return SUCCESS;
    }

    /// @inheritdoc IIBCApp
    /// @dev Anything but the universal error acknowledgement means that the other side took the model: it holds it
    ///      now, so that giving it back here would make two holders.
    function onAcknowledgementPacket(PacketContext calldata context, bytes calldata acknowledgement)
        external
        onlyGateway
    {
        if (ICS24.isUniversalError(acknowledgement)) {
            _refund(context);
            return;
        }
        (uint256 modelId, bytes32 clientHash, bool current) = _end(context);
        if (current) {
            Passage storage passage = _passages[modelId];
            if (passage.whereabouts == Whereabouts.Leaving) passage.whereabouts = Whereabouts.Away;
            else delete _passages[modelId];
        }
        emit TransferCompleted(modelId, clientHash, context.sequence);
    }

    /// @inheritdoc IIBCApp
    function onTimeoutPacket(PacketContext calldata context) external onlyGateway {
        _refund(context);
    }

    /// @inheritdoc IModelBridge
    function locked(uint256 modelId) external view returns (string memory clientId, uint64 sequence, bool completed) {
        Passage storage passage = _passages[modelId];
        if (!_isLocked(passage)) return ("", 0, false);
        return (passage.clientId, passage.sequence, passage.whereabouts == Whereabouts.Away);
    }

    function _unlock(string calldata clientId, uint256 modelId, address recipient) private {
        Passage storage passage = _passages[modelId];
        require(_isLocked(passage) && _same(passage.clientId, clientId), NotLockedTowards(modelId, clientId));
        _comeBack(keccak256(bytes(clientId)), 1);
        delete _passages[modelId];
        registry.transferFrom(address(this), recipient, modelId);
    }

    /// @dev The registry refuses to mint what is live here.
    function _mint(
        string calldata clientId,
        uint256 chainId,
        uint256 modelId,
        address recipient,
        Transfer memory transfer
    ) private {
        require(
            keccak256(_ledgerBehind(clientId)) == keccak256(Interoperable.evmLedger(chainId)),
            NotFromHome(transfer.home, clientId)
        );
        Passage storage passage = _passages[modelId];
        delete _passages[modelId];
        passage.clientId = clientId;
        passage.whereabouts = Whereabouts.Visiting;
        registry.mintForeign(modelId, recipient, transfer.publisher, transfer.name, transfer.home);
    }

    /// @dev Gives the model back to its sender, if this packet is what took it away last.
    function _refund(PacketContext calldata context) private {
        (uint256 modelId, bytes32 clientHash, bool current) = _end(context);
        if (!current) return;
        Passage storage passage = _passages[modelId];
        address sender = passage.sender;
        if (passage.whereabouts == Whereabouts.Leaving) {
            _comeBack(clientHash, 1);
            delete _passages[modelId];
            registry.transferFrom(address(this), sender, modelId);
        } else {
            passage.sender = address(0);
            passage.sequence = 0;
            passage.whereabouts = Whereabouts.Visiting;
            (address publisher, string memory name, bytes memory home) = _origin(modelId);
            registry.mintForeign(modelId, sender, publisher, name, home);
        }
        emit TransferRefunded(modelId, clientHash, context.sequence, sender);
    }

    /// @dev Ends a packet of ours, once. `current` says that the model is still where this packet put it.
    function _end(PacketContext calldata context) private returns (uint256 modelId, bytes32 clientHash, bool current) {
        clientHash = keccak256(bytes(context.sourceClient));
        modelId = _inFlight[clientHash][context.sequence];
        require(modelId != 0, UnknownPacket(clientHash, context.sequence));
        delete _inFlight[clientHash][context.sequence];
        Passage storage passage = _passages[modelId];
        current = (passage.whereabouts == Whereabouts.Leaving || passage.whereabouts == Whereabouts.Returning)
            && passage.sequence == context.sequence && keccak256(bytes(passage.clientId)) == clientHash;
    }

    function _checkRecipient(string calldata clientId, bytes calldata recipient) private view {
        bool fits = Interoperable.isEvmLedger(_ledgerBehind(clientId))
            ? recipient.length == 20 && address(bytes20(recipient)) != address(0)
            : recipient.length != 0 && recipient.length <= MAX_RECIPIENT_LENGTH;
        require(fits, InvalidRecipient(recipient));
    }

    function _encode(uint256 modelId, bytes memory sender, bytes memory recipient) private view returns (bytes memory) {
        (address publisher, string memory name, bytes memory home) = _origin(modelId);
        return abi.encode(TAG, home, publisher, name, sender, recipient);
    }

    /// @dev What the model's id commits to.
    function _origin(uint256 modelId) private view returns (address publisher, string memory name, bytes memory home) {
        // How many versions there are does not travel.
        // slither-disable-next-line unused-return
        (publisher, name, home,) = registry.model(modelId);
    }

    /// @dev Strict: a value has one encoding.
    function _decode(bytes calldata value) private pure returns (Transfer memory transfer) {
        uint8 tag;
        (tag, transfer.home, transfer.publisher, transfer.name, transfer.sender, transfer.recipient) =
            abi.decode(value, (uint8, bytes, address, string, bytes, bytes));
        bytes memory canonical =
            abi.encode(TAG, transfer.home, transfer.publisher, transfer.name, transfer.sender, transfer.recipient);
        require(tag == TAG && keccak256(canonical) == keccak256(value), InvalidPayload());
    }

    function _isLocked(Passage storage passage) private view returns (bool) {
        return passage.whereabouts == Whereabouts.Leaving || passage.whereabouts == Whereabouts.Away;
    }

    function _same(string memory a, string memory b) private pure returns (bool) {
        return keccak256(bytes(a)) == keccak256(bytes(b));
    }
}
