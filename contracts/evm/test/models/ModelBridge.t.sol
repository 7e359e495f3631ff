// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IERC721Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ICS24} from "../../src/gateway/ICS24.sol";
import {Packet} from "../../src/interfaces/IBCTypes.sol";
import {PacketContext} from "../../src/interfaces/IIBCApp.sol";
import {Accountant} from "../../src/limits/Accountant.sol";
import {RouteLimits} from "../../src/limits/RouteLimits.sol";
import {ILightClient} from "../../src/interfaces/ILightClient.sol";
import {IModelBridge} from "../../src/interfaces/IModelBridge.sol";
import {ModelBridge} from "../../src/models/ModelBridge.sol";
import {ModelNames} from "../../src/models/ModelNames.sol";
import {ModelRegistry} from "../../src/models/ModelRegistry.sol";
import {ModelTransfers, Transfer} from "../../src/models/ModelTransfer.sol";
import {PacketApp} from "../../src/models/PacketApp.sol";
import {ModelLedgers} from "./ModelLedgers.sol";

/// @dev Owns a model and refuses to be asked about it.
contract MuteOwner {
    function publish(ModelRegistry registry) external returns (uint256) {
        return registry.publish("mute", "1.0.0", keccak256("mute"));
    }

    function send(ModelBridge bridge, string calldata clientId, uint256 modelId, uint64 timeout) external {
        bridge.registry().approve(address(bridge), modelId);
        bridge.send(clientId, modelId, abi.encodePacked(address(this)), timeout, 0);
    }
}

