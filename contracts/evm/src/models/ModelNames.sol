// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Interoperable} from "./Interoperable.sol";

/// @notice Which strings may name a model, a version or an alias, and how a model's id follows from its name.
/// @dev A version starts with a digit and an alias with a lower-case letter, so that neither is ever taken for the other.
library ModelNames {
    uint256 private constant MAX_LENGTH = 64;
    uint256 private constant MAX_PUBLISHER_LENGTH = 64;

    // One bit for each allowed ASCII code.
    uint256 private constant DIGIT = 0x3ff << 48;
    uint256 private constant UPPER = 0x3ffffff << 65;
    uint256 private constant LOWER = 0x3ffffff << 97;
    uint256 private constant PLUS = 1 << 43;
    uint256 private constant HYPHEN = 1 << 45;
    uint256 private constant DOT = 1 << 46;
    uint256 private constant UNDERSCORE = 1 << 95;

    /// @notice The id of the model called `name` that `publisher` registered in the registry `home`.
    /// @param home an ERC-7930 account, on a ledger of any kind
    /// @param publisher as that ledger itself writes the account: 20 bytes on an EVM chain
    function modelId(bytes memory home, bytes memory publisher, string memory name) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(home, publisher, name)));
    }

    /// @notice Whether `publisher` can be an account of `ledger`: 20 bytes that are not all zero on an EVM chain, 1 to
    ///         64 bytes elsewhere.
    function isPublisher(bytes memory ledger, bytes memory publisher) internal pure returns (bool) {
        if (Interoperable.isEvmLedger(ledger)) return publisher.length == 20 && bytes20(publisher) != 0;
        return publisher.length != 0 && publisher.length <= MAX_PUBLISHER_LENGTH;
    }

    /// @notice Whether `name` is 1 to 64 of [a-z0-9._-], beginning with a letter or a digit.
    function isName(string memory name) internal pure returns (bool) {
        return _matches(name, LOWER | DIGIT, LOWER | DIGIT | DOT | UNDERSCORE | HYPHEN);
    }

    /// @notice Whether `version` is 1 to 64 of [0-9A-Za-z.+-], beginning with a digit.
    function isVersion(string memory version) internal pure returns (bool) {
        return _matches(version, DIGIT, DIGIT | UPPER | LOWER | DOT | PLUS | HYPHEN);
    }

    /// @notice Whether `name` is 1 to 64 of [a-z0-9-], beginning with a letter.
    function isAlias(string memory name) internal pure returns (bool) {
        return _matches(name, LOWER, LOWER | DIGIT | HYPHEN);
    }

    function _matches(string memory text, uint256 first, uint256 rest) private pure returns (bool) {
        bytes memory characters = bytes(text);
        uint256 length = characters.length;
        if (length == 0 || length > MAX_LENGTH) return false;
        if ((first >> uint8(characters[0])) & 1 == 0) return false;
        for (uint256 i = 1; i < length; ++i) {
            if ((rest >> uint8(characters[i])) & 1 == 0) return false;
        }
        return true;
    }
}
