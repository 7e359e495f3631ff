// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";

/// @notice The EIP-712 digest of what a publisher signs for a release that somebody else brings to this ledger.
/// @dev The domain has a name and a version only, as of all statements that accounts sign. What ties it down is the
///      model's id, which commits to this ledger, the registry, the publisher and the name; the ledger and the name are
///      there in words so that a wallet can show them.
library PublicationStatements {
    bytes32 private constant TYPE =
        keccak256("Publication(string ledger,string name,string version,bytes32 modelId,bytes32 manifest)");
    bytes1 private constant NAME_AND_VERSION = 0x03;

    function digest(uint256 modelId, string memory name, string memory version, bytes32 manifest)
        internal
        view
        returns (bytes32)
    {
        string memory ledger = string.concat("eip155:", Strings.toString(block.chainid));
        bytes32 structHash = keccak256(
            abi.encode(
                TYPE,
                keccak256(bytes(ledger)),
                keccak256(bytes(name)),
                keccak256(bytes(version)),
                modelId,
                manifest
            )
        );
        return MessageHashUtils.toTypedDataHash(_domainSeparator(), structHash);
    }

    function _domainSeparator() private pure returns (bytes32) {
        return MessageHashUtils.toDomainSeparator(
            NAME_AND_VERSION, keccak256("CAIMI"), keccak256("1"), 0, address(0), 0
        );
    }
}