contract ModelBridgeTest is ModelLedgers {
    address private constant ALICE = address(0xA11CE);
    address private constant BOB = address(0xB0B);
    bytes32 private constant MANIFEST = keccak256("manifest");
    /// @dev ERC-7930: a ledger of chain type 0xff04 with the reference "toys".
    bytes private constant TOYS = hex"0001ff0404746f797300";
    uint256 private model;

    function setUp() public {
        makeSites();
        model = _publish(0, ALICE, "tumour-mlp");
    }

    function test_a_sent_model_is_locked_then_live_behind_the_client() public {
        uint256 packet = sendModel(0, 1, ALICE, model, BOB);
        (string memory client, uint64 sequence, bool completed) = sites[0].bridge.locked(model);
        assertEq(client, routes[0][1]);
        assertEq(sequence, 1);
        assertFalse(completed);
        assertEq(sites[0].registry.ownerOf(model), address(sites[0].bridge));

        deliver(packet);
        assertEq(sites[1].registry.ownerOf(model), BOB);
        acknowledge(packet);
        (,, completed) = sites[0].bridge.locked(model);
        assertTrue(completed);
        assertEq(on(1).registry.tokenURI(model), on(0).registry.tokenURI(model));
        vm.chainId(31338);
        (bytes memory publisher, string memory name, bytes memory home,) = sites[1].registry.model(model);
        assertEq(publisher, abi.encodePacked(ALICE));
        assertEq(name, "tumour-mlp");
        assertEq(home, accountOn(0, address(sites[0].registry)));
    }

    function test_a_model_comes_home_and_is_burnt_where_it_was() public {
        moveModel(0, 1, ALICE, model, BOB);
        moveModel(1, 0, BOB, model, ALICE);
        assertEq(sites[0].registry.ownerOf(model), ALICE);
        _assertNotLive(1, model);
        (string memory client,,) = sites[0].bridge.locked(model);
        assertEq(client, "");
        vm.prank(ALICE);
        on(0).registry.publishVersion(model, "1.1.0", MANIFEST);
    }

    function test_a_model_travels_again_after_coming_home() public {
        moveModel(0, 1, ALICE, model, BOB);
        moveModel(1, 0, BOB, model, ALICE);
        moveModel(0, 1, ALICE, model, BOB);
        assertEq(sites[1].registry.ownerOf(model), BOB);
        moveModel(1, 0, BOB, model, ALICE);
        moveModel(0, 2, ALICE, model, BOB);
        assertEq(sites[2].registry.ownerOf(model), BOB);
    }

    function test_a_transfer_that_times_out_refunds_the_sender() public {
        uint256 packet = sendModel(0, 1, ALICE, model, BOB);
        expire(packet);
        assertEq(sites[0].registry.ownerOf(model), ALICE);
        (string memory client,,) = sites[0].bridge.locked(model);
        assertEq(client, "");
        deliver(packet);
        _assertNotLive(1, model);
    }

    function test_a_refund_is_told_by_an_event() public {
        Packet memory packet = packetOf(sendModel(0, 1, ALICE, model, BOB));
        vm.warp(packet.timeoutTimestamp);
        bytes memory proof = proveAbsent(sites[1].ledger, only(packet));
        Site storage site = on(0);
        vm.expectEmit(address(site.bridge));
        emit IModelBridge.TransferRefunded(model, keccak256(bytes(routes[0][1])), packet.sequence, ALICE);
        site.ledger.gateway.timeoutPackets(packet.sourceClient, only(packet), proof);
    }

    function test_a_return_that_times_out_gives_the_foreign_model_back() public {
        moveModel(0, 1, ALICE, model, BOB);
        uint256 packet = sendModel(1, 0, BOB, model, ALICE);
        _assertNotLive(1, model);
        expire(packet);
        assertEq(sites[1].registry.ownerOf(model), BOB);
        moveModel(1, 0, BOB, model, ALICE);
        assertEq(sites[0].registry.ownerOf(model), ALICE);
    }

    function test_a_refused_transfer_refunds_the_sender() public {
        uint256 packet = sendModel(0, 1, ALICE, model, address(sites[1].bridge));
        deliver(packet);
        assertTrue(isRefused(packet));
        acknowledge(packet);
        assertEq(sites[0].registry.ownerOf(model), ALICE);
    }

    function test_a_refund_to_a_contract_that_takes_no_tokens_does_not_get_stuck() public {
        MuteOwner owner = new MuteOwner();
        on(0);
        uint256 id = owner.publish(sites[0].registry);
        owner.send(sites[0].bridge, routes[0][1], id, inAnHour());
        uint256 packet = latest();
        expire(packet);
        assertEq(sites[0].registry.ownerOf(id), address(owner));
        assertFalse(isOpen(packet));
    }

    function test_an_acknowledgement_after_the_model_came_home_changes_nothing() public {
        uint256 out = sendModel(0, 1, ALICE, model, BOB);
        deliver(out);
        deliver(sendModel(1, 0, BOB, model, ALICE));
        uint256 again = sendModel(0, 2, ALICE, model, BOB);
        acknowledge(out);
        (string memory client,, bool completed) = sites[0].bridge.locked(model);
        assertEq(client, routes[0][2]);
        assertFalse(completed);
        expire(again);
        assertEq(sites[0].registry.ownerOf(model), ALICE);
    }

    function test_a_late_error_from_a_lying_ledger_cannot_take_the_model_from_its_owner() public {
        uint256 out = sendModel(0, 1, ALICE, model, BOB);
        deliver(out);
        deliver(sendModel(1, 0, BOB, model, BOB));
        acknowledgeWith(out, one(ICS24.UNIVERSAL_ERROR));
        assertEq(sites[0].registry.ownerOf(model), BOB);
    }

    function test_a_late_error_cannot_free_a_model_that_left_another_way() public {
        uint256 out = sendModel(0, 1, ALICE, model, BOB);
        deliver(out);
        deliver(sendModel(1, 0, BOB, model, ALICE));
        deliver(sendModel(0, 2, ALICE, model, BOB));
        acknowledgeWith(out, one(ICS24.UNIVERSAL_ERROR));
        assertEq(sites[0].registry.ownerOf(model), address(sites[0].bridge));
        assertEq(sites[2].registry.ownerOf(model), BOB);
    }

    function test_a_late_answer_to_an_earlier_trip_says_nothing_of_a_later_one_by_the_same_route() public {
        uint256 out = sendModel(0, 1, ALICE, model, BOB);
        deliver(out);
        uint256 home = sendModel(1, 0, BOB, model, ALICE);
        deliver(home);
        sendModel(0, 1, ALICE, model, BOB);
        acknowledge(out);
        (, uint64 sequence, bool completed) = sites[0].bridge.locked(model);
        assertEq(sequence, 2);
        assertFalse(completed);
        deliver(latest());
        acknowledgeWith(home, one(ICS24.UNIVERSAL_ERROR));
        assertEq(sites[1].registry.ownerOf(model), BOB);
    }

    function test_a_late_error_for_an_earlier_trip_cannot_free_a_later_one_by_the_same_route() public {
        uint256 out = sendModel(0, 1, ALICE, model, BOB);
        deliver(out);
        deliver(sendModel(1, 0, BOB, model, ALICE));
        deliver(sendModel(0, 1, ALICE, model, BOB));
        acknowledgeWith(out, one(ICS24.UNIVERSAL_ERROR));
        assertEq(sites[0].registry.ownerOf(model), address(sites[0].bridge));
        assertEq(sites[1].registry.ownerOf(model), BOB);
    }

    function test_another_ledger_cannot_unlock_what_was_sent_to_one() public {
        moveModel(0, 1, ALICE, model, BOB);
        bytes memory value = _value(0, ALICE, "tumour-mlp", abi.encodePacked(BOB));
        _refuse(0, 2, value, abi.encodeWithSelector(ModelBridge.NotLockedTowards.selector, model, routes[0][2]));
    }

    function test_a_ledger_cannot_unlock_what_never_left() public {
        bytes memory value = _value(0, ALICE, "tumour-mlp", abi.encodePacked(BOB));
        _refuse(0, 1, value, abi.encodeWithSelector(ModelBridge.NotLockedTowards.selector, model, routes[0][1]));
    }

    function test_a_ledger_cannot_mint_models_of_a_third_one_under_their_own_ids() public {
        uint256 others = _publish(2, ALICE, "tumour-mlp");
        bytes memory value = _value(2, ALICE, "tumour-mlp", abi.encodePacked(BOB));
        Site storage site = on(0);
        vm.prank(address(site.ledger.gateway));
        site.bridge.onRecvPacket(contextOf(1, 0, value));
        _assertNotLive(0, others);
        assertEq(site.registry.ownerOf(tokenOf(others, pathOf(1))), BOB);
        moveModel(2, 0, ALICE, others, ALICE);
        assertEq(site.registry.ownerOf(others), ALICE);
    }

    function test_a_ledger_cannot_mint_a_second_copy() public {
        moveModel(0, 1, ALICE, model, BOB);
        bytes memory value = _value(0, ALICE, "tumour-mlp", abi.encodePacked(ALICE));
        _refuse(1, 0, value, abi.encodeWithSelector(IERC721Errors.ERC721InvalidSender.selector, address(0)));
    }

    function test_a_home_that_is_not_the_one_encoding_of_an_account_is_refused() public {
        bytes[4] memory homes = [
            bytes(TOYS),
            chainOf(1),
            bytes.concat(accountOn(1, address(1)), hex"00"),
            bytes(hex"0001000002007a6914000000000000000000000000000000000000000001")
        ];
        for (uint256 i = 0; i < homes.length; ++i) {
            Transfer memory transfer = transferOf(1, ALICE, "x", new bytes[](0), abi.encodePacked(BOB));
            transfer.model.home = homes[i];
            _refuse(0, 1, abi.encode(uint8(1), transfer), abi.encodeWithSelector(ModelBridge.InvalidHome.selector, homes[i]));
            transfer.model.path = pathOf(0); // as if it came back
            _refuse(0, 1, abi.encode(uint8(1), transfer), abi.encodeWithSelector(ModelBridge.InvalidHome.selector, homes[i]));
        }
    }

    function test_a_recipient_that_is_no_address_is_refused() public {
        bytes[4] memory recipients = [
            bytes(""),
            abi.encodePacked(address(0)),
            abi.encodePacked(BOB, uint8(0)),
            abi.encodePacked(address(sites[0].bridge))
        ];
        for (uint256 i = 0; i < recipients.length; ++i) {
            _refuse(
                0,
                1,
                _value(1, ALICE, "x", recipients[i]),
                abi.encodeWithSelector(ModelBridge.InvalidRecipient.selector, recipients[i])
            );
        }
        Site storage site = on(0);
        vm.startPrank(ALICE);
        site.registry.approve(address(site.bridge), model);
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(ModelBridge.InvalidRecipient.selector, recipients[i]));
            site.bridge.send(routes[0][1], model, recipients[i], inAnHour(), 0);
        }
        vm.stopPrank();
    }

    function test_a_recipient_on_a_ledger_of_another_kind_has_1_to_128_bytes() public {
        string memory route = _routeToToys();
        Site storage site = on(0);
        vm.startPrank(ALICE);
        site.registry.approve(address(site.bridge), model);
        for (uint256 i = 0; i < 2; ++i) {
            bytes memory recipient = new bytes(i * 129);
            vm.expectRevert(abi.encodeWithSelector(ModelBridge.InvalidRecipient.selector, recipient));
            site.bridge.send(route, model, recipient, inAnHour(), 0);
        }
        uint256 state = vm.snapshotState();
        for (uint256 length = 1; length <= 128; length += 127) {
            site.bridge.send(route, model, new bytes(length), inAnHour(), 0);
            assertEq(site.registry.ownerOf(model), address(site.bridge));
            vm.revertToState(state);
        }
        vm.stopPrank();
    }

    function test_a_model_of_a_ledger_of_another_kind_comes_goes_on_and_goes_home() public {
        string memory route = _routeToToys();
        Transfer memory transfer = _toy("toy");
        uint256 id = ModelNames.modelId(transfer.model.home, transfer.model.publisher, "toy");
        _arriveBy(route, transfer);
        Site storage site = on(0);
        assertEq(site.registry.ownerOf(id), BOB);
        (bytes memory publisher,, bytes memory home,) = site.registry.model(id);
        assertEq(publisher, "geppetto");
        assertEq(home, transfer.model.home);
        assertEq(
            site.registry.tokenURI(id),
            string.concat("caimi:0x0001ff0404746f797300:", vm.toString(bytes32(id)))
        );

        moveModel(0, 1, BOB, id, ALICE);
        uint256 beyond = tokenOf(id, pathOf(0));
        assertEq(sites[1].registry.ownerOf(beyond), ALICE);
        moveModel(1, 0, ALICE, beyond, BOB);
        assertEq(sites[0].registry.ownerOf(id), BOB);

        site = on(0);
        uint64 timeout = inAnHour();
        vm.startPrank(BOB);
        site.registry.approve(address(site.bridge), id);
        site.bridge.send(route, id, "geppetto", timeout, 0);
        vm.stopPrank();
        _assertNotLive(0, id);
    }

    /// @dev A ledger of another kind, too, cannot mint models of a third one, nor can a third mint its own.
    function test_ids_of_models_of_other_kinds_of_ledgers_commit_to_their_way() public {
        string memory route = _routeToToys();
        Transfer memory transfer = _toy("toy");
        uint256 id = ModelNames.modelId(transfer.model.home, transfer.model.publisher, "toy");
        _arriveBy(routes[0][1], transfer);
        assertEq(sites[0].registry.ownerOf(tokenOf(id, pathOf(1))), BOB);
        _assertNotLive(0, id);
        uint256 others = _publish(2, ALICE, "others");
        _arriveBy(route, transferOf(2, ALICE, "others", new bytes[](0), abi.encodePacked(BOB)));
        bytes[] memory path = new bytes[](1);
        path[0] = TOYS;
        assertEq(sites[0].registry.ownerOf(tokenOf(others, path)), BOB);
        _assertNotLive(0, others);
    }

    function test_a_value_has_one_encoding() public {
        bytes memory value = _value(1, ALICE, "x", abi.encodePacked(BOB));
        bytes memory refusal = abi.encodeWithSelector(ModelTransfers.InvalidTransfer.selector);
        _refuse(0, 1, bytes.concat(value, hex"00"), refusal);
        value[31] = 0x02;
        _refuse(0, 1, value, refusal);
        value = new bytes(2049);
        _refuse(0, 1, value, abi.encodeWithSelector(PacketApp.PayloadTooLarge.selector, 2049));
        // One of exactly as much is read.
        value = _value(1, ALICE, "x", abi.encodePacked(BOB));
        bytes memory recipient = new bytes(2048 - value.length + 32);
        value = _value(1, ALICE, "x", recipient);
        assertEq(value.length, 2048);
        _refuse(0, 1, value, abi.encodeWithSelector(ModelBridge.InvalidRecipient.selector, recipient));
    }

    function testFuzz_a_mutated_value_never_moves_this_model(uint256 position, uint8 flip) public {
        moveModel(0, 1, ALICE, model, BOB);
        bytes memory value = _value(0, ALICE, "tumour-mlp", abi.encodePacked(BOB));
        // Up to what is said of the model, and the sender and the recipient; of the fields before these only the height
        // that it was sent at (word 5) can have any value, when no depth is named.
        position = bound(position, 0, 32 * 19 - 1);
        vm.assume(flip != 0 && position / 32 != 5);
        value[position] = bytes1(uint8(value[position]) ^ flip);
        PacketContext memory context = contextOf(1, 0, value);
        Site storage site = on(0);
        vm.prank(address(site.ledger.gateway));
        try site.bridge.onRecvPacket(context) {} catch {}
        assertEq(site.registry.ownerOf(model), address(site.bridge));
    }

    function test_another_port_version_or_encoding_is_refused() public {
        PacketContext memory context = contextOf(1, 0, _value(1, ALICE, "x", abi.encodePacked(BOB)));
        context.payload.sourcePort = "licence";
        _refuseContext(context, abi.encodeWithSelector(PacketApp.UnexpectedPort.selector, "licence"));
        context.payload.sourcePort = "model";
        context.payload.version = "caimi-model-2";
        _refuseContext(context, abi.encodeWithSelector(PacketApp.UnexpectedVersion.selector, "caimi-model-2"));
        context.payload.version = "caimi-model-3";
        context.payload.encoding = "application/json";
        _refuseContext(context, abi.encodeWithSelector(PacketApp.UnexpectedEncoding.selector, "application/json"));
    }

    function test_only_the_gateway_calls_back() public {
        PacketContext memory context = contextOf(1, 0, _value(1, ALICE, "x", abi.encodePacked(BOB)));
        ModelBridge bridge = on(0).bridge;
        bytes memory refusal = abi.encodeWithSelector(PacketApp.OnlyGateway.selector, address(this));
        vm.expectRevert(refusal);
        bridge.onRecvPacket(context);
        vm.expectRevert(refusal);
        bridge.onAcknowledgementPacket(context, hex"01");
        vm.expectRevert(refusal);
        bridge.onTimeoutPacket(context);
    }

    function test_a_packet_that_this_bridge_did_not_send_ends_nothing() public {
        PacketContext memory context = contextOf(1, 0, hex"00");
        Site storage site = on(0);
        vm.prank(address(site.ledger.gateway));
        vm.expectRevert(
            abi.encodeWithSelector(PacketApp.UnknownPacket.selector, keccak256(bytes(context.sourceClient)), 9)
        );
        site.bridge.onTimeoutPacket(context);
    }

    function test_only_the_owner_sends() public {
        Site storage site = on(0);
        vm.prank(ALICE);
        site.registry.approve(address(site.bridge), model);
        vm.prank(BOB);
        vm.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721IncorrectOwner.selector, BOB, model, ALICE));
        site.bridge.send(routes[0][1], model, abi.encodePacked(BOB), inAnHour(), 0);
    }

    function test_a_model_in_flight_cannot_be_sent_again() public {
        sendModel(0, 1, ALICE, model, BOB);
        Site storage site = on(0);
        vm.prank(ALICE);
        vm.expectPartialRevert(IERC721Errors.ERC721IncorrectOwner.selector);
        site.bridge.send(routes[0][2], model, abi.encodePacked(BOB), inAnHour(), 0);
    }

    function test_while_paused_nothing_leaves_and_what_arrives_is_refunded() public {
        uint256 packet = sendModel(0, 1, ALICE, model, BOB);
        on(1).bridge.pause();
        deliver(packet);
        assertTrue(isRefused(packet));
        on(0).bridge.pause();
        acknowledge(packet);
        assertEq(sites[0].registry.ownerOf(model), ALICE);

        Site storage site = on(0);
        vm.startPrank(ALICE);
        site.registry.approve(address(site.bridge), model);
        vm.expectRevert(Pausable.EnforcedPause.selector);
        site.bridge.send(routes[0][1], model, abi.encodePacked(BOB), inAnHour(), 0);
        vm.stopPrank();
        site.bridge.unpause();
        on(1).bridge.unpause();
        moveModel(0, 1, ALICE, model, BOB);
    }

    function test_only_the_authority_pauses() public {
        Site storage site = on(0);
        vm.prank(BOB);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, BOB));
        site.bridge.pause();
        site.bridge.pause();
        vm.prank(BOB);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, BOB));
        site.bridge.unpause();
    }

    function test_what_is_locked_towards_a_dead_ledger_goes_to_whom_it_may_only() public {
        ModelBridge bridge = on(0).bridge;
        string memory route = routes[0][1];
        vm.prank(BOB);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, BOB));
        bridge.unlockDead(model, route, ALICE);
        vm.expectRevert(abi.encodeWithSelector(ModelBridge.NotLockedTowards.selector, model, route));
        bridge.unlockDead(model, route, ALICE);
        uint256 packet = sendModel(0, 1, ALICE, model, BOB);
        vm.expectRevert(abi.encodeWithSelector(ModelBridge.NotLockedTowards.selector, model, routes[0][2]));
        bridge.unlockDead(model, routes[0][2], ALICE);
        // On its way it is the sender's; there, whoever the heirs' list says.
        vm.expectRevert(abi.encodeWithSelector(ModelBridge.NotTheSender.selector, model, BOB));
        bridge.unlockDead(model, route, BOB);
        deliver(packet);
        acknowledge(packet);
        address[2] memory nobody = [address(0), address(bridge)];
        on(0);
        for (uint256 i = 0; i < 2; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(ModelBridge.InvalidRecipient.selector, abi.encodePacked(nobody[i]))
            );
            bridge.unlockDead(model, route, nobody[i]);
        }
        vm.expectEmit(address(bridge));
        emit IModelBridge.DeadUnlocked(model, keccak256(bytes(route)), BOB);
        bridge.unlockDead(model, route, BOB);
        assertEq(sites[0].registry.ownerOf(model), BOB);
        assertTrue(bridge.breakerOpen(route));
    }

    function test_every_step_is_told_by_an_event() public {
        Site storage site = on(0);
        bytes32 clientHash = keccak256(bytes(routes[0][1]));
        vm.startPrank(ALICE);
        site.registry.approve(address(site.bridge), model);
        vm.expectEmit(address(site.bridge));
        emit IModelBridge.ModelSent(model, clientHash, 1, ALICE, abi.encodePacked(BOB));
        site.bridge.send(routes[0][1], model, abi.encodePacked(BOB), inAnHour(), 0);
        vm.stopPrank();
        uint256 packet = latest();
        vm.expectEmit(address(sites[1].bridge));
        emit IModelBridge.ModelReceived(model, keccak256(bytes(routes[1][0])), 1, BOB);
        deliver(packet);
        vm.expectEmit(address(site.bridge));
        emit IModelBridge.TransferCompleted(model, clientHash, 1);
        acknowledge(packet);
    }

    function test_over_its_limit_a_route_refunds_what_arrives_and_harms_no_other() public {
        uint256 second = _publish(0, ALICE, "second");
        uint256 third = _publish(2, ALICE, "third");
        on(1).bridge.setLimits(routes[1][0], true, RouteLimits.Limits(1, 0, 0, 0, 0));
        moveModel(0, 1, ALICE, model, BOB);
        assertTrue(sites[1].bridge.breakerOpen(routes[1][0]));
        uint256 packet = sendModel(0, 1, ALICE, second, BOB);
        deliver(packet);
        assertTrue(isRefused(packet));
        acknowledge(packet);
        assertEq(sites[0].registry.ownerOf(second), ALICE);
        deliver(sendModel(2, 1, ALICE, third, BOB));
        assertEq(sites[1].registry.ownerOf(third), BOB);
    }

    /// @dev Who publishes many models closes no route with them, and what comes back makes room again.
    function test_a_sender_has_a_share_of_a_route_and_refunds_give_it_back() public {
        uint256[3] memory ids = [_publish(0, BOB, "one"), _publish(0, BOB, "two"), _publish(0, BOB, "three")];
        Site storage site = on(0);
        site.bridge.setLimits(routes[0][1], false, RouteLimits.Limits(40, 0, 0, 0, 0));
        uint256 first = sendModel(0, 1, BOB, ids[0], BOB);
        uint256 second = sendModel(0, 1, BOB, ids[1], BOB);
        bytes memory refusal =
            abi.encodeWithSelector(RouteLimits.ShareExceeded.selector, keccak256(bytes(routes[0][1])), BOB);
        _refuseSending(BOB, ids[2], refusal);
        sendModel(0, 1, ALICE, model, BOB);
        expire(first);
        deliver(sendModel(0, 1, BOB, ids[2], BOB));
        acknowledge(latest());
        acknowledgeWith(second, one(ICS24.UNIVERSAL_ERROR));
        (uint256 left,) = site.bridge.available(routes[0][1], false);
        assertEq(left, 38); // one took effect, one is on its way
        sendModel(0, 1, BOB, ids[0], BOB);
        _refuseSending(BOB, ids[1], refusal);
    }

    // Models that are simply given away

    function test_a_model_that_is_simply_given_to_the_bridge_or_the_registry_stays_where_it_is() public {
        Site storage site = on(0);
        address[2] memory nowhere = [address(site.bridge), address(site.registry)];
        for (uint256 i = 0; i < 2; ++i) {
            bytes memory refusal =
                abi.encodeWithSelector(ModelRegistry.NotBySending.selector, nowhere[i], model);
            vm.startPrank(ALICE);
            vm.expectRevert(refusal);
            site.registry.transferFrom(ALICE, nowhere[i], model);
            vm.expectRevert(refusal);
            site.registry.safeTransferFrom(ALICE, nowhere[i], model);
            site.registry.approve(BOB, model);
            vm.stopPrank();
            vm.prank(BOB);
            vm.expectRevert(refusal);
            site.registry.transferFrom(ALICE, nowhere[i], model);
        }
        assertEq(site.registry.ownerOf(model), ALICE);
    }

    /// @dev What comes for the registry itself would be as lost.
    function test_a_transfer_to_the_other_registry_is_refunded() public {
        uint256 packet = sendModel(0, 1, ALICE, model, address(sites[1].registry));
        deliver(packet);
        assertTrue(isRefused(packet));
        acknowledge(packet);
        assertEq(sites[0].registry.ownerOf(model), ALICE);
    }

    function test_no_contract_of_ours_takes_a_model_or_coins_that_it_was_not_asked_to_hold() public {
        Site storage site = on(0);
        vm.deal(ALICE, 1 ether);
        address[4] memory ours =
            [address(site.bridge), address(site.registry), address(site.market), address(site.ledger.gateway)];
        for (uint256 i = 0; i < ours.length; ++i) {
            vm.startPrank(ALICE);
            vm.expectRevert();
            site.registry.safeTransferFrom(ALICE, ours[i], model);
            (bool accepted,) = ours[i].call{value: 1}("");
            assertFalse(accepted);
            vm.stopPrank();
        }
    }

    function test_an_open_breaker_stops_sending_and_never_acknowledgements_or_timeouts() public {
        uint256 second = _publish(0, ALICE, "second");
        uint256 delivered = sendModel(0, 1, ALICE, model, BOB);
        uint256 lost = sendModel(0, 1, ALICE, second, BOB);
        deliver(delivered);
        Site storage site = on(0);
        site.bridge.openBreaker(routes[0][1]);
        acknowledge(delivered);
        expire(lost);
        assertEq(site.registry.ownerOf(second), ALICE);
        vm.startPrank(ALICE);
        site.registry.approve(address(site.bridge), second);
        vm.expectRevert(abi.encodeWithSelector(RouteLimits.BreakerOpen.selector, keccak256(bytes(routes[0][1]))));
        site.bridge.send(routes[0][1], second, abi.encodePacked(BOB), uint64(block.timestamp) + 2 hours, 0);
        vm.stopPrank();
    }

    function test_what_is_out_over_a_route_is_counted_capped_and_given_back() public {
        uint256 second = _publish(0, ALICE, "second");
        Site storage site = on(0);
        site.bridge.setSupplyCap(routes[0][1], 1);
        moveModel(0, 1, ALICE, model, BOB);
        _assertOut(1, 1);
        vm.startPrank(ALICE);
        site.registry.approve(address(site.bridge), second);
        vm.expectRevert(abi.encodeWithSelector(Accountant.SupplyCapReached.selector, keccak256(bytes(routes[0][1])), 1));
        site.bridge.send(routes[0][1], second, abi.encodePacked(BOB), inAnHour(), 0);
        vm.stopPrank();
        moveModel(1, 0, BOB, model, ALICE);
        _assertOut(0, 1);
        expire(sendModel(0, 1, ALICE, model, BOB));
        _assertOut(0, 1);
        assertEq(site.registry.ownerOf(model), ALICE);
    }

    /// @dev With every key of one route's committee a thief delivers what it likes over that route.
    function test_with_all_keys_of_a_route_a_thief_gets_what_is_out_over_it_and_nothing_else() public {
        uint256 elsewhere = _publish(0, ALICE, "elsewhere");
        uint256 athome = _publish(0, ALICE, "at-home");
        moveModel(0, 1, ALICE, model, BOB);
        deliver(sendModel(0, 2, ALICE, elsewhere, BOB));
        Site storage site = on(0);
        address thief = address(0xBAD);
        bytes memory to = abi.encodePacked(thief);
        vm.prank(address(site.ledger.gateway));
        site.bridge.onRecvPacket(contextOf(1, 0, _value(0, ALICE, "tumour-mlp", to)));
        assertEq(site.registry.ownerOf(model), thief);
        _assertOut(0, type(uint128).max);
        _refuse(
            0,
            1,
            _value(0, ALICE, "elsewhere", to),
            abi.encodeWithSelector(ModelBridge.NotLockedTowards.selector, elsewhere, routes[0][1])
        );
        _refuse(
            0,
            1,
            _value(0, ALICE, "at-home", to),
            abi.encodeWithSelector(ModelBridge.NotLockedTowards.selector, athome, routes[0][1])
        );
        assertEq(site.registry.ownerOf(elsewhere), address(site.bridge));
        assertEq(site.registry.ownerOf(athome), ALICE);
    }

    function _assertOut(uint128 expected, uint128 expectedCap) private view {
        (uint128 out, uint128 cap) = sites[0].bridge.outstanding(routes[0][1]);
        assertEq(out, expected);
        assertEq(cap, expectedCap);
    }

    function _refuseSending(address owner, uint256 id, bytes memory refusal) private {
        Site storage site = on(0);
        uint64 timeout = inAnHour();
        vm.startPrank(owner);
        site.registry.approve(address(site.bridge), id);
        vm.expectRevert(refusal);
        site.bridge.send(routes[0][1], id, abi.encodePacked(owner), timeout, 0);
        vm.stopPrank();
    }

    /// @dev Adds a client of a ledger of another kind to site 0.
    function _routeToToys() private returns (string memory route) {
        Site storage site = on(0);
        (ILightClient client,,) = site.ledger.gateway.getClient(routes[0][1]);
        route = site.ledger.gateway.addClient(client, TOYS);
        site.ledger.gateway.setCounterparty(route, "caimi-toys-0");
    }

    /// @dev A model whose home is that ledger, on its way to BOB.
    function _toy(string memory name) private view returns (Transfer memory transfer) {
        transfer = transferOf(1, ALICE, name, new bytes[](0), abi.encodePacked(BOB));
        transfer.model.home = InteroperableAddress.formatV1(0xff04, "toys", "registry");
        transfer.model.publisher = "geppetto";
    }

    function _arriveBy(string memory route, Transfer memory transfer) private {
        PacketContext memory context = contextOf(1, 0, abi.encode(uint8(1), transfer));
        context.destClient = route;
        Site storage site = on(0);
        vm.prank(address(site.ledger.gateway));
        site.bridge.onRecvPacket(context);
    }

    function _publish(uint256 i, address owner, string memory name) private returns (uint256) {
        Site storage site = on(i);
        vm.prank(owner);
        return site.registry.publish(name, "1.0.0", MANIFEST);
    }

    function _assertNotLive(uint256 i, uint256 id) private {
        ModelRegistry registry = sites[i].registry;
        vm.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721NonexistentToken.selector, id));
        registry.ownerOf(id);
    }

    function _value(uint256 home, address publisher, string memory name, bytes memory recipient)
        private
        view
        returns (bytes memory)
    {
        return abi.encode(uint8(1), transferOf(home, publisher, name, new bytes[](0), recipient));
    }

    /// @dev What a ledger that lies about its own packets could have delivered.
    function _refuse(uint256 dest, uint256 from, bytes memory value, bytes memory refusal) private {
        Site storage site = on(dest);
        vm.prank(address(site.ledger.gateway));
        vm.expectRevert(refusal);
        site.bridge.onRecvPacket(contextOf(from, dest, value));
    }

    function _refuseContext(PacketContext memory context, bytes memory refusal) private {
        Site storage site = on(0);
        vm.prank(address(site.ledger.gateway));
        vm.expectRevert(refusal);
        site.bridge.onRecvPacket(context);
    }
}
