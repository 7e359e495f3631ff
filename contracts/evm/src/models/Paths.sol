// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Interoperable} from "./Interoperable.sol";

/// @notice The ledgers that a model came over, and the id that its token has because of them.
/// @dev A path lists the ledgers between the model's home and this one, in the order of the voyage, neither end among
///      them: it is empty at home and after a direct voyage. A ledger on it can have lied about everything further
///      out, so a token's id commits to its path: what a ledger mints is under ids that name it, and nobody takes the
///      id under which a model arrives another way.
///
///      No id with a path is the id of a model: both hash words of the ABI encoding, and the second word of a path's
///      (where the list begins) is 64, that of a model's (where its publisher begins) at least 160.
library Paths {
    /// @notice So at most four hops.
    uint256 internal constant MAX_LENGTH = 3;

    /// @notice The token of model `modelId` that came over `path`.
    function tokenId(uint256 modelId, bytes[] memory path) internal pure returns (uint256) {
        return path.length == 0 ? modelId : uint256(keccak256(abi.encode(modelId, path)));
    }

    /// @notice Whether a model of `home` may come over `path` to `ledger`: over few enough, and to none of them twice.
    function isVoyage(bytes memory home, bytes[] memory path, bytes memory ledger) internal pure returns (bool) {
        if (path.length > MAX_LENGTH) return false;
        bytes32 homeHash = keccak256(home);
        bytes32 endHash = keccak256(ledger);
        if (homeHash == endHash) return false;
        for (uint256 i = 0; i < path.length; ++i) {
            bytes32 hash = keccak256(path[i]);
            if (hash == homeHash || hash == endHash || !Interoperable.isLedger(path[i])) return false;
            for (uint256 j = 0; j < i; ++j) {
                if (keccak256(path[j]) == hash) return false;
            }
        }
        return true;
    }

    /// @notice `path`, and then over `ledger`.
    function beyond(bytes[] memory path, bytes memory ledger) internal pure returns (bytes[] memory longer) {
        longer = new bytes[](path.length + 1);
        for (uint256 i = 0; i < path.length; ++i) {
            longer[i] = path[i];
        }
        longer[path.length] = ledger;
    }

    /// @notice The path at the last ledger of `path`.
    function before(bytes[] memory path) internal pure returns (bytes[] memory shorter) {
        shorter = new bytes[](path.length - 1);
        for (uint256 i = 0; i < shorter.length; ++i) {
            shorter[i] = path[i];
        }
    }

    /// @notice Whether `path` ends with `ledger`.
    function endsWith(bytes[] memory path, bytes memory ledger) internal pure returns (bool) {
        return path.length != 0 && keccak256(path[path.length - 1]) == keccak256(ledger);
    }
}
