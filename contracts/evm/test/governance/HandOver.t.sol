// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {IAccessManager} from "@openzeppelin/contracts/access/manager/IAccessManager.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";
import {IERC7786GatewaySource} from "@openzeppelin/contracts/interfaces/draft-IERC7786.sol";
import {
    IBaseAmplifierGateway
} from "@axelar-network/axelar-gmp-sdk-solidity/contracts/interfaces/IBaseAmplifierGateway.sol";
import {AttestationsClient} from "../../src/clients/AttestationsClient.sol";
import {EndorsedReadsClient} from "../../src/clients/EndorsedReadsClient.sol";
import {CommitteeClient} from "../../src/clients/CommitteeClient.sol";
import {OptimisticClient} from "../../src/clients/OptimisticClient.sol";
import {Applications} from "../../src/gateway/Applications.sol";
import {Routes} from "../../src/gateway/Routes.sol";
import {AxelarAdapter} from "../../src/interop/AxelarAdapter.sol";
import {MessageGateway} from "../../src/interop/MessageGateway.sol";
import {EmergencyExit} from "../../src/governance/EmergencyExit.sol";
import {Accountant} from "../../src/limits/Accountant.sol";
import {RouteLimits} from "../../src/limits/RouteLimits.sol";
import {ForeignModel} from "../../src/interfaces/IModelRegistry.sol";
import {LicenceMarket} from "../../src/models/LicenceMarket.sol";
import {ModelBridge} from "../../src/models/ModelBridge.sol";
import {ModelNames} from "../../src/models/ModelNames.sol";
import {ModelRegistry} from "../../src/models/ModelRegistry.sol";
import {Payments} from "../../src/models/Payments.sol";
import {Network} from "../Network.sol";
import {Attestors} from "../clients/Attestors.sol";
import {PuppetApp} from "../gateway/PuppetApp.sol";
import {Vm} from "../Vm.sol";
import {HandOver} from "./HandOver.sol";

