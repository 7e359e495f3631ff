// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {Version} from "../../src/interfaces/IModelRegistry.sol";
import {ModelRegistry} from "../../src/models/ModelRegistry.sol";
import {Test} from "../Test.sol";

/// @notice Owners who publish, name, deprecate and trade one model, and a memory of all that was ever said of it.
contract RegistryHandler is Test {
    ModelRegistry public registry;
    uint256 public model;
    string[] private _versions;
    bytes32[] private _manifests;
    uint256[] private _times;
    bool[] private _deprecated;
    string[] private _meanings; // of the alias, oldest first

    constructor() {
        vm.warp(1_800_000_000);
        registry = new ModelRegistry(address(new AccessManager(address(this))));
        vm.prank(_account(0));
        model = registry.publish("model", "0", keccak256("0"));
        _note("0", keccak256("0"));
    }

    /// @dev Twelve versions only, so that many are published again.
    function publish(uint256 who, uint256 number, bytes32 manifest) external {
        string memory version = vm.toString(bound(number, 0, 11));
        vm.prank(_account(who));
        try registry.publishVersion(model, version, manifest) {
            _note(version, manifest);
        } catch {}
    }

    function setAlias(uint256 who, uint256 number) external {
        string memory version = vm.toString(bound(number, 0, 11));
        vm.prank(_account(who));
        try registry.setAlias(model, "production", version) {
            _meanings.push(version);
        } catch {}
    }

    function deprecate(uint256 who, uint256 number) external {
        string memory version = vm.toString(bound(number, 0, 11));
        vm.prank(_account(who));
        try registry.deprecate(model, version, "") {
            for (uint256 i = 0; i < _versions.length; ++i) {
                if (keccak256(bytes(_versions[i])) == keccak256(bytes(version))) _deprecated[i] = true;
            }
        } catch {}
    }

    function trade(uint256 to) external {
        address owner = registry.ownerOf(model);
        vm.prank(owner);
        registry.transferFrom(owner, _account(to), model);
    }

    function wait(uint256 time) external {
        vm.warp(block.timestamp + bound(time, 1, 1 hours));
    }

    function checkVersions() external view {
        (,,, uint256 count) = registry.model(model);
        assertEq(count, _versions.length, "number of versions");
        for (uint256 i = 0; i < count; ++i) {
            assertEq(registry.versionAt(model, i), _versions[i], "version");
            Version memory version = registry.getVersion(model, keccak256(bytes(_versions[i])));
            assertEq(version.manifest, _manifests[i], "manifest");
            assertEq(version.publishedAt, _times[i], "time");
            assertEq(version.deprecated, _deprecated[i]);
        }
    }

    function checkAlias() external view {
        assertEq(registry.aliasHistoryLength(model, "production"), _meanings.length, "length of the history");
        for (uint256 i = 0; i < _meanings.length; ++i) {
            (string memory version,) = registry.aliasHistoryAt(model, "production", i);
            assertEq(version, _meanings[i], "meaning");
        }
    }

    function _note(string memory version, bytes32 manifest) private {
        for (uint256 i = 0; i < _versions.length; ++i) {
            if (keccak256(bytes(_versions[i])) == keccak256(bytes(version))) fail("a version was published twice");
        }
        _versions.push(version);
        _manifests.push(manifest);
        _times.push(block.timestamp);
        _deprecated.push(false);
    }

    function _account(uint256 i) private pure returns (address) {
        return address(uint160(0xA000 + bound(i, 0, 1)));
    }
}

contract ModelRegistryInvariants is Test {
    RegistryHandler private handler;

    function setUp() public {
        handler = new RegistryHandler();
        targetContract(address(handler));
        bytes4[] memory actions = new bytes4[](5);
        actions[0] = RegistryHandler.publish.selector;
        actions[1] = RegistryHandler.setAlias.selector;
        actions[2] = RegistryHandler.deprecate.selector;
        actions[3] = RegistryHandler.trade.selector;
        actions[4] = RegistryHandler.wait.selector;
        targetSelector(address(handler), actions);
    }

    /// forge-config: default.invariant.fail-on-revert = true
    function invariant_versions_never_change_and_are_never_lost() public view {
        handler.checkVersions();
    }

    /// forge-config: default.invariant.fail-on-revert = true
    function invariant_the_history_of_an_alias_only_grows() public view {
        handler.checkAlias();
    }
}
