// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {ILightClient} from "../interfaces/ILightClient.sol";
import {Claim, ClaimState, IOptimisticClient, OptimisticProof} from "../interfaces/IOptimisticClient.sol";

/// @notice Light client of one gateway: believes what a bonded proposer claims and nobody challenges in time, and of
///         what is challenged only what a stronger client confirms, leaf by leaf.
/// @dev Whoever doubts a claim need not prove it false (nothing proves that a packet was never sent): who made it must
///      have it proved true. Invariants:
///      - a claim proves nothing before its window ended unchallenged, or before every leaf of it was confirmed by the
///        stronger client at the claim's very height and time;
///      - claims that were not rejected rise in height, and their times never run backwards;
///      - every bond that came in is held for a claim that is not settled, or owed to somebody, or was withdrawn;
///      - every claim can be settled by anyone once its deadline is over, and all at once when the client is frozen:
///        no bond waits for somebody's goodwill, and no payment for a receiver that reverts;
///      - with the stronger client frozen nothing could be confirmed, so that this one is frozen with it.
///
///      Restricted functions: {propose}, {freeze}. Only named proposers may fill the places for open claims and set
///      the height which the next must pass; anyone may challenge them.
contract OptimisticClient is IOptimisticClient, AccessManaged {
    error InvalidStrongerClient(address stronger);
    error InvalidWindow(uint64 window);
    error InvalidBond(uint256 value);
    error ClientFrozen();
    error InvalidClaim();
    error HeightNotRising(uint64 height, uint64 latest);
    error TimeRunsBackwards(uint64 time, uint64 latest);
    error FutureTime(uint64 time, uint256 currentTime);
    error TooManyOpenClaims();
    error WrongState(uint64 claim, ClaimState state);
    error WindowOver(uint64 claim, uint64 deadline);
    error WindowOpen(uint64 claim, uint64 deadline);
    error WrongLeaves(uint256 keys, uint256 values, uint32 size);
    error ZeroValue(uint256 index);
    error ValueOfAbsence(uint256 index);
    error InvalidMerkleProof();
    error NotConfirmed(uint64 height, uint64 time);
    error NotAccepted(uint64 claim, ClaimState state);
    error WrongKind(uint64 claim);
    error NonCanonicalProof();
    error NothingOwed();
    error InvalidRecipient(address to);

    /// @notice How far the clock of the source ledger may be ahead.
    uint64 public constant MAX_CLOCK_DRIFT = 10 minutes;
    uint64 public constant MIN_WINDOW = 10 minutes;
    /// @notice Half of what a packet lasts at most.
    uint64 public constant MAX_WINDOW = 12 hours;
    uint256 public constant MAX_OPEN_CLAIMS = 64;
    /// @notice What the stronger client can confirm in one transaction.
    uint32 public constant MAX_SIZE = 1_024;

    /// @inheritdoc IOptimisticClient
    ILightClient public immutable stronger;
    /// @notice What a proposer and a challenger each put in, in the native coin.
    uint256 public immutable bond;
    /// @notice How long a claim can be challenged.
    uint64 public immutable challengeWindow;
    /// @notice How long a challenged claim can be confirmed.
    uint64 public immutable confirmationWindow;

    /// @notice Claims whose bonds are not settled.
    uint64 public openClaims;
    uint64 private _count;
    uint64 private _latest; // the last claim that was not rejected
    bool private _frozen;
    mapping(uint64 id => Claim) private _claims;
    /// @inheritdoc IOptimisticClient
    mapping(address account => uint256) public owed;

    /// @param stronger_ a client of the same gateway, which decides what is challenged
    constructor(
        ILightClient stronger_,
        uint256 bond_,
        uint64 challengeWindow_,
        uint64 confirmationWindow_,
        address authority
    ) AccessManaged(authority) {
        require(address(stronger_).code.length > 0, InvalidStrongerClient(address(stronger_)));
        require(bond_ > 0, InvalidBond(bond_));
        require(challengeWindow_ >= MIN_WINDOW && challengeWindow_ <= MAX_WINDOW, InvalidWindow(challengeWindow_));
        require(
            confirmationWindow_ >= MIN_WINDOW && confirmationWindow_ <= MAX_WINDOW,
            InvalidWindow(confirmationWindow_)
        );
        stronger = stronger_;
        bond = bond_;
        challengeWindow = challengeWindow_;
        confirmationWindow = confirmationWindow_;
    }

    // Claims

    /// @inheritdoc IOptimisticClient
    function propose(uint64 from, uint64 height, uint64 time, bytes32 root, uint32 size)
        external
        payable
        restricted
        returns (uint64 id)
    {
        require(!frozen(), ClientFrozen());
        require(msg.value == bond, InvalidBond(msg.value));
        require(from <= height && root != 0 && size > 0 && size <= MAX_SIZE, InvalidClaim());
        Claim storage latest = _claims[_latest];
        require(height > latest.height, HeightNotRising(height, latest.height));
        require(time >= latest.time, TimeRunsBackwards(time, latest.time));
        require(time <= block.timestamp + MAX_CLOCK_DRIFT, FutureTime(time, block.timestamp));
        require(openClaims < MAX_OPEN_CLAIMS, TooManyOpenClaims());
        ++openClaims;
        id = ++_count;
        uint64 deadline = uint64(block.timestamp) + challengeWindow;
        _claims[id] = Claim(
            from, height, time, size, ClaimState.Open, msg.sender, deadline, address(0), _latest, root
        );
        _latest = id;
        emit Proposed(id, msg.sender, from, height, time, root, size, deadline);
    }

    /// @inheritdoc IOptimisticClient
    function challenge(uint64 id) external payable {
        require(!frozen(), ClientFrozen());
        require(msg.value == bond, InvalidBond(msg.value));
        Claim storage claim = _claims[id];
        require(claim.state == ClaimState.Open, WrongState(id, claim.state));
        require(block.timestamp < claim.deadline, WindowOver(id, claim.deadline));
        claim.state = ClaimState.Challenged;
        claim.challenger = msg.sender;
        claim.deadline = uint64(block.timestamp) + confirmationWindow;
        emit Challenged(id, msg.sender, claim.deadline);
    }

    /// @inheritdoc IOptimisticClient
    /// @dev With no proof hashes but the leaves themselves the root is of these leaves and of nothing else.
    function confirm(
        uint64 id,
        bytes32[] calldata keys,
        bytes32[] calldata values,
        bool[] calldata proofFlags,
        bytes calldata proof
    ) external {
        require(!frozen(), ClientFrozen());
        Claim storage claim = _claims[id];
        require(claim.state == ClaimState.Challenged, WrongState(id, claim.state));
        require(block.timestamp < claim.deadline, WindowOver(id, claim.deadline));
        require(
            keys.length == claim.size && values.length == claim.size,
            WrongLeaves(keys.length, values.length, claim.size)
        );
        bool absence = claim.from == claim.height;
        bytes32[] memory leaves = new bytes32[](keys.length);
        for (uint256 i = 0; i < keys.length; ++i) {
            if (absence) require(values[i] == 0, ValueOfAbsence(i));
            else require(values[i] != 0, ZeroValue(i));
            leaves[i] = _leaf(keys[i], values[i]);
        }
        require(
            MerkleProof.multiProofVerify(new bytes32[](0), proofFlags, claim.root, leaves), InvalidMerkleProof()
        );
        (uint64 height, uint64 time) =
            absence ? stronger.verifyAbsence(keys, proof) : stronger.verifyMembership(keys, values, proof);
        require(height == claim.height && time == claim.time, NotConfirmed(height, time));
        _settle(id, ClaimState.Accepted);
        owed[claim.proposer] += 2 * bond;
    }

    /// @inheritdoc IOptimisticClient
    function settle(uint64 id) external {
        Claim storage claim = _claims[id];
        ClaimState state = claim.state;
        require(state == ClaimState.Open || state == ClaimState.Challenged, WrongState(id, state));
        if (frozen()) {
            _settle(id, ClaimState.Void);
            owed[claim.proposer] += bond;
            if (state == ClaimState.Challenged) owed[claim.challenger] += bond;
            return;
        }
        require(block.timestamp >= claim.deadline, WindowOpen(id, claim.deadline));
        if (state == ClaimState.Open) {
            _settle(id, ClaimState.Accepted);
            owed[claim.proposer] += bond;
        } else {
            _settle(id, ClaimState.Rejected);
            owed[claim.challenger] += 2 * bond;
            // Not further than the claims that were open with it: those before are accepted.
            // A state is one of six, not a balance that somebody else could shift.
            // slither-disable-next-line incorrect-equality
            while (_claims[_latest].state == ClaimState.Rejected) _latest = _claims[_latest].previous;
        }
    }

    /// @inheritdoc IOptimisticClient
    function withdraw(address payable to) external {
        require(to != address(0), InvalidRecipient(to));
        uint256 amount = owed[msg.sender];
        require(amount > 0, NothingOwed());
        owed[msg.sender] = 0;
        emit Withdrawn(msg.sender, amount, to);
        Address.sendValue(to, amount);
    }

    function _settle(uint64 id, ClaimState state) private {
        _claims[id].state = state;
        --openClaims;
        emit Settled(id, state);
    }

    // Proofs

    /// @inheritdoc ILightClient
    function verifyMembership(bytes32[] calldata keys, bytes32[] calldata values, bytes calldata proof)
        external
        view
        returns (uint64 height, uint64 time)
    {
        (Claim storage claim, OptimisticProof memory decoded) = _accepted(proof);
        require(claim.from < claim.height, WrongKind(decoded.claim));
        require(keys.length == values.length, WrongLeaves(keys.length, values.length, claim.size));
        bytes32[] memory leaves = new bytes32[](keys.length);
        for (uint256 i = 0; i < keys.length; ++i) {
            require(values[i] != 0, ZeroValue(i));
            leaves[i] = _leaf(keys[i], values[i]);
        }
        return _prove(claim, leaves, decoded);
    }

    /// @inheritdoc ILightClient
    function verifyAbsence(bytes32[] calldata keys, bytes calldata proof)
        external
        view
        returns (uint64 height, uint64 time)
    {
        (Claim storage claim, OptimisticProof memory decoded) = _accepted(proof);
        require(claim.from == claim.height, WrongKind(decoded.claim));
        bytes32[] memory leaves = new bytes32[](keys.length);
        for (uint256 i = 0; i < keys.length; ++i) {
            leaves[i] = _leaf(keys[i], 0);
        }
        return _prove(claim, leaves, decoded);
    }

    /// @dev The claim of a proof, and the proof, in the one encoding that abi.encode gives. That a claim is accepted
    ///      needs no transaction: an open one is as soon as its window is over.
    function _accepted(bytes calldata proof)
        private
        view
        returns (Claim storage claim, OptimisticProof memory decoded)
    {
        require(!frozen(), ClientFrozen());
        decoded = abi.decode(proof, (OptimisticProof));
        require(keccak256(abi.encode(decoded)) == keccak256(proof), NonCanonicalProof());
        claim = _claims[decoded.claim];
        require(
            claim.state == ClaimState.Accepted
                || (claim.state == ClaimState.Open && block.timestamp >= claim.deadline),
            NotAccepted(decoded.claim, claim.state)
        );
    }

    function _prove(Claim storage claim, bytes32[] memory leaves, OptimisticProof memory decoded)
        private
        view
        returns (uint64 height, uint64 time)
    {
        require(
            leaves.length > 0 && leaves.length <= claim.size, WrongLeaves(leaves.length, leaves.length, claim.size)
        );
        require(
            MerkleProof.multiProofVerify(decoded.proof, decoded.proofFlags, claim.root, leaves), InvalidMerkleProof()
        );
        return (claim.height, claim.time);
    }

    /// @dev As in {CommitteeClient}.
    function _leaf(bytes32 key, bytes32 value) private pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(key, value))));
    }

    // The client

    /// @inheritdoc ILightClient
    function clientType() external pure returns (string memory) {
        return "caimi-optimistic";
    }

    /// @inheritdoc ILightClient
    function frozen() public view returns (bool) {
        return _frozen || stronger.frozen();
    }

    /// @inheritdoc IOptimisticClient
    function freeze() external restricted {
        require(!_frozen, ClientFrozen());
        _frozen = true;
        emit Frozen(msg.sender);
    }

    /// @inheritdoc IOptimisticClient
    function claims(uint64 id) external view returns (Claim memory) {
        return _claims[id];
    }
}
