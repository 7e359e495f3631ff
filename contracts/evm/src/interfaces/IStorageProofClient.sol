// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ILightClient} from "./ILightClient.sol";

/// @notice The proof encoding of the storage proof client, abi.encode(StorageProof).
struct StorageProof {
    bytes header; // of the block, in RLP
    bytes trusted; // the inner client's proof of the block's hash
    bytes[] account; // trie nodes from the state root to the gateway's account
    bytes[][] slots; // trie nodes from its storage root to each slot, in the order of the call's keys
    string destClient; // of the receipts whose absence is proved; empty for membership
    uint64[] sequences; // of the same, in the order of the call's keys
}

/// @notice Light client of a gateway whose blocks another client vouches for.
interface IStorageProofClient is ILightClient {
    /// @notice Who vouches for block hashes.
    function inner() external view returns (ILightClient);

    /// @notice The gateway on the other ledger.
    function gateway() external view returns (address);
}
