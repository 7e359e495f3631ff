// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {Blockhash} from "@openzeppelin/contracts/utils/Blockhash.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {ICS24} from "../gateway/ICS24.sol";
import {Routes} from "../gateway/Routes.sol";
import {Checkpoint, StatementKind} from "../interfaces/ICommitteeClient.sol";
import {IGateway} from "../interfaces/IGateway.sol";
import {Interoperable} from "../models/Interoperable.sol";
import {BlockHeader} from "./BlockHeader.sol";
import {CommitteeStatements} from "./CommitteeStatements.sol";
import {StateTrie} from "./StateTrie.sol";

/// @notice What validators lose when they sign of this ledger's gateway what is not so.
/// @dev It stands on the ledger that the statements are about, because there a lie shows by looking. One signature is
///      enough: each validator answers for what it signed, whoever else signed it too. Invariants:
///      - the coins that came in are bonds, owed to somebody, or were paid out, to the last wei;
///      - what is true of this ledger is never evidence: a commitment that is gone was acknowledged or timed out, an
///        acknowledgement stays once written, a receipt stays from its block on, and blocks do not change;
///      - a validator is slashed once, of all that it has, and never bonded again: its key is not to be trusted;
///      - no payment waits for a receiver that reverts: everybody can have what is theirs sent elsewhere.
///
///      A bond answers until it is withdrawn, UNBONDING after its validator asked for it. By then those who believe the
///      validator must have rotated it out of its committee: an old committee counts a day longer
///      ({CommitteeClient.OVERLAP}), and so does a packet at most. This contract knows no committees; {bonds} and the
///      event {Leaving} tell whom to trust no longer.
///
///      Heights must be this ledger's own block numbers, which on some rollups block.number is not.
contract ValidatorBond {
    struct Bond {
        uint128 active;
        uint128 leaving; // answers too, until withdrawn
        uint64 freeAt; // seconds
        bool slashed;
    }

    /// @dev One leaf of a checkpoint that somebody signed.
    struct SignedLeaf {
        Checkpoint checkpoint;
        bytes signature;
        bytes32 value;
        bytes32[] proof;
    }

    /// @dev What one block's state says of one slot: trie nodes from the roots down (`eth_getProof`).
    struct SlotProof {
        bytes header; // in RLP
        bytes[] account;
        bytes[] slot;
        bytes32 value;
    }

    event Bonded(address indexed validator, address indexed payer, uint256 amount);
    event Leaving(address indexed validator, uint256 amount, uint64 freeAt);
    event Withdrawn(address indexed validator, address indexed to, uint256 amount);
    /// @dev The EIP-712 digests of what was signed; the second is zero when one statement is enough.
    event Slashed(
        address indexed validator, address indexed reporter, bytes32 first, bytes32 second, uint256 amount, uint256 reward
    );
    event Claimed(address indexed account, address indexed to, uint256 amount);

    error InvalidAddress();
    error InvalidAmount(uint256 amount);
    error AlreadySlashed(address validator);
    error StillBonded(uint64 freeAt);
    error NothingToPay();
    error NoBond(address validator);
    error WrongOrigin(bytes32 origin);
    error DifferentSigners(address first, address second);
    error NoContradiction();
    error NotInTree();
    error WrongHeight(uint64 expected, uint64 height);
    error UnknownBlock(uint64 number);
    error True();

    /// @notice How long a bond still answers after its validator has asked for it.
    uint64 public constant UNBONDING = 7 days;
    /// @notice The reporter's part, in hundredths: enough to watch for, too little to report oneself for.
    uint256 public constant REPORTER_PERCENT = 10;
    /// @dev Where a gateway keeps its commitments ({CommitmentStore.COMMITMENTS_SLOT}).
    uint256 private constant COMMITMENTS_SLOT = 1;

    IGateway public immutable gateway;
    /// @notice Gets what the reporter does not: a treasury, or an account without a key, which burns it.
    address public immutable sink;
    bytes32 private immutable _domain;

    mapping(address validator => Bond) public bonds;
    /// @notice What {claim} pays.
    mapping(address account => uint256) public owed;

    constructor(IGateway gateway_, address sink_) {
        require(address(gateway_) != address(0) && sink_ != address(0), InvalidAddress());
        gateway = gateway_;
        sink = sink_;
        _domain = CommitteeStatements.domainSeparator();
    }

    // Bonds

    /// @notice Adds what is paid to the bond of `validator`, who alone can have it back.
    function post(address validator) external payable {
        Bond storage bond = bonds[validator];
        require(validator != address(0), InvalidAddress());
        require(!bond.slashed, AlreadySlashed(validator));
        require(msg.value > 0 && msg.value <= type(uint96).max, InvalidAmount(msg.value));
        bond.active += uint128(msg.value);
        emit Bonded(validator, msg.sender, msg.value);
    }

    /// @notice Asks for `amount` of the caller's bond. It, and what was asked for before, is free after UNBONDING.
    function unbond(uint128 amount) external {
        Bond storage bond = bonds[msg.sender];
        require(amount > 0 && amount <= bond.active, InvalidAmount(amount));
        bond.active -= amount;
        bond.leaving += amount;
        bond.freeAt = uint64(block.timestamp) + UNBONDING;
        emit Leaving(msg.sender, amount, bond.freeAt);
    }

    /// @notice Pays what the caller asked for to `to`.
    function withdraw(address payable to) external {
        Bond storage bond = bonds[msg.sender];
        uint256 amount = bond.leaving;
        require(amount > 0, NothingToPay());
        require(block.timestamp >= bond.freeAt, StillBonded(bond.freeAt));
        require(to != address(0), InvalidAddress());
        bond.leaving = 0;
        emit Withdrawn(msg.sender, to, amount);
        Address.sendValue(to, amount);
    }

    /// @notice Pays what the caller is owed to `to`.
    function claim(address payable to) external {
        require(to != address(0), InvalidAddress());
        _pay(msg.sender, to);
    }

    /// @notice Pays the sink what it is owed. Open to anyone.
    function sweep() external {
        _pay(sink, payable(sink));
    }

    function _pay(address account, address payable to) private {
        uint256 amount = owed[account];
        require(amount > 0, NothingToPay());
        owed[account] = 0;
        emit Claimed(account, to, amount);
        Address.sendValue(to, amount);
    }

    // Evidence

    /// @notice Slashes who signed two statements that contradict each other ({CommitteeStatements.contradict}).
    function slashContradiction(
        StatementKind kindA,
        Checkpoint calldata a,
        bytes calldata signatureA,
        StatementKind kindB,
        Checkpoint calldata b,
        bytes calldata signatureB
    ) external {
        (address validator, bytes32 first) = _signer(kindA, a, signatureA);
        (address other, bytes32 second) = _signer(kindB, b, signatureB);
        require(validator == other, DifferentSigners(validator, other));
        require(CommitteeStatements.contradict(kindA, a, kindB, b), NoContradiction());
        _slash(validator, first, second);
    }

    /// @notice Slashes who signed a packet that the gateway never sent, or sent otherwise.
    function slashFalsePacket(SignedLeaf calldata leaf, string calldata sourceClient, uint64 sequence) external {
        bytes32 key = ICS24.commitmentKey(sourceClient, sequence);
        (address validator, bytes32 digest) = _signerOfLeaf(leaf, key);
        bytes32 stored = gateway.getCommitment(key);
        // What is stored no more was sent once; what it was nobody knows.
        bool sent = stored == 0 ? _wasSent(sourceClient, sequence) : stored == leaf.value;
        require(!sent, True());
        _slash(validator, digest, 0);
    }

    /// @notice Slashes who signed an acknowledgement that the gateway did not write, or wrote otherwise.
    function slashFalseAcknowledgement(SignedLeaf calldata leaf, string calldata destClient, uint64 sequence)
        external
    {
        bytes32 key = ICS24.acknowledgementKey(destClient, sequence);
        (address validator, bytes32 digest) = _signerOfLeaf(leaf, key);
        require(gateway.getCommitment(key) != leaf.value, True());
        _slash(validator, digest, 0);
    }

    /// @notice Slashes who signed another hash of block `number` than this ledger remembers.
    /// @dev The last 256 blocks, and 8,191 where EIP-2935 is in force.
    function slashFalseBlock(SignedLeaf calldata leaf, uint64 number) external {
        (address validator, bytes32 digest) = _signerOfLeaf(leaf, BlockHeader.blockKey(number));
        require(_hashOf(number) != leaf.value, True());
        _slash(validator, digest, 0);
    }

    /// @notice Slashes who signed another time of a height than its block has.
    /// @param header of that block, in RLP
    function slashFalseTime(
        StatementKind kind,
        Checkpoint calldata statement,
        bytes calldata signature,
        bytes calldata header
    ) external {
        (address validator, bytes32 digest) = _signer(kind, statement, signature);
        (uint64 number, uint64 time,) = _known(header);
        require(number == statement.height, WrongHeight(statement.height, number));
        require(time != statement.time, True());
        _slash(validator, digest, 0);
    }

    /// @notice Slashes who signed that a packet was not received although it was by then.
    /// @param absent leaf of an absence, with value zero
    /// @param received that something lay in the slot of the packet's acknowledgement, which is written with its
    ///        receipt, at the height of the absence or before
    function slashFalseAbsence(
        SignedLeaf calldata absent,
        string calldata destClient,
        uint64 sequence,
        SlotProof calldata received
    ) external {
        (address validator, bytes32 digest) = _signer(StatementKind.Absence, absent.checkpoint, absent.signature);
        require(absent.value == 0, True());
        _checkLeaf(absent, ICS24.receiptKey(destClient, sequence));
        (uint64 number,, bytes32 stateRoot) = _known(received.header);
        require(number <= absent.checkpoint.height, WrongHeight(absent.checkpoint.height, number));
        bytes32 root = StateTrie.storageRoot(stateRoot, address(gateway), received.account);
        bytes32 slot = keccak256(abi.encode(ICS24.acknowledgementKey(destClient, sequence), COMMITMENTS_SLOT));
        require(received.value != 0, True());
        StateTrie.requireValue(root, slot, received.value, received.slot);
        _slash(validator, digest, 0);
    }

    // Checks

    /// @notice What statements call this ledger's gateway. After a fork it is each ledger's own.
    function origin() public view returns (bytes32) {
        return keccak256(Interoperable.here(address(gateway)));
    }

    function _signer(StatementKind kind, Checkpoint calldata statement, bytes calldata signature)
        private
        view
        returns (address validator, bytes32 digest)
    {
        require(statement.origin == origin(), WrongOrigin(statement.origin));
        digest = CommitteeStatements.digest(_domain, kind, statement);
        validator = ECDSA.recoverCalldata(digest, signature);
    }

    function _signerOfLeaf(SignedLeaf calldata leaf, bytes32 key)
        private
        view
        returns (address validator, bytes32 digest)
    {
        (validator, digest) = _signer(StatementKind.Checkpoint, leaf.checkpoint, leaf.signature);
        _checkLeaf(leaf, key);
    }

    /// @dev OpenZeppelin's standard leaf, hashed twice so that no inner node passes for one.
    function _checkLeaf(SignedLeaf calldata leaf, bytes32 key) private pure {
        bytes32 hash = keccak256(bytes.concat(keccak256(abi.encode(key, leaf.value))));
        require(MerkleProof.verifyCalldata(leaf.proof, leaf.checkpoint.root, hash), NotInTree());
    }

    /// @dev An unknown client never sent anything. A call that failed of anything else, as of gas, tells nothing.
    function _wasSent(string calldata sourceClient, uint64 sequence) private view returns (bool) {
        try gateway.nextSequenceSend(sourceClient) returns (uint64 next) {
            return sequence > 0 && sequence < next;
        } catch (bytes memory reason) {
            return bytes4(reason) != Routes.UnknownClient.selector;
        }
    }

    function _hashOf(uint64 number) private view returns (bytes32 hash) {
        hash = Blockhash.blockHash(number);
        require(hash != 0, UnknownBlock(number));
    }

    /// @dev What is in a header of this ledger's.
    function _known(bytes calldata header)
        private
        view
        returns (uint64 number, uint64 time, bytes32 stateRoot)
    {
        (number, time, stateRoot) = BlockHeader.decode(header);
        require(_hashOf(number) == keccak256(header), UnknownBlock(number));
    }

    function _slash(address validator, bytes32 first, bytes32 second) private {
        Bond storage bond = bonds[validator];
        require(!bond.slashed, AlreadySlashed(validator));
        uint256 amount = uint256(bond.active) + bond.leaving;
        require(amount > 0, NoBond(validator));
        bond.active = 0;
        bond.leaving = 0;
        bond.slashed = true;
        uint256 reward = amount * REPORTER_PERCENT / 100;
        owed[msg.sender] += reward;
        owed[sink] += amount - reward;
        emit Slashed(validator, msg.sender, first, second, amount, reward);
    }
}
