// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ModelBridge} from "../../src/models/ModelBridge.sol";
import {ModelRegistry} from "../../src/models/ModelRegistry.sol";
import {Test} from "../Test.sol";
import {ModelLedgers} from "./ModelLedgers.sol";

/// @notice Owners, a relayer and time, doing anything in any order over three ledgers.
contract BridgeHandler is ModelLedgers {
    uint256 public constant MODELS = 3;
    uint256 private constant OWNERS = 3;

    uint256[] public models;
    uint256[] private _modelOf; // by packet

    constructor() {
        makeSites();
        for (uint256 i = 0; i < MODELS; ++i) {
            vm.prank(owner(i));
            models.push(on(i % SITES).registry.publish("model", "1.0.0", keccak256("manifest")));
        }
    }

    function owner(uint256 i) public pure returns (address) {
        return address(uint160(0xA000 + i));
    }

    /// @dev Sends a live model anywhere, sometimes to a recipient that will be refused.
    function send(uint256 which, uint256 to, uint256 recipient, uint256 patience) external {
        uint256 model = models[bound(which, 0, MODELS - 1)];
        (bool live, uint256 from, address holder) = _holder(model);
        to = bound(to, 0, SITES - 1);
        if (!live || to == from) return;
        Site storage site = on(from);
        if (!site.registry.isHome(model)) to = _home(model);
        if (site.bridge.paused()) return;
        recipient = bound(recipient, 0, OWNERS);
        address target = recipient == OWNERS ? address(sites[to].bridge) : owner(recipient);
        uint64 timeout = uint64(block.timestamp + bound(patience, 1 minutes, 2 hours));
        vm.startPrank(holder);
        site.registry.approve(address(site.bridge), model);
        site.bridge.send(routes[from][to], model, abi.encodePacked(target), timeout);
        vm.stopPrank();
        _modelOf.push(model);
        if (observe() != _modelOf.length) fail("one packet a transfer");
    }

    /// @dev Any packet, delivered before or not, expired or not, ended or not.
    function relay(uint256 which) external {
        if (sent.length == 0) return;
        deliver(bound(which, 0, sent.length - 1));
    }

    function answer(uint256 which) external {
        if (sent.length == 0) return;
        which = bound(which, 0, sent.length - 1);
        if (!isAnswered(which)) return;
        acknowledge(which);
    }

    /// @dev Honest validators attest an absence only when it is one.
    function giveUp(uint256 which) external {
        if (sent.length == 0) return;
        which = bound(which, 0, sent.length - 1);
        if (isAnswered(which)) return;
        expire(which);
    }

    function trade(uint256 which, uint256 to) external {
        uint256 model = models[bound(which, 0, MODELS - 1)];
        (bool live, uint256 at_, address holder) = _holder(model);
        if (!live) return;
        vm.prank(holder);
        on(at_).registry.transferFrom(holder, owner(bound(to, 0, OWNERS - 1)), model);
    }

    function wait(uint256 time) external {
        vm.warp(block.timestamp + bound(time, 1, 1 hours));
    }

    function pause(uint256 which) external {
        ModelBridge bridge = on(bound(which, 0, SITES - 1)).bridge;
        if (bridge.paused()) bridge.unpause();
        else bridge.pause();
    }

    /// @dev How many accounts hold the model, on all ledgers.
    function holders(uint256 model) public view returns (uint256 total) {
        for (uint256 i = 0; i < SITES; ++i) {
            if (_isLive(i, model)) ++total;
        }
    }

    /// @dev How many packets carry the model: sent, neither ended nor received, or refused and not yet refunded.
    function carriers(uint256 model) public view returns (uint256 total) {
        for (uint256 p = 0; p < sent.length; ++p) {
            if (_modelOf[p] == model && isOpen(p) && (!isAnswered(p) || isRefused(p))) ++total;
        }
    }

    /// @dev Brings every packet to its end.
    function settle() external {
        for (uint256 p = 0; p < sent.length; ++p) {
            if (!isOpen(p)) continue;
            if (isAnswered(p)) acknowledge(p);
            else expire(p);
            if (isOpen(p)) fail("a packet does not end");
        }
    }

    function _holder(uint256 model) private view returns (bool live, uint256 at_, address holder) {
        for (uint256 i = 0; i < SITES; ++i) {
            if (_isLive(i, model)) return (true, i, sites[i].registry.ownerOf(model));
        }
    }

    function _isLive(uint256 i, uint256 model) private view returns (bool) {
        try sites[i].registry.ownerOf(model) returns (address holder) {
            return holder != address(sites[i].bridge);
        } catch {
            return false;
        }
    }

    function _home(uint256 model) private view returns (uint256 i) {
        while (models[i] != model) ++i;
        return i % SITES;
    }
}

contract ModelBridgeInvariants is Test {
    BridgeHandler private handler;

    function setUp() public {
        handler = new BridgeHandler();
        targetContract(address(handler));
        bytes4[] memory actions = new bytes4[](10);
        actions[0] = BridgeHandler.send.selector;
        actions[1] = BridgeHandler.send.selector;
        actions[2] = BridgeHandler.send.selector;
        actions[3] = BridgeHandler.relay.selector;
        actions[4] = BridgeHandler.relay.selector;
        actions[5] = BridgeHandler.answer.selector;
        actions[6] = BridgeHandler.giveUp.selector;
        actions[7] = BridgeHandler.wait.selector;
        actions[8] = BridgeHandler.trade.selector;
        actions[9] = BridgeHandler.pause.selector;
        targetSelector(address(handler), actions);
    }

    /// forge-config: default.invariant.fail-on-revert = true
    function invariant_every_model_has_exactly_one_holder_or_one_packet_that_carries_it() public view {
        for (uint256 i = 0; i < handler.MODELS(); ++i) {
            uint256 model = handler.models(i);
            assertLe(handler.holders(model), 1, "holders");
            assertEq(handler.holders(model) + handler.carriers(model), 1, "holders and carriers");
        }
    }

    /// @dev However a run ends, finishing its packets leaves every model with exactly one holder.
    function afterInvariant() public {
        handler.settle();
        for (uint256 i = 0; i < handler.MODELS(); ++i) {
            assertEq(handler.holders(handler.models(i)), 1, "holders at the end");
        }
    }
}
