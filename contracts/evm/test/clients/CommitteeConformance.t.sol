// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {CommitteeClient} from "../../src/clients/CommitteeClient.sol";
import {ILightClient} from "../../src/interfaces/ILightClient.sol";
import {CommitteeFacts} from "./CommitteeFacts.sol";

contract CommitteeConformanceTest is CommitteeFacts {
    Keys private _keys;
    CommitteeClient private _client;

    function setUp() public {
        vm.warp(1_700_000_000);
        _keys = makeKeys(0, 3, 5, 1);
        _client = newCommittee(_keys);
    }

    function client() internal view override returns (ILightClient) {
        return _client;
    }

    function clientType() internal pure override returns (string memory) {
        return "caimi-committee";
    }

    function present(uint256 count) internal view override returns (Fact memory) {
        return signed(_keys, factsOf(count), 12);
    }

    function missing(uint256 count) internal view override returns (Fact memory) {
        return signed(_keys, receiptsOf(count), 12);
    }

    function freezeClient() internal override {
        _client.freeze();
    }

    /// @dev What is not signed of its ABI encoding is open: padding, and what stands behind.
    function strict() internal pure override returns (bool) {
        return false;
    }
}
