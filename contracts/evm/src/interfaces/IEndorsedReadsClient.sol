// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ILightClient} from "./ILightClient.sol";

/// @notice One peer's signature (ECDSA over P-256 with SHA-256) of a payload and of `endorser` behind it.
struct Endorsement {
    bytes32 x; // of the peer's public key
    bytes32 y;
    bytes32 r;
    bytes32 s; // in the lower half
    bytes endorser; // its SerializedIdentity, byte for byte as it signed it
}

/// @notice The proof encoding of the endorsed reads client, abi.encode(EndorsedReadsProof).
struct EndorsedReadsProof {
    bytes payload; // the ProposalResponsePayload that all of the peers signed
    Endorsement[] endorsements; // each of another organisation
    uint16[] places; // where in what was read the call's keys are, in their order
}

/// @notice Light client of a ledger on a Hyperledger Fabric channel, by what organisations' peers sign when they read.
interface IEndorsedReadsClient is ILightClient {
    /// @dev The hashes of the payloads that contradict each other; zero when a guardian froze it.
    event Frozen(address indexed account, bytes32 first, bytes32 second);

    /// @notice Freezes the client for good with two proofs that contradict each other. Open to anyone.
    /// @param placeA where in what `first` says the fact is that `second` denies at `placeB`
    function reportConflict(bytes calldata first, uint256 placeA, bytes calldata second, uint256 placeB) external;

    /// @notice Freezes the client for good.
    function freeze() external;

    /// @notice What is read: a ledger (CAIP-2), in the chaincode of that name on the channel.
    function source() external view returns (string memory ledger, string memory channel, string memory chaincode);

    /// @notice Whose reads count, and of how many organisations together.
    /// @return threshold how many organisations
    /// @return keys public keys (x, y) on P-256
    /// @return organisations one byte for each key: equal bytes, one organisation
    function endorsers()
        external
        view
        returns (uint16 threshold, bytes32[2][] memory keys, bytes memory organisations);
}
