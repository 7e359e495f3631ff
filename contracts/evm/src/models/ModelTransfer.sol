// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ForeignModel} from "../interfaces/IModelRegistry.sol";

/// @notice What one packet of the port "model" says. `model.path` is that of the token on the sending ledger.
struct Transfer {
    ForeignModel model;
    bytes sender;
    bytes recipient;
    uint64 sentAt; // block of the sending ledger
    uint64 minDepth; // how many blocks must have followed it before the receiving ledger may take the model
}

/// @notice The payload's value, abi.encode(TAG, Transfer).
library ModelTransfers {
    uint8 private constant TAG = 1;

    error InvalidTransfer();

    function encode(Transfer memory transfer) internal pure returns (bytes memory) {
        return abi.encode(TAG, transfer);
    }

    /// @dev Strict: a value has one encoding.
    function decode(bytes calldata value) internal pure returns (Transfer memory transfer) {
        uint8 tag;
        (tag, transfer) = abi.decode(value, (uint8, Transfer));
        require(tag == TAG && keccak256(encode(transfer)) == keccak256(value), InvalidTransfer());
    }
}