/// @notice Every restricted function of every contract, after the hand-over. tests/ledgers/test_restricted_functions.py
///         checks that none is missing here.
contract HandOverTest is Network, Attestors, HandOver {
    uint64 private constant BRIDGE_ROLE = 1;
    uint64 private constant EXIT_ROLE = 3;

    /// @dev One call, as the administrator would make it when it is its turn.
    struct Restricted {
        string name;
        address target;
        bytes data;
        bool stop; // guardians may
    }

    Restricted[] private _all;
    Ledger private _here;
    End private _end;
    ModelRegistry private _registry;
    ModelBridge private _bridge;
    CommitteeClient private _substitute;
    OptimisticClient private _optimistic;
    EmergencyExit private _exit;

    function setUp() public {
        _here = makeLedger(31337);
        Ledger memory there = makeLedger(31338);
        (_end,) = connect(_here, there);
        enter(_here);
        _registry = new ModelRegistry(address(manager));
        _bridge = new ModelBridge(_here.gateway, _registry, address(manager));
        Keys memory thief = makeKeys(0, 2, 3, 666);
        _substitute = new CommitteeClient(
            gatewayBytes(there), 0, thief.threshold, thief.members, thief.operators, address(manager)
        );
        _optimistic = new OptimisticClient(_end.client, 1 ether, 1 hours, 1 hours, address(manager));
        LicenceMarket market = new LicenceMarket(_here.gateway, _registry, address(manager));
        MessageGateway messages = new MessageGateway(IERC7786GatewaySource(address(0xe5)), address(manager));
        AxelarAdapter adapter = new AxelarAdapter(IBaseAmplifierGateway(address(0xa7)), address(manager));
        PuppetApp application = new PuppetApp();

        _allow(address(_registry), ModelRegistry.mintForeign.selector, BRIDGE_ROLE);
        _allow(address(_registry), ModelRegistry.burnForeign.selector, BRIDGE_ROLE);
        manager.grantRole(BRIDGE_ROLE, address(_bridge), 0);
        manager.grantRole(GUARDIAN_ROLE, GUARDIAN, 0);
        _allow(address(_bridge), ModelBridge.unlockDead.selector, EXIT_ROLE);
        _allow(address(market), LicenceMarket.refundDead.selector, EXIT_ROLE);

        string memory route = _end.clientId;
        address gateway = address(_here.gateway);
        RouteLimits.Limits memory limits = RouteLimits.Limits(1, 1, 0, 0, 0);
        _stop("pauseRoute", gateway, abi.encodeCall(Routes.pauseRoute, (route)));
        _exit = new EmergencyExit(_here.gateway, _bridge, 30 days, address(manager));
        _stop("stop", address(_exit), abi.encodeCall(EmergencyExit.stop, (route)));
        _stop("freeze", address(_end.client), abi.encodeCall(CommitteeClient.freeze, ()));
        _stop("pause", address(_bridge), abi.encodeCall(ModelBridge.pause, ()));
        _stop("openBreaker", address(market), abi.encodeCall(RouteLimits.openBreaker, (route)));
        _stop("openBreaker", address(_bridge), abi.encodeCall(RouteLimits.openBreaker, (route)));
        _stop("freeze", address(_optimistic), abi.encodeCall(OptimisticClient.freeze, ()));
        AttestationsClient attestations = newAttestationsClient(makeKeys(0, 2, 3, 5), address(manager));
        _stop("freeze", address(attestations), abi.encodeCall(AttestationsClient.freeze, ()));
        _stop("freeze", _endorsedReads(), abi.encodeCall(EndorsedReadsClient.freeze, ()));
        _add("open", address(_exit), abi.encodeCall(EmergencyExit.open, (route)));
        _add("unlockDead", address(_bridge), abi.encodeCall(ModelBridge.unlockDead, (1, route, STRANGER)));
        _add("refundDead", address(market), abi.encodeCall(LicenceMarket.refundDead, (route, 1)));
        _add("setRelayDeposit", address(market), abi.encodeCall(Payments.setRelayDeposit, (1)));
        _add("unpauseRoute", gateway, abi.encodeCall(Routes.unpauseRoute, (route)));
        _add("addClient", gateway, abi.encodeCall(Routes.addClient, (_substitute, ledgerBytes(there))));
        _add("setCounterparty", gateway, abi.encodeCall(Routes.setCounterparty, ("caimi-31337-1", "caimi-31338-1")));
        _add("recoverClient", gateway, abi.encodeCall(Routes.recoverClient, (route, _substitute)));
        _add("migrateClient", gateway, abi.encodeCall(Routes.migrateClient, (route, _substitute)));
        _add("addApplication", gateway, abi.encodeCall(Applications.addApplication, ("port", application)));
        _add("unpause", address(_bridge), abi.encodeCall(ModelBridge.unpause, ()));
        _add("closeBreaker", address(_bridge), abi.encodeCall(RouteLimits.closeBreaker, (route)));
        _add("closeBreaker", address(market), abi.encodeCall(RouteLimits.closeBreaker, (route)));
        _add("setLimits", address(market), abi.encodeCall(RouteLimits.setLimits, (route, true, limits)));
        _add("setLimits", address(_bridge), abi.encodeCall(RouteLimits.setLimits, (route, true, limits)));
        _add("setSupplyCap", address(_bridge), abi.encodeCall(Accountant.setSupplyCap, (route, 1)));
        _add("propose", address(_optimistic), abi.encodeCall(OptimisticClient.propose, (0, 1, 1, bytes32("r"), 1)));
        _add(
            "connect",
            address(messages),
            abi.encodeCall(MessageGateway.connect, ("caimi-31337-9", "caimi-31338-9", gatewayBytes(there)))
        );
        _add("addApplication", address(messages), abi.encodeCall(MessageGateway.addApplication, ("port", application)));
        _add(
            "register",
            address(adapter),
            abi.encodeCall(AxelarAdapter.register, (ledgerBytes(there), "there", address(0xad)))
        );
        ForeignModel memory model;
        (model.home, model.publisher, model.name) =
            (InteroperableAddress.formatEvmV1(31338, address(0x31)), abi.encodePacked(STRANGER), "m");
        uint256 modelId = ModelNames.modelId(model.home, model.publisher, model.name);
        _add(
            "mintForeign",
            address(_registry),
            abi.encodeCall(ModelRegistry.mintForeign, (modelId, STRANGER, model))
        );
        _add("burnForeign", address(_registry), abi.encodeCall(ModelRegistry.burnForeign, (modelId)));
        handOver(manager);
    }

    function _endorsedReads() private returns (address) {
        bytes32[2][] memory keys = new bytes32[2][](2);
        for (uint256 i = 0; i < 2; ++i) {
            (uint256 x, uint256 y) = vm.publicKeyP256(i + 1);
            keys[i] = [bytes32(x), bytes32(y)];
        }
        return address(
            new EndorsedReadsClient("fabric:one", "channel", "caimi", 2, keys, hex"0001", address(manager))
        );
    }

    function test_after_the_hand_over_no_account_calls_a_restricted_function() public {
        address[4] memory accounts = [address(this), PROPOSER, STRANGER, GUARDIAN];
        for (uint256 i = 0; i < _all.length; ++i) {
            for (uint256 j = 0; j < accounts.length; ++j) {
                if (accounts[j] == GUARDIAN && _all[i].stop) continue;
                _refused(_all[i], accounts[j]);
            }
            if (_ownedByContract(_all[i])) _refused(_all[i], address(timelock));
        }
    }

    function test_a_guardian_stops_everything_at_once() public {
        uint256 stops = 0;
        for (uint256 i = 0; i < _all.length; ++i) {
            if (!_all[i].stop) continue;
            if (_all[i].target == address(_exit)) {
                bytes memory opening = abi.encodeCall(EmergencyExit.open, (_end.clientId));
                propose(address(_exit), opening);
                vm.warp(block.timestamp + DELAY);
                carryOut(address(_exit), opening);
            }
            vm.prank(GUARDIAN);
            (bool success,) = _all[i].target.call(_all[i].data);
            assertTrue(success, _all[i].name);
            ++stops;
        }
        assertEq(stops, 9);
    }

    function test_roles_and_functions_are_out_of_everyones_reach() public {
        bytes4[] memory selectors = new bytes4[](1);
        selectors[0] = Routes.migrateClient.selector;
        bytes[10] memory calls = [
            abi.encodeCall(IAccessManager.labelRole, (7, "x")),
            abi.encodeCall(IAccessManager.grantRole, (0, STRANGER, 0)),
            abi.encodeCall(IAccessManager.revokeRole, (GUARDIAN_ROLE, GUARDIAN)),
            abi.encodeCall(IAccessManager.setRoleAdmin, (GUARDIAN_ROLE, 7)),
            abi.encodeCall(IAccessManager.setRoleGuardian, (GUARDIAN_ROLE, 7)),
            abi.encodeCall(IAccessManager.setGrantDelay, (GUARDIAN_ROLE, 7)),
            abi.encodeCall(IAccessManager.setTargetAdminDelay, (address(_here.gateway), 7)),
            abi.encodeCall(IAccessManager.setTargetFunctionRole, (address(_here.gateway), selectors, GUARDIAN_ROLE)),
            abi.encodeCall(IAccessManager.setTargetClosed, (address(_here.gateway), true)),
            abi.encodeCall(IAccessManager.updateAuthority, (address(_here.gateway), STRANGER))
        ];
        address[4] memory accounts = [address(this), PROPOSER, STRANGER, GUARDIAN];
        for (uint256 i = 0; i < calls.length; ++i) {
            for (uint256 j = 0; j < accounts.length; ++j) {
                vm.prank(accounts[j]);
                (bool success, bytes memory reason) = address(manager).call(calls[i]);
                assertFalse(success);
                assertEq(
                    reason,
                    abi.encodeWithSelector(
                        IAccessManager.AccessManagerUnauthorizedAccount.selector, accounts[j], uint64(0)
                    )
                );
            }
            _waits("AccessManager", address(manager), calls[i]);
        }
    }

    function test_the_timelock_does_nothing_before_its_delay() public {
        for (uint256 i = 0; i < _all.length; ++i) {
            _waits(_all[i].name, _all[i].target, _all[i].data);
        }
    }

    function test_a_change_waits_its_whole_delay_and_then_anyone_carries_it_out() public {
        vm.prank(GUARDIAN);
        _here.gateway.pauseRoute(_end.clientId);
        bytes memory data = abi.encodeCall(Routes.unpauseRoute, (_end.clientId));
        propose(address(_here.gateway), data);
        vm.warp(block.timestamp + DELAY);
        carryOut(address(_here.gateway), data);
        assertFalse(_here.gateway.routePaused(_end.clientId));
    }

    function test_a_change_is_on_chain_while_it_waits_and_can_be_cancelled() public {
        bytes memory data = abi.encodeCall(Routes.migrateClient, (_end.clientId, _substitute));
        bytes32 id = timelock.hashOperation(address(_here.gateway), 0, data, 0, 0);
        vm.expectEmit(address(timelock));
        emit TimelockController.CallScheduled(id, 0, address(_here.gateway), 0, data, 0, DELAY);
        propose(address(_here.gateway), data);
        assertTrue(timelock.isOperationPending(id));
        assertEq(timelock.getTimestamp(id), block.timestamp + DELAY);

        bytes32 canceller = timelock.CANCELLER_ROLE();
        address[3] memory others = [address(this), GUARDIAN, STRANGER];
        for (uint256 i = 0; i < others.length; ++i) {
            vm.prank(others[i]);
            vm.expectRevert(
                abi.encodeWithSelector(
                    IAccessControl.AccessControlUnauthorizedAccount.selector, others[i], canceller
                )
            );
            timelock.cancel(id);
        }
        vm.prank(PROPOSER);
        timelock.cancel(id);
        vm.warp(block.timestamp + DELAY);
        vm.expectRevert(notReady(id));
        carryOut(address(_here.gateway), data);
    }

    function test_nobody_shortens_the_delay_or_names_proposers_without_waiting() public {
        bytes memory shorter = abi.encodeCall(TimelockController.updateDelay, (0));
        bytes memory named =
            abi.encodeCall(IAccessControl.grantRole, (timelock.PROPOSER_ROLE(), STRANGER));
        address[4] memory accounts = [address(this), PROPOSER, STRANGER, GUARDIAN];
        for (uint256 i = 0; i < accounts.length; ++i) {
            vm.startPrank(accounts[i]);
            vm.expectRevert(
                abi.encodeWithSelector(TimelockController.TimelockUnauthorizedCaller.selector, accounts[i])
            );
            timelock.updateDelay(0);
            (bool success,) = address(timelock).call(named);
            assertFalse(success);
            vm.stopPrank();
        }
        _waits("updateDelay", address(timelock), shorter);
        _waits("grantRole", address(timelock), named);
        vm.prank(PROPOSER);
        vm.expectRevert(
            abi.encodeWithSelector(TimelockController.TimelockInsufficientDelay.selector, DELAY - 1, DELAY)
        );
        timelock.schedule(address(timelock), 0, shorter, 0, bytes32("again"), DELAY - 1);
        vm.warp(block.timestamp + DELAY);
        carryOut(address(timelock), shorter);
        assertEq(timelock.getMinDelay(), 0);
    }

    /// @dev Nothing waits twice: the manager asks the timelock for no delay of its own.
    function test_what_the_timelock_may_do_it_does_at_once() public view {
        for (uint256 i = 0; i < _all.length; ++i) {
            if (_all[i].stop || _ownedByContract(_all[i])) continue;
            (bool immediate, uint32 delay) =
                manager.canCall(address(timelock), _all[i].target, bytes4(_all[i].data));
            assertTrue(immediate, _all[i].name);
            assertEq(delay, 0);
        }
    }

    // Short forms

    function _allow(address target, bytes4 selector, uint64 role) private {
        bytes4[] memory selectors = new bytes4[](1);
        selectors[0] = selector;
        manager.setTargetFunctionRole(target, selectors, role);
    }

    function _add(string memory name, address target, bytes memory data) private {
        _all.push(Restricted(name, target, data, false));
    }

    function _stop(string memory name, address target, bytes memory data) private {
        _allow(target, bytes4(data), GUARDIAN_ROLE);
        _all.push(Restricted(name, target, data, true));
    }

    /// @dev The bridge alone mints and burns, the exit alone gives back what was locked or held towards a dead ledger.
    function _ownedByContract(Restricted memory entry) private view returns (bool) {
        bytes4 selector = bytes4(entry.data);
        return entry.target == address(_registry) || selector == ModelBridge.unlockDead.selector
            || selector == LicenceMarket.refundDead.selector;
    }

    function _refused(Restricted memory entry, address account) private {
        vm.prank(account);
        (bool success, bytes memory reason) = entry.target.call(entry.data);
        assertFalse(success, entry.name);
        assertEq(
            reason, abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, account), entry.name
        );
    }

    /// @dev Not at once, and not a second too early.
    function _waits(string memory name, address target, bytes memory data) private {
        uint256 start = block.timestamp;
        bytes32 id = propose(target, data);
        uint256[2] memory times = [start, start + DELAY - 1];
        for (uint256 i = 0; i < times.length; ++i) {
            vm.warp(times[i]);
            vm.prank(STRANGER);
            (bool success, bytes memory reason) = address(timelock).call(
                abi.encodeCall(TimelockController.execute, (target, 0, data, 0, 0))
            );
            assertFalse(success, name);
            assertEq(reason, notReady(id), name);
        }
        vm.warp(start);
    }
}
