// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {CommitteeClient} from "../../src/clients/CommitteeClient.sol";
import {ICS24} from "../../src/gateway/ICS24.sol";
import {Checkpoint, StatementKind} from "../../src/interfaces/ICommitteeClient.sol";
import {LightClientConformance} from "./LightClientConformance.sol";

/// @notice Facts as committees sign them, for clients that have committees behind them.
abstract contract CommitteeFacts is LightClientConformance {
    bytes internal constant GATEWAY = hex"00010000027a69141111111111111111111111111111111111111111";

    function newCommittee(Keys memory keys) internal returns (CommitteeClient) {
        return new CommitteeClient(
            GATEWAY, keys.epoch, keys.threshold, keys.members, keys.operators, address(new AccessManager(address(this)))
        );
    }

    function factsOf(uint256 count) internal pure returns (Fact memory fact) {
        (fact.keys, fact.values) = (new bytes32[](count), new bytes32[](count));
        for (uint256 i = 0; i < count; ++i) {
            fact.keys[i] = ICS24.commitmentKey("caimi-1-0", uint64(i + 1));
            fact.values[i] = keccak256(abi.encode("commitment", i));
        }
    }

    function receiptsOf(uint256 count) internal pure returns (Fact memory fact) {
        fact.keys = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            fact.keys[i] = ICS24.receiptKey("caimi-1-0", uint64(i + 1));
        }
    }

    function signed(Keys memory keys, Fact memory fact, uint64 height) internal view returns (Fact memory) {
        bool absence = fact.values.length == 0;
        Checkpoint memory checkpoint;
        checkpoint.origin = keccak256(GATEWAY);
        checkpoint.from = absence ? height : height - 2;
        checkpoint.height = height;
        checkpoint.time = uint64(block.timestamp) - 1000 + height;
        (fact.height, fact.time) = (height, checkpoint.time);
        fact.proof = abi.encode(
            signLeaves(
                keys,
                absence ? StatementKind.Absence : StatementKind.Checkpoint,
                checkpoint,
                fact.keys,
                absence ? new bytes32[](fact.keys.length) : fact.values
            )
        );
        return fact;
    }
}
