// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IERC721Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";
import {ICS24} from "../../src/gateway/ICS24.sol";
import {IGateway} from "../../src/interfaces/IGateway.sol";
import {IIBCApp, PacketContext} from "../../src/interfaces/IIBCApp.sol";
import {ForeignModel} from "../../src/interfaces/IModelRegistry.sol";
import {LicenceMarket} from "../../src/models/LicenceMarket.sol";
import {Licences} from "../../src/models/Licences.sol";
import {ModelBridge} from "../../src/models/ModelBridge.sol";
import {ModelRegistry} from "../../src/models/ModelRegistry.sol";
import {Transfer} from "../../src/models/ModelTransfer.sol";
import {Paths} from "../../src/models/Paths.sol";
import {ModelLedgers} from "./ModelLedgers.sol";

/// @notice Voyages over several ledgers: the way out, the way back, what travels along, and how deep a transfer must lie.
contract ModelVoyagesTest is ModelLedgers {
    address private constant ALICE = address(0xA11CE);
    address private constant BOB = address(0xB0B);
    address private constant THIEF = address(0xBAD);
    bytes32 private constant MANIFEST = keccak256("manifest");
    uint256 private constant A = 0;
    uint256 private constant B = 1;
    uint256 private constant C = 2;
    uint256 private constant D = 3;

    uint256 private model; // at home on A, and on B
    uint256 private atC; // when it came over B
    uint256 private atD; // when it came over B and C

    function setUp() public {
        makeSites();
        Site storage site = on(A);
        vm.prank(ALICE);
        model = site.registry.publish("tumour-mlp", "1.0.0", MANIFEST);
        atC = tokenOf(model, pathOf(B));
        atD = tokenOf(model, pathOf(B, C));
    }

    // There and back

    function test_a_model_goes_over_several_ledgers_and_comes_back_the_same_way() public {
        moveModel(A, B, ALICE, model, BOB);
        moveModel(B, C, BOB, model, ALICE);
        moveModel(C, D, ALICE, atC, BOB);
        _assertOwner(D, atD, BOB);
        _assertLocked(A, model, routes[A][B]);
        _assertLocked(B, model, routes[B][C]);
        _assertLocked(C, atC, routes[C][D]);
        assertEq(sites[D].bridge.cameBy(atD), routes[D][C]);

        moveModel(D, C, BOB, atD, ALICE);
        _assertNotLive(D, atD);
        _assertOwner(C, atC, ALICE);
        moveModel(C, B, ALICE, atC, BOB);
        _assertNotLive(C, atC);
        _assertOwner(B, model, BOB);
        moveModel(B, A, BOB, model, ALICE);
        _assertNotLive(B, model);
        _assertOwner(A, model, ALICE);
        for (uint256 i = A; i < D; ++i) {
            (uint128 out,) = sites[i].bridge.outstanding(routes[i][i + 1]);
            assertEq(out, 0, "out");
        }
        vm.prank(ALICE);
        on(A).registry.publishVersion(model, "1.1.0", MANIFEST);
    }

    function test_a_guest_that_came_back_goes_on_another_way_or_home() public {
        moveModel(A, B, ALICE, model, BOB);
        moveModel(B, C, BOB, model, BOB);
        moveModel(C, B, BOB, atC, BOB);
        moveModel(B, D, BOB, model, BOB);
        _assertOwner(D, tokenOf(model, pathOf(B)), BOB);
        moveModel(D, B, BOB, tokenOf(model, pathOf(B)), BOB);
        moveModel(B, A, BOB, model, ALICE);
        moveModel(A, C, ALICE, model, BOB);
        _assertOwner(C, model, BOB);
    }

    function test_a_model_goes_home_only_the_way_it_came_and_to_no_ledger_twice() public {
        moveModel(A, B, ALICE, model, BOB);
        moveModel(B, C, BOB, model, BOB);
        _refuseSend(C, A, atC);
        moveModel(C, D, BOB, atC, BOB);
        _refuseSend(D, A, atD);
        _refuseSend(D, B, atD);
    }

    function test_what_arrives_is_no_voyage_when_it_was_somewhere_twice_or_on_too_many_ledgers() public {
        bytes[] memory long = new bytes[](3);
        bytes[] memory malformed = pathOf(A);
        malformed[0] = bytes.concat(malformed[0], hex"00");
        (long[0], long[1], long[2]) = (chainOf(A), _ledger(1), _ledger(2));
        // From C to D, of a model of B: over D itself, over its home, over one twice, over C already, over too many.
        bytes[][6] memory paths = [pathOf(D, A), pathOf(B), pathOf(A, A), pathOf(C), long, malformed];
        for (uint256 i = 0; i < paths.length; ++i) {
            Transfer memory transfer = transferOf(B, ALICE, "x", paths[i], abi.encodePacked(BOB));
            bytes[] memory seen = Paths.beyond(paths[i], chainOf(C));
            _refuse(C, D, transfer, abi.encodeWithSelector(ModelBridge.NotAVoyage.selector, transfer.model.home, seen));
        }
        // A home does not send over others, and what comes home was not on the way to itself.
        Transfer memory direct = transferOf(C, ALICE, "x", pathOf(A), abi.encodePacked(BOB));
        _refuse(
            C, D, direct, abi.encodeWithSelector(ModelBridge.NotAVoyage.selector, direct.model.home, direct.model.path)
        );
        direct = transferOf(D, ALICE, "x", pathOf(A), abi.encodePacked(BOB));
        _refuse(
            C, D, direct, abi.encodeWithSelector(ModelBridge.NotAVoyage.selector, direct.model.home, direct.model.path)
        );
    }

    // Refunds

    function test_a_refused_hop_gives_the_model_back_where_it_was() public {
        moveModel(A, B, ALICE, model, BOB);
        uint256 packet = sendModel(B, C, BOB, model, address(sites[C].bridge));
        deliver(packet);
        assertTrue(isRefused(packet));
        acknowledge(packet);
        _assertOwner(B, model, BOB);
        _assertNotLive(C, atC);
        moveModel(B, A, BOB, model, ALICE);
        _assertOwner(A, model, ALICE);
    }

    function test_an_expired_hop_gives_the_model_back_where_it_was() public {
        moveModel(A, B, ALICE, model, BOB);
        moveModel(B, C, BOB, model, BOB);
        expire(sendModel(C, D, BOB, atC, ALICE));
        _assertOwner(C, atC, BOB);
        moveModel(C, B, BOB, atC, BOB);
        expire(sendModel(B, C, BOB, model, ALICE));
        _assertOwner(B, model, BOB);
        (uint128 out,) = sites[B].bridge.outstanding(routes[B][C]);
        assertEq(out, 0);
        moveModel(B, A, BOB, model, ALICE);
        _assertOwner(A, model, ALICE);
    }

    function test_a_return_over_several_ledgers_is_refunded_at_each() public {
        moveModel(A, B, ALICE, model, BOB);
        moveModel(B, C, BOB, model, BOB);
        expire(sendModel(C, B, BOB, atC, ALICE));
        _assertOwner(C, atC, BOB);
        uint256 packet = sendModel(C, B, BOB, atC, address(sites[B].bridge));
        deliver(packet);
        acknowledge(packet);
        _assertOwner(C, atC, BOB);
        ForeignModel memory known = sites[C].registry.foreign(atC);
        assertEq(abi.encode(known.path), abi.encode(pathOf(B)));
        moveModel(C, B, BOB, atC, BOB);
        expire(sendModel(B, A, BOB, model, ALICE));
        _assertOwner(B, model, BOB);
        moveModel(B, C, BOB, model, ALICE);
        _assertOwner(C, atC, ALICE);
    }

    function test_a_late_error_for_an_earlier_hop_frees_nothing() public {
        moveModel(A, B, ALICE, model, BOB);
        uint256 onward = sendModel(B, C, BOB, model, BOB);
        deliver(onward);
        deliver(sendModel(C, B, BOB, atC, BOB));
        deliver(sendModel(B, A, BOB, model, ALICE));
        deliver(sendModel(A, B, ALICE, model, BOB));
        deliver(sendModel(B, D, BOB, model, BOB));
        acknowledgeWith(onward, one(ICS24.UNIVERSAL_ERROR));
        _assertLocked(B, model, routes[B][D]);
    }

    // Ledgers that lie

    function test_a_ledger_in_the_middle_harms_only_what_came_over_it() public {
        uint256 elsewhere = _publish(A, "elsewhere");
        uint256 further = _publish(A, "further");
        uint256 atHome = _publish(A, "at-home");
        moveModel(A, B, ALICE, model, BOB);
        moveModel(B, C, BOB, model, BOB);
        moveModel(A, C, ALICE, elsewhere, BOB);
        moveModel(A, D, ALICE, further, BOB);
        moveModel(D, C, BOB, further, BOB);

        // Every key of the client that C has of B is the thief's: it mints what names B, and no more.
        string[4] memory names = ["tumour-mlp", "elsewhere", "further", "at-home"];
        for (uint256 i = 1; i < names.length; ++i) {
            _receive(B, C, transferOf(A, ALICE, names[i], new bytes[](0), abi.encodePacked(THIEF)));
        }
        _assertOwner(C, tokenOf(elsewhere, pathOf(B)), THIEF);
        _assertOwner(C, elsewhere, BOB);
        _assertOwner(C, tokenOf(further, pathOf(D)), BOB);
        _assertOwner(C, atC, BOB);
        // Going home, what it invented frees nothing there.
        for (uint256 i = 1; i < names.length; ++i) {
            uint256 id = i == 1 ? elsewhere : i == 2 ? further : atHome;
            Transfer memory transfer = transferOf(A, ALICE, names[i], new bytes[](0), abi.encodePacked(THIEF));
            _refuse(B, A, transfer, abi.encodeWithSelector(ModelBridge.NotLockedTowards.selector, id, routes[A][B]));
        }
        // What is out over it, it gets.
        _receive(B, A, transferOf(A, ALICE, "tumour-mlp", new bytes[](0), abi.encodePacked(THIEF)));
        _assertOwner(A, model, THIEF);
    }

    function test_a_ledger_further_out_frees_only_what_went_on_to_it() public {
        uint256 staying = _publish(A, "staying");
        uint256 elsewhere = _publish(A, "elsewhere");
        moveModel(A, B, ALICE, staying, BOB);
        moveModel(A, B, ALICE, elsewhere, BOB);
        moveModel(B, D, BOB, elsewhere, BOB);
        Transfer memory transfer = transferOf(A, ALICE, "staying", pathOf(B), abi.encodePacked(THIEF));
        _refuse(C, B, transfer, abi.encodeWithSelector(ModelBridge.NotLockedTowards.selector, staying, routes[B][C]));
        transfer.model.name = "elsewhere";
        _refuse(C, B, transfer, abi.encodeWithSelector(ModelBridge.NotLockedTowards.selector, elsewhere, routes[B][C]));
        transfer.model.path = pathOf(C, B);
        _refuse(
            C,
            B,
            transfer,
            abi.encodeWithSelector(
                ModelBridge.NotLockedTowards.selector, tokenOf(elsewhere, pathOf(C)), routes[B][C]
            )
        );
        _assertOwner(B, staying, BOB);
    }

    function test_nobody_takes_the_id_under_which_a_model_comes_another_way() public {
        // B squats on all it can of a model that never left; D does too, naming B.
        _receive(B, C, transferOf(A, ALICE, "tumour-mlp", new bytes[](0), abi.encodePacked(THIEF)));
        _receive(B, C, transferOf(A, ALICE, "tumour-mlp", pathOf(D), abi.encodePacked(THIEF)));
        _receive(D, C, transferOf(A, ALICE, "tumour-mlp", pathOf(B), abi.encodePacked(THIEF)));
        moveModel(A, C, ALICE, model, BOB);
        _assertOwner(C, model, BOB);
        moveModel(C, A, BOB, model, ALICE);
        moveModel(A, D, ALICE, model, BOB);
        moveModel(D, C, BOB, model, BOB);
        _assertOwner(C, tokenOf(model, pathOf(D)), BOB);
        assertEq(
            on(C).registry.tokenURI(tokenOf(model, pathOf(D))),
            string.concat(on(A).registry.tokenURI(model), "?via=0x", _hex(chainOf(D)))
        );
    }

    function test_a_ledger_cannot_mint_again_what_went_on_from_here() public {
        moveModel(A, B, ALICE, model, BOB);
        moveModel(B, C, BOB, model, BOB);
        Transfer memory again = transferOf(A, ALICE, "tumour-mlp", new bytes[](0), abi.encodePacked(THIEF));
        _refuse(A, B, again, abi.encodeWithSelector(IERC721Errors.ERC721InvalidSender.selector, address(0)));
        _refuse(B, C, again, abi.encodeWithSelector(IERC721Errors.ERC721InvalidSender.selector, address(0)));
    }

    function testFuzz_another_path_is_another_token(uint256 modelId, bytes[3] memory ledgers, uint256 length) public pure {
        bytes[] memory path = new bytes[](bound(length, 1, 3));
        for (uint256 i = 0; i < path.length; ++i) {
            path[i] = ledgers[i];
        }
        uint256 id = Paths.tokenId(modelId, path);
        assertFalse(id == modelId);
        assertFalse(id == Paths.tokenId(modelId, Paths.before(path)));
        assertFalse(id == Paths.tokenId(modelId, Paths.beyond(path, "")));
        unchecked {
            assertFalse(id == Paths.tokenId(modelId + 1, path));
        }
        assertTrue(Paths.endsWith(path, path[path.length - 1]));
        path[0] = bytes.concat(path[0], hex"00");
        assertFalse(id == Paths.tokenId(modelId, path));
    }

    // What travels along

    function test_what_the_home_says_of_a_model_travels_with_it_as_it_was_said() public {
        vm.prank(ALICE);
        on(A).registry.publishVersion(model, "1.1.0", keccak256("second"));
        vm.prank(ALICE);
        on(A).market.grant(model, "1.0.0", accountOn(A, BOB));
        uint64 left = uint64(block.timestamp);
        moveModel(A, B, ALICE, model, BOB);
        vm.warp(left + 500);
        moveModel(B, C, BOB, model, BOB);
        moveModel(C, D, BOB, atC, BOB);
        ForeignModel memory known = sites[D].registry.foreign(atD);
        assertEq(known.home, accountOn(A, address(sites[A].registry)));
        assertEq(abi.encode(known.path), abi.encode(pathOf(B, C)));
        assertEq(known.stated.time, left);
        assertEq(known.stated.versionCount, 2);
        assertEq(known.stated.version, "1.1.0");
        assertEq(known.stated.manifest, keccak256("second"));
        (uint64 live, bytes24 digest) = sites[A].market.tally(model);
        assertEq(live, 1);
        assertEq(known.stated.licenceCount, 1);
        assertTrue(known.stated.licenceDigest == digest && digest != 0);
    }

    function test_what_is_said_of_a_model_is_as_old_as_its_last_voyage() public {
        moveModel(A, B, ALICE, model, BOB);
        moveModel(B, A, BOB, model, ALICE);
        vm.prank(ALICE);
        on(A).registry.publishVersion(model, "2.0.0", MANIFEST);
        assertEq(sites[B].registry.foreign(model).stated.version, "1.0.0");
        moveModel(A, B, ALICE, model, BOB);
        assertEq(sites[B].registry.foreign(model).stated.version, "2.0.0");
    }

    function test_licences_stand_while_the_model_is_abroad_and_nobody_there_can_revoke_them() public {
        LicenceMarket market = on(A).market;
        vm.prank(ALICE);
        bytes32 licence = market.grant(model, "1.0.0", accountOn(A, BOB));
        moveModel(A, B, ALICE, model, BOB);
        moveModel(B, C, BOB, model, THIEF);
        address[3] memory owners = [ALICE, BOB, THIEF];
        for (uint256 i = 0; i < owners.length; ++i) {
            vm.startPrank(owners[i]);
            vm.chainId(sites[A].ledger.chainId);
            vm.expectRevert(abi.encodeWithSelector(Licences.NotModelOwner.selector, model, owners[i]));
            market.revoke(licence);
            vm.chainId(sites[C].ledger.chainId);
            vm.expectRevert(abi.encodeWithSelector(Licences.UnknownLicence.selector, licence));
            sites[C].market.revoke(licence);
            vm.stopPrank();
        }
        assertTrue(market.licence(licence).grantedAt != 0);
        assertFalse(market.licence(licence).revoked);
    }

    function test_the_longest_value_fits_a_packet_and_a_callback() public {
        Transfer memory longest = transferOf(A, ALICE, "", new bytes[](2), abi.encodePacked(BOB));
        longest.model.home = InteroperableAddress.formatEvmV1(type(uint256).max, ALICE);
        longest.model.name = "a-name-of-sixty-four-characters-is-as-long-as-a-name-can-be-0123";
        longest.model.path[0] = InteroperableAddress.formatEvmV1(type(uint256).max - 1);
        longest.model.path[1] = InteroperableAddress.formatEvmV1(type(uint256).max - 2);
        longest.model.stated.version = "1.0.0-a-version-may-be-as-long-as-this-one-is-012345678901234567";
        longest.model.stated.licenceDigest = hex"01";
        bytes memory value = abi.encode(uint8(1), longest);
        assertLe(value.length, 2048 - 3 * 32 - 128); // one more ledger, and a recipient of 128 bytes
        PacketContext memory context = contextOf(C, D, value);
        Site storage site = on(D);
        vm.prank(address(site.ledger.gateway));
        uint256 before = gasleft();
        site.bridge.onRecvPacket(context);
        assertLe(before - gasleft(), 900_000);
    }

    // Depth

    function test_what_lies_too_shallow_waits_and_is_delivered_later() public {
        uint256 packet = sendModel(A, B, ALICE, model, BOB, 10);
        uint64 sent = uint64(block.number);
        height = sent + 8; // proofs are of the next
        deliver(packet);
        assertFalse(isAnswered(packet));
        _assertNotLive(B, model);
        _assertLocked(A, model, routes[A][B]);
        deliver(packet);
        assertTrue(isAnswered(packet));
        assertFalse(isRefused(packet));
        _assertOwner(B, model, BOB);
    }

    function test_what_stays_too_shallow_is_refunded_when_its_time_is_over() public {
        uint64 deepest = sites[A].bridge.MAX_DEPTH();
        uint256 packet = sendModel(A, B, ALICE, model, BOB, deepest);
        for (uint256 i = 0; i < 3; ++i) {
            deliver(packet);
            assertFalse(isAnswered(packet));
        }
        expire(packet);
        assertFalse(isOpen(packet));
        _assertOwner(A, model, ALICE);
        height = deepest + 100;
        deliver(packet);
        _assertNotLive(B, model);
    }

    function test_waiting_costs_a_route_nothing_of_its_limits() public {
        (uint256 before,) = sites[B].bridge.available(routes[B][A], true);
        deliver(sendModel(A, B, ALICE, model, BOB, 1_000));
        (uint256 afterwards,) = sites[B].bridge.available(routes[B][A], true);
        assertEq(afterwards, before);
    }

    function test_nobody_names_a_depth_that_no_packet_reaches() public {
        Site storage site = on(A);
        uint64 tooDeep = site.bridge.MAX_DEPTH() + 1;
        vm.startPrank(ALICE);
        site.registry.approve(address(site.bridge), model);
        vm.expectRevert(abi.encodeWithSelector(ModelBridge.TooDeep.selector, tooDeep));
        site.bridge.send(routes[A][B], model, abi.encodePacked(BOB), inAnHour(), tooDeep);
        vm.stopPrank();
        Transfer memory transfer = transferOf(A, ALICE, "tumour-mlp", new bytes[](0), abi.encodePacked(BOB));
        transfer.minDepth = tooDeep;
        _refuse(A, B, transfer, abi.encodeWithSelector(ModelBridge.TooDeep.selector, tooDeep));
        transfer.minDepth = 1;
        transfer.sentAt = type(uint64).max;
        _refuse(A, B, transfer, abi.encodeWithSelector(IIBCApp.NotYet.selector));
    }

    function _publish(uint256 i, string memory name) private returns (uint256) {
        Site storage site = on(i);
        vm.prank(ALICE);
        return site.registry.publish(name, "1.0.0", MANIFEST);
    }

    /// @dev What whoever has all keys of a route can have delivered.
    function _receive(uint256 source, uint256 dest, Transfer memory transfer) private {
        PacketContext memory context = contextOf(source, dest, abi.encode(uint8(1), transfer));
        Site storage site = on(dest);
        vm.prank(address(site.ledger.gateway));
        site.bridge.onRecvPacket(context);
    }

    function _refuse(uint256 source, uint256 dest, Transfer memory transfer, bytes memory refusal) private {
        PacketContext memory context = contextOf(source, dest, abi.encode(uint8(1), transfer));
        Site storage site = on(dest);
        vm.prank(address(site.ledger.gateway));
        vm.expectRevert(refusal);
        site.bridge.onRecvPacket(context);
    }

    function _refuseSend(uint256 from, uint256 to, uint256 id) private {
        Site storage site = on(from);
        vm.startPrank(BOB);
        site.registry.approve(address(site.bridge), id);
        vm.expectRevert(abi.encodeWithSelector(ModelBridge.NotTheWay.selector, id, routes[from][to]));
        site.bridge.send(routes[from][to], id, abi.encodePacked(BOB), inAnHour(), 0);
        vm.stopPrank();
    }

    function _ledger(uint256 chainId) private pure returns (bytes memory) {
        return InteroperableAddress.formatEvmV1(chainId);
    }

    function _assertOwner(uint256 i, uint256 id, address owner) private view {
        assertEq(sites[i].registry.ownerOf(id), owner);
    }

    function _assertLocked(uint256 i, uint256 id, string memory expected) private view {
        (string memory client,,) = sites[i].bridge.locked(id);
        assertEq(client, expected);
        assertEq(sites[i].registry.ownerOf(id), address(sites[i].bridge));
    }

    function _assertNotLive(uint256 i, uint256 id) private {
        ModelRegistry registry = sites[i].registry;
        vm.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721NonexistentToken.selector, id));
        registry.ownerOf(id);
    }

    function _hex(bytes memory data) private pure returns (string memory) {
        bytes memory digits = "0123456789abcdef";
        bytes memory text = new bytes(2 * data.length);
        for (uint256 i = 0; i < data.length; ++i) {
            text[2 * i] = digits[uint8(data[i]) >> 4];
            text[2 * i + 1] = digits[uint8(data[i]) & 15];
        }
        return string(text);
    }
}
