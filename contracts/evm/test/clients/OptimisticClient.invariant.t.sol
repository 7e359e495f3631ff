// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {CommitteeClient} from "../../src/clients/CommitteeClient.sol";
import {OptimisticClient} from "../../src/clients/OptimisticClient.sol";
import {Checkpoint, StatementKind} from "../../src/interfaces/ICommitteeClient.sol";
import {Claim, ClaimState} from "../../src/interfaces/IOptimisticClient.sol";
import {Committee} from "../Committee.sol";

/// @dev Three accounts that claim truths and lies, doubt, confirm, settle and withdraw in any order.
contract OptimisticHandler is Committee {
    uint256 internal constant BOND = 1 ether;
    bytes internal constant GATEWAY = hex"00010000027a69141111111111111111111111111111111111111111";

    Keys private _keys;
    OptimisticClient public immutable client;
    uint64 public count;
    uint256 public paidIn;
    uint256 public paidOut;
    mapping(uint64 id => bool) public isTrue;
    mapping(uint64 id => bool) public wasDoubted;

    constructor() {
        vm.warp(1_700_000_000);
        _keys = makeKeys(0, 2, 3, 5);
        AccessManager manager = new AccessManager(address(this));
        CommitteeClient stronger =
            new CommitteeClient(GATEWAY, _keys.epoch, _keys.threshold, _keys.members, _keys.operators, address(manager));
        client = new OptimisticClient(stronger, BOND, 30 minutes, 30 minutes, address(manager));
        bytes4[] memory selectors = new bytes4[](1);
        selectors[0] = OptimisticClient.propose.selector;
        manager.setTargetFunctionRole(address(client), selectors, manager.PUBLIC_ROLE());
    }

    function account(uint256 who) public pure returns (address) {
        return address(uint160(0xacc0 + who % 3));
    }

    function propose(uint256 who, uint64 step, bool truly) external {
        uint64 height = latest() + uint64(bound(step, 1, 3));
        (bytes32 key, bytes32 value) = fact(height);
        pay(who);
        vm.prank(account(who));
        try client.propose{value: BOND}(
            height - 1, height, uint64(block.timestamp), leafOf(key, truly ? value : bytes32("lie")), 1
        ) returns (uint64 id) {
            (isTrue[id], count) = (truly, id);
            paidIn += BOND;
        } catch {}
    }

    function doubt(uint256 who, uint64 id) external {
        id = pick(id);
        pay(who);
        vm.prank(account(who));
        try client.challenge{value: BOND}(id) {
            wasDoubted[id] = true;
            paidIn += BOND;
        } catch {}
    }

    /// @dev Lies too: the committee signs what is true, which is not what they say.
    function confirm(uint64 id) external {
        id = pick(id);
        Claim memory claim = client.claims(id);
        if (claim.height == 0) return;
        Checkpoint memory checkpoint;
        checkpoint.origin = keccak256(GATEWAY);
        (checkpoint.from, checkpoint.height, checkpoint.time) = (claim.from, claim.height, claim.time);
        (bytes32[] memory keys, bytes32[] memory values) = (new bytes32[](1), new bytes32[](1));
        (keys[0], values[0]) = fact(claim.height);
        bytes memory proof = abi.encode(signLeaves(_keys, StatementKind.Checkpoint, checkpoint, keys, values));
        try client.confirm(id, keys, values, new bool[](0), proof) {} catch {}
    }

    function settle(uint64 id) external {
        try client.settle(pick(id)) {} catch {}
    }

    function withdraw(uint256 who) external {
        uint256 amount = client.owed(account(who));
        vm.prank(account(who));
        try client.withdraw(payable(account(who))) {
            paidOut += amount;
        } catch {}
    }

    function pass(uint256 time) external {
        vm.warp(block.timestamp + bound(time, 1, 20 minutes));
    }

    /// @dev Not often, or most runs would be over before they began.
    function freeze(uint256 chance) external {
        if (chance % 16 == 0 && count > 3 && !client.frozen()) client.freeze();
    }

    function fact(uint64 height) private pure returns (bytes32, bytes32) {
        return (keccak256(abi.encode("key", height)), keccak256(abi.encode("value", height)));
    }

    function latest() private view returns (uint64 height) {
        for (uint64 id = count; id > 0; --id) {
            Claim memory claim = client.claims(id);
            if (claim.state != ClaimState.Rejected) return claim.height;
        }
    }

    function pick(uint64 id) private view returns (uint64) {
        return count == 0 ? 0 : uint64(bound(id, 1, count));
    }

    function pay(uint256 who) private {
        vm.deal(account(who), account(who).balance + BOND);
    }
}

contract OptimisticClientInvariantTest is Committee {
    OptimisticHandler private _handler;
    OptimisticClient private _client;

    function setUp() public {
        _handler = new OptimisticHandler();
        _client = _handler.client();
        bytes4[] memory selectors = new bytes4[](7);
        selectors[0] = OptimisticHandler.propose.selector;
        selectors[1] = OptimisticHandler.doubt.selector;
        selectors[2] = OptimisticHandler.confirm.selector;
        selectors[3] = OptimisticHandler.settle.selector;
        selectors[4] = OptimisticHandler.withdraw.selector;
        selectors[5] = OptimisticHandler.pass.selector;
        selectors[6] = OptimisticHandler.freeze.selector;
        targetContract(address(_handler));
        targetSelector(address(_handler), selectors);
    }

    function invariant_what_came_in_went_out_or_is_held_for_somebody() public view {
        uint256 held = address(_client).balance;
        assertEq(_handler.paidIn(), _handler.paidOut() + held);
        uint256 bonds = 0;
        uint256 open = 0;
        for (uint64 id = 1; id <= _handler.count(); ++id) {
            ClaimState state = _client.claims(id).state;
            if (state == ClaimState.Open) (bonds, open) = (bonds + 1, open + 1);
            if (state == ClaimState.Challenged) (bonds, open) = (bonds + 2, open + 1);
        }
        assertEq(held, bonds * 1 ether + owed());
        assertEq(_client.openClaims(), open);
        assertLe(open, _client.MAX_OPEN_CLAIMS());
    }

    function invariant_a_lie_that_was_doubted_is_never_accepted_and_heights_rise() public view {
        uint64 height = 0;
        for (uint64 id = 1; id <= _handler.count(); ++id) {
            Claim memory claim = _client.claims(id);
            if (_handler.wasDoubted(id) && !_handler.isTrue(id)) {
                assertFalse(claim.state == ClaimState.Accepted || claim.state == ClaimState.Open);
            }
            if (claim.state == ClaimState.Rejected) continue;
            assertGt(claim.height, height);
            height = claim.height;
        }
    }

    /// @dev Whatever happened: once time has passed all bonds are paid out, asked for by anyone.
    function afterInvariant() public {
        vm.warp(block.timestamp + 1 days);
        for (uint64 id = 1; id <= _handler.count(); ++id) {
            ClaimState state = _client.claims(id).state;
            if (state == ClaimState.Open || state == ClaimState.Challenged) _client.settle(id);
        }
        for (uint256 i = 0; i < 3; ++i) {
            _handler.withdraw(i);
        }
        assertEq(address(_client).balance, 0);
        assertEq(_handler.paidIn(), _handler.paidOut());
        assertEq(_client.openClaims(), 0);
    }

    function owed() private view returns (uint256 sum) {
        for (uint256 i = 0; i < 3; ++i) {
            sum += _client.owed(_handler.account(i));
        }
    }
}
