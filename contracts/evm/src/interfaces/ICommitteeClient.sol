// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ILightClient} from "./ILightClient.sol";

/// @notice What validators sign (EIP-712, domain name "CAIMI" version "1", no chain id: it is for every ledger).
/// @dev Two kinds, told apart by the type signed:
///      Checkpoint: `root` over (key, value) leaves of every gateway event in blocks (from, height], a pure
///      function of the source ledger. Absence: `root` over (key, 0) leaves that were asked for at `height`.
struct Checkpoint {
    bytes32 origin; // keccak256 of the source gateway's ERC-7930 interoperable address
    bytes32 committee; // hash of the signing committee: keccak256(abi.encode(epoch, threshold, members, operators))
    uint64 from; // exclusive
    uint64 height; // inclusive
    uint64 time; // seconds, of block `height`
    bytes32 root; // OpenZeppelin standard Merkle tree over (bytes32 key, bytes32 value)
    uint32 size; // number of leaves
}

/// @notice The proof encoding of the committee client, abi.encode(CommitteeProof).
struct CommitteeProof {
    Checkpoint checkpoint;
    uint256 signers; // bitmap over the committee's members
    bytes signatures; // 65 bytes each (r, s, v), in member order
    bytes32[] proof; // OpenZeppelin multiproof of the leaves, in the order of the call's keys
    bool[] proofFlags;
}

/// @notice Which of the two a {Checkpoint} was signed as.
enum StatementKind {
    Checkpoint,
    Absence
}

/// @notice m-of-n ECDSA light client over checkpoints.
interface ICommitteeClient is ILightClient {
    /// @dev `operators[i]` says who runs member i: an id that only this committee's members share.
    event CommitteeChanged(
        uint64 indexed epoch, bytes32 indexed committee, uint16 threshold, address[] members, bytes operators
    );
    /// @dev The EIP-712 digests that contradict each other, both zero when a guardian froze.
    event Frozen(address indexed reporter, bytes32 first, bytes32 second);

    /// @notice Hands over to the next epoch: signed by the current committee, old epoch valid for a bounded overlap.
    /// @param operators one byte for each member: equal bytes, one operator
    function rotate(
        uint16 threshold,
        address[] calldata members,
        bytes calldata operators,
        uint256 signers,
        bytes calldata signatures
    ) external;

    /// @notice Freezes the client when two validly signed statements contradict. Open to anyone.
    /// @dev Each is abi.encode(StatementKind, CommitteeProof); of the proof only what is signed counts.
    function reportConflict(bytes calldata first, bytes calldata second) external;

    /// @notice Freezes the client when a packet was attested as not received although it was acknowledged before.
    /// @param absence abi.encode(CommitteeProof) of the absence of the receipt
    /// @param membership abi.encode(CommitteeProof) of the acknowledgement, at the same height or an earlier one
    function reportFalseAbsence(
        string calldata destClient,
        uint64 sequence,
        bytes32 acknowledgement,
        bytes calldata absence,
        bytes calldata membership
    ) external;

    /// @notice Freezes the client at once. Guardian only.
    function freeze() external;

    function origin() external view returns (bytes32);
    function epoch() external view returns (uint64);
    function committee(uint64 number)
        external
        view
        returns (bytes32 hash, uint16 threshold, address[] memory members, bytes memory operators, uint64 validUntil);
}
