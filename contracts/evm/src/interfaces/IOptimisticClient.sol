// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ILightClient} from "./ILightClient.sol";

/// @notice What a claim has come to.
enum ClaimState {
    None,
    Open, // may be challenged, until its window ends
    Challenged, // the stronger client must confirm it, until its deadline
    Accepted, // nobody challenged it in time, or the stronger client confirmed it; its bonds are settled
    Rejected, // challenged, and never confirmed
    Void // the client froze before it was settled
}

/// @notice What a proposer says of blocks (from, height], as validators sign it in a {Checkpoint}.
/// @dev With from = height it is of receipts that are missing at that height.
struct Claim {
    uint64 from;
    uint64 height;
    uint64 time;
    uint32 size;
    ClaimState state;
    address proposer;
    uint64 deadline; // of its window, or of its confirmation once it is challenged
    address challenger;
    uint64 previous; // the claim before it that was not rejected
    bytes32 root;
}

/// @notice The proof encoding of the optimistic client, abi.encode(OptimisticProof).
struct OptimisticProof {
    uint64 claim;
    bytes32[] proof; // OpenZeppelin multiproof of the leaves, in the order of the call's keys
    bool[] proofFlags;
}

/// @notice Light client that believes what a bonded proposer claims and nobody challenges in time.
interface IOptimisticClient is ILightClient {
    event Proposed(
        uint64 indexed claim,
        address indexed proposer,
        uint64 from,
        uint64 height,
        uint64 time,
        bytes32 root,
        uint32 size,
        uint64 deadline
    );
    event Challenged(uint64 indexed claim, address indexed challenger, uint64 deadline);
    event Settled(uint64 indexed claim, ClaimState state);
    event Withdrawn(address indexed account, uint256 amount, address to);
    event Frozen(address indexed guardian);

    /// @notice Claims, with a bond of {bond}. Named proposers only.
    function propose(uint64 from, uint64 height, uint64 time, bytes32 root, uint32 size)
        external
        payable
        returns (uint64 claim);

    /// @notice Doubts an open claim, with a bond of {bond}. Open to anyone.
    function challenge(uint64 claim) external payable;

    /// @notice Shows with the stronger client's proof that all leaves of a challenged claim are true. Open to anyone.
    /// @param keys of all its leaves, in the order in which `proofFlags` joins them to its root
    function confirm(
        uint64 claim,
        bytes32[] calldata keys,
        bytes32[] calldata values,
        bool[] calldata proofFlags,
        bytes calldata proof
    ) external;

    /// @notice Settles the bonds of a claim whose time is over, or of any when the client is frozen. Open to anyone.
    function settle(uint64 claim) external;

    /// @notice Pays out what settled claims left to the caller.
    function withdraw(address payable to) external;

    /// @notice Freezes the client at once. Guardian only.
    function freeze() external;

    function stronger() external view returns (ILightClient);
    function claims(uint64 claim) external view returns (Claim memory);
    function owed(address account) external view returns (uint256);
}
