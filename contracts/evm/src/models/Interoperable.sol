// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";

/// @notice Strict readings of ERC-7930 interoperable addresses: one account has one encoding.
/// @dev OpenZeppelin's parser ignores trailing bytes; what is used as a key or compared must not have two spellings.
library Interoperable {
    uint256 private constant MAX_LENGTH = 128;

    /// @notice This ledger, without an account.
    function thisLedger() internal view returns (bytes memory) {
        return InteroperableAddress.formatEvmV1(block.chainid);
    }

    /// @notice `account` on this ledger.
    function here(address account) internal view returns (bytes memory) {
        return InteroperableAddress.formatEvmV1(block.chainid, account);
    }

    /// @notice Whether `ledger` is the one encoding of a ledger without an account.
    function isLedger(bytes memory ledger) internal pure returns (bool) {
        (bool valid, bytes memory chain, bytes memory account) = _parse(ledger);
        return valid && chain.length > 0 && account.length == 0;
    }

    /// @notice The ledger part of an account's address; empty when `interoperable` is not the one encoding of an account.
    function ledgerOf(bytes memory interoperable) internal pure returns (bytes memory) {
        (bool valid, bytes memory chain, bytes memory account) = _parse(interoperable);
        if (!valid || chain.length == 0 || account.length == 0) return "";
        return InteroperableAddress.formatV1(_chainType(interoperable), chain, "");
    }

    /// @notice Reads the one encoding of an account on an EVM chain.
    function evmAccount(bytes memory interoperable)
        internal
        pure
        returns (bool valid, uint256 chainId, address account)
    {
        if (interoperable.length > MAX_LENGTH) {
            return (false, 0, address(0));
        }
        (valid, chainId, account) = InteroperableAddress.tryParseEvmV1(interoperable);
        valid = valid && keccak256(InteroperableAddress.formatEvmV1(chainId, account)) == keccak256(interoperable);
    }

    /// @notice Whether `ledger` is an EVM chain, where accounts are 20 bytes long.
    function isEvmLedger(bytes memory ledger) internal pure returns (bool) {
        return isLedger(ledger) && _chainType(ledger) == 0;
    }

    /// @notice Takes the one encoding of an account apart: its ledger, empty when it is no such encoding, what that
    ///         ledger itself has for the account, and whether it is an EVM chain.
    function parts(bytes memory interoperable)
        internal
        pure
        returns (bytes memory ledger, bytes memory account, bool evm)
    {
        (bool valid, bytes memory chain, bytes memory found) = _parse(interoperable);
        if (!valid || chain.length == 0 || found.length == 0) return ("", "", false);
        bytes2 chainType = _chainType(interoperable);
        return (InteroperableAddress.formatV1(chainType, chain, ""), found, chainType == 0);
    }

    /// @notice The account that `ledger`, the one encoding of a ledger, itself has as `account`.
    function accountOn(bytes memory ledger, bytes memory account) internal pure returns (bytes memory interoperable) {
        interoperable = bytes.concat(ledger, account);
        interoperable[ledger.length - 1] = bytes1(uint8(account.length));
    }

    /// @dev Refuses trailing bytes and, on EVM chains, a reference with leading zeros or of more than 32 bytes.
    function _parse(bytes memory self) private pure returns (bool valid, bytes memory chain, bytes memory account) {
        if (self.length > MAX_LENGTH) return (false, chain, account);
        // The chain type is read where it is needed.
        // slither-disable-next-line unused-return
        (valid,, chain, account) = InteroperableAddress.tryParseV1(self);
        valid = valid && self.length == 6 + chain.length + account.length;
        if (valid && _chainType(self) == 0) {
            valid = chain.length > 0 && chain.length <= 32 && chain[0] != 0
                && (account.length == 0 || account.length == 20);
        }
    }

    function _chainType(bytes memory self) private pure returns (bytes2) {
        return bytes2(self[2]) | (bytes2(self[3]) >> 8);
    }
}
