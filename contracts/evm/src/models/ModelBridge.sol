// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ICS24} from "../gateway/ICS24.sol";
import {IGateway} from "../interfaces/IGateway.sol";
import {IIBCApp, PacketContext} from "../interfaces/IIBCApp.sol";
import {ILicenceMarket} from "../interfaces/ILicenceMarket.sol";
import {IModelBridge} from "../interfaces/IModelBridge.sol";
import {ForeignModel, Statement} from "../interfaces/IModelRegistry.sol";
import {Accountant} from "../limits/Accountant.sol";
import {RouteLimits} from "../limits/RouteLimits.sol";
import {Interoperable} from "./Interoperable.sol";
import {ModelNames} from "./ModelNames.sol";
import {ModelRegistry} from "./ModelRegistry.sol";
import {ModelTransfers, Transfer} from "./ModelTransfer.sol";
import {PacketApp} from "./PacketApp.sol";
import {Passages} from "./Passages.sol";
import {Paths} from "./Paths.sol";

/// @notice Moves the ownership of models between ledgers: lock, mint, burn, unlock, refund. Port "model".
/// @dev Invariants:
///      - over all ledgers at most one holder of a model is live: a model is locked where it was before it is minted
///        behind a client, at home and on every ledger of its way; it is burnt there before it is unlocked, and comes
///        back only through the client it left by;
///      - a packet is refunded only while the model is still where that packet put it, so that an acknowledgement
///        that arrives after the model has come back by another packet changes nothing;
///      - tokens leave the bridge only in a callback of its gateway, and no callback can be made to fail by the one
///        who receives (tokens are moved without asking the recipient);
///      - a ledger behind a client can harm only models whose home it is, and those that came over it: what it sends
///        is minted under ids that name it ({Paths}), or unlocks what left towards it;
///      - a model is taken only when as many blocks as its sender named lie on the block that sent it;
///      - over a route no more models come back than left over it.
///
///      Restricted functions: {pause}, {unpause}, {unlockDead}, and those of {RouteLimits} and {Accountant}. While paused, or over
///      its limits, a route sends nothing, and what arrives is refused and so refunded where it came from;
///      acknowledgements and timeouts are never paused or limited.
contract ModelBridge is
    IModelBridge,
    PacketApp,
    Passages,
    RouteLimits,
    Accountant,
    Pausable,
    ReentrancyGuardTransient
{
    /// @dev Neither the way the model came, nor one to a ledger that it has not been on.
    error NotTheWay(uint256 modelId, string clientId);
    error NotLockedTowards(uint256 modelId, string clientId);
    error NotTheSender(uint256 modelId, address to);
    error NotAVoyage(bytes home, bytes[] path);
    error InvalidHome(bytes home);
    error InvalidRecipient(bytes recipient);
    error TooDeep(uint64 minDepth);

    string public constant PORT = "model";
    string public constant VERSION = "caimi-model-3";
    /// @notice More blocks than this nobody can demand: one checkpoint covers 10,000, from the one that sent. A packet
    ///         that does not get as deep before its timeout, a day at most, ends by it, so that no depth holds a model
    ///         for ever.
    uint64 public constant MAX_DEPTH = 9_000;
    string private constant LICENCE_PORT = "licence";
    bytes private constant SUCCESS = hex"01";
    uint256 private constant MAX_RECIPIENT_LENGTH = 128;

    ModelRegistry public immutable registry;
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
    function send(
        string calldata clientId,
        uint256 modelId,
        bytes calldata recipient,
        uint64 timeoutTimestamp,
        uint64 minDepth
    ) external whenNotPaused nonReentrant returns (uint64 sequence) {
        require(minDepth <= MAX_DEPTH, TooDeep(minDepth));
        bytes memory next = _ledgerBehind(clientId);
        _checkRecipient(next, recipient);
        bytes32 clientHash = keccak256(bytes(clientId));
        // What is counted of the amount is nothing.
        // slither-disable-next-line unused-return
        _limitSending(clientHash, msg.sender, 0);
        ForeignModel memory model = _describe(modelId);
        bool back = _isVisitingBy(modelId, clientHash);
        if (back) {
            _depart(modelId, msg.sender);
        } else {
            _checkWay(clientId, modelId, model, next);
            _leave(clientHash, 1);
            _lock(modelId, clientId, msg.sender);
        }

        registry.transferFrom(msg.sender, address(this), modelId);
        if (back) registry.burnForeign(modelId);
        sequence = _sendPayload(
            clientId,
            timeoutTimestamp,
            PORT,
            VERSION,
            ModelTransfers.encode(
                Transfer(model, abi.encodePacked(msg.sender), recipient, uint64(block.number), minDepth)
            )
        );

        _number(modelId, sequence);
        _inFlight[clientHash][sequence] = modelId;
        emit ModelSent(modelId, clientHash, sequence, msg.sender, recipient);
    }

    /// @inheritdoc IIBCApp
    /// @dev Unlocks a model that left towards exactly this client, or mints what came by it, under the id of the way
    ///      it came.
    function onRecvPacket(PacketContext calldata context)
        external
        onlyGateway
        whenNotPaused
        returns (bytes memory acknowledgement)
    {
        _checkEnvelope(context.payload);
        _limitReceiving(keccak256(bytes(context.destClient)), 0);
        Transfer memory transfer = ModelTransfers.decode(context.payload.value);
        require(transfer.minDepth <= MAX_DEPTH, TooDeep(transfer.minDepth));
        // Where heights are not proved (ERC-7786) they are 0, so that who names a depth is refunded.
        require(
            transfer.minDepth == 0 || context.height >= uint256(transfer.sentAt) + transfer.minDepth, NotYet()
        );
        address recipient = address(bytes20(transfer.recipient));
        require(
            transfer.recipient.length == 20 && recipient != address(0) && recipient != address(this)
                && recipient != address(registry),
            InvalidRecipient(transfer.recipient)
        );

        uint256 modelId = _take(context.destClient, transfer.model, recipient);
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
        (uint256 modelId, bytes32 clientHash, bool current) = _end(context, false);
        if (current) _confirm(modelId);
        emit TransferCompleted(modelId, clientHash, context.sequence);
    }

    /// @inheritdoc IIBCApp
    function onTimeoutPacket(PacketContext calldata context) external onlyGateway {
        _refund(context);
    }

    /// @inheritdoc IModelBridge
    function unlockDead(uint256 modelId, string calldata clientId, address to) external restricted {
        bytes32 clientHash = keccak256(bytes(clientId));
        Passage storage passage = _passage(modelId);
        require(_isLockedTowards(modelId, clientHash), NotLockedTowards(modelId, clientId));
        require(
            passage.whereabouts == Whereabouts.Away || to == passage.sender, NotTheSender(modelId, to)
        );
        require(to != address(0) && to != address(this), InvalidRecipient(abi.encodePacked(to)));
        _openForGood(clientHash);
        emit DeadUnlocked(modelId, clientHash, to);
        _release(clientHash, modelId, to);
    }

    /// @inheritdoc IModelBridge
    function locked(uint256 modelId) external view returns (string memory clientId, uint64 sequence, bool completed) {
        if (!_isLocked(modelId)) return ("", 0, false);
        Passage storage passage = _passage(modelId);
        return (passage.leftBy, passage.sequence, passage.whereabouts == Whereabouts.Away);
    }

    /// @inheritdoc IModelBridge
    function cameBy(uint256 modelId) external view returns (string memory clientId) {
        return _passage(modelId).cameBy;
    }

    /// @dev What goes back where it came from has this ledger as its home, or as the last of its path.
    function _take(string calldata clientId, ForeignModel memory model, address recipient)
        private
        returns (uint256 modelId)
    {
        bytes memory home = Interoperable.ledgerOf(model.home);
        require(home.length != 0, InvalidHome(model.home));
        modelId = ModelNames.modelId(model.home, model.publisher, model.name);
        bytes memory here = Interoperable.thisLedger();
        if (keccak256(model.home) == keccak256(Interoperable.here(address(registry)))) {
            require(model.path.length == 0, NotAVoyage(model.home, model.path));
        } else if (Paths.endsWith(model.path, here)) {
            modelId = Paths.tokenId(modelId, Paths.before(model.path));
        } else {
            return _mint(clientId, modelId, home, here, model, recipient);
        }
        _unlock(clientId, modelId, recipient);
    }

    /// @dev Gives back what left towards exactly this client.
    function _unlock(string calldata clientId, uint256 modelId, address recipient) internal {
        bytes32 clientHash = keccak256(bytes(clientId));
        require(_isLockedTowards(modelId, clientHash), NotLockedTowards(modelId, clientId));
        _release(clientHash, modelId, recipient);
    }

    function _release(bytes32 clientHash, uint256 modelId, address to) private {
        _comeBack(clientHash, 1);
        _restore(modelId);
        registry.transferFrom(address(this), to, modelId);
    }

    /// @dev Whatever the ledger behind the client says of the way, it is itself the last of it. The registry refuses
    ///      to mint what is live or locked here.
    function _mint(
        string calldata clientId,
        uint256 modelId,
        bytes memory home,
        bytes memory here,
        ForeignModel memory model,
        address recipient
    ) private returns (uint256 tokenId) {
        bytes memory behind = _ledgerBehind(clientId);
        if (keccak256(behind) != keccak256(home)) model.path = Paths.beyond(model.path, behind);
        else require(model.path.length == 0, NotAVoyage(model.home, model.path));
        require(Paths.isVoyage(home, model.path, here), NotAVoyage(model.home, model.path));
        tokenId = Paths.tokenId(modelId, model.path);
        _arrive(tokenId, clientId);
        registry.mintForeign(tokenId, recipient, model);
    }

    /// @dev Gives the model back to its sender, if this packet is what took it away last.
    function _refund(PacketContext calldata context) private {
        (uint256 modelId, bytes32 clientHash, bool current) = _end(context, true);
        if (!current) return;
        address sender = _passage(modelId).sender;
        if (_isLocked(modelId)) {
            _release(clientHash, modelId, sender);
        } else {
            _restore(modelId);
            registry.mintForeign(modelId, sender, registry.foreign(modelId));
        }
        emit TransferRefunded(modelId, clientHash, context.sequence, sender);
    }

    /// @dev Ends a packet of ours, once. `current` says that the model is still where this packet put it.
    function _end(PacketContext calldata context, bool refunded)
        private
        returns (uint256 modelId, bytes32 clientHash, bool current)
    {
        clientHash = keccak256(bytes(context.sourceClient));
        modelId = _inFlight[clientHash][context.sequence];
        require(modelId != 0, UnknownPacket(clientHash, context.sequence));
        delete _inFlight[clientHash][context.sequence];
        current = _isMovedBy(modelId, clientHash, context.sequence);
        // The packet is ours, so that it names who sent it.
        bytes memory sender = ModelTransfers.decode(context.payload.value).sender;
        _limitEnded(clientHash, address(bytes20(sender)), 0, refunded);
    }

    /// @dev From home anywhere; from elsewhere only to a ledger that the model has not been on.
    function _checkWay(string calldata clientId, uint256 modelId, ForeignModel memory model, bytes memory next)
        private
        view
    {
        bytes memory home = Interoperable.ledgerOf(model.home);
        bytes memory here = Interoperable.thisLedger();
        if (keccak256(home) == keccak256(here)) return;
        require(Paths.isVoyage(home, Paths.beyond(model.path, here), next), NotTheWay(modelId, clientId));
    }

    function _checkRecipient(bytes memory ledger, bytes calldata recipient) private pure {
        bool fits = Interoperable.isEvmLedger(ledger)
            ? recipient.length == 20 && address(bytes20(recipient)) != address(0)
            : recipient.length != 0 && recipient.length <= MAX_RECIPIENT_LENGTH;
        require(fits, InvalidRecipient(recipient));
    }

    /// @dev What travels with a model: what its home says of it now, or what was said when it came.
    function _describe(uint256 modelId) private view returns (ForeignModel memory model) {
        if (!registry.isHome(modelId)) return registry.foreign(modelId);
        uint256 count;
        (model.publisher, model.name, model.home, count) = registry.model(modelId);
        Statement memory stated = model.stated;
        stated.time = uint64(block.timestamp);
        stated.versionCount = uint64(count);
        stated.version = registry.versionAt(modelId, count - 1);
        stated.manifest = registry.getVersion(modelId, keccak256(bytes(stated.version))).manifest;
        address market = address(gateway.getApplication(LICENCE_PORT));
        if (market != address(0)) (stated.licenceCount, stated.licenceDigest) = ILicenceMarket(market).tally(modelId);
    }
}
