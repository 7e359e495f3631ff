// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ModelBridge} from "../../src/models/ModelBridge.sol";
import {ModelRegistry} from "../../src/models/ModelRegistry.sol";
import {Test} from "../Test.sol";
import {ModelLedgers} from "./ModelLedgers.sol";

/// @notice Owners, a relayer and time, doing anything in any order over four ledgers, up to three hops from home.
contract BridgeHandler is ModelLedgers {
    /// @dev A ledger that a model has been on, or was sent to, and its token there.
    struct Place {
        uint256 site;
        uint256 id;
        uint256 cameFrom; // the place before, itself at home
        bytes[] path;
    }

    uint256 public constant MODELS = 3;
    uint256 private constant OWNERS = 3;
    uint256 private constant MAX_DEPTH = 6;

    uint256[] public models;
    uint256[] private _modelOf; // by packet
    mapping(uint256 model => Place[]) private _places;
    mapping(uint256 model => mapping(uint256 site => mapping(uint256 id => bool))) private _known;

    constructor() {
        makeSites();
        for (uint256 i = 0; i < MODELS; ++i) {
            vm.prank(owner(i));
            uint256 model = on(i % SITES).registry.publish("model", "1.0.0", keccak256("manifest"));
            models.push(model);
            _places[model].push(Place(i % SITES, model, 0, new bytes[](0)));
        }
    }

    function owner(uint256 i) public pure returns (address) {
        return address(uint160(0xA000 + i));
    }

    /// @dev Sends a live model back, or on to where it has not been, sometimes to a recipient that will be refused, and
    ///      sometimes deeper than it will ever lie.
    function send(uint256 which, uint256 to, uint256 recipient, uint256 patience, uint256 depth) public {
        uint256 model = models[bound(which, 0, MODELS - 1)];
        (bool live, uint256 at_, address holder) = _holder(model);
        if (!live) return;
        Place memory from = _places[model][at_];
        to = bound(to, 0, SITES - 1);
        bool back = at_ != 0 && to == _places[model][from.cameFrom].site;
        if (to == from.site || (!back && _hasBeenOn(model, at_, to))) return;
        Site storage site = on(from.site);
        if (site.bridge.paused()) return;
        recipient = bound(recipient, 0, OWNERS);
        address target = recipient == OWNERS ? address(sites[to].bridge) : owner(recipient);
        uint64 timeout = uint64(vm.getBlockTimestamp() + bound(patience, 1 minutes, 2 hours));
        vm.roll(height);
        vm.startPrank(holder);
        site.registry.approve(address(site.bridge), from.id);
        depth = bound(depth, 0, MAX_DEPTH);
        site.bridge.send(routes[from.site][to], from.id, abi.encodePacked(target), timeout, uint64(depth));
        vm.stopPrank();
        _modelOf.push(model);
        if (observe() != _modelOf.length) fail("one packet a transfer");
        if (!back) _discover(model, at_, to);
    }

    /// @dev A hop that nothing hinders, so that models get far.
    function hop(uint256 which, uint256 to, uint256 recipient) external {
        uint256 count = sent.length;
        send(which, to, recipient % OWNERS, 1 hours, 0);
        if (sent.length != count) deliver(count);
    }

    /// @dev Any packet, delivered before or not, expired or not, ended or not; more often than not one of the newest.
    function relay(uint256 which) external {
        uint256 count = sent.length;
        if (count == 0) return;
        deliver(which % 3 != 0 && count > MODELS ? count - 1 - which % MODELS : bound(which, 0, count - 1));
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
        Place memory place = _places[model][at_];
        vm.prank(holder);
        on(place.site).registry.transferFrom(holder, owner(bound(to, 0, OWNERS - 1)), place.id);
    }

    function wait(uint256 time) external {
        vm.warp(block.timestamp + bound(time, 1, 1 hours));
    }

    function pause(uint256 which) external {
        ModelBridge bridge = on(bound(which, 0, SITES - 1)).bridge;
        if (bridge.paused()) bridge.unpause();
        else bridge.pause();
    }

    /// @dev How many accounts hold the model, on all ledgers, whichever way it came there.
    function holders(uint256 model) public view returns (uint256 total) {
        for (uint256 i = 0; i < _places[model].length; ++i) {
            if (_isLive(_places[model][i])) ++total;
        }
    }

    /// @dev What a ledger has out over a route, and how many tokens it holds that left by it.
    function accounts(uint256 from, uint256 to) external view returns (uint256 out, uint256 lockedTowards) {
        (out,) = sites[from].bridge.outstanding(routes[from][to]);
        for (uint256 i = 0; i < MODELS; ++i) {
            Place[] storage places = _places[models[i]];
            for (uint256 p = 0; p < places.length; ++p) {
                if (places[p].site != from) continue;
                (string memory client,,) = sites[from].bridge.locked(places[p].id);
                if (keccak256(bytes(client)) == keccak256(bytes(routes[from][to]))) ++lockedTowards;
            }
        }
    }

    function ledgers() external pure returns (uint256) {
        return SITES;
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
        vm.warp(vm.getBlockTimestamp() + 1 days);
        for (uint256 from = 0; from < SITES; ++from) {
            for (uint256 to = 0; to < SITES; ++to) {
                if (from == to) continue;
                (uint256 places,) = sites[from].bridge.available(routes[from][to], false);
                assertEq(places, 1000, "places");
            }
        }
    }

    /// @dev The place where the model is live.
    function _holder(uint256 model) private view returns (bool live, uint256 at_, address holder) {
        Place[] storage places = _places[model];
        for (uint256 i = 0; i < places.length; ++i) {
            if (_isLive(places[i])) return (true, i, sites[places[i].site].registry.ownerOf(places[i].id));
        }
    }

    function _isLive(Place storage place) private view returns (bool) {
        try sites[place.site].registry.ownerOf(place.id) returns (address holder) {
            return holder != address(sites[place.site].bridge);
        } catch {
            return false;
        }
    }

    /// @dev On the way to the place `at_`, or there.
    function _hasBeenOn(uint256 model, uint256 at_, uint256 site) private view returns (bool) {
        Place[] storage places = _places[model];
        while (places[at_].site != site) {
            if (at_ == 0) return false;
            at_ = places[at_].cameFrom;
        }
        return true;
    }

    function _discover(uint256 model, uint256 from, uint256 to) private {
        Place memory before = _places[model][from];
        bytes[] memory path = new bytes[](0);
        if (from != 0) {
            path = new bytes[](before.path.length + 1);
            for (uint256 i = 0; i < before.path.length; ++i) {
                path[i] = before.path[i];
            }
            path[before.path.length] = chainOf(before.site);
        }
        uint256 id = path.length == 0 ? model : tokenOf(model, path);
        if (_known[model][to][id]) return;
        _known[model][to][id] = true;
        _places[model].push(Place(to, id, from, path));
    }
}

