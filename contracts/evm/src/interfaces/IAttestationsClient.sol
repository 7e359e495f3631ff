// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ILightClient} from "./ILightClient.sol";

/// @notice What attestors of a Cosmos chain sign about time: abi.encode(StateAttestation).
struct StateAttestation {
    uint64 height;
    uint64 timestamp; // seconds
}

/// @notice What is stored under one path, zero for nothing.
struct PacketCompact {
    bytes32 path; // keccak256 of the ICS-24 path
    bytes32 commitment;
}

/// @notice What attestors sign about packets: abi.encode(PacketAttestation).
struct PacketAttestation {
    uint64 height;
    PacketCompact[] packets;
}

/// @notice The proof encoding of the attestations client, abi.encode(AttestationProof), for updates and for proofs.
struct AttestationProof {
    bytes attestationData;
    bytes[] signatures; // 65 bytes each (r, s, v) of sha256(kind || sha256(attestationData)), in any order
}

/// @notice Which of the two was signed, the first byte of what is hashed.
enum AttestationKind {
    None,
    State,
    Packet
}

/// @notice m-of-n ECDSA light client in the proof format of ibc-go's `attestations` client.
interface IAttestationsClient is ILightClient {
    event Updated(uint64 indexed height, uint64 time);
    /// @dev The digests that contradict each other. The second is zero when it is what an update recorded, both when
    ///      a guardian froze.
    event Frozen(address indexed reporter, bytes32 first, bytes32 second);

    /// @notice Records the time of a height. Open to anyone; a time that contradicts what is recorded freezes instead.
    /// @param proof abi.encode(AttestationProof) of a {StateAttestation}
    function updateClient(bytes calldata proof) external;

    /// @notice Freezes when two times were signed of one height, or a time that runs backwards. Open to anyone.
    /// @param first abi.encode(AttestationProof) of a {StateAttestation}, as is `second`
    function reportTimes(bytes calldata first, bytes calldata second) external;

    /// @notice Freezes when two commitments were signed of one path at one height. Open to anyone.
    /// @param first abi.encode(AttestationProof) of a {PacketAttestation}, as is `second`; they may be the same
    /// @param indexA where the path stands in the first, `indexB` in the second
    function reportCommitments(bytes calldata first, uint256 indexA, bytes calldata second, uint256 indexB) external;

    /// @notice Freezes when a packet was attested as not received although it was received before. Open to anyone.
    /// @param absence abi.encode(AttestationProof) with the packet's receipt at `indexA`, as absent
    /// @param presence the same with its receipt or acknowledgement at `indexB`, at that height or an earlier one
    function reportFalseAbsence(
        string calldata destClient,
        uint64 sequence,
        bytes calldata absence,
        uint256 indexA,
        bytes calldata presence,
        uint256 indexB
    ) external;

    /// @notice Freezes when enough attestors to prove anything enrolled for another chain too. Open to anyone.
    /// @param otherOrigin keccak256 of that chain's name
    /// @param signatures of its enrolment, by members of this client
    function reportSharedKeys(bytes32 otherOrigin, bytes[] calldata signatures) external;

    /// @notice Freezes the client at once. Guardian only.
    function freeze() external;

    /// @notice Keccak256 of the name of the chain that this client is about.
    function origin() external view returns (bytes32);
    /// @notice The highest height whose time is known.
    function latestHeight() external view returns (uint64);
    /// @notice The time of a height in seconds, 0 when it is not known.
    function timeAt(uint64 height) external view returns (uint64);
    function attestors() external view returns (uint16 threshold, address[] memory members, bytes memory operators);
    /// @notice What an attestor signs to say that its key attests to the chain `origin_` and to no other.
    function enrolmentDigest(bytes32 origin_) external view returns (bytes32);
}
