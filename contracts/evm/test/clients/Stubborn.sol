// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ILightClient} from "../../src/interfaces/ILightClient.sol";

/// @dev A client of somebody else's that breaks its word: frozen, and proves all the same.
contract Stubborn is ILightClient {
    function verifyMembership(bytes32[] calldata, bytes32[] calldata, bytes calldata)
        external
        pure
        returns (uint64, uint64)
    {
        return (1, 1);
    }

    function verifyAbsence(bytes32[] calldata, bytes calldata) external pure returns (uint64, uint64) {
        return (1, 1);
    }

    function clientType() external pure returns (string memory) {
        return "stubborn";
    }

    function frozen() external pure returns (bool) {
        return true;
    }
}