contract ModelBridgeInvariants is Test {
    BridgeHandler private handler;

    function setUp() public {
        handler = new BridgeHandler();
        targetContract(address(handler));
        bytes4[] memory actions = new bytes4[](11);
        actions[0] = BridgeHandler.send.selector;
        actions[1] = BridgeHandler.send.selector;
        actions[2] = BridgeHandler.hop.selector;
        actions[3] = BridgeHandler.relay.selector;
        actions[4] = BridgeHandler.relay.selector;
        actions[5] = BridgeHandler.answer.selector;
        actions[6] = BridgeHandler.giveUp.selector;
        actions[7] = BridgeHandler.wait.selector;
        actions[8] = BridgeHandler.trade.selector;
        actions[9] = BridgeHandler.pause.selector;
        actions[10] = BridgeHandler.hop.selector;
        targetSelector(address(handler), actions);
    }

    /// forge-config: default.invariant.fail-on-revert = true
    /// forge-config: default.invariant.depth = 64
    function invariant_every_model_has_exactly_one_holder_or_one_packet_that_carries_it() public view {
        for (uint256 i = 0; i < handler.MODELS(); ++i) {
            uint256 model = handler.models(i);
            assertLe(handler.holders(model), 1, "holders");
            assertEq(handler.holders(model) + handler.carriers(model), 1, "holders and carriers");
        }
    }

    /// forge-config: default.invariant.fail-on-revert = true
    /// forge-config: default.invariant.depth = 64
    function invariant_what_is_out_over_a_route_is_what_is_locked_towards_it() public view {
        for (uint256 from = 0; from < handler.ledgers(); ++from) {
            for (uint256 to = 0; to < handler.ledgers(); ++to) {
                if (from == to) continue;
                (uint256 out, uint256 lockedTowards) = handler.accounts(from, to);
                assertEq(out, lockedTowards, "out and locked");
            }
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
