// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {ICS24} from "../gateway/ICS24.sol";
import {Checkpoint, CommitteeProof, ICommitteeClient, StatementKind} from "../interfaces/ICommitteeClient.sol";
import {ILightClient} from "../interfaces/ILightClient.sol";
import {CommitteeStatements} from "./CommitteeStatements.sol";
import {MemberList} from "./MemberList.sol";

/// @notice Light client of one gateway: believes what m of n validators signed about it.
/// @dev A proof carries the checkpoint, its signatures and a Merkle multiproof; nothing is stored, so nothing can be
///      evicted or replayed into another state. Invariants:
///      - at least two signatures, and those of more than half of the members, stand behind every fact;
///      - no operator runs as many members as are needed, so that nobody's signatures alone stand behind one;
///      - a statement counts only for this origin, for the committee that signed it, and while that committee is the
///        current one or was replaced less than OVERLAP ago;
///      - zero is never a root, a value or a size that proves membership;
///      - a frozen client proves nothing, and nothing unfreezes it (the gateway's route gets another client).
///
///      Contradicting statements freeze it, open to anyone: honest validators sign final facts only, so there are
///      none unless a threshold of keys is in wrong hands or the source ledger broke its finality.
///
///      Restricted functions: {freeze}.
contract CommitteeClient is ICommitteeClient, AccessManaged {
    struct Committee {
        address members; // see MemberList
        uint16 threshold;
        uint64 validUntil; // seconds
    }

    error ClientFrozen();
    error EmptyOrigin();
    error WrongOrigin(bytes32 origin);
    error UnknownCommittee(bytes32 committee);
    error UnknownEpoch(uint64 epoch);
    error CommitteeExpired(bytes32 committee, uint64 validUntil);
    error TooFewSignatures(uint256 signatures, uint16 threshold);
    error UnknownSigner(uint256 signers);
    error InvalidSignaturesLength(uint256 length);
    error InvalidSignature(address member);
    error HighS(address member);
    error MalformedSignature(address member);
    error DuplicateSignature(address member);
    error SignatureOutOfOrder(address expected, address found);
    error FutureTime(uint64 time, uint256 currentTime);
    error InvalidCheckpoint();
    error InvalidLeaves(uint256 keys, uint256 values, uint32 size);
    error ZeroValue(uint256 index);
    error InvalidMerkleProof();
    error NoConflict();

    /// @notice How long a replaced committee still counts: as long as a packet lasts at most.
    uint64 public constant OVERLAP = 24 hours;
    /// @notice How far the clock of the source ledger may be ahead.
    uint64 public constant MAX_CLOCK_DRIFT = 10 minutes;
    uint256 public constant MAX_MEMBERS = MemberList.MAX_MEMBERS;
    uint256 private constant SIGNATURE_LENGTH = 65;
    /// @dev Of secp256k1's order. Of s and the order less s, only the lower one is taken (EIP-2).
    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    /// @inheritdoc ICommitteeClient
    bytes32 public immutable origin;
    bytes32 private immutable _domain;

    /// @inheritdoc ILightClient
    bool public frozen; // with the epoch and the authority in one slot
    /// @inheritdoc ICommitteeClient
    uint64 public epoch;
    mapping(bytes32 hash => Committee) private _committees;
    mapping(uint64 epoch => bytes32 hash) private _hashes;

    /// @param originGateway ERC-7930 interoperable address of the gateway that this client is about
    /// @param epoch_ the epoch of the first committee that it knows
    /// @param operators one byte for each member: equal bytes, one operator
    constructor(
        bytes memory originGateway,
        uint64 epoch_,
        uint16 threshold,
        address[] memory members,
        bytes memory operators,
        address authority
    ) AccessManaged(authority) {
        require(originGateway.length > 0, EmptyOrigin());
        origin = keccak256(originGateway);
        _domain = CommitteeStatements.domainSeparator();
        _install(epoch_, threshold, members, operators);
    }

    /// @inheritdoc ILightClient
    function clientType() external pure returns (string memory) {
        return "caimi-committee";
    }

    // Proofs

    /// @inheritdoc ILightClient
    function verifyMembership(bytes32[] calldata keys, bytes32[] calldata values, bytes calldata proof)
        external
        view
        returns (uint64 height, uint64 time)
    {
        CommitteeProof memory decoded = abi.decode(proof, (CommitteeProof));
        _checkUsable(decoded.checkpoint);
        _checkSigned(StatementKind.Checkpoint, decoded);
        _checkMembership(keys, values, decoded);
        return (decoded.checkpoint.height, decoded.checkpoint.time);
    }

    /// @inheritdoc ILightClient
    function verifyAbsence(bytes32[] calldata keys, bytes calldata proof)
        external
        view
        returns (uint64 height, uint64 time)
    {
        CommitteeProof memory decoded = abi.decode(proof, (CommitteeProof));
        _checkUsable(decoded.checkpoint);
        _checkSigned(StatementKind.Absence, decoded);
        _checkAbsence(keys, decoded);
        return (decoded.checkpoint.height, decoded.checkpoint.time);
    }

    // Committees

    /// @inheritdoc ICommitteeClient
    /// @dev The members in ascending order. Signed for the origin, so that one signing serves its clients everywhere.
    function rotate(
        uint16 threshold,
        address[] calldata members,
        bytes calldata operators,
        uint256 signers,
        bytes calldata signatures
    ) external {
        require(!frozen, ClientFrozen());
        bytes32 current = _hashes[epoch];
        uint64 next = epoch + 1;
        bytes32 digest =
            CommitteeStatements.rotationDigest(_domain, origin, current, next, threshold, members, operators);
        _checkSignatures(_committees[current], digest, signers, signatures);
        _committees[current].validUntil = uint64(block.timestamp) + OVERLAP;
        _install(next, threshold, members, operators);
    }

    /// @inheritdoc ICommitteeClient
    function committee(uint64 number)
        external
        view
        returns (bytes32 hash, uint16 threshold, address[] memory members, bytes memory operators, uint64 validUntil)
    {
        hash = _hashes[number];
        require(hash != 0, UnknownEpoch(number));
        Committee storage known = _committees[hash];
        (members, operators) = MemberList.unpack(MemberList.load(known.members));
        return (hash, known.threshold, members, operators, known.validUntil);
    }

    // Misbehaviour

    /// @inheritdoc ICommitteeClient
    /// @dev See {CommitteeStatements.contradict}.
    function reportConflict(bytes calldata first, bytes calldata second) external {
        require(!frozen, ClientFrozen());
        (StatementKind kindA, CommitteeProof memory a) = abi.decode(first, (StatementKind, CommitteeProof));
        (StatementKind kindB, CommitteeProof memory b) = abi.decode(second, (StatementKind, CommitteeProof));
        require(CommitteeStatements.contradict(kindA, a.checkpoint, kindB, b.checkpoint), NoConflict());
        _freeze(_checkSigned(kindA, a), _checkSigned(kindB, b));
    }

    /// @inheritdoc ICommitteeClient
    function reportFalseAbsence(
        string calldata destClient,
        uint64 sequence,
        bytes32 acknowledgement,
        bytes calldata absence,
        bytes calldata membership
    ) external {
        require(!frozen, ClientFrozen());
        CommitteeProof memory a = abi.decode(absence, (CommitteeProof));
        CommitteeProof memory m = abi.decode(membership, (CommitteeProof));
        require(m.checkpoint.height <= a.checkpoint.height, NoConflict());
        bytes32 first = _checkSigned(StatementKind.Absence, a);
        bytes32 second = _checkSigned(StatementKind.Checkpoint, m);
        bytes32[] memory key = new bytes32[](1);
        bytes32[] memory value = new bytes32[](1);
        key[0] = ICS24.receiptKey(destClient, sequence);
        _checkAbsence(key, a);
        key[0] = ICS24.acknowledgementKey(destClient, sequence);
        value[0] = acknowledgement;
        _checkMembership(key, value, m);
        _freeze(first, second);
    }

    /// @inheritdoc ICommitteeClient
    function freeze() external restricted {
        require(!frozen, ClientFrozen());
        _freeze(0, 0);
    }

    function _freeze(bytes32 first, bytes32 second) private {
        frozen = true;
        emit Frozen(msg.sender, first, second);
    }

    // Checks

    function _install(uint64 epoch_, uint16 threshold, address[] memory members, bytes memory operators) private {
        MemberList.check(threshold, members, operators);
        bytes32 hash = CommitteeStatements.committeeHash(epoch_, threshold, members, operators);
        epoch = epoch_;
        _hashes[epoch_] = hash;
        _committees[hash] = Committee(MemberList.store(members, operators), threshold, type(uint64).max);
        emit CommitteeChanged(epoch_, hash, threshold, members, operators);
    }

    function _checkUsable(Checkpoint memory statement) private view {
        require(!frozen, ClientFrozen());
        require(
            statement.time <= block.timestamp + MAX_CLOCK_DRIFT, FutureTime(statement.time, block.timestamp)
        );
    }

    /// @dev That a committee which still counts signed `statement` as one of `kind`.
    function _checkSigned(StatementKind kind, CommitteeProof memory statement) private view returns (bytes32 digest) {
        Checkpoint memory checkpoint = statement.checkpoint;
        require(checkpoint.origin == origin, WrongOrigin(checkpoint.origin));
        Committee memory known = _committees[checkpoint.committee];
        require(known.members != address(0), UnknownCommittee(checkpoint.committee));
        require(
            block.timestamp <= known.validUntil, CommitteeExpired(checkpoint.committee, known.validUntil)
        );
        digest = CommitteeStatements.digest(_domain, kind, checkpoint);
        _checkSignatures(known, digest, statement.signers, statement.signatures);
    }

    /// @dev One signature for each set bit of `signers`, in member order, each by that member, low-s only.
    function _checkSignatures(Committee memory known, bytes32 digest, uint256 signers, bytes memory signatures)
        private
        view
    {
        bytes memory members = MemberList.load(known.members);
        uint256 count = MemberList.count(members);
        require(count == MAX_MEMBERS || signers >> count == 0, UnknownSigner(signers));
        uint256 position = 0;
        for (uint256 i = 0; i < count; ++i) {
            if ((signers >> i) & 1 == 0) continue;
            require(signatures.length >= position + SIGNATURE_LENGTH, InvalidSignaturesLength(signatures.length));
            bytes32 r;
            bytes32 s;
            uint8 v;
            // The length was checked above.
            assembly ("memory-safe") {
                let signature := add(add(signatures, 0x20), position)
                r := mload(signature)
                s := mload(add(signature, 0x20))
                v := byte(0, mload(add(signature, 0x40)))
            }
            address member = MemberList.memberAt(members, i);
            require(uint256(s) <= HALF_ORDER, HighS(member));
            // Zero where it recovers nobody, and no member is zero.
            address signer = ecrecover(digest, v, r, s);
            if (signer != member) _refuseSigner(members, signers, i, signer);
            position += SIGNATURE_LENGTH;
        }
        require(signatures.length == position, InvalidSignaturesLength(signatures.length));
        require(
            position / SIGNATURE_LENGTH >= known.threshold,
            TooFewSignatures(position / SIGNATURE_LENGTH, known.threshold)
        );
    }

    /// @dev Says what is wrong with a signature that should have been by member `place`.
    function _refuseSigner(bytes memory members, uint256 signers, uint256 place, address signer) private pure {
        address expected = MemberList.memberAt(members, place);
        require(signer != address(0), MalformedSignature(expected));
        for (uint256 i = 0; i < MemberList.count(members); ++i) {
            if (MemberList.memberAt(members, i) != signer) continue;
            require(i > place || (signers >> i) & 1 == 0, DuplicateSignature(signer));
            revert SignatureOutOfOrder(expected, signer);
        }
        revert InvalidSignature(expected);
    }

    function _checkMembership(bytes32[] memory keys, bytes32[] memory values, CommitteeProof memory proof)
        private
        pure
    {
        require(keys.length == values.length, InvalidLeaves(keys.length, values.length, proof.checkpoint.size));
        bytes32[] memory leaves = new bytes32[](keys.length);
        for (uint256 i = 0; i < keys.length; ++i) {
            require(values[i] != 0, ZeroValue(i));
            leaves[i] = _leaf(keys[i], values[i]);
        }
        require(proof.checkpoint.height > proof.checkpoint.from, InvalidCheckpoint());
        _checkLeaves(leaves, proof);
    }

    function _checkAbsence(bytes32[] memory keys, CommitteeProof memory proof) private pure {
        bytes32[] memory leaves = new bytes32[](keys.length);
        for (uint256 i = 0; i < keys.length; ++i) {
            leaves[i] = _leaf(keys[i], 0);
        }
        require(proof.checkpoint.height == proof.checkpoint.from, InvalidCheckpoint());
        _checkLeaves(leaves, proof);
    }

    function _checkLeaves(bytes32[] memory leaves, CommitteeProof memory proof) private pure {
        uint32 size = proof.checkpoint.size;
        require(
            leaves.length > 0 && leaves.length <= size, InvalidLeaves(leaves.length, leaves.length, size)
        );
        bytes32 root = proof.checkpoint.root;
        require(root != 0, InvalidCheckpoint());
        require(
            MerkleProof.multiProofVerify(proof.proof, proof.proofFlags, root, leaves), InvalidMerkleProof()
        );
    }

    /// @dev OpenZeppelin's standard leaf, hashed twice so that no inner node passes for one.
    function _leaf(bytes32 key, bytes32 value) private pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(key, value))));
    }
}
