// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ICommitteeClient} from "../interfaces/ICommitteeClient.sol";
import {IEmergencyExit} from "../interfaces/IEmergencyExit.sol";
import {IGateway} from "../interfaces/IGateway.sol";
import {ILicenceMarket} from "../interfaces/ILicenceMarket.sol";
import {ILightClient} from "../interfaces/ILightClient.sol";
import {IModelBridge} from "../interfaces/IModelBridge.sol";

/// @notice Gives back models that are locked, and payments that are held, towards a ledger which died for good.
/// @dev Invariants:
///      - nothing is given back over a route before {delay}, at least 30 days, in which one proof of a newer block would
///        have ended the exit, and a week after a supermajority of the route's committee said who gets what;
///      - what that supermajority said is one list, the same for everyone: once it counts, no other one does;
///      - only a paused route has an exit, and only with the client, and the committee, that it was opened with: a
///        client replaced or frozen, or a committee that rotated, ends it;
///      - who sent a model that no proof says arrived gets it back, and nobody else does; who paid for a licence of
///        which no proof says that it was granted or refused gets the money back, and nobody else does.
///
///      When this is safe is in docs/governance.md. No contract can see that a ledger is dead: it sees that nobody
///      proved the contrary.
///
///      Restricted functions: {open} (governance) and {stop} (guardians).
contract EmergencyExit is IEmergencyExit, AccessManaged, EIP712 {
    struct Exit {
        uint64 number; // how many were opened for the route
        uint64 openedAt; // 0 while there is none
        uint64 epoch; // of the committee that speaks
        uint64 declaredAt; // 0 until it spoke
        ICommitteeClient client;
        bytes32 heirs; // the Merkle root of who gets what
    }

    error InvalidDelay(uint64 delay);
    error NoCommittee(string clientId, address client);
    error ClientUnusable(string clientId);
    error RouteNotPaused(string clientId);
    error AlreadyOpen(string clientId);
    error NotOpen(string clientId);
    error NotDeclared(string clientId);
    error TooEarly(string clientId, uint64 until);
    error TooLate(string clientId);
    error NotNewer(uint64 time, uint64 openedAt);
    error AlreadyDeclared(string clientId);
    error EmptyList();
    error InvalidSignature(address member);
    error InvalidSignatures();
    error TooFewSignatures(uint256 signatures, uint256 needed);
    error NotHeir(uint256 modelId, address to);
    error NotArrived(uint256 modelId);
    error Arrived(uint256 modelId);
    error LeftAgain(uint256 modelId, uint64 sequence);

    uint64 public constant MIN_DELAY = 30 days;
    uint64 public constant MAX_DELAY = 365 days;
    /// @notice How long a list lies open before it counts, for everyone to compare with the dead ledger's last block.
    uint64 public constant OBJECTION = 7 days;
    bytes32 private constant DEATH_TYPE =
        keccak256("Death(string clientId,uint64 number,uint64 height,bytes32 heirs)");
    bytes32 private constant COMMITTEE = keccak256("caimi-committee");
    uint256 private constant SIGNATURE_LENGTH = 65;
    string private constant LICENCE_PORT = "licence";

    IGateway public immutable gateway;
    IModelBridge public immutable bridge;
    /// @notice How long an exit is open, at least, before a committee is heard.
    uint64 public immutable delay;

    mapping(bytes32 clientHash => Exit) private _exits;

    constructor(IGateway gateway_, IModelBridge bridge_, uint64 delay_, address authority)
        AccessManaged(authority)
        EIP712("CAIMI emergency exit", "1")
    {
        require(delay_ >= MIN_DELAY && delay_ <= MAX_DELAY, InvalidDelay(delay_));
        (gateway, bridge, delay) = (gateway_, bridge_, delay_);
    }

    /// @inheritdoc IEmergencyExit
    function open(string calldata clientId) external restricted returns (uint64 number) {
        Exit storage exit = _exits[keccak256(bytes(clientId))];
        require(!_isOpen(exit), AlreadyOpen(clientId));
        ILightClient client = _client(clientId);
        require(keccak256(bytes(client.clientType())) == COMMITTEE, NoCommittee(clientId, address(client)));
        require(!client.frozen(), ClientUnusable(clientId));
        require(gateway.routePaused(clientId), RouteNotPaused(clientId));
        number = ++exit.number;
        exit.openedAt = uint64(block.timestamp);
        exit.client = ICommitteeClient(address(client));
        exit.epoch = exit.client.epoch();
        emit ExitOpened(clientId, number, address(client), exit.epoch, exit.openedAt + delay);
    }

    /// @inheritdoc IEmergencyExit
    function showLife(
        string calldata clientId,
        bytes32[] calldata keys,
        bytes32[] calldata values,
        bytes calldata proof
    ) external {
        Exit storage exit = _revocable(clientId);
        (uint64 height, uint64 time) = exit.client.verifyMembership(keys, values, proof);
        require(time > exit.openedAt, NotNewer(time, exit.openedAt));
        emit SignOfLife(clientId, exit.number, height, time);
        _end(exit);
    }

    /// @inheritdoc IEmergencyExit
    function stop(string calldata clientId) external restricted {
        Exit storage exit = _revocable(clientId);
        emit ExitStopped(clientId, exit.number);
        _end(exit);
    }

    /// @inheritdoc IEmergencyExit
    function declare(
        string calldata clientId,
        uint64 height,
        bytes32 heirs,
        uint256 signers,
        bytes calldata signatures
    ) external {
        Exit storage exit = _exits[keccak256(bytes(clientId))];
        require(_isOpen(exit), NotOpen(clientId));
        require(!_isDeclared(exit), AlreadyDeclared(clientId));
        require(heirs != 0, EmptyList());
        uint64 until = exit.openedAt + delay;
        require(block.timestamp >= until, TooEarly(clientId, until));
        _checkUnchanged(clientId, exit);
        bytes32 digest = _hashTypedDataV4(
            keccak256(abi.encode(DEATH_TYPE, keccak256(bytes(clientId)), exit.number, height, heirs))
        );
        _checkSupermajority(exit, digest, signers, signatures);
        exit.declaredAt = uint64(block.timestamp);
        exit.heirs = heirs;
        emit DeathDeclared(clientId, exit.number, height, heirs, exit.declaredAt + OBJECTION);
    }

    /// @inheritdoc IEmergencyExit
    function unlock(
        string calldata clientId,
        uint256 modelId,
        uint64 sequence,
        address to,
        bytes32[] calldata proof
    ) external {
        bytes32 heirs = _checkCounting(clientId);
        bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(modelId, sequence, to))));
        require(MerkleProof.verifyCalldata(proof, heirs, leaf), NotHeir(modelId, to));
        // That it left by this route, the bridge checks.
        // slither-disable-next-line unused-return
        (, uint64 leftWith, bool completed) = bridge.locked(modelId);
        require(completed, NotArrived(modelId));
        // One that came home and left again since is not what the list is about.
        require(leftWith == sequence, LeftAgain(modelId, leftWith));
        bridge.unlockDead(modelId, clientId, to);
    }

    /// @inheritdoc IEmergencyExit
    function refund(string calldata clientId, uint256 modelId, address sender) external {
        _checkCounting(clientId);
        // slither-disable-next-line unused-return
        (,, bool completed) = bridge.locked(modelId);
        require(!completed, Arrived(modelId));
        bridge.unlockDead(modelId, clientId, sender);
    }

    /// @inheritdoc IEmergencyExit
    /// @dev The market gives back only what is pending over this route, and to its buyer, so that no list names anyone.
    function refundPurchase(string calldata clientId, uint64 sequence) external {
        // The list does not matter here, only that it counts.
        // slither-disable-next-line unused-return
        _checkCounting(clientId);
        ILicenceMarket(address(gateway.getApplication(LICENCE_PORT))).refundDead(clientId, sequence);
    }

    /// @inheritdoc IEmergencyExit
    function exitOf(string calldata clientId)
        external
        view
        returns (uint64 number, uint64 openedAt, uint64 declaredAt, bytes32 heirs)
    {
        Exit storage exit = _exits[keccak256(bytes(clientId))];
        return (exit.number, exit.openedAt, exit.declaredAt, exit.heirs);
    }

    /// @inheritdoc IEmergencyExit
    function needed(uint256 members, uint256 threshold) public pure returns (uint256) {
        return Math.max(threshold, Math.min(members, Math.ceilDiv(2 * members, 3) + 1));
    }

    function _isOpen(Exit storage exit) private view returns (bool) {
        return exit.openedAt != 0;
    }

    function _isDeclared(Exit storage exit) private view returns (bool) {
        return exit.declaredAt != 0;
    }

    /// @dev Open, and not at the point where the list counts.
    function _revocable(string calldata clientId) private view returns (Exit storage exit) {
        exit = _exits[keccak256(bytes(clientId))];
        require(_isOpen(exit), NotOpen(clientId));
        require(!_isDeclared(exit) || block.timestamp < exit.declaredAt + OBJECTION, TooLate(clientId));
    }

    /// @dev Declared, and nobody objected.
    function _checkCounting(string calldata clientId) private view returns (bytes32 heirs) {
        Exit storage exit = _exits[keccak256(bytes(clientId))];
        require(_isDeclared(exit), NotDeclared(clientId));
        uint64 until = exit.declaredAt + OBJECTION;
        require(block.timestamp >= until, TooEarly(clientId, until));
        _checkUnchanged(clientId, exit);
        return exit.heirs;
    }

    /// @dev What an exit is opened with stays so to its end, or a proof of life could not have ended it.
    function _checkUnchanged(string calldata clientId, Exit storage exit) private view {
        require(gateway.routePaused(clientId), RouteNotPaused(clientId));
        ICommitteeClient client = exit.client;
        require(
            address(_client(clientId)) == address(client) && client.epoch() == exit.epoch && !client.frozen(),
            ClientUnusable(clientId)
        );
    }

    function _client(string calldata clientId) private view returns (ILightClient client) {
        // Which counterparty and ledger it is does not matter here.
        // slither-disable-next-line unused-return
        (client,,) = gateway.getClient(clientId);
    }

    function _checkSupermajority(Exit storage exit, bytes32 digest, uint256 signers, bytes calldata signatures)
        private
        view
    {
        // Neither its hash, its operators nor its end is needed.
        // slither-disable-next-line unused-return
        (, uint16 threshold, address[] memory members,,) = exit.client.committee(exit.epoch);
        uint256 count = 0;
        for (uint256 i = 0; i < members.length; ++i) {
            if ((signers >> i) & 1 == 0) continue;
            uint256 position = count++ * SIGNATURE_LENGTH;
            require(signatures.length >= position + SIGNATURE_LENGTH, InvalidSignatures());
            bytes calldata signature = signatures[position:position + SIGNATURE_LENGTH];
            // Zero where it recovers nobody, and no member is zero.
            // slither-disable-next-line unused-return
            (address signer,,) = ECDSA.tryRecoverCalldata(digest, signature);
            require(signer == members[i], InvalidSignature(members[i]));
        }
        require(
            signatures.length == count * SIGNATURE_LENGTH && (members.length == 256 || signers >> members.length == 0),
            InvalidSignatures()
        );
        uint256 enough = needed(members.length, threshold);
        require(count >= enough, TooFewSignatures(count, enough));
    }

    /// @dev The number stays, so that no statement counts for another exit.
    function _end(Exit storage exit) private {
        (exit.openedAt, exit.declaredAt, exit.heirs) = (0, 0, 0);
    }
}
